"""What an app does to the context between a request and the calls that it makes meanwhile: findings, and their proof.

May know requests in flight and translations. A sidecar sees both sides of its app, and nobody else does.
Bounded: of each finding the last proof is kept, which is the headers of one request and one call.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Final, NamedTuple, TypedDict

from ops_lib.propagation import KNOWN_FORMATS, Format, Sampling, codec_of
from proxy.participation.in_flight import InFlight, InFlightTable
from proxy.semantics.request import Field
from proxy.telemetry.metrics import count
from proxy.translated import FastTranslation, FullTranslation, Translation

FORWARDED: Final = "forwarded"  # as it came
RE_PARENTED: Final = "re-parented"  # the app has spans of its own
DROPPED: Final = "dropped"  # no context at all
ANOTHER_TRACE: Final = "another-trace"  # of no request that is at the app
DECISION_CHANGED: Final = "decision-changed"
TWO_STORIES: Final = "two-stories"  # its formats disagree
FOREIGN_FORMAT: Final = "foreign-format"  # one that the app was not given
FINDINGS: Final = (
    FORWARDED,
    RE_PARENTED,
    DROPPED,
    ANOTHER_TRACE,
    DECISION_CHANGED,
    TWO_STORIES,
    FOREIGN_FORMAT,
)

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


class Doctor:
    """One per data plane."""

    def __init__(self, table: InFlightTable, counts: dict[str, int], clock: Callable[[], float] = time) -> None:
        """`counts`: by finding, where they are counted."""
        self._table = table
        self._counts = counts
        self._clock = clock
        self._proofs: dict[str, Proof] = {}

    def proofs(self) -> dict[str, ShownProof]:
        """The last proof of each finding."""
        return {
            finding: ShownProof(at=proof.at, given=_shown(proof.given), sent=_shown(proof.sent))
            for finding, proof in self._proofs.items()
        }

    def examine(self, translation: Translation, sent: list[Field]) -> None:
        """A call of the app, with the trace fields that it came with. Nothing is found while no request is there."""
        table = self._table
        if not table:
            return
        parent_id: str | None = None
        formats: tuple[Format, ...]
        is_torn = False
        if isinstance(translation, FastTranslation):
            digits, span, flag = translation.ids
            trace_id, span_id = digits.decode("ascii").rjust(32, "0"), span.decode("ascii")
            sampling = Sampling.ACCEPT if flag == b"1" else Sampling.DENY
            formats = (translation.winner,)
        else:
            if translation.linked is not None:
                self._found(DROPPED, None, sent)
                return
            said = translation.extraction
            if said is None or said.context is None:
                return  # a bare decision, or a header that is malformed
            trace_id, span_id, sampling = said.context[:3]
            parent_id = said.context.parent_id
            formats = tuple(each.format for each in said.says)
            is_torn = bool(said.conflicts or said.span_conflicts)
        entry = table.of_trace(trace_id, span_id, parent_id)
        if entry is not None:
            self._found(FORWARDED if span_id == entry.span_id else RE_PARENTED, entry, sent)
            self._compare(entry, sampling, formats, sent)
        elif table.is_whole:
            self._found(ANOTHER_TRACE, None, sent)
        if is_torn:
            self._found(TWO_STORIES, entry, sent)

    def _compare(self, entry: InFlight, sampling: Sampling, formats: tuple[Format, ...], sent: list[Field]) -> None:
        source = entry.source
        if isinstance(source, FastTranslation):
            given = Sampling.ACCEPT if source.plain[0][2] == b"1" else Sampling.DENY
        elif isinstance(source, FullTranslation) and source.context is not None:
            given = source.context.sampling
        else:
            return
        is_decided = Sampling.DEFER not in (given, sampling)
        if is_decided and given.is_sampled != sampling.is_sampled:
            self._found(DECISION_CHANGED, entry, sent)
        spoken = _SPOKEN_OF.get(source.injected) or _spoken(source.injected)
        for each in formats:
            if each not in spoken:
                self._found(FOREIGN_FORMAT, entry, sent)
                return

    def _found(self, finding: str, entry: InFlight | None, sent: list[Field]) -> None:
        count(self._counts, finding)
        source = entry.source if entry is not None else None
        given = source.headers if isinstance(source, (FastTranslation, FullTranslation)) else []
        self._proofs[finding] = Proof(self._clock(), given, sent)


_SPOKEN_OF: dict[tuple[Format, ...], frozenset[Format]] = {}  # as many entries as there are sets of formats in plans


def _spoken(injected: tuple[Format, ...]) -> frozenset[Format]:
    """What an app speaks that is given these formats: the other encodings of their families, too."""
    families = {codec_of(each).family for each in injected} - {""}
    others = (each for each in map(Format, KNOWN_FORMATS) if codec_of(each).family in families)
    spoken = frozenset((*injected, *others))
    _SPOKEN_OF[injected] = spoken
    return spoken


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
