"""`configure`, `flush`, `shutdown`: who makes spans, what is recorded, and where they go.

Builds everything first, and then puts it in force: a wrong setting changes nothing.
May know: every room, and the SDK (imported on use).
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from opentelemetry import trace as otel_trace
from opentelemetry.trace import NoOpTracer, Tracer, TracerProvider

from ops_lib.capture.bounds import CaptureLimits, CaptureSettings
from ops_lib.capture.scrubbing import normalised
from ops_lib.export.stopping import Stop
from ops_lib.headers.context_propagator import ContextPropagator
from ops_lib.headers.propagators import get_propagator, set_propagator
from ops_lib.propagation import ConfigurationError
from ops_lib.spans.configured import INSTRUMENTATION_NAME, RUNTIME, SHUTDOWN_TIMEOUT_S
from ops_lib.spans.failures import FAILURES
from ops_lib.spans.start import OpsTracerProvider, get_tracer_provider

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler


def configure(
    service_name: str | None = None,
    *,
    tracer_provider: TracerProvider | None = None,
    exporter: str | SpanExporter | SpanProcessor | None = None,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    sampler: Sampler | float | str | None = None,
    resource: Mapping[str, str | bool | int | float] | None = None,
    batch: bool = True,
    shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
    extract: str | Iterable[str] | None = None,
    inject: str | Iterable[str] | None = None,
    capture_args: bool = True,
    capture_result: bool = True,
    capture_limits: CaptureLimits | None = None,
    scrub: Collection[str] = (),
    tracer_name: str = INSTRUMENTATION_NAME,
    tracer_version: str | None = None,
    set_global: bool = False,
) -> None:
    """Record and export spans. May be called again; only the last call counts.

    Takes: either a ready provider, or what to make one of.

    - `tracer_provider`: stays the caller's own to shut down.
    - `service_name`: default OTEL_SERVICE_NAME.
    - `exporter`: "otlp", "console", "none", several joined by commas, or a SpanExporter or SpanProcessor of the SDK.
      Default: OTEL_TRACES_EXPORTER, or else "otlp".
    - `endpoint`, `headers`: a base URL and headers for OTLP over HTTP.
      Default: OTEL_EXPORTER_OTLP_*, or else the receiver at 127.0.0.1:4318 whenever one is there.
    - `sampler`: the ratio of new traces to record, a name as in OTEL_TRACES_SAMPLER, or a Sampler.
      Default: OTEL_TRACES_SAMPLER, or else all.
    - `resource`: further attributes of the resource.
    - `batch`: False exports each span as it ends.
    - `shutdown_timeout_s`: seconds to wait for the exporter at the end, at most.
      What a collector has not taken by then is lost.

    Takes as well, whoever makes the provider:

    - `extract`, `inject`: the formats (see ContextPropagator).
    - `capture_args`, `capture_result`: whether `trace` records them.
    - `capture_limits`: the bounds of all that is recorded.
    - `scrub`: further names of secrets.
    - `tracer_name`, `tracer_version`: the instrumentation scope.
    - `set_global`: whether OpenTelemetry's global provider and propagator become ours, for other instrumentation.
      Default: no global state is touched.

    Gives: nothing.
    What was in force before is flushed and shut down, if it was made
    here, within its own `shutdown_timeout_s`; at exit that happens too.
    Raises: ConfigurationError (a ValueError) for settings that are wrong or contradict each other, ImportError with the
    pip command if OTLP is not installed; then nothing has changed.
    Exporters that fail later are logged by the SDK and never raise.
    Specification: OpenTelemetry SDK environment variables; OTLP 1.x over HTTP; semantic conventions, `service.name`.
    """
    names = (scrub,) if isinstance(scrub, str) else scrub
    capture = CaptureSettings(
        capture_args, capture_result, frozenset(map(normalised, names)) - {""}, capture_limits or CaptureLimits()
    )
    if not shutdown_timeout_s >= 0:  # and rejects nan
        raise ConfigurationError(f"shutdown_timeout_s must be 0 or more seconds, not {shutdown_timeout_s!r}")
    if extract is not None or inject is not None:
        propagator: ContextPropagator | None = ContextPropagator(extract=extract, inject=inject)
    else:
        propagator = None
        get_propagator()  # a wrong environment shows here, not in the middle of a request
    stop: Callable[[], None] | None = None
    if tracer_provider is None:
        tracer_provider, stop = _provider(
            service_name, exporter, endpoint, headers, sampler, resource, batch, shutdown_timeout_s
        )
    else:
        own: dict[str, object] = {
            "service_name": service_name,
            "exporter": exporter,
            "endpoint": endpoint,
            "headers": headers,
        }
        own |= {"sampler": sampler, "resource": resource}
        given = [name for name, value in own.items() if value is not None]
        if given:
            raise ConfigurationError(
                f"configure takes tracer_provider or {', '.join(given)}, not both: set them on the provider"
            )
        if isinstance(tracer_provider, OpsTracerProvider):
            raise ConfigurationError("configure cannot take the provider of get_tracer_provider(): it would recurse")
    tracer: Tracer | None = tracer_provider.get_tracer(tracer_name, tracer_version)
    if isinstance(tracer, NoOpTracer):  # OTEL_SDK_DISABLED, or a provider that makes no spans: use light ones
        tracer = None
    before = RUNTIME.stop
    RUNTIME.provider, RUNTIME.tracer, RUNTIME.stop, RUNTIME.capture = tracer_provider, tracer, stop, capture
    RUNTIME.shutdown_timeout_s = shutdown_timeout_s
    if propagator is not None:
        set_propagator(propagator)
    if set_global:
        _set_global()
    if before is not None:
        before()


def _provider(
    service_name: str | None,
    exporter: str | SpanExporter | SpanProcessor | None,
    endpoint: str | None,
    headers: Mapping[str, str] | None,
    sampler: Sampler | float | str | None,
    resource: Mapping[str, str | bool | int | float] | None,
    batch: bool,
    shutdown_timeout_s: float,
) -> tuple[TracerProvider, Callable[[], None]]:
    """A new provider, and its shutdown. The exporter, which runs threads, is made last."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider

    from ops_lib.export.console import ConsoleProcessor
    from ops_lib.export.processors import processors
    from ops_lib.export.sampling import Obedient, sampler_of

    attributes = dict(resource or {})
    if service_name is not None:
        attributes[SERVICE_NAME] = service_name
    provider = SdkTracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.sampler = Obedient(sampler_of(sampler, provider.sampler))
    made = processors(exporter, endpoint=endpoint, headers=headers, batch=batch)
    for processor in made:
        provider.add_span_processor(processor)
    _shut_down_at_exit()
    if all(isinstance(processor, ConsoleProcessor) for processor in made):
        return provider, provider.shutdown  # nothing to wait for
    return provider, Stop(provider.shutdown, shutdown_timeout_s)


@cache
def _shut_down_at_exit() -> None:
    """Once: the SDK's own handler lets an exporter's exceptions out, and ignores worker processes."""
    from multiprocessing import parent_process, util

    atexit.register(shutdown)
    util.register_after_fork(shutdown, _shut_down_with_worker)
    if parent_process() is not None:
        _shut_down_with_worker()


def _shut_down_with_worker(*unused: object) -> None:
    """In a multiprocessing worker, which ends without atexit if it was forked (before Python 3.13)."""
    from multiprocessing import util

    util.Finalize(None, shutdown, exitpriority=0)


def _set_global() -> None:
    from opentelemetry.propagate import set_global_textmap

    from ops_lib.headers.textmap import OpsPropagator

    if not isinstance(otel_trace.get_tracer_provider(), OpsTracerProvider):
        otel_trace.set_tracer_provider(get_tracer_provider())
    set_global_textmap(OpsPropagator())


def flush(timeout_s: float = 30.0) -> bool:
    """Export every span that has ended now.

    Takes: `timeout_s`, seconds to wait at most.
    Gives: whether the exporter was given all of it, and done with it, in that time; True if nothing is configured.
    True does not mean that anything arrived: the SDK logs failed deliveries, but does not report them.
    Raises: nothing.
    Specification: OpenTelemetry Trace SDK, ForceFlush.
    """
    provider = RUNTIME.provider if RUNTIME.provider is not None else otel_trace.get_tracer_provider()
    force_flush = getattr(provider, "force_flush", None)
    if force_flush is None:
        return True
    done = False

    def run() -> None:
        nonlocal done
        try:
            done = force_flush(int(timeout_s * 1000)) is not False
        except Exception:  # the outermost edge: an exporter may be anyone's
            FAILURES.tell("a span processor failed to flush")

    timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
    # On a thread, because the SDK's BatchSpanProcessor waits for its exporter without limit (1.45).
    thread = threading.Thread(target=run, name="ops-flush", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is about to end, and starts no more threads
        run()
    else:
        thread.join(timeout_s)
    return done


def shutdown() -> None:
    """Undo `configure`: export the remaining spans, and stop recording.

    Takes: nothing.
    Gives: nothing.
    A provider that was handed in is flushed and left running.
    Waits for the exporter no longer than the `shutdown_timeout_s` of `configure`.
    Ids go on being made and carried; `configure` may be called again.
    Raises: nothing.
    Specification: OpenTelemetry Trace SDK, Shutdown.
    """
    before = RUNTIME.stop
    if RUNTIME.provider is not None and before is None:
        flush(RUNTIME.shutdown_timeout_s)
    RUNTIME.provider = RUNTIME.tracer = RUNTIME.stop = None
    RUNTIME.capture = CaptureSettings()
    if before is not None:
        before()
