"""Values of a plan: where spans and metrics go. Immutable.

Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one signal is sent. `headers` may hold secrets and are never shown."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None = None  # None: http
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout_s: float = 10.0
    gzip: bool = False

    def __str__(self) -> str:
        """The URL."""
        scheme = "https" if self.tls is not None else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is exported; nothing if there is no endpoint."""

    traces: Endpoint | None = None
    metrics: Endpoint | None = None
    resource: tuple[tuple[str, str], ...] = ()
    batch_spans: int = 512
    delay_s: float = 5.0  # the longest wait of a span for a full batch
    queue_bytes: int = 16 * 1024 * 1024  # limit of spans that wait or are being sent; others are dropped and counted
    queue_spans: int = 0  # the same in spans; 0: only the limit in bytes
    give_up_s: float = 300.0  # a batch that cannot be sent for this long is dropped and counted
    flush_s: float = 5.0  # at the end, for spans that still wait
    metrics_interval_s: float = 60.0
