"""Client spans, from the official OpenTelemetry instrumentation of each client library.

Loads an instrumentor, switches it on and off, and chooses its conventions; writes no header.
The official packages write theirs with the global propagator;
ours are written later, and replace those (docs/decisions/003).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ops_lib.integrations.outgoing import Outgoing
from ops_lib.integrations.patches import Slot
from ops_lib.spans.start import get_tracer_provider


def load(library: str, module: str, name: str) -> Any:
    """The official instrumentor's only instance. Raises ImportError with the pip command if a package is missing."""
    try:
        import_module(library)
        return getattr(import_module(module), name)()
    except ImportError as error:
        missing = error.name or str(error)
        raise ImportError(
            f"ops.instrument({library!r}): {missing!r} is not installed; pip install 'ops-sidecar[{library}]'",
            name=error.name,
        ) from error


def switch_on(
    slot: Slot,
    *others: Slot,
    policy: Outgoing,
    instrumentor: Any,
    options: dict[str, Any],
    off: Callable[[], None],
) -> Callable[[], None]:
    """Put `policy` in force, and let `instrumentor` make client spans with our tracer and `options`.

    `slot` keeps the policy in force; `others`: further patched methods of the same library.
    `off` undoes everything if nothing was in force before.
    Gives a function that restores the state before.
    Raises ImportError if `instrumentor` does not fit the library's version; the state is then what it was.
    """
    before, made_before, options_before = slot.policy, slot.instrumentor, slot.options

    def undo() -> None:
        if before is None:
            off()
            return
        stop(slot)
        if made_before is not None:
            _start(slot, made_before, options_before)
        for patched in (slot, *others):
            patched.policy = before

    try:
        stop(slot)
        _start(slot, instrumentor, options)
    except BaseException:
        undo()
        raise
    for patched in (slot, *others):
        patched.policy = policy
    return undo


def _start(slot: Slot, instrumentor: Any, options: dict[str, Any]) -> None:
    """Makes client spans with `instrumentor`, unless other code uses it already."""
    from opentelemetry.instrumentation.dependencies import DependencyConflictError

    if not instrumentor.is_instrumented_by_opentelemetry:
        given = {"tracer_provider": get_tracer_provider(), "raise_exception_on_conflict": True, **options}
        try:
            with _stable_conventions():
                instrumentor.instrument(**given)
        except DependencyConflictError as conflict:
            raise ImportError(f"{type(instrumentor).__name__}: {conflict}") from conflict
        slot.instrumentor, slot.options = instrumentor, options


def stop(slot: Slot | None) -> None:
    """Stop our client spans; those of other code stay."""
    if slot is not None and slot.instrumentor is not None:
        slot.instrumentor.uninstrument()
        slot.instrumentor = None


@contextmanager
def _stable_conventions() -> Iterator[None]:
    """Selects the stable HTTP conventions while an official instrumentor reads its choice.

    The official packages still start with the names of 2021 (`http.method`) unless OTEL_SEMCONV_STABILITY_OPT_IN says
    `http`, once for the process.
    If the user has set that variable, it decides.
    Otherwise, only libraries instrumented within this block use the
    stable names (`http.request.method`); other code is not affected.
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
