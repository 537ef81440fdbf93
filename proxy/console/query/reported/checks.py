"""The doctor's eight checks: what each looks at, how it is told, and what cures it. PURE: words alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from proxy.explain.names import formats

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
UNSEEN: Final = "unseen"

_FAIL_FROM: Final = 0.5  # share of the calls


class Check(NamedTuple):
    """One question about each call of an app."""

    key: str
    label: str
    meaning: str
    findings: tuple[str, ...]  # that speak against it
    of: tuple[str, ...]  # counters of the calls that could show it
    note: str  # of rows that show it
    does: str  # what an app does that fails it; follows its name
    repairs: str  # the note of a row where the sidecar made it good; empty: it cannot
    saved: str
    cure: str


_EXAMINED: Final = ("examined",)

CHECKS: Final = (
    Check(
        "forwards",
        "Forwards",
        "A call that is made while a request is served carries a trace",
        ("dropped",),
        _EXAMINED,
        "gap",
        "drops the context",
        "linked",
        "The sidecar joined {repaired} of the last {looked} to their requests, by evidence.",
        "Pass the context on where the app calls: instrument its HTTP client, and wrap thread pools that make calls.",
    ),
    Check(
        "same",
        "Same trace",
        "The trace id that came in is the one that goes out",
        ("another-trace",),
        _EXAMINED,
        "re-minted",
        "makes new trace ids",
        "",
        "Not repaired: each such call begins a trace of its own.",
        "Extract the incoming context before the first span of a request begins.",
    ),
    Check(
        "once",
        "One context",
        "No second set of headers tells another story",
        ("two-stories",),
        _EXAMINED,
        "conflict",
        "tells two stories",
        "conflict",
        "One context leaves all the same; the other is counted, and becomes a link on the span.",
        "Two tracers write headers. Switch one off, or let it write the format of the other.",
    ),
    Check(
        "decision",
        "Decision",
        "Sampled stays sampled, denied stays denied",
        ("decision-changed",),
        ("expected:decision",),
        "flipped",
        "flips the sampling decision",
        "",
        "Not repaired: what an app decides counts for its calls.",
        "Use a sampler that follows the parent, such as OTEL_TRACES_SAMPLER=parentbased_always_on.",
    ),
    Check(
        "state",
        "State",
        "tracestate reaches the call",
        ("lost-tracestate",),
        ("expected:tracestate",),
        "lost-state",
        "loses tracestate",
        "carry-over",
        "The sidecar put it back on {repaired} of the last {looked}.",
        "Forward tracestate wherever traceparent is forwarded.",
    ),
    Check(
        "baggage",
        "Baggage, session",
        "Baggage and the session reach the call",
        ("lost-baggage", "lost-session"),
        ("expected:baggage", "expected:session"),
        "lost-baggage",
        "loses baggage or the session",
        "carry-over",
        "The sidecar put them back on {repaired} of the last {looked}.",
        "Forward baggage and X-Mirascope-Session-Id, or let ops_lib do it. Meanwhile the sidecar puts them back.",
    ),
    Check(
        "format",
        "Format",
        "What is spoken is read where it arrives",
        ("unread-format",),
        _EXAMINED,
        "unread",
        "speaks a format that is not read",
        "",
        "Not repaired: what is not read is not passed on.",
        "outbound.propagation.extract: add what it speaks.",
    ),
    Check(
        "fresh",
        "Fresh",
        "Each call carries the context of its own request",
        ("stale",),
        _EXAMINED,
        "stale",
        "repeats one context for all its calls",
        "",
        "Not repaired: the calls hang on a trace that is over.",
        "A context lives in a global, a cached client or a worker that outlives its request. Read it for each request.",
    ),
)
BY_KEY: Final = {check.key: check for check in CHECKS}


def state(bad: int, of: int) -> str:
    """How a check stands."""
    if not of:
        return UNSEEN
    if not bad:
        return OK
    return FAIL if bad >= of * _FAIL_FROM else WARN


def share(bad: int, of: int) -> str:
    """`every call`, `3 of 1,204 calls`."""
    if bad >= of:
        return "on every call" if of > 1 else "on its one call"
    return f"on {bad:,} of {of:,} calls"


def told(check: Check, service: str, bad: int, of: int, lost: Mapping[str, int]) -> str:
    """One finding in a sentence. `lost`: its counters by finding."""
    does = check.does
    if check.key == "baggage":
        words = (("baggage", "lost-baggage"), ("the session", "lost-session"))
        is_lost = [name for name, finding in words if lost.get(finding)]
        does = f"loses {' and '.join(is_lost)}"
    return f"{service} {does} {share(min(bad, of), of)}."


def unread_told(who: str, at: str, names: list[str], count: int) -> str:
    """A peer whose format is not read where it calls."""
    requests = "request" if count == 1 else "requests"
    return f"{who} speaks {formats(names)} to {at}, which does not read it: {count:,} {requests}."
