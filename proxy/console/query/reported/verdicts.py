"""Whether a format can be stopped at a receiver: safe, soon, or not yet; and the sentence that says so. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from proxy.console.query.reported.coverage import Coverage
from proxy.console.query.words import plural
from proxy.explain.names import format_name, listed

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_STILL_MS: Final = _DAY_MS  # a need this young is not over


class Needs(NamedTuple):
    """Requests at a receiver, and those among them that have this format alone."""

    of: int  # requests in the window
    number: int  # of them that need it
    last: int  # ms; 0: never
    last_peer: str
    peers: tuple[str, ...]  # who needs it, most first
    rows: tuple[tuple[int, int], ...]  # last and count of all requests


def verdict(
    peer: str, format: str, needs: Needs, coverage: Coverage, now_ms: int, days: int, what: str = "request"
) -> dict[str, Any]:
    """`safe`: True, "soon" or False; with `sentence` and `why`."""
    name = format_name(format)
    from_ms = now_ms - days * _DAY_MS
    if needs.last >= from_ms:
        return _needed(peer, name, needs, now_ms, days, what)
    if coverage.silent:
        who = listed(coverage.silent[:3])
        why = f"{who} said nothing for {_span(now_ms - coverage.silent_since)}, and may know of one that needs it."
        return {"safe": "soon", "sentence": f"Wait: a sidecar of {peer} is silent.", "why": why}
    if coverage.since > from_ms:
        since = _date(coverage.since)
        of = sum(count for last, count in needs.rows if last >= coverage.since)
        before = f"before that {coverage.why}" if coverage.why else "the first report is no older"
        why = (
            f"None of {plural(of, what)} since {since} needed it; {before}. "
            f"Safe in {_days(coverage.since - from_ms)} if none comes."
        )
        return {"safe": "soon", "sentence": f"Wait: {name} to {peer} is not known for {days} days yet.", "why": why}
    if not needs.of:
        why = f"No {what} came in {days} days, so none could need it."
        return {"safe": "soon", "sentence": f"Wait: {peer} was not called.", "why": why}
    last = ""
    if needs.last:
        last = f" The last that needed it came {_span(now_ms - needs.last)} ago, from {needs.last_peer}."
    meanwhile, gone = "no sidecar silent meanwhile", ""
    if coverage.gone:
        meanwhile = f"{plural(len(coverage.gone), 'sidecar')} lost before that"
        gone = f" Nothing was heard of {_listed(coverage.gone)} for more than {days} days."
    return {
        "safe": True,
        "sentence": (
            f"Safe to stop sending {name} to {peer}: none of {_short(needs.of)} {what}s in {days} days, {meanwhile}."
        ),
        "why": (
            f"None of {plural(needs.of, what)} needed it: each told its trace in another format, or had none."
            f"{last}{gone}"
        ),
    }


def _needed(peer: str, name: str, needs: Needs, now_ms: int, days: int, what: str) -> dict[str, Any]:
    ago = _span(now_ms - needs.last)
    who = _listed(needs.peers)
    if what == "call":
        alone = f"Not yet: {peer} makes calls in {name} alone."
    else:
        alone = f"Not yet: {peer} gets {name} alone from {who}."
    count = f"{needs.number:,} of {plural(needs.of, what)} in {days} days"
    if now_ms - needs.last < _STILL_MS:
        return {
            "safe": False,
            "sentence": alone,
            "why": f"{count} had no other format; the last came {ago} ago, from {needs.last_peer}.",
        }
    left = _days(needs.last + days * _DAY_MS - now_ms)
    return {
        "safe": "soon",
        "sentence": f"Wait: the last {what} that needed {name} came {ago} ago, from {needs.last_peer}.",
        "why": f"{count} had no other format. Safe in {left} if none comes.",
    }


def _listed(names: Sequence[str]) -> str:
    """The first three."""
    more = len(names) - 3
    return listed(names) if more < 1 else f"{', '.join(names[:3])} and {more} more"


def _short(number: int) -> str:
    """`1.2 M`, `38,402`."""
    return f"{number / 1e6:.1f} M" if number >= 1_000_000 else f"{number:,}"


def _span(ms: int) -> str:
    if ms < _HOUR_MS:
        return plural(max(ms // _MINUTE_MS, 0), "minute") if ms >= _MINUTE_MS else "less than a minute"
    if ms < 2 * _DAY_MS:
        return plural(ms // _HOUR_MS, "hour")
    return plural(ms // _DAY_MS, "day")


def _days(ms: int) -> str:
    return plural(max(1, -(-ms // _DAY_MS)), "day")


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%-d %b %H:%M UTC")
