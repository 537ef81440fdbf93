"""The propagator: decides which format is believed, what the others add, and what goes out.

    extract:  every format in the configured order, then `precedence`.
    inject:   exactly the configured formats, one header each, all telling the same story.
    owns:     what has to be cleared before that (`ownership`).

Pure: fields in, values out. Extraction never raises.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Literal, NamedTuple

from . import baggage, carrier, session
from .baggage import NOTHING_BESIDE, Baggage, BaggageMode, Beside
from .codec import Codec, Extract
from .context import Fields, Headers, Losses, Malformed, RandomBits, TraceContext, new, policy
from .extraction import NOTHING, Extraction, Injection
from .families import SESSION_KEY
from .fast.forms import sample
from .fast.path import TextFastPath
from .fast.reader import FastReader
from .fast.shapes import FastSettings
from .formats import Format, Loss
from .optional import grpc_trace_bin
from .ownership import Ownership
from .precedence import Said, decide
from .registry import FORMATS, codecs_of, with_family
from .writer import Writer


class _Present(NamedTuple):
    """What a set of header names asks for on the full path. Computed once: few sets ever come.

    `fast.shapes` does the same for the fast path.
    """

    readers: tuple[tuple[Format, Extract], ...]
    session_names: tuple[str, ...]
    has_baggage: bool


# The memory of header names stays small, whatever is sent. Beyond the limit, only the time changes.
_MAX_SETS = 256
_MAX_SET_NAMES = 64  # in one
_MAX_SET_LENGTH = 1024  # characters of all its names


class Propagator:
    """Reads and writes by one set of settings. Immutable, except for a memory of header names, for speed.

    Cheap to call and expensive to make: keep it.
    Safe to share between threads.
    `read(carrier)` returns what any carrier says: Plain in the simplest cases, otherwise an Extraction.
    `fields(carrier)` returns the headers of any carrier that this propagator reads, for `extract`.
    Both raise TypeError if `carrier` is not a carrier.
    `owns`, `owns_trace` and `header_names`: see Ownership.
    `fast_path` writes into dicts where nothing has to be cleared first (`has_ours(dict)`).
    None: there is no fast path.
    """

    __slots__ = (
        "_baggage",
        "_bridge",
        "_codecs",
        "_grpc_unsampled",
        "_jaeger_baggage",
        "_jaeger_first",
        "_lossless",
        "_present",
        "_reader",
        "_reads_baggage",
        "_session_inject",
        "_session_names",
        "_write_jaeger",
        "_write_w3c",
        "_writer",
        "extract_formats",
        "fast_path",
        "fields",
        "has_ours",
        "header_names",
        "inject_formats",
        "owns",
        "owns_trace",
        "read",
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
        on_defer: float = 1.0,
        grpc_unsampled: Literal["deny", "defer"] = "deny",
        lossless: bool = True,
        random_bits: RandomBits = random.getrandbits,
    ) -> None:
        """`session_inject` may be "" to write no session header.

        `baggage`: "translate" into the kind that the injected formats
        use, "pass" (not ours: neither cleared nor written), or "drop".
        With `session_bridge`, W3C baggage is always ours, because the session goes into it.
        `grpc_unsampled`: what a `grpc-trace-bin` says that is not sampled.
        """
        session_extract = tuple(session_extract)
        self.extract_formats = with_family(extract)
        self.inject_formats = tuple(dict.fromkeys(inject))
        self._lossless = lossless
        self._grpc_unsampled = grpc_unsampled
        self._writer = Writer(self.inject_formats, policy(on_defer, lossless), random_bits)
        self._present: dict[tuple[str, ...], _Present] = {}
        self._session_inject = session_inject
        self._session_names = tuple(dict.fromkeys(name.lower() for name in session_extract))
        self._bridge = session_bridge
        self._baggage: BaggageMode = baggage
        kinds = [codec.baggage for codec in codecs_of(self.extract_formats) if codec.baggage]
        self._jaeger_baggage = "jaeger" in kinds and baggage != "pass"
        self._jaeger_first = self._jaeger_baggage and kinds[0] == "jaeger"
        self._write_jaeger = baggage != "pass" and any(
            codec.baggage == "jaeger" for codec in codecs_of(self.inject_formats)
        )
        self._write_w3c = not self._write_jaeger or len(self.inject_formats) > 1
        self._codecs = codecs_of(dict.fromkeys((*FORMATS, *self.extract_formats, *self.inject_formats)))
        names = Ownership(
            self._codecs,
            session_inject=session_inject,
            session_extract=session_extract,
            session_bridge=session_bridge,
            baggage=baggage,
        )
        self.header_names, self.owns, self.owns_trace = names.spelled, names.owns, names.owns_trace
        self._reads_baggage = baggage == "translate" or session_bridge
        # With the bridge, the session may go into baggage or come from it, so nothing is plain.
        is_plain = all(codec.plain is not None for codec in codecs_of(self.inject_formats))
        self.fast_path = TextFastPath(self.fast_settings) if is_plain and not session_bridge else None
        self._reader: FastReader[Extraction] = FastReader(
            names=names.read,
            spelled=[name for name in names.spelled if name.lower() in names.read],
            is_ours=lambda name: names.reads(name) or names.owns(name),
            fast_path=self.fast_path,
            in_full=self.extract,
            nothing=NOTHING,
        )
        self.read = self._reader.read
        self.fields = self._reader.fields
        self.has_ours = self._reader.has_ours

    @property
    def fast_settings(self) -> FastSettings:
        """For a RawFastPath like this propagator's."""
        return FastSettings(
            self.extract_formats,
            self.inject_formats,
            self._session_inject,
            self._session_names,
            self._lossless,
            self._write_w3c,
            self._write_jaeger,
            self._baggage == "translate",
        )

    def losses_of(self, traits: int) -> tuple[tuple[Format, Loss], ...]:
        """What plain headers with these traits lose in the written formats."""
        return tuple(self._writer.write(sample(traits))[1])

    @property
    def known_formats(self) -> tuple[Format, ...]:
        """The formats whose headers are read or cleared: the defaults, and the chosen ones."""
        return tuple(codec.format for codec in self._codecs)

    def extract(self, fields: Fields) -> Extraction:
        """All that `fields` say. Never raises."""
        if not fields:
            return NOTHING
        names = tuple(fields)
        readers, session_names, has_baggage = self._present.get(names) or self._learn(names)
        says: tuple[Said, ...] = ()
        malformed: tuple[tuple[Format, Malformed], ...] = ()
        for format, read in readers:
            what, reason = read(fields)
            says += (new(Said, (format, what, reason)),)
            if reason is not None:
                malformed += ((format, reason),)
        session_id: str | None = None
        session_malformed: Malformed | None = None
        if session_names:
            session_id, session_malformed = session.extract(fields, session_names)
        members: Baggage | None = None
        baggage_malformed: Malformed | None = None
        if has_baggage:
            members, baggage_malformed = baggage.extract(
                fields, jaeger=self._jaeger_baggage, jaeger_first=self._jaeger_first
            )
            if self._bridge and session_id is None and members is not None:
                bridged = members.get(SESSION_KEY)
                if bridged is not None and session.is_session_id(bridged):
                    session_id = bridged
        winner, context, decision, conflicts, of_spans = decide(says)
        came = (context, decision, winner, says, conflicts, malformed)
        return new(Extraction, (*came, session_id, session_malformed, members, baggage_malformed, of_spans))

    def _learn(self, names: tuple[str, ...]) -> _Present:
        present = _Present(
            tuple(
                (codec.format, self._reader_of(codec))
                for codec in codecs_of(self.extract_formats)
                if not codec.names.isdisjoint(names)
            ),
            tuple(name for name in self._session_names if name in names),
            self._reads_baggage
            and any(name in carrier.BAGGAGE_NAMES or name.startswith(baggage.UBERCTX) for name in names),
        )
        is_short = len(names) <= _MAX_SET_NAMES and sum(map(len, names)) <= _MAX_SET_LENGTH
        if len(self._present) < _MAX_SETS and is_short:
            self._present[names] = present
        return present

    def _reader_of(self, codec: Codec) -> Extract:
        is_deferred = codec.format == grpc_trace_bin.FORMAT and self._grpc_unsampled == "defer"
        return grpc_trace_bin.extract_deferring if is_deferred else codec.extract

    def inject(
        self, extraction: Extraction, *, context: TraceContext | None = None, beside: Beside = NOTHING_BESIDE
    ) -> Injection:
        """The headers for `extraction`; with `context` (our own span), for that instead.

        `beside`: what else the request holds, which takes room from baggage.
        """
        formats = self.inject_formats
        if context is None:
            context = extraction.context
        if context is not None:
            headers, losses = self._writer.write(context)
        elif extraction.decision is not None:
            headers, losses, context = self._writer.write_decision(extraction.decision)
        else:
            headers, losses, formats = [], [], ()
        if extraction.session is not None:
            if self._session_inject:
                headers.append((self._session_inject, extraction.session))
            if self._bridge or extraction.baggage is not None:
                self._inject_baggage(extraction, headers, losses, beside)
        elif extraction.baggage is not None:
            self._inject_baggage(extraction, headers, losses, beside)
        return new(Injection, (tuple(headers), tuple(losses), context, formats))

    def _inject_baggage(self, extraction: Extraction, headers: Headers, losses: Losses, beside: Beside) -> None:
        members = extraction.baggage or baggage.EMPTY
        if self._baggage == "drop":
            members = baggage.EMPTY
        if self._bridge and extraction.session is not None and members.get(SESSION_KEY) != extraction.session:
            members = members.with_member(SESSION_KEY, extraction.session)
        cut_w3c, cut_jaeger = baggage.write(
            members, headers, w3c=self._write_w3c, jaeger=self._write_jaeger, beside=beside
        )
        if cut_w3c:
            losses.append((Format.TRACECONTEXT, Loss.BAGGAGE_CUT))
        if cut_jaeger:
            losses.append((Format.JAEGER, Loss.BAGGAGE_CUT))
