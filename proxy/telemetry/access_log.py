"""The access log: one line per exchange, JSON or text, to standard output by way of a LineWriter. Off by default.

Says which trace and session an exchange belonged to. Never says a query string, a header's value (but the session
id), or a body.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from proxy.telemetry.writer import LineWriter


class AccessRecord(NamedTuple):
    """One exchange, when it is over. Times in seconds, sizes in bytes of content."""

    time_s: float  # since the epoch, when the request's head was complete
    listener: str
    upstream: str  # empty where the request was refused before it had one
    client: str  # its IP address; empty on a Unix socket
    method: str
    host: str  # the authority that the request named
    path: str  # may still have its query: the log cuts it off
    status: int  # 0: the client got no response
    duration_s: float
    bytes_in: int
    bytes_out: int
    fault: str = ""  # what failed, where the sidecar answered by itself or cut the exchange
    trace_id: str = ""  # of the context that went out
    span_id: str = ""
    session: str = ""


def access_logger(writer: LineWriter, form: Literal["text", "json"]) -> Callable[[AccessRecord], None]:
    """What the data plane calls at the end of every exchange. Never blocks, never raises."""
    line = json_line if form == "json" else text_line

    def log(record: AccessRecord) -> None:
        writer.write(line(record))

    return log


def json_line(record: AccessRecord) -> str:
    """One JSON object; what is empty is left out."""
    entry: dict[str, object] = {"time": _stamp(record.time_s)}
    for name, value in zip(record._fields[1:], record[1:], strict=True):
        if value != "":
            entry[name] = value
    entry["path"] = _path(record.path)
    entry["duration_s"] = round(record.duration_s, 6)
    return json.dumps(entry, ensure_ascii=True)


def text_line(record: AccessRecord) -> str:
    """`time client "method host path" status bytes duration listener>upstream trace=... session=...`; what is empty
    is `-`.
    """
    request = json.dumps(f"{record.method} {record.host} {_path(record.path)}", ensure_ascii=True)
    parts = [
        _stamp(record.time_s),
        record.client or "-",
        request,
        str(record.status),
        str(record.bytes_out),
        f"{record.duration_s * 1000:.3f}ms",
        f"{record.listener}>{record.upstream or '-'}",
        f"trace={record.trace_id or '-'}",
        f"session={record.session or '-'}",
    ]
    return " ".join([*parts, f"fault={record.fault}"] if record.fault else parts)


def _path(path: str) -> str:
    return path.partition("?")[0]


def _stamp(seconds: float) -> str:
    """UTC, milliseconds (RFC 3339)."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03d}Z"
