"""Spans, sessions and propagation inside a service: `import ops_lib as ops`, or `from ops_lib import ops`.

The public names, and their modules.
Modules are imported on first use: the heart, `ops_lib.propagation`, must work without loading OpenTelemetry, and unused
parts must not cost import time.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ops_lib as ops

    from . import exceptions as exceptions
    from .capture.bounds import CaptureLimits
    from .configuration import configure, flush, shutdown
    from .context.sessions import SESSION_HEADER_NAME, SessionContext, current_session, session
    from .decorator.coroutine import AsyncTracedFunction, AsyncTracedSpanFunction
    from .decorator.function import TracedFunction, TracedSpanFunction
    from .decorator.result import AsyncTrace, Trace
    from .decorator.trace import wrapped
    from .decorator.typed import TraceDecorator, trace
    from .headers.context_propagator import ContextPropagator, PropagatorFormat
    from .headers.environment import EnvironmentCarrier
    from .headers.propagators import (
        extract_context,
        extract_session_id,
        get_propagator,
        inject_context,
        propagated_context,
        reset_propagator,
        set_propagator,
    )
    from .headers.workers import ContextExecutor, context_carry
    from .instrumentation import instrument, uninstrument
    from .logs import correlate_logs, uncorrelate_logs
    from .propagation import ConfigurationError, InvalidSessionError, UnknownFormatError
    from .spans.span import Span, current_span, span
    from .spans.start import get_tracer_provider, tracer_context
else:
    ops = sys.modules[__name__]

__all__ = [
    "SESSION_HEADER_NAME",
    "AsyncTrace",
    "AsyncTracedFunction",
    "AsyncTracedSpanFunction",
    "CaptureLimits",
    "ConfigurationError",
    "ContextExecutor",
    "ContextPropagator",
    "EnvironmentCarrier",
    "InvalidSessionError",
    "PropagatorFormat",
    "SessionContext",
    "Span",
    "Trace",
    "TraceDecorator",
    "TracedFunction",
    "TracedSpanFunction",
    "UnknownFormatError",
    "configure",
    "context_carry",
    "correlate_logs",
    "current_session",
    "current_span",
    "extract_context",
    "extract_session_id",
    "flush",
    "get_propagator",
    "get_tracer_provider",
    "inject_context",
    "instrument",
    "ops",
    "propagated_context",
    "reset_propagator",
    "session",
    "set_propagator",
    "shutdown",
    "span",
    "trace",
    "tracer_context",
    "uncorrelate_logs",
    "uninstrument",
    "wrapped",
]

_MADE_IN = {
    "capture.bounds": ("CaptureLimits",),
    "configuration": ("configure", "flush", "shutdown"),
    "context.sessions": ("SESSION_HEADER_NAME", "SessionContext", "current_session", "session"),
    "decorator.coroutine": ("AsyncTracedFunction", "AsyncTracedSpanFunction"),
    "decorator.function": ("TracedFunction", "TracedSpanFunction"),
    "decorator.result": ("AsyncTrace", "Trace"),
    "decorator.trace": ("TraceDecorator", "trace", "wrapped"),
    "headers.context_propagator": ("ContextPropagator", "PropagatorFormat"),
    "headers.environment": ("EnvironmentCarrier",),
    "headers.propagators": (
        "extract_context",
        "extract_session_id",
        "get_propagator",
        "inject_context",
        "propagated_context",
        "reset_propagator",
        "set_propagator",
    ),
    "headers.workers": ("ContextExecutor", "context_carry"),
    "instrumentation": ("instrument", "uninstrument"),
    "logs": ("correlate_logs", "uncorrelate_logs"),
    "propagation": ("ConfigurationError", "InvalidSessionError", "UnknownFormatError"),
    "spans.span": ("Span", "current_span", "span"),
    "spans.start": ("get_tracer_provider", "tracer_context"),
}
# Names that an app uses at its import or start: a wrong MIRASCOPE_PROPAGATOR shows here, not inside a request.
_SHOW_A_WRONG_ENVIRONMENT = frozenset(
    {"ContextExecutor", "context_carry", "extract_context", "extract_session_id", "inject_context", "instrument"}
    | {"propagated_context", "trace"}
)
_MODULE_OF = {name: module for module, names in _MADE_IN.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name at its first use (PEP 562)."""
    if name == "exceptions":
        return importlib.import_module(f"{__name__}.exceptions")
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    if name in _SHOW_A_WRONG_ENVIRONMENT:
        importlib.import_module(f"{__name__}.headers.propagators").check_propagator()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
