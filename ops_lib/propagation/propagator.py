"""The propagator: which format is believed, what the others add, and what goes out.

    extract:  every format in the configured order, then `judge`.
    inject:   exactly the configured formats, one header each, all telling the same story.
    owns:     what has to be cleared before that.

Pure: fields in, values out. Extraction never raises.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from . import b3, baggage, carrier, jaeger, session, tracecontext
from .baggage import Baggage
from .context import (
    Fields,
    Headers,
    Losses,
    Malformed,
    Policy,
    RandomBits,
    Reading,
    Sampling,
    TraceContext,
    stand_in,
)
from .formats import FORMATS, Format, Loss
from .judge import Said, judge

BaggageMode = Literal["translate", "pass", "drop"]

SESSION_KEY = "session.id"
"""The baggage key of the session bridge (OpenTelemetry semantic conventions)."""


class Extraction(NamedTuple):
    """All that the headers of one request say."""

    context: TraceContext | None = None
    decision: Sampling | None = None  # a bare decision, only where context is None
    winner: Format | None = None  # whose context or decision it is
    says: tuple[Said, ...] = ()  # the formats that had a header, in the order of extraction
    conflicts: tuple[tuple[Format, TraceContext], ...] = ()  # losers of another trace
    malformed: tuple[tuple[Format, Malformed], ...] = ()
    session: str | None = None
    session_malformed: Malformed | None = None
    baggage: Baggage | None = None
    baggage_malformed: Malformed | None = None


class Injection(NamedTuple):
    """What goes out, and what of the extraction it cannot say."""

    headers: tuple[tuple[str, str], ...]
    losses: tuple[tuple[Format, Loss], ...]
    context: TraceContext | None = None  # the context that the headers carry; made up for some bare decisions
    formats: tuple[Format, ...] = ()  # the formats that went out


_Extract = Callable[[Fields], Reading]
_Inject = Callable[[TraceContext, Policy, Headers, Losses], None]


class _Codec(NamedTuple):
    names: frozenset[str]
    extract: _Extract
    inject: _Inject
    inject_decision: Callable[[Sampling, Headers], None] | None  # None: needs ids


_CODECS = {
    Format.TRACECONTEXT: _Codec(tracecontext.NAMES, tracecontext.extract, tracecontext.inject, None),
    Format.B3: _Codec(b3.NAMES, b3.extract, b3.inject, b3.inject_decision),
    Format.B3MULTI: _Codec(b3.MULTI_NAMES, b3.extract_multi, b3.inject_multi, b3.inject_multi_decision),
    Format.JAEGER: _Codec(jaeger.NAMES, jaeger.extract, jaeger.inject, None),
}

# The two encodings of B3 are one family: asked for one, the other is read too, right after it.
_SIBLING = {Format.B3: Format.B3MULTI, Format.B3MULTI: Format.B3}


def _with_siblings(formats: Iterable[Format]) -> tuple[Format, ...]:
    formats = tuple(formats)
    order: dict[Format, None] = {}
    for format in formats:
        order[format] = None
        if (sibling := _SIBLING.get(format)) and sibling not in formats:
            order[sibling] = None
    return tuple(order)


class Propagator:
    """Reads and writes by one set of settings. Immutable, cheap to call, safe to share between threads."""

    __slots__ = (
        "_baggage",
        "_bridge",
        "_jaeger_baggage",
        "_jaeger_first",
        "_names",
        "_owned",
        "_plain_names",
        "_policy",
        "_random_bits",
        "_readers",
        "_reads_baggage",
        "_session_inject",
        "_session_names",
        "_write_jaeger",
        "_write_w3c",
        "_writers",
        "extract_formats",
        "inject_formats",
    )

    def __init__(
        self,
        *,
        extract: Iterable[Format] = FORMATS,
        inject: Iterable[Format] = (Format.TRACECONTEXT,),
        session_inject: str = session.INJECT_NAME,
        session_extract: Iterable[str] = session.EXTRACT_NAMES,
        session_bridge: bool = False,
        baggage: BaggageMode = "translate",
        on_defer: Sampling = Sampling.DENY,
        lossless: bool = True,
        random_bits: RandomBits = random.getrandbits,
    ) -> None:
        """Settings as in FORMATS; `session_inject` may be "" to write no session header.

        `baggage`: "translate" into the kind that the injected formats use, "pass" (not ours: neither cleared nor
        written), or "drop". With `session_bridge` W3C baggage is always ours, as the session goes into it.
        """
        self.extract_formats = _with_siblings(extract)
        self.inject_formats = tuple(dict.fromkeys(inject))
        self._readers = tuple((f, _CODECS[f].names, _CODECS[f].extract) for f in self.extract_formats)
        self._writers = tuple((f, _CODECS[f].inject, _CODECS[f].inject_decision) for f in self.inject_formats)
        self._policy = Policy(on_defer, lossless)
        self._session_inject = session_inject
        self._session_names = tuple(dict.fromkeys(name.lower() for name in session_extract))
        self._bridge = session_bridge
        self._baggage: BaggageMode = baggage
        self._jaeger_baggage = Format.JAEGER in self.extract_formats and baggage != "pass"
        self._jaeger_first = self._jaeger_baggage and (
            Format.TRACECONTEXT not in self.extract_formats
            or self.extract_formats.index(Format.JAEGER) < self.extract_formats.index(Format.TRACECONTEXT)
        )
        self._write_jaeger = Format.JAEGER in self.inject_formats and baggage != "pass"
        self._write_w3c = not self._write_jaeger or len(self.inject_formats) > 1
        self._random_bits = random_bits
        self._names = carrier.known_names(self._session_names)
        self._reads_baggage = baggage == "translate" or session_bridge
        self._plain_names = self._names - carrier.BAGGAGE_NAMES
        owned = set(self._names)
        if session_inject:
            owned.add(session_inject.lower())
        if baggage == "pass":
            owned -= carrier.BAGGAGE_NAMES
            if session_bridge:
                owned.add("baggage")
        self._owned = frozenset(name.replace("_", "-") for name in owned)

    def fields(self, headers: carrier.Carrier) -> Fields:
        """The headers of `headers` (any carrier) that this propagator reads."""
        return carrier.fields(headers, self._names)

    def owns(self, name: str) -> bool:
        """Whether the header `name` has to go before injecting: of any format, in any case, or an underscore twin."""
        name = name.lower().replace("_", "-")
        return name in self._owned or (self._baggage != "pass" and name.startswith("uberctx-"))

    def extract(self, fields: Fields) -> Extraction:
        """All that `fields` say. Never raises."""
        if not fields:
            return NOTHING
        says: tuple[Said, ...] = ()
        malformed: tuple[tuple[Format, Malformed], ...] = ()
        for format, names, read in self._readers:
            if names.isdisjoint(fields):
                continue
            what, reason = read(fields)
            says += (Said(format, what, reason),)
            if reason is not None:
                malformed += ((format, reason),)
        session_id, session_malformed = session.extract(fields, self._session_names)
        members: Baggage | None = None
        baggage_malformed: Malformed | None = None
        # What is in fields and yet no known name can only be an uberctx-*.
        if self._reads_baggage and not self._plain_names.issuperset(fields):
            members, baggage_malformed = baggage.extract(
                fields, jaeger=self._jaeger_baggage, jaeger_first=self._jaeger_first
            )
            if self._bridge and session_id is None and members is not None:
                bridged = members.get(SESSION_KEY)
                if bridged is not None and session.is_session_id(bridged):
                    session_id = bridged
        winner, context, decision, conflicts = judge(says)
        return Extraction(
            context,
            decision,
            winner,
            says,
            conflicts,
            malformed,
            session_id,
            session_malformed,
            members,
            baggage_malformed,
        )

    def inject(self, extraction: Extraction, *, context: TraceContext | None = None) -> Injection:
        """The headers for `extraction`, with `context` (a span of our own) instead of its own where given."""
        headers: Headers = []
        losses: Losses = []
        formats = self.inject_formats
        if context is None:
            context = extraction.context
        if context is not None:
            for _, write, _ in self._writers:
                write(context, self._policy, headers, losses)
        elif extraction.decision is None:
            formats = ()
        else:
            context = self._inject_decision(extraction.decision, headers, losses)
        if extraction.session is not None and self._session_inject:
            headers.append((self._session_inject, extraction.session))
        if extraction.baggage is not None or (self._bridge and extraction.session is not None):
            self._inject_baggage(extraction, headers, losses)
        return Injection(tuple(headers), tuple(losses), context, formats)

    def _inject_decision(self, decision: Sampling, headers: Headers, losses: Losses) -> TraceContext | None:
        """A bare decision: bare where the format can say it, else with ids made up once for all formats."""
        ids: TraceContext | None = None
        for format, write, write_decision in self._writers:
            if write_decision is not None:
                write_decision(decision, headers)
                continue
            if ids is None:
                ids = stand_in(decision, random_bits=self._random_bits)
            write(ids, self._policy, headers, losses)
            if decision.is_sampled:
                losses.append((format, Loss.BARE))
        return ids

    def _inject_baggage(self, extraction: Extraction, headers: Headers, losses: Losses) -> None:
        members = extraction.baggage or baggage.EMPTY
        if self._baggage == "drop":
            members = baggage.EMPTY
        if self._bridge and extraction.session is not None and members.get(SESSION_KEY) != extraction.session:
            members = members.with_member(SESSION_KEY, extraction.session)
        if self._write_w3c and baggage.write_w3c(members, headers):
            losses.append((Format.TRACECONTEXT, Loss.BAGGAGE_CUT))
        if self._write_jaeger and baggage.write_jaeger(members, headers):
            losses.append((Format.JAEGER, Loss.BAGGAGE_CUT))


NOTHING = Extraction()
"""What a request without any header of ours says."""
