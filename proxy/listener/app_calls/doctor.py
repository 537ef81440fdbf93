"""What an app does to the context between a request and the calls that it makes meanwhile: findings, and their proof.

May know requests in flight and translations. A sidecar sees both sides of its app, and nobody else does.
While a console wants to know, more is looked at: what gets lost beside the ids, and traces that come again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import time
from typing import Final, cast

from ops_lib.propagation import KNOWN_FORMATS, Format, Sampling, codec_of
from proxy.listener.accounting import Accounted
from proxy.listener.app_calls import evidence as found
from proxy.listener.app_calls.evidence import HARMLESS, Evidence, Proof, ShownProof, shown
from proxy.listener.app_calls.losses import BAGGAGE, SESSION, STATE, Given, given_by, lost_in
from proxy.participation.entry import InFlight
from proxy.participation.in_flight import InFlightTable
from proxy.participation.recent import RecentTraces
from proxy.semantics.request import Field
from proxy.telemetry.metrics import count
from proxy.telemetry.report.counts import FormatCounts
from proxy.translated import FastTranslation, FullTranslation, Translation

_MOST_OTHERS: Final = 3  # requests that come and go while one trace is called with: then it is stale
_LOST: Final = {STATE: found.LOST_STATE, BAGGAGE: found.LOST_BAGGAGE, SESSION: found.LOST_SESSION}

_PATIENCE_S: Final = 60.0

Names = Callable[[Accounted], bytes]


class Doctor:
    """One per data plane."""

    def __init__(self, table: InFlightTable, counts: dict[str, int], clock: Callable[[], float] = time) -> None:
        """`counts`: by finding, where they are counted."""
        self._table = table
        self._counts = counts
        self._clock = clock
        self._proofs: dict[str, Proof] = {}
        self._formats: FormatCounts | None = None  # while a console wants to know
        self._name_of: Names | None = None
        self._repeated = Repeated()
        self._findings: list[str] = []  # of the call that was examined last
        self._entry: InFlight | None = None  # the request that it belongs to
        self._is_told = False  # a plan has said whether a console wants to know
        self._knows_recent_at = -inf  # from when on it is known which traces were at the app a while ago
        self.evidence = Evidence()

    def proofs(self) -> dict[str, ShownProof]:
        """The last proof of each finding."""
        return {finding: shown(proof) for finding, proof in self._proofs.items()}

    def tell(self, formats: FormatCounts | None, name_of: Names | None) -> None:
        """A console wants to know: count in `formats` what the app speaks. None: nobody wants to know any more.

        `name_of`: the id of an exchange in reports.
        """
        if formats is not self._formats:
            self.evidence = Evidence()
            self._repeated = Repeated()
            self._table.recent = RecentTraces() if formats is not None else None
            if self._is_told:  # requests that are over by now may still call
                self._knows_recent_at = self._clock() + _PATIENCE_S
        self._is_told = True
        self._formats = formats
        self._name_of = name_of

    def settled(self, *, is_final: bool = False) -> Evidence:
        """What was counted. A call that may turn out to be stale is waited for, but not for long."""
        if is_final or self._clock() - self._repeated.last > _PATIENCE_S:
            self._settle()
        return self.evidence

    def note(self, exchange: Accounted) -> None:
        """`exchange` is the call that was examined last: it is told what it shows."""
        if self._formats is None:
            return
        told = [finding for finding in self._findings if finding not in HARMLESS]
        if not told:
            return
        exchange.findings = tuple(told)
        entry = self._entry if self._entry is not None else self._table.only()
        if entry is not None and entry.exchange is not None and self._name_of is not None:
            exchange.request_of = self._name_of(cast(Accounted, entry.exchange)).decode("ascii")

    def examine(self, translation: Translation, sent: list[Field], unread: str = "") -> None:
        """A call of the app, with the trace fields that it came with. Nothing is found while no request is there.

        `unread`: formats in `sent` that are known and not asked for.
        """
        table = self._table
        self._entry = None
        if self._findings:
            self._findings = []
        if table.is_idle and isinstance(translation, FastTranslation):
            self._without_request(translation.ids[0])
            return
        parent_id: bytes | None = None
        formats: tuple[Format, ...]
        is_torn = False
        if isinstance(translation, FastTranslation):
            digits, span_id, flag = translation.ids
            trace_id = digits.rjust(32, b"0")
            sampling = Sampling.ACCEPT if flag == b"1" else Sampling.DENY
            formats = (translation.winner,)
        else:
            said = translation.extraction
            if said is None or said.context is None or translation.linked is not None:
                if not table.is_idle:
                    self._without(translation, sent, unread)
                return  # or a bare decision, or a header that is malformed
            context = said.context
            trace_id, span_id, sampling = context.trace_id.encode(), context.span_id.encode(), context.sampling
            parent_id = context.parent_id.encode() if context.parent_id is not None else None
            formats = tuple(each.format for each in said.says)
            is_torn = bool(said.conflicts or said.span_conflicts)
        if table.is_idle:
            self._without_request(trace_id)
            return
        if self._formats is not None:
            self.evidence.calls["examined"] += 1
        entry = self._entry = table.of_trace(trace_id, span_id, parent_id)
        if entry is not None:
            self._found(found.FORWARDED if span_id == entry.span_id else found.RE_PARENTED, entry, sent)
            self._settle()
            self._repeated.end()
            self._compare(entry, translation, sampling, formats, sent)
        elif table.is_traced:  # who was given none begins its own
            self._elsewhere(trace_id, sent)
        if is_torn:
            self._found(found.TWO_STORIES, entry, sent)

    def _without_request(self, trace_id: bytes) -> None:
        """A call while no request is remembered."""
        if self._formats is not None and self._table.is_whole:
            self._repeated.without_request(trace_id)

    def _without(self, translation: FullTranslation, sent: list[Field], unread: str) -> None:
        """A call that says nothing of a trace, as far as it is read here."""
        is_beside = bool(translation.foreign) and translation.linked is not None
        is_unread = bool(unread) or is_beside
        if not is_unread and (translation.linked is None or not self._table.is_traced):
            return  # who was given nothing drops nothing
        if self._formats is not None:
            self.evidence.calls["examined"] += 1
        self._found(found.UNREAD_FORMAT if is_unread else found.DROPPED, None, sent)
        if not (unread or is_beside):
            self._repeated.end()

    def _elsewhere(self, trace_id: bytes, sent: list[Field]) -> None:
        """A call of a trace that no request at the app has."""
        if self._formats is None:
            self._found(found.ANOTHER_TRACE, None, sent)
            return
        recent = self._table.recent
        usual = found.LATE if recent is not None and trace_id in recent else found.ANOTHER_TRACE
        if usual == found.ANOTHER_TRACE and self._clock() < self._knows_recent_at:
            return  # or late
        newest = next(iter(self._table.newest(1)), None)
        repeated = self._repeated
        if repeated.trace_id != trace_id:
            self._settle()
            repeated.begin(trace_id, usual)
        repeated.add(newest)
        repeated.last = self._clock()
        if repeated.is_stale:
            self._found(found.STALE, None, sent, repeated.take() + 1)
        else:
            repeated.pending += 1
            self._found(usual, None, sent, 0)

    def _settle(self) -> None:
        """What was not stale after all is what it looked like."""
        pending = self._repeated.take()
        if pending:
            self._count(self._repeated.usual, pending)

    def _compare(
        self,
        entry: InFlight,
        translation: Translation,
        sampling: Sampling,
        formats: tuple[Format, ...],
        sent: list[Field],
    ) -> None:
        source = entry.source
        if isinstance(source, FastTranslation):
            given = Sampling.ACCEPT if source.plain[0][2] == b"1" else Sampling.DENY
        elif isinstance(source, FullTranslation) and source.context is not None:
            given = source.context.sampling
        else:
            return
        is_decided = Sampling.DEFER not in (given, sampling)
        if is_decided and given.is_sampled != sampling.is_sampled:
            self._found(found.DECISION_CHANGED, entry, sent)
        if self._formats is not None:
            self._look_closer(given_by(source), source.injected, translation, formats, sent)
        spoken = _SPOKEN_OF.get(source.injected) or _spoken(source.injected)
        for each in formats:
            if each not in spoken:
                self._found(found.FOREIGN_FORMAT, entry, sent)
                return

    def _look_closer(
        self,
        given: Given,
        injected: tuple[Format, ...],
        translation: Translation,
        formats: tuple[Format, ...],
        sent: list[Field],
    ) -> None:
        """What the app should have passed on beside the ids, and what it speaks."""
        assert self._formats is not None
        expected = self.evidence.expected
        count(expected, "decision")
        spoken = ",".join(formats)
        self._formats.add(("call", "", "", "app", "", spoken, ",".join(injected)), self._clock())
        for what, is_lost in lost_in(given, translation, formats, sent):
            count(expected, what)
            if is_lost:
                self._found(_LOST[what], self._entry, sent)

    def _found(self, finding: str, entry: InFlight | None, sent: list[Field], number: int = 1) -> None:
        """`number`: how many calls are counted for a console; 0: it is not known yet what this one is."""
        count(self._counts, finding)
        self._findings.append(finding)
        source = entry.source if entry is not None else None
        given = source.headers if isinstance(source, (FastTranslation, FullTranslation)) else []
        self._proofs[finding] = Proof(self._clock(), given, sent)
        if self._formats is not None and number:
            self._count(finding, number)

    def _count(self, finding: str, number: int) -> None:
        calls = self.evidence.calls
        calls[finding] = calls.get(finding, 0) + number
        now = self._clock()
        self.evidence.seen[finding] = self.evidence.seen.get(finding, (now, now))[0], now


class Repeated:
    """A trace of no request at the app, on one call after the other.

    An app that keeps a context in a wrong place uses it for all its calls, whatever request they belong to.
    Work that goes on behind an answer looks alike, but it also calls while no request is there.
    """

    __slots__ = ("_background", "_newest", "_others", "last", "pending", "trace_id", "usual")

    _newest: InFlight | None
    _others: int

    def __init__(self) -> None:
        self.pending = 0  # calls that are not counted yet
        self.last = -inf  # when the last of them came
        self._background = b""  # the trace of the last call without a request; of 32 digits, or of 16
        self.begin(b"", "")

    def begin(self, trace_id: bytes, usual: str) -> None:
        """Another trace; `usual`: the finding if it is not stale."""
        self.trace_id, self.usual = trace_id, usual
        self.end()

    def add(self, newest: InFlight | None) -> None:
        """A call of this trace; `newest`: the request that came last."""
        if newest is not self._newest:
            self._newest = newest
            self._others += 1

    @property
    def is_stale(self) -> bool:
        """Whether so many requests had it that it belongs to none of them."""
        return self._others >= _MOST_OTHERS and self.trace_id != self._background.rjust(32, b"0")

    def take(self) -> int:
        """The calls that were not counted yet; they are now."""
        pending, self.pending = self.pending, 0
        return pending

    def without_request(self, trace_id: bytes) -> None:
        """A call while no request is at the app."""
        self._background = trace_id

    def end(self) -> None:
        """A call has come that belongs to its request."""
        self._newest = None
        self._others = 0


_SPOKEN_OF: dict[tuple[Format, ...], frozenset[Format]] = {}  # as many entries as there are sets of formats in plans


def _spoken(injected: tuple[Format, ...]) -> frozenset[Format]:
    """What an app speaks that is given these formats: the other encodings of their families, too."""
    families = {codec_of(each).family for each in injected} - {""}
    others = (each for each in map(Format, KNOWN_FORMATS) if codec_of(each).family in families)
    spoken = frozenset((*injected, *others))
    _SPOKEN_OF[injected] = spoken
    return spoken
