"""One ContextPropagator: carriers into the OpenTelemetry Context, and the Context into carriers.

The wire rules are the heart's (`ops_lib.propagation`, docs/formats.md).
What goes where in the Context is in `bridge`.
This module applies the settings.
May know: the heart, the Context, and the environment variables that choose the formats.
Must not know which propagator is in force.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, MutableMapping
from typing import Literal, TypeAlias, cast

from opentelemetry.context import Context

from ops_lib.context.current import EMPTY, EXTRACTION_KEY, SESSION_KEY, SPAN_KEY, current
from ops_lib.context.sessions import SESSION_HEADER_NAME, session_id_of
from ops_lib.headers.bridge import (
    PlainEntries,
    baggage_in,
    baggage_of,
    into_context,
    plain_into_context,
    plain_of,
    trace_context_of,
)
from ops_lib.headers.environment import Environment, EnvironmentCarrier
from ops_lib.propagation import (
    FORMAT_NAMES,
    FORMATS,
    NOTHING,
    Carrier,
    Extraction,
    Format,
    MutableCarrier,
    Propagator,
    UnknownFormatError,
    codec_of,
    inject_into,
    parse_formats,
)
from ops_lib.spans.failures import FAILURES
from ops_lib.spans.unrecorded import RemoteSpan

PropagatorFormat: TypeAlias = Literal["tracecontext", "grpc-trace-bin", "b3", "b3multi", "jaeger", "composite"]
"""The names that Mirascope knows; `composite` stands for the other four at once. ContextPropagator takes any format.

Specification: docs/formats.md; W3C Trace Context level 2, B3 (openzipkin/b3-propagation), Jaeger "Propagation format".
"""

FORMAT_VARIABLE = "MIRASCOPE_PROPAGATOR"
INJECT_VARIABLE = "OPS_PROPAGATION_INJECT"
EXTRACT_VARIABLE = "OPS_PROPAGATION_EXTRACT"


def _formats(names: str | Iterable[str], source: str) -> tuple[Format, ...]:
    """The formats in `names`. Raises UnknownFormatError, which names `source` and the right names."""
    try:
        formats = parse_formats(names)
    except UnknownFormatError as error:
        raise UnknownFormatError(f"{source}: {error}") from None
    if not formats:
        raise UnknownFormatError(f"{source}: no format named; known are: {', '.join(FORMAT_NAMES)}")
    return formats


class ContextPropagator:
    """Reads headers into an OpenTelemetry Context, and writes a Context into headers.

    Takes:

    - `extract`, `inject`: each a format name, several joined by commas, or a list of them (PropagatorFormat).
    - `propagator`: a ready heart propagator instead.
    - `set_global`: whether it also becomes OpenTelemetry's global propagator. Default: no global state is touched.

    Missing values come from the environment: `OPS_PROPAGATION_INJECT`, else `MIRASCOPE_PROPAGATOR` (default
    `tracecontext`), is written.
    `OPS_PROPAGATION_EXTRACT` is read, else every format, the written ones first.
    Gives: an immutable object, safe to share between threads.
    Raises: ValueError (UnknownFormatError) listing the right names if a name is wrong, and where it came from.
    Specification: docs/formats.md; OpenTelemetry "Propagators API".
    """

    __slots__ = ("_fast_path", "_has_ours", "_inject", "_lowered", "_read", "propagator")

    def __init__(
        self,
        *,
        extract: str | Iterable[str] | None = None,
        inject: str | Iterable[str] | None = None,
        propagator: Propagator | None = None,
        set_global: bool = False,
    ) -> None:
        if propagator is None:
            if inject is not None:
                injected = _formats(inject, "inject")
            else:
                name = INJECT_VARIABLE if os.environ.get(INJECT_VARIABLE) else FORMAT_VARIABLE
                injected = _formats(os.environ.get(name) or Format.TRACECONTEXT, name)
            if extract is not None:
                extracted = _formats(extract, "extract")
            elif text := os.environ.get(EXTRACT_VARIABLE):
                extracted = _formats(text, EXTRACT_VARIABLE)
            else:
                extracted = tuple(dict.fromkeys((*injected, *FORMATS)))
            propagator = Propagator(extract=extracted, inject=injected)
        self.propagator = propagator
        self._read, self._inject = propagator.read, propagator.inject
        self._fast_path, self._has_ours = propagator.fast_path, propagator.has_ours
        names = [name for format in propagator.inject_formats for name in codec_of(format).writes]
        self._lowered = {name: name.lower() for name in names if name != name.lower()}
        if set_global:
            from opentelemetry.propagate import set_global_textmap

            from ops_lib.headers.otel_textmap import OtelTextMap

            set_global_textmap(OtelTextMap(self))

    def extract_context(self, carrier: Carrier | None, context: Context | None = None) -> Context:
        """The Context from `carrier`.

        Takes: `carrier`, headers in any form (see `ops_lib.extract_context`);
        `context`, on which to build (default: an empty one).
        Gives: `context` with the caller's span, session and baggage, as far as the headers have them.
        Raises: nothing; unreadable parts are left out.
        Specification: docs/formats.md.
        """
        base = EMPTY if context is None else context
        if carrier is None:
            return base
        if type(carrier) is Environment:
            carrier = EnvironmentCarrier(cast("MutableMapping[str, str]", carrier))
        try:
            said = self._read(carrier)
        except Exception:  # the outermost edge: a carrier may be anything
            FAILURES.tell("could not read headers from %s", type(carrier), level=logging.WARNING)
            return base
        if isinstance(said, Extraction):
            return into_context(said, base) if said is not NOTHING else base
        return plain_into_context(said, base)

    def inject_context(self, carrier: MutableCarrier, context: Context | None = None) -> None:
        """Write `context` into `carrier`.

        Takes: `carrier`, a mutable mapping or a list of pairs; `context` (default: the current one).
        Its headers of other formats are removed if a trace is written.
        Gives: nothing; `carrier` is changed.
        Raises: nothing; a carrier that cannot be written is logged.
        Specification: docs/formats.md "Who wins".
        """
        if context is None:
            context = current()
        if not context:
            return
        # The fast path: a plain span, a session and unchanged baggage, into a dict.
        path = self._fast_path
        if type(carrier) is dict and path is not None and EXTRACTION_KEY not in context:
            entries = baggage_in(context)
            told = plain_of(context.get(SPAN_KEY))
            if (
                told is not None
                and (entries is None or entries.__class__ is PlainEntries)
                # There must be nothing to clear, and no values of
                # bytes, or else new values would have to be bytes, too.
                and not (carrier and (self._has_ours(carrier) or isinstance(next(iter(carrier.values())), bytes)))
            ):
                session = context.get(SESSION_KEY)
                session_id = session if session is None or session.__class__ is str else session_id_of(context)
                if path.write_into(carrier, told, session_id, None if entries is None else entries.plain):
                    return
        headers, has_trace = self.headers(context)
        if headers:
            if type(carrier) is Environment:
                carrier = EnvironmentCarrier(cast("MutableMapping[str, str]", carrier))
            try:
                inject_into(carrier, headers, owns=self.propagator.owns_trace if has_trace else None)
            except Exception:  # the outermost edge: a carrier may be anything
                FAILURES.tell("could not write headers into %s", type(carrier), level=logging.WARNING)

    @property
    def written(self) -> set[str]:
        """The names of the headers that may be written, without those of Jaeger's baggage, which vary."""
        names = {SESSION_HEADER_NAME, "baggage"}
        for format in self.propagator.inject_formats:
            names.update(name.lower() for name in codec_of(format).writes)
        return names

    def headers(self, context: Context) -> tuple[tuple[tuple[str, str], ...], bool]:
        """The headers for `context` as a mapping has them, and whether a trace is among them. Raises nothing.

        Names of formats are in lower case: in a plain dict, other readers of B3 look for nothing else.
        The session's is spelled as documented.
        """
        extraction = context.get(EXTRACTION_KEY)
        came = extraction if extraction.__class__ is Extraction else NOTHING
        span = context.get(SPAN_KEY)
        # For speed, two short cuts for the common case: the caller's own span, and no baggage.
        told = span.told if span.__class__ is RemoteSpan else trace_context_of(span, came.context, came.decision)
        session_id = session_id_of(context)
        entries = baggage_in(context)
        baggage = None if entries is None else baggage_of(entries, came.baggage)
        if told is None and came.context is not None:
            came = came._replace(context=None)  # the span was cleared: nothing of the caller's trace is left
        if session_id is not came.session or baggage is not came.baggage:
            came = came._replace(session=session_id, baggage=baggage)
        injection = self._inject(came, context=told)
        headers = injection.headers
        if self._lowered:
            headers = tuple([(self._lowered.get(name, name), value) for name, value in headers])
        return headers, injection.context is not None or came.decision is not None
