"""The access log: one line per exchange, JSON or text, to standard output by way of a LineWriter. Off by default.

Each line has the trace and session of its exchange. Never shows a query string, a body, or other header values.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from proxy.telemetry.log import quoted, timestamp
from proxy.telemetry.writer import LineWriter

_LONGEST: Final = 1024  # characters of text that a client may make as long as its request line


class AccessRecord(NamedTuple):
    """One exchange that is over. Sizes are bytes of content."""

    listener: str
    upstream: str  # empty: refused before it had an upstream
    client: str  # IP address; empty on a Unix socket
    method: str  # empty: the request could not be read
    path: str  # without its query, which may hold secrets
    status: int  # 0: the client got no response
    bytes_in: int  # of the request
    bytes_out: int  # of the response
    duration_s: float
    trace_id: str  # of the context that went to the upstream; empty for none
    session: str  # empty for none
    conflict: str  # dropped contexts of another trace, as format:trace id, with commas; empty for none
    span_conflict: str  # contexts with another span of this trace, as format:span id, with commas; empty for none
    error: str  # label of the fault, if the sidecar answered by itself or cut the exchange; else empty
    detail: str  # what was wrong, in words; empty if `error` is
    span_id: str = ""  # of the context that went to the upstream
    trace_flags: str = ""  # 01 sampled, 00 not; empty if nobody has decided
    read: str = ""  # formats that were present, with commas, the winner first
    written: str = ""  # formats sent to the upstream, with commas
    malformed: str = ""  # malformed formats, as format:reason, with commas
    grpc_status: str = ""  # of a gRPC call


def access_logger(
    writer: LineWriter, form: Literal["text", "json"], clock: Callable[[], float]
) -> Callable[[AccessRecord], None]:
    """The data plane calls this at the end of every exchange.
    Never blocks, never raises.
    `clock`: seconds since the epoch.
    """
    line = json_line if form == "json" else text_line

    def log(record: AccessRecord) -> None:
        writer.write(line(record, clock()))

    return log


def json_line(record: AccessRecord, time_s: float) -> str:
    """One JSON object, without empty fields."""
    known = {name: value for name, value in _shown(record)._asdict().items() if value != ""}
    return json.dumps({"time": timestamp(time_s), **known}, ensure_ascii=True)


def text_line(record: AccessRecord, time_s: float) -> str:
    """`time client "method path" status bytes_out duration listener>upstream trace_id=... span_id=... session=...`.

    An empty value is `-`. The names of ids are OpenTelemetry's, for logs in other formats than OTLP.

    Then `grpc_status`, `read`, `written`, `malformed`, `conflict`, `span_conflict` and `error`, if not empty.
    """
    record = _shown(record)
    parts = [
        timestamp(time_s),
        record.client or "-",
        json.dumps(f"{record.method} {record.path}", ensure_ascii=True),
        str(record.status),
        str(record.bytes_out),
        f"{record.duration_s * 1000:.3f}ms",
        f"{record.listener}>{record.upstream or '-'}",
        f"trace_id={record.trace_id or '-'}",
        f"span_id={record.span_id or '-'}",
        f"session={quoted(record.session) if record.session else '-'}",
    ]
    ends = (
        ("grpc_status", record.grpc_status),
        ("read", record.read),
        ("written", record.written),
        ("malformed", record.malformed),
        ("conflict", record.conflict),
        ("span_conflict", record.span_conflict),
        ("error", record.error),
    )
    parts += [f"{name}={value}" for name, value in ends if value]
    return " ".join(parts)


def _shown(record: AccessRecord) -> AccessRecord:
    """The text, cut to its room in a line: thousands of lines may wait for a reader."""
    return record._replace(method=_cut(record.method), path=_cut(record.path), duration_s=round(record.duration_s, 6))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
