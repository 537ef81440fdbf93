"""What is missing of a trace: a span for each parent that nobody sent, and what is known of it. PURE.

A caller outside, such as a browser or curl, is no gap: its id came with a request, and nobody expects a span of it.
It is told as well, but apart. Of several missing parents only that of the first request can be such a caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from proxy.console.query.words import plural

Answer = dict[str, Any]

_SLACK_MS: Final = 1.0  # clocks of one machine, read one after the other
_CALLED: Final = ("server", "consumer")  # as `Summary` has it


def missing_spans(spans: Mapping[str, Answer]) -> list[Answer]:
    """As long as its children cover. `spans`: those that came, by id."""
    children: dict[str, list[Answer]] = {}
    for span in spans.values():
        parent = span["parent"]
        if parent is not None and parent not in spans:
            children.setdefault(parent, []).append(span)
    outside = _outside(children) if all(span["parent"] is not None for span in spans.values()) else None
    return [_made(parent, mine, spans.values(), parent == outside) for parent, mine in children.items()]


def gaps(missing: Iterable[Answer]) -> list[Answer]:
    """Those of `missing_spans` that a service here should have sent."""
    return [span for span in missing if "outside" not in span]


def _outside(children: Mapping[str, list[Answer]]) -> str | None:
    """Of a trace without a root: the parent that its first request named, if nothing but requests name it."""
    if not children:
        return None
    first = min(children, key=lambda parent: min(span["start"] for span in children[parent]))
    return first if all(span["kind"] in _CALLED for span in children[first]) else None


def _made(parent: str, mine: list[Answer], all_spans: Iterable[Answer], is_outside: bool) -> Answer:
    first = min(mine, key=lambda span: span["start"])
    end = max(span["start"] + span["ms"] for span in mine)
    around = _around(first, end, mine, all_spans)
    made: Answer = {
        "id": parent,
        "parent": around["id"] if around is not None else None,
        "service": _maker(first),
        "name": "sent no span" if is_outside else "never reported",
        "kind": "internal",
        "start": first["start"],
        "ms": max(0.0, end - first["start"]),
        "status": "unset",
        "attrs": {},
        "events": [],
        "links": [],
        "scope": "",
        "missing": True,
        "sentence": _about(first, mine, around, is_outside),
    }
    if around is not None:
        made["guess"] = True
    if is_outside:
        made["outside"] = True
    return made


def _around(first: Answer, end: float, mine: list[Answer], all_spans: Iterable[Answer]) -> Answer | None:
    """The innermost span that received a request for the same service, and lasted around all of this."""
    if first["kind"] in _CALLED:
        return None
    around = [
        span
        for span in all_spans
        if span["kind"] in _CALLED
        and span["service"] == first["service"]
        and span["start"] <= first["start"] + _SLACK_MS
        and span["start"] + span["ms"] >= end - _SLACK_MS
        and span not in mine
    ]
    return max(around, key=lambda span: span["start"], default=None)


def _maker(child: Answer) -> str:
    """Who should have sent the parent, as far as its child tells."""
    return f"caller of {child['service']}" if child["kind"] in _CALLED else str(child["service"])


def _about(first: Answer, mine: list[Answer], around: Answer | None, is_outside: bool) -> str:
    named = plural(len(mine), "span names", "spans name")
    said = f"{named} this id as parent, but {_maker(first)} never sent it."
    if is_outside:
        said = f"The trace began outside, at the {_maker(first)}, which sent no span."
    if around is not None:
        said += f" Probably inside {around['name']}, by time alone."
    address = first["attrs"].get("client.address")
    agent = first["attrs"].get("user_agent.original")
    known = [f"address {address}"] if address and first["kind"] in _CALLED else []
    known += [f"agent {agent}"] if agent and first["kind"] in _CALLED else []
    return f"{said} Known of it: {', '.join(known)}." if known else said
