"""Where finished spans go: the span processors that `configure(exporter=...)` asks for.

May know: the SDK, the OTLP exporter (an extra, imported when
wanted), the OTEL_* environment, and where the local sidecar listens.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from ops_lib.export.console import ConsoleProcessor
from ops_lib.export.steady import SteadyExporter
from ops_lib.propagation import ConfigurationError

_log = logging.getLogger("ops_lib")

RECEIVER: Final = ("127.0.0.1", 4318)  # the sidecar's receiver, and the default of OTLP/HTTP collectors
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
NAMES: Final = ("otlp", "console", "none")
_ALIASES: Final = {"otlp_proto_http": "otlp"}  # what opentelemetry-instrument calls it
_CONNECT_TIMEOUT_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0


def answers(address: tuple[str, int]) -> bool:
    """Whether something listens at `address`: tries one connection, for a quarter of a second at most."""
    try:
        with socket.create_connection(address, timeout=_CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


class WhenThere(SpanExporter):
    """Exports to a local receiver while there is one; drops and counts while there is none.

    So a service starts before its sidecar, outlives it, and runs without one.
    The log says once that spans are dropped, and once that they no longer are.
    It looks for a missing receiver again after 1 s, then 2 s, up to 30 s.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        address: tuple[str, int],
        *,
        is_there: Callable[[tuple[str, int]], bool] = answers,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exporter = exporter
        self._address = address
        self._is_there = is_there
        self._clock_s = clock_s
        self._known = False
        self._pause_s = 0.0
        self._again_at = float("-inf")
        self._is_said_missing = False
        self.dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        if not self._known:
            now = self._clock_s()
            if now < self._again_at or not self._is_there(self._address):
                if now >= self._again_at:
                    self._pause_s = min(self._pause_s * 2 or 1.0, _LONGEST_PAUSE_S)
                    self._again_at = now + self._pause_s
                self.dropped += len(spans)
                self._say_missing()
                return SpanExportResult.FAILURE
            self._known, self._pause_s = True, 0.0
            if self._is_said_missing:
                self._is_said_missing = False
                _log.info("a collector listens at %s:%d now; spans are exported", *self._address)
        result = self._exporter.export(spans)
        self._known = result is SpanExportResult.SUCCESS
        return result

    def _say_missing(self) -> None:
        if not self._is_said_missing:
            self._is_said_missing = True
            _log.warning(
                "no collector listens at %s:%d, so spans are dropped; start one there, or name yours:"
                " configure(endpoint=...) or OTEL_EXPORTER_OTLP_ENDPOINT;"
                " configure(exporter='console') prints them, exporter='none' turns export off",
                *self._address,
            )

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """See SpanExporter."""
        return self._exporter.force_flush(timeout_millis)


def _otlp(endpoint: str | None, headers: Mapping[str, str] | None, environ: Mapping[str, str]) -> SpanExporter:
    """An OTLP/HTTP exporter to `endpoint`, else to the environment's, else to the local receiver."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as error:
        raise ImportError(
            "OTLP export needs one more package: pip install 'ops-sidecar[otlp]'"
            " (or configure(exporter='console') or exporter='none')"
        ) from error
    for name in _PROTOCOLS:
        if (protocol := environ.get(name, "http/protobuf")) not in ("", "http/protobuf"):
            _log.warning("%s=%s is not supported; spans are sent by http/protobuf", name, protocol)
    given = dict(headers) if headers is not None else None
    if endpoint is not None:
        if not endpoint.lower().startswith(("http://", "https://")):
            raise ConfigurationError(f"endpoint must be a URL, http://host:port or https://..., not {endpoint!r}")
        path = "" if "/v1/" in endpoint else "/v1/traces"  # OTLP specification, "Endpoint URLs for OTLP/HTTP"
        return SteadyExporter(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + path, headers=given))
    if any(environ.get(name) for name in _ENDPOINTS):
        return SteadyExporter(OTLPSpanExporter(headers=given))
    host, port = RECEIVER
    exporter = SteadyExporter(OTLPSpanExporter(endpoint=f"http://{host}:{port}/v1/traces", headers=given))
    return WhenThere(exporter, (host, port))


def processors(
    exporter: str | SpanExporter | SpanProcessor | None,
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    batch: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> list[SpanProcessor]:
    """The span processors for `exporter`: names joined by commas, or one of the SDK's own; None asks the environment.

    Raises ConfigurationError for an unknown name, ImportError telling the pip command if OTLP is not installed.
    """
    if isinstance(exporter, SpanProcessor):
        return [exporter]
    if exporter is None:
        exporter = environ.get(_EXPORTER) or "otlp"
    if not isinstance(exporter, str):
        return [_processor(SteadyExporter(exporter), batch)]
    names = [_ALIASES.get(name, name) for name in (part.strip().lower() for part in exporter.split(","))]
    for name in names:
        if name not in NAMES:
            raise ConfigurationError(f"unknown exporter {name!r}; known are: {', '.join(NAMES)}, or a SpanExporter")
    made: list[SpanProcessor] = []
    if "otlp" in names:
        made.append(_processor(_otlp(endpoint, headers, environ), batch))
    if "console" in names:
        made.append(ConsoleProcessor())
    return made


def _processor(exporter: SpanExporter, batch: bool) -> SpanProcessor:
    return BatchSpanProcessor(exporter) if batch else SimpleSpanProcessor(exporter)
