"""What is found in the calls of an app, counted and proved: values, and how they are shown.

Must not know how it is found: see `doctor`.
Bounded: of each finding the last proof is kept, which is the headers of one request and one call.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypedDict

from proxy.semantics.request import Field

FORWARDED: Final = "forwarded"  # as it came
RE_PARENTED: Final = "re-parented"  # the app has spans of its own
LATE: Final = "late"  # of a request that is over: work that goes on behind an answer
DROPPED: Final = "dropped"  # no context at all
ANOTHER_TRACE: Final = "another-trace"  # of no request that is at the app
STALE: Final = "stale"  # of one trace again and again, whatever request is at the app
DECISION_CHANGED: Final = "decision-changed"
TWO_STORIES: Final = "two-stories"  # its formats disagree
FOREIGN_FORMAT: Final = "foreign-format"  # one that the app was not given
UNREAD_FORMAT: Final = "unread-format"  # one that is not read here, and no other
LOST_STATE: Final = "lost-tracestate"
LOST_BAGGAGE: Final = "lost-baggage"
LOST_SESSION: Final = "lost-session"

HARMLESS: Final = frozenset((FORWARDED, RE_PARENTED, LATE, FOREIGN_FORMAT))

_MOST_FIELDS: Final = 32  # of each side of a proof
_MOST_CHARACTERS: Final = 512  # of each value
_MASK: Final = "***"


class Proof(NamedTuple):
    """One call, and the request that it is compared to."""

    at: float  # seconds since the epoch
    given: list[Field]  # trace, session and baggage fields that the app got; empty: it cannot be said of which request
    sent: list[Field]  # those of its call


class ShownProof(TypedDict):
    """A proof as it may be shown: values of baggage are masked."""

    at: float
    given: list[tuple[str, str]]
    sent: list[tuple[str, str]]


class Evidence:
    """What was counted for a console, since it wants to know."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {"examined": 0}  # by finding
        self.expected: dict[str, int] = {}  # by what a call should have brought along
        self.seen: dict[str, tuple[float, float]] = {}  # by finding, first and last: seconds since the epoch


def shown(proof: Proof) -> ShownProof:
    """`proof` as it may be shown."""
    return ShownProof(at=proof.at, given=_shown(proof.given), sent=_shown(proof.sent))


def _shown(fields: list[Field]) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), _masked(name.decode("latin-1").lower(), value.decode("latin-1"))[:_MOST_CHARACTERS])
        for name, value in fields[:_MOST_FIELDS]
    ]


def _masked(name: str, value: str) -> str:
    if name.startswith("uberctx-"):
        return _MASK
    if name in ("baggage", "jaeger-baggage"):
        return ",".join(f"{member.partition('=')[0].strip()}={_MASK}" for member in value.split(","))
    return value
