"""Our propagator in OpenTelemetry's propagator API.

May know: that API, and the names of headers.
Must not import `opentelemetry.propagate`, which loads the entry points of `textmap` while it is itself being loaded.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    DefaultGetter,
    DefaultSetter,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from ops_lib.context.current import current
from ops_lib.headers.environment import EnvironmentCarrier
from ops_lib.propagation.carrier import known_names


class Source(Protocol):
    """What `OtelTextMap` needs of a propagator; a ContextPropagator has it."""

    def extract_context(self, carrier: Any, context: Context | None = None, /) -> Context: ...

    def headers(self, context: Context, /) -> tuple[tuple[tuple[str, str], ...], bool]: ...

    @property
    def written(self) -> set[str]: ...


class OtelTextMap(TextMapPropagator):
    """Trace, session and baggage, read and written by `source`.

    Specification: OpenTelemetry "Propagators API", TextMapPropagator; docs/formats.md.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def source(self) -> Source:
        """The propagator that does the work."""
        return self._source

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """`context` (default: an empty one) with the contents of the headers in `carrier`."""
        if isinstance(getter, DefaultGetter):
            # A getter finds a name in one letter case only; a dict of headers may have any.
            return self.source.extract_context(carrier, context)
        if _reads_environments(getter):
            return self.source.extract_context(EnvironmentCarrier(carrier), context)  # type: ignore[arg-type]  # as it takes
        names = getter.keys(carrier) or sorted(known_names())
        pairs = [(name, value) for name in dict.fromkeys(names) for value in getter.get(carrier, name) or ()]
        return self.source.extract_context(pairs, context)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Writes `context` (default: the current one) with `setter`."""
        headers, _ = self.source.headers(current() if context is None else context)
        as_given = isinstance(setter, DefaultSetter)  # into a dict; others: gRPC metadata, messages, ...
        for name, value in headers:
            setter.set(carrier, name if as_given else name.lower(), value)

    @property
    def fields(self) -> set[str]:
        """The names of the headers that `inject` may write, without those of Jaeger's baggage, which vary."""
        return self.source.written


def _reads_environments(getter: object) -> bool:
    """Whether `getter` is OpenTelemetry's for environment variables, whose keys are variable names."""
    module = sys.modules.get("opentelemetry.propagators._envcarrier")
    return module is not None and isinstance(getter, module.EnvironmentGetter)
