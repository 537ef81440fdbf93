"""Translates the trace, session and baggage headers of a request into those for the next hop. PURE.

May know the plan and the heart (`ops_lib.propagation`).
Must not know sockets, clocks or the event loop.
Most requests can take the heart's fast path, which makes no
context; the others take its propagator, with the same result.
For speed, header names are encoded once, and looked up by their usual spelling first: this runs for every request.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from ops_lib.propagation import (
    ALL_TRAITS,
    FAMILIES,
    HAS_PARENT,
    HAS_STATE,
    IS_RANDOM,
    IS_SHORT,
    Baggage,
    Beside,
    Extraction,
    Fields,
    Plain,
    PlainBaggage,
    Propagator,
    RandomBits,
    RawFastPath,
    TraceContext,
    codec_of,
    family_of,
)
from proxy.participation.carry_over import CarryOver, PlaceOf, lacks, put_back
from proxy.participation.foreign import ForeignHeaders
from proxy.participation.gate import Gate, RawHeaders
from proxy.participation.in_flight import InFlightTable
from proxy.participation.linking import Linked
from proxy.participation.own_span import RANDOM, SAMPLED, OwnSpan, SpanIds, join
from proxy.participation.sampling import Sampler
from proxy.participation.sizes import NOTHING as NO_WEIGHT
from proxy.participation.sizes import More, beside, has_room
from proxy.participation.trust import believe
from proxy.plan import BaggageMode, PropagationPlan
from proxy.plan.participation import ALL_CARGO, FULL_TRUST, CargoPlan, TrustPlan
from proxy.semantics.request import Weighed
from proxy.translated import (
    NOTHING,
    FastTranslation,
    FullTranslation,
    Translates,
    Translation,
    given_to_app,
)

_PADDING = b"0" * 16
_MOST_NAMES = 256  # sets of names that are remembered, each with
_LONGEST_NAMES = 256  # bytes at the most


def propagator_of(
    plan: PropagationPlan, baggage: BaggageMode, random_bits: RandomBits = random.getrandbits
) -> Propagator:
    """The heart's propagator that reads and writes as `plan` says."""
    return Propagator(
        extract=plan.extract,
        inject=plan.inject,
        session_inject=plan.session_inject,
        session_extract=plan.session_extract,
        session_bridge=plan.session_bridge,
        baggage=baggage,
        on_defer=plan.on_defer,
        grpc_unsampled=plan.grpc_unsampled,
        lossless=plan.lossless,
        random_bits=random_bits,
    )


class Translator(Translates):
    """The propagator of one PropagationPlan, over raw headers. Last of all, it keeps back what may not go."""

    __slots__ = (
        "_carries_baggage",
        "_carry_over",
        "_encoded",
        "_foreign",
        "_formats_of",
        "_gate",
        "_ignores",
        "_in_flight",
        "_participates",
        "_propagator",
        "_random_bits",
        "_sampler",
        "_span_ids",
        "_spellings",
        "_trace_names",
        "_trust",
        "_unread",
        "_unread_of",
        "_way",
        "_withholds",
        "_writes_jaeger_baggage",
    )

    def __init__(
        self,
        plan: PropagationPlan,
        *,
        trust: TrustPlan = FULL_TRUST,
        allowed: CargoPlan = ALL_CARGO,
        session_names: AbstractSet[str] = frozenset(),
        sampler: Sampler | None = None,
        in_flight: InFlightTable | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        random_bits: RandomBits = random.getrandbits,
    ) -> None:
        """`trust`: how far the peer is believed; `allowed`: what may go out.
        `session_names`: headers that may hold a session, beside those of `plan`.
        `sampler`: that of `plan`, if others share its limit.
        `in_flight`: the requests at the app, if the app is the one that calls.
        `clock`: seconds that never go back, for a limit of traces per second.
        """
        self._trust = trust
        self._withholds = allowed != ALL_CARGO
        self._ignores = trust.ids == "ignore"
        self._gate = gate = Gate(trust, allowed, {*session_names, *plan.session_extract, plan.session_inject})
        self._sampler = sampler or Sampler(plan.sampling, clock)
        self._propagator = propagator_of(plan, gate.mode(plan.baggage), random_bits)
        self._in_flight = in_flight if plan.carry_over else None
        self._carries_baggage = plan.baggage == "translate"
        self._carry_over = CarryOver(plan.inject, baggage=self._carries_baggage) if plan.carry_over else None
        self._writes_jaeger_baggage = self._propagator.fast_settings.writes_jaeger_baggage
        self._participates = plan.mode == "participate"
        self._formats_of: dict[tuple[bytes, ...], str] = {}
        self._unread_of: dict[tuple[bytes, ...], str] = {}
        self._random_bits = random_bits
        # Numbers that somebody else replays, or expects, are taken one by one.
        self._span_ids = SpanIds() if random_bits is random.getrandbits else None
        self.injected = self._propagator.inject_formats if allowed.trace else ()
        # The losses of a fast translation, by its traits.
        losses_of = self._propagator.losses_of if allowed.trace else lambda _traits: ()
        self.losses_of_traits = tuple(map(losses_of, range(ALL_TRAITS + 1)))
        self._way: RawFastPath | None = None
        # Judgements take the full path: how far to believe a peer, and decisions that the caller does not make.
        is_heeded = plan.sampling.is_parent_based or not self._participates
        if self._propagator.fast_path is not None and is_heeded and trust == FULL_TRUST:
            self._way = RawFastPath(self._propagator.fast_settings)
        # The usual spellings, for speed: saves decoding, lowering and encoding names.
        names = self._propagator.header_names
        self._spellings = {s.encode("latin-1"): name.lower() for name in names for s in (name, name.lower())}
        self._encoded = {name: name.encode("latin-1") for name in names}
        clear = frozenset(FAMILIES if self._ignores else plan.clear)
        self._foreign = ForeignHeaders(clear, gate, self._propagator.owns, self._spellings)
        owns_trace = self._propagator.owns_trace
        self._trace_names = frozenset(name for name, text in self._spellings.items() if owns_trace(text))
        asked = self._propagator.extract_formats
        self._unread = tuple(each for each in self._propagator.known_formats if each not in asked)

    def owns(self, name: bytes) -> bool:
        """Whether the header `name` (any case) is input for this translator, even if it is dropped.

        Headers of families that we do not translate are, too: they come out again, unless the settings remove them.
        So are those that may not go on: they never come out.
        """
        text = name.decode("latin-1")
        return self._propagator.owns(text) or family_of(text) is not None or self._gate.bars(text)

    def translate(self, headers: RawHeaders, rest: Weighed = NO_WEIGHT) -> Translation:
        """`headers`: those for which `owns` is true, in wire order. Never raises on what they hold.

        `rest`: the other fields and the target, which take room from baggage. Weighed only if there is baggage.
        """
        way = self._way
        if headers and way is not None:
            names = tuple([name for name, _ in headers])  # compiled, `zip` takes longer
            plain = way.read(names, tuple([value for _, value in headers]))
            if plain is not None:
                ids, state, _, _, traits, _, baggage = plain  # once: compiled, each look at it unpacks the whole
                # A participant has to check OpenTelemetry's threshold.
                if (
                    (baggage is None or self._passes(baggage, rest))
                    and not (self._participates and traits & HAS_STATE and b"ot=" in state)
                    and (self._in_flight is None or not self._in_flight or not self._may_be_carried(plain))
                ):
                    span_id, span = b"", None
                    if self._participates:
                        plain, span_id, span = self._take_part(plain)
                    written = way.write(plain)
                    if written is not None:
                        written, withheld = self._gate.withhold(written) if self._withholds else (written, ())
                        read = self.formats_of(names) if span is not None else ""
                        return FastTranslation(written, plain, self, headers, span_id, span, ids, withheld, read)
        if headers and (foreign := self._foreign.find(headers)):
            return self._translate_beside(foreign, headers, rest)
        return self.translate_in_full(headers, rest)

    def _passes(self, baggage: PlainBaggage[bytes], rest: Weighed) -> bool:
        """Whether it goes out as it came."""
        if self._writes_jaeger_baggage and not has_room(baggage, rest):
            return False
        return not self._gate.splits_baggage

    def _translate_beside(self, foreign: dict[bytes, str], headers: RawHeaders, rest: Weighed) -> Translation:
        """The translation of our headers in `headers`; the rest passes unchanged."""
        passed, told = self._foreign.passing(foreign, headers)
        ours = self.translate([header for header in headers if header[0] not in foreign], More(rest, passed))
        if isinstance(ours, FastTranslation):
            ours.headers += passed
            ours.foreign = told
            return ours
        refused = (*ours.refused, "families") if self._ignores else ours.refused
        return ours._replace(headers=ours.headers + passed, foreign=told, refused=refused)

    def _ours(self, baggage: Baggage | None) -> Baggage | None:
        return baggage if self._carries_baggage else None

    def _take_part(self, plain: Plain[bytes]) -> tuple[Plain[bytes], bytes, OwnSpan | None]:
        """The same context with our span id. The caller's decision counts, so we make none."""
        (trace_id, parent_id, sampled), state, session_id, winner, traits, _, baggage = plain
        span_id = self._span_ids.take() if self._span_ids is not None else b"%016x" % (self._random_bits(64) or 1)
        traits &= ~HAS_PARENT
        span: OwnSpan | None = None
        if sampled == b"1":
            flags = SAMPLED | RANDOM if traits & IS_RANDOM else SAMPLED
            span = OwnSpan(_PADDING + trace_id if traits & IS_SHORT else trace_id, span_id, parent_id, flags, state)
        return ((trace_id, span_id, sampled), state, session_id, winner, traits, None, baggage), span_id, span

    def _may_be_carried(self, plain: Plain[bytes]) -> bool:
        """Whether a request of this trace is at the app, and this call lacks what it came with."""
        assert self._in_flight is not None
        (trace_id, span_id, _), _, _, _, _, parent, _ = plain
        whole = trace_id if len(trace_id) == 32 else _PADDING + trace_id
        carried = self._in_flight.carried_of(whole, span_id, parent)
        return carried is not None and lacks(plain, carried)

    def _put_back(self, extraction: Extraction) -> tuple[Extraction, tuple[str, ...]]:
        """A call of the app, with what its format could not carry."""
        context = extraction.context
        if context is None or not self._in_flight:
            return extraction, ()
        parent = context.parent_id.encode("ascii") if context.parent_id is not None else None
        carried = self._in_flight.carried_of(context.trace_id.encode("ascii"), context.span_id.encode("ascii"), parent)
        if carried is None:
            return extraction, ()
        return put_back(extraction, carried, baggage=self._carries_baggage)

    def lacks_context(self, headers: RawHeaders) -> bool:
        """Whether nothing in `headers` says of which trace the request is. A malformed header says something."""
        if not headers:
            return True
        names = self._trace_names
        for name, _ in headers:
            if name in names:
                return False
        said = self._propagator.extract(self._fields(headers))
        return said.context is None and said.decision is None and not said.malformed

    def translate_linked(self, headers: RawHeaders, rest: Weighed, linked: Linked) -> FullTranslation:
        """A call without a context, joined to the request that it belongs to, or not, as `linked` says."""
        candidates = tuple(
            context for entry in linked.candidates if (context := given_to_app(entry.source).context) is not None
        )
        came = given_to_app(linked.entry.source) if linked.entry is not None else Extraction()
        return self.translate_entirely(headers, rest, came)._replace(
            linked=linked.method,
            candidates=candidates if self._participates else (),
        )

    def translate_entirely(
        self, headers: RawHeaders, rest: Weighed = NO_WEIGHT, behind: Extraction | None = None
    ) -> FullTranslation:
        """As `translate_in_full`, with headers of other families among them."""
        foreign = self._foreign.find(headers)
        if not foreign:
            return self.translate_in_full(headers, rest, behind)
        passed, told = self._foreign.passing(foreign, headers)
        made = self.translate_in_full([header for header in headers if header[0] not in foreign], rest, behind)
        refused = (*made.refused, "families") if self._ignores else made.refused
        return made._replace(headers=made.headers + passed, foreign=told, refused=refused)

    def place_of(self, translation: Translation) -> PlaceOf | None:
        """What has to be remembered of a request that went to the app as `translation`; None for nothing."""
        carry_over = self._carry_over
        if carry_over is None:
            return None
        if isinstance(translation, FastTranslation):
            return carry_over.of_plain(translation.plain)
        context = translation.context
        return carry_over.of_context(context, translation.extraction) if context is not None else None

    def extract(self, headers: RawHeaders) -> Extraction | None:
        """What `headers` say, as far as the peer is believed; None without headers."""
        return believe(self._propagator.extract(self._fields(headers)), self._trust).extraction if headers else None

    def translate_in_full(
        self, headers: RawHeaders, rest: Weighed = NO_WEIGHT, behind: Extraction | None = None
    ) -> FullTranslation:
        """The same through the propagator, for any headers.

        `behind`: what the request said to the app that this call belongs to, if it has no context of its own.
        """
        propagator = self._propagator
        extraction = Extraction()
        context: TraceContext | None = None
        span: OwnSpan | None = None
        link: TraceContext | None = None
        carried: tuple[str, ...] = ()
        refused: tuple[str, ...] = ()
        if headers:
            extraction, link, refused = believe(propagator.extract(self._fields(headers)), self._trust)
            extraction, carried = self._put_back(extraction)
        elif not self._participates and behind is None:
            return NOTHING
        if behind is not None and extraction.context is None:
            extraction = extraction._replace(
                context=behind.context,
                session=extraction.session if extraction.session is not None else behind.session,
                baggage=extraction.baggage if extraction.baggage is not None else self._ours(behind.baggage),
            )
        if self._participates:
            context, span = join(extraction, self._sampler, self._random_bits)
        room = beside(rest, headers) if extraction.baggage is not None else Beside()
        goes_out = self._gate.leaving(extraction)
        injection = propagator.inject(goes_out, context=context, beside=room)
        encoded = self._encoded
        written = [
            (encoded.get(name) or name.encode("latin-1"), value.encode("latin-1")) for name, value in injection.headers
        ]
        written, withheld = self._gate.withhold(written, extraction, goes_out)
        return FullTranslation(
            written,
            extraction if headers else None,
            injection.formats if self.injected else (),
            injection.losses if self.injected else (),
            injection.context,
            (),
            ",".join([one.format for one in extraction.says if one.what is not None]),
            extraction.session.encode("latin-1") if extraction.session is not None else None,
            span,
            link,
            carried,
            withheld=withheld,
            refused=refused,
        )

    def formats_of(self, names: tuple[bytes, ...]) -> str:
        """The formats of valid headers with these names, joined by commas."""
        known = self._formats_of.get(names)
        if known is None:
            present = {name.decode("latin-1").lower() for name in names}
            formats = self._propagator.extract_formats
            known = ",".join([each for each in formats if not codec_of(each).names.isdisjoint(present)])
            if len(self._formats_of) < _MOST_NAMES and sum(map(len, names)) <= _LONGEST_NAMES:
                self._formats_of[names] = known
        return known

    def unread(self, headers: RawHeaders) -> str:
        """The formats in `headers` that are known, and not asked for: tokens such as `b3?`, joined by commas."""
        if not self._unread:
            return ""
        names = tuple([name for name, _ in headers])
        known = self._unread_of.get(names)
        if known is None:
            present = {name.decode("latin-1").lower() for name in names}
            known = ",".join([f"{each}?" for each in self._unread if not codec_of(each).names.isdisjoint(present)])
            if len(self._unread_of) < _MOST_NAMES and sum(map(len, names)) <= _LONGEST_NAMES:
                self._unread_of[names] = known
        return known

    def _fields(self, headers: RawHeaders) -> Fields:
        fields: Fields = {}
        spellings = self._spellings
        for raw_name, raw_value in headers:
            name = spellings.get(raw_name) or raw_name.decode("latin-1").lower()
            if name in fields:
                fields[name].append(raw_value.decode("latin-1"))
            else:
                fields[name] = [raw_value.decode("latin-1")]
        return fields
