"""What sidecars' shadows would do: of each listener and upstream how many requests would differ, and in what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from proxy.console.query.words import plural
from proxy.console.store.reader import Reader
from proxy.console.store.senders import RUNNING
from proxy.explain.names import listed

Answer = dict[str, Any]

_SAME: Final = "same"
_ERROR: Final = "error"
_WORDS: Final = {
    "headers": "the names of headers",
    "ids": "trace or span id",
    "decision": "the sampling decision",
    "tracestate": "tracestate",
    "session": "the session",
    "baggage": "baggage",
    "losses": "more lost than now",
    _ERROR: "not known, by a fault of the sidecar",
}
_MOST: Final = 500
_MOST_EXAMPLES: Final = 8
_SHADOW: Final = ".shadow."


def shadow(reader: Reader) -> list[Answer]:
    """Of each service, listener and upstream; counts add up over replicas that run. The most different first."""
    rows = reader.all(
        "SELECT service, shadow, settings FROM sidecars WHERE shadow IS NOT NULL AND ended = ? "
        "ORDER BY service, seen LIMIT ?",
        (RUNNING, _MOST),
    )
    found: dict[tuple[str, str, str], Answer] = {}
    for service, text, settings in rows:
        tried = _tried(json.loads(settings) if settings else [])
        for route in json.loads(text):
            key = service, route["listener"], route["upstream"]
            one = found.setdefault(key, {"counts": {}, "examples": {}, "tried": tried})
            one["tried"] = tried or one["tried"]
            for difference, number in route.get("counts", {}).items():
                one["counts"][difference] = one["counts"].get(difference, 0) + number
            one["examples"] |= _examples(route.get("examples", {}))
    made = [_made(*key, one) for key, one in found.items()]
    made.sort(key=lambda one: (-one["differ"], one["service"], one["upstream"]))
    return made[:_MOST]


def _made(service: str, listener: str, upstream: str, one: Answer) -> Answer:
    counts = one["counts"]
    same = counts.get(_SAME, 0)
    # A request may differ in several ways, so that their sum says nothing; one of them is in the largest at least.
    differ = max((number for difference, number in counts.items() if difference != _SAME), default=0)
    to = f"the app of {service}" if upstream == "app" else upstream
    return {
        "service": service,
        "listener": listener,
        "upstream": upstream,
        "as_if": one["tried"],
        "same": same,
        "differ": differ,
        "differences": [
            {
                "what": difference,
                "words": _WORDS.get(difference, difference),
                "count": number,
                "example": one["examples"].get(difference),
            }
            for difference, number in sorted(counts.items(), key=lambda each: -each[1])
            if difference != _SAME
        ],
        "sentence": _sentence(to, one["tried"], same, differ, counts),
    }


def _sentence(to: str, tried: list[str], same: int, differ: int, counts: Mapping[str, int]) -> str:
    as_if = f" with {listed(tried)}" if tried else ""
    if not same and not differ:
        return f"No request to {to} was tried{as_if} yet."
    if not differ:
        return f"Nothing would change for {to}{as_if}: {plural(same, 'request was', 'requests were')} tried."
    what = listed(f"{_WORDS.get(one, one)} ({number:,})" for one, number in counts.items() if one != _SAME)
    least = "At least " if len(counts.keys() - {_SAME}) > 1 else ""
    return f"{least}{plural(differ, 'request')} to {to} would differ{as_if}: {what}. {same:,} would not."


def _tried(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """The settings of shadows, as one writes them."""
    found = []
    for entry in settings:
        key, value = entry["key"], entry.get("value")
        if _SHADOW in key and entry["source"] != "default":
            told = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
            found.append(f"{key.rpartition(_SHADOW)[2]}: {told}"[:200])
    return list(dict.fromkeys(found))[:20]


def _examples(examples: Mapping[str, Mapping[str, Any]]) -> dict[str, Answer]:
    return {
        what: {"at": one["at"] * 1000, **{side: _headers(one.get(side, ())) for side in ("came", "goes", "would_go")}}
        for what, one in list(examples.items())[:_MOST_EXAMPLES]
    }


def _headers(fields: Iterable[Sequence[str]]) -> list[Answer]:
    return [{"name": one[0], "value": one[1]} for one in fields if len(one) == 2]
