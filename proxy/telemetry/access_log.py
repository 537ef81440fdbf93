"""The access log: one line per exchange, JSON or text, to standard output by way of a LineWriter. Off by default.

Says which trace and session an exchange belonged to. Never says a query string, a body, or a header's value save these.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Literal, Protocol

from proxy.telemetry.writer import LineWriter

_FIELDS = (
    *("listener", "upstream", "client", "method", "path", "status", "bytes_in", "bytes_out", "duration_s"),
    *("trace_id", "session", "error", "detail"),
)
_LONGEST = 1024  # characters


class Exchange(Protocol):
    """What the log needs to know of one exchange that is over. Sizes are bytes of content."""

    @property
    def listener(self) -> str: ...
    @property
    def upstream(self) -> str: ...  # empty: refused before it had one
    @property
    def client(self) -> str: ...  # IP address; empty on a Unix socket
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...  # should it have a query, the log cuts it off
    @property
    def status(self) -> int: ...  # 0: the client got no response
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def trace_id(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def error(self) -> str: ...  # what failed, where the sidecar answered by itself or cut the exchange
    @property
    def detail(self) -> str: ...


def access_logger(
    writer: LineWriter, form: Literal["text", "json"], clock: Callable[[], float]
) -> Callable[[Exchange], None]:
    """What the data plane calls at the end of every exchange. Never blocks, never raises. `clock`: seconds since the
    epoch.
    """
    line = json_line if form == "json" else text_line

    def log(exchange: Exchange) -> None:
        writer.write(line(exchange, clock()))

    return log


def json_line(exchange: Exchange, time_s: float) -> str:
    """One JSON object; what is empty is left out."""
    entry: dict[str, object] = {"time": _stamp(time_s)}
    for name in _FIELDS:
        value = getattr(exchange, name)
        if value != "":
            entry[name] = value
    if exchange.method:
        entry["method"] = _cut(exchange.method)
    entry["path"] = _path(exchange.path)
    entry["duration_s"] = round(exchange.duration_s, 6)
    return json.dumps(entry, ensure_ascii=True)


def text_line(exchange: Exchange, time_s: float) -> str:
    """`time client "method path" status bytes_out duration listener>upstream trace=... session=...`; empty is `-`."""
    parts = [
        _stamp(time_s),
        exchange.client or "-",
        json.dumps(f"{_cut(exchange.method)} {_path(exchange.path)}", ensure_ascii=True),
        str(exchange.status),
        str(exchange.bytes_out),
        f"{exchange.duration_s * 1000:.3f}ms",
        f"{exchange.listener}>{exchange.upstream or '-'}",
        f"trace={exchange.trace_id or '-'}",
        f"session={exchange.session or '-'}",
    ]
    return " ".join([*parts, f"error={exchange.error}"] if exchange.error else parts)


def _path(path: str) -> str:
    return _cut(path.partition("?")[0])


def _cut(text: str) -> str:
    """The start of what a client may make as long as its request line: thousands of lines may wait for a reader."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _stamp(seconds: float) -> str:
    """UTC, milliseconds (RFC 3339)."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03d}Z"
