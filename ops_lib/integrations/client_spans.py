"""Client spans, made by the official OpenTelemetry instrumentation of each client library.

Knows how an instrumentor is loaded, switched on and off, and which conventions it is to follow; writes no header. The
official packages put theirs in by the global propagator; ours are written below them, and replace those
(docs/decisions/003).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ops_lib.integrations.outgoing import Slot
from ops_lib.tracers import get_tracer_provider


def load(library: str, module: str, name: str) -> Any:
    """The official instrumentor's only instance. Raises ImportError with the pip command where a package is missing."""
    try:
        import_module(library)
        return getattr(import_module(module), name)()
    except ImportError as error:
        missing = error.name or str(error)
        raise ImportError(
            f"ops.instrument({library!r}): {missing!r} is not installed; pip install 'ops-sidecar[{library}]'",
            name=error.name,
        ) from error


def start(slot: Slot, instrumentor: Any, options: dict[str, Any]) -> None:
    """Let `instrumentor` make client spans by our tracer; where someone else has it at work already, theirs stay.

    Raises ImportError where it does not fit the library's version.
    """
    from opentelemetry.instrumentation.dependencies import DependencyConflictError

    if slot.instrumentor is not None:
        stop(slot)
    if not instrumentor.is_instrumented_by_opentelemetry:
        given = {"tracer_provider": get_tracer_provider(), "raise_exception_on_conflict": True, **options}
        try:
            with _stable_conventions():
                instrumentor.instrument(**given)
        except DependencyConflictError as conflict:
            raise ImportError(f"{type(instrumentor).__name__}: {conflict}") from conflict
        slot.instrumentor = instrumentor


def stop(slot: Slot | None) -> None:
    """Undo `start`, if it was ours."""
    if slot is not None and slot.instrumentor is not None:
        slot.instrumentor.uninstrument()
        slot.instrumentor = None


@contextmanager
def _stable_conventions() -> Iterator[None]:
    """The stable HTTP conventions, while an official instrumentor reads which ones to follow.

    The official packages still start with the names of 2021 (`http.method`) unless OTEL_SEMCONV_STABILITY_OPT_IN says
    `http`, once for the process. That variable is the user's: where it is set, it decides. Where it is not, only what
    is instrumented within this block follows the stable names (`http.request.method`), and nobody else's choice
    changes.
    """
    try:
        from opentelemetry.instrumentation import _semconv
    except ImportError:  # private, and needed only until the packages change their default
        yield
        return
    if os.environ.get(_semconv.OTEL_SEMCONV_STABILITY_OPT_IN):
        yield
        return
    stability = _semconv._OpenTelemetrySemanticConventionStability
    stability._initialize()  # type: ignore[no-untyped-call]  # a private of a package without full types
    modes, http = stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING, _semconv._OpenTelemetryStabilitySignalType.HTTP
    before = modes.get(http)
    modes[http] = _semconv._StabilityMode.HTTP
    try:
        yield
    finally:
        modes[http] = before
