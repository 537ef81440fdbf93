"""OTLP over gRPC: the Export of TraceService, MetricsService and LogsService, plain or gzip.

The engine is the sidecar's own (`http2.engine`). What is taken, refused, held and counted is the same as over HTTP
(`intake`): so are the bounds. A call is unary: one message, one answer.

    GrpcIntake       all connections, for the composition root
    GrpcConnection   one sender's
    _Call            one request, as its message comes
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, cast, final

from proxy.console.server.intake import (
    GRPC_CODES,
    MOST_BODY_BYTES,
    Intake,
    RefusalError,
    count,
    partial_success,
)
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import NO_ERROR
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead, ResponseHead, status_field
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import ServerOwner
from proxy.http2.engine.server import ServerEngine
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.grpc import encode_message, is_call
from proxy.semantics.fields import FieldKinds, request_kinds

log = logging.getLogger(__name__)

_MOST_CONNECTIONS: Final = 1000
_MOST_CALLS: Final = 32  # at once, of one connection
_MOST_HEADER_BYTES: Final = 32 * 1024
_READ_S: Final = 60.0  # for a message to come
_IDLE_S: Final = 300.0  # of a connection without a call
_LAST_BYTES_S: Final = 3.0  # for a sender to read our last ones
_MOST_DISCARDED: Final = 1024 * 1024
_STOP_S: Final = 1.0  # for calls whose message is being read
_PREFIX_BYTES: Final = 5  # of a message: whether it is packed, and its length

_PACKAGE: Final = b"/opentelemetry.proto.collector."
_SIGNALS: Final = {
    _PACKAGE + b"trace.v1.TraceService/Export": "traces",
    _PACKAGE + b"metrics.v1.MetricsService/Export": "metrics",
    _PACKAGE + b"logs.v1.LogsService/Export": "logs",
}

# Statuses of gRPC.
_OK: Final = 0
_INVALID_ARGUMENT: Final = 3
_DEADLINE_EXCEEDED: Final = 4
_RESOURCE_EXHAUSTED: Final = 8
_UNIMPLEMENTED: Final = 12
_INTERNAL: Final = 13

_STATUS_OK: Final = status_field(200)
_CONTENT_TYPE: Final = HeaderField(b"content-type", b"application/grpc")
_ACCEPTS: Final = HeaderField(b"grpc-accept-encoding", b"identity,gzip")


@final
class GrpcIntake:
    """Makes the connections of senders, and ends them."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.kinds: FieldKinds = request_kinds(lambda _name: False, via=True, x_forwarded=True)
        self.connections: set[GrpcConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()  # messages that are being read

    def connection(self) -> GrpcConnection:
        """A new sender's."""
        return GrpcConnection(self)

    async def close(self) -> None:
        """Say goodbye; calls whose message is being read have a moment."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=_STOP_S)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in list(self.connections):
            connection.close()


@final
class GrpcConnection(ServerOwner):
    """One connection. See asyncio.Protocol, and engine.owner."""

    __slots__ = (
        "_discarded_bytes",
        "_engine",
        "_idle",
        "_is_behind",
        "_is_closed",
        "_is_due",
        "_loop",
        "server",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, server: GrpcIntake) -> None:
        self.server = server
        self._loop = asyncio.get_running_loop()
        limits = Limits(max_streams=_MOST_CALLS, header_list_bytes=_MOST_HEADER_BYTES)
        self._engine = ServerEngine(self, limits, FieldJudge(server.kinds, True), Bucket(100, 30))
        self._idle: asyncio.TimerHandle | None = None
        self._is_due = False  # a flush
        self._is_behind = False  # a later turn reads on
        self._is_closed = False
        self._discarded_bytes = 0  # behind the end

    def __repr__(self) -> str:
        return f"<GrpcConnection {len(self._engine.streams)} calls>"

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class
        connections = self.server.connections
        if len(connections) >= _MOST_CONNECTIONS:
            count(self.server.intake.counts.refused, "connections")
            self._is_closed = True
            self.transport.abort()
            return
        connections.add(self)
        self._engine.start()
        self._wait_idle()

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _MOST_DISCARDED:
                self.transport.abort()
        elif self._engine.feed(data, self._loop.time()):
            self._is_behind = True
            self.transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._is_closed:
            return
        if self._engine.is_behind and self._engine.feed(b"", self._loop.time()):
            self._loop.call_soon(self._read_on)
            return
        self._is_behind = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._engine.pause_sending()

    def resume_writing(self) -> None:
        self._engine.resume_sending()
        self.wants_flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closed = True
        self.server.connections.discard(self)
        self._stop_waiting()
        self._engine.lost()

    def close(self) -> None:
        """Say goodbye, and close."""
        self._engine.fail(NO_ERROR, "")
        self._flush()
        self.transport.close()

    # --- idle

    def _wait_idle(self) -> None:
        self._stop_waiting()
        self._idle = self._loop.call_later(_IDLE_S, self.close)

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    # --- what the engine tells

    def wants_flush(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_due = False
        if self._is_closed:
            return
        data = self._engine.take_output()
        if data and not self.transport.is_closing():
            self.transport.write(data)
        if self._engine.has_more:
            self.wants_flush()
        if self._engine.is_failed:
            self._end()

    def _end(self) -> None:
        """Close once the sender has read our GOAWAY. A close with unread bytes is an RST, which can destroy it."""
        self._is_closed = True
        self._stop_waiting()
        if self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.transport.resume_reading()
        self._idle = self._loop.call_later(_LAST_BYTES_S, self.transport.abort)

    def on_request(self, stream: Stream, head: RequestHead, done: bool) -> None:
        self._stop_waiting()
        call = _Call(self, stream)
        stream.user = call
        call.begin(head)
        if done:
            call.on_content(b"", True)

    def on_oversized(self, stream: Stream, done: bool) -> None:
        count(self.server.intake.counts.refused, "header-too-large")
        stream.send_headers([status_field(431)], [], True)

    def on_stream_over(self) -> None:
        if self._engine.is_idle and not self._is_closed:
            self._wait_idle()

    def on_failed(self, code: int, detail: str) -> None:
        if code != NO_ERROR:
            count(self.server.intake.counts.refused, "http2")
        self.wants_flush()

    def on_malformed(self, code: int, detail: str) -> None:
        count(self.server.intake.counts.refused, "http2")

    def on_reset(self, code: int, received: bool) -> None:
        """Floods of them end in `on_failed`."""

    def on_settings(self) -> None:
        """Nothing waits for them."""

    def on_goaway(self, code: int, detail: bytes) -> None:
        """Senders take no pushes."""

    def on_pong(self, payload: bytes) -> None:
        """None was asked for."""


@final
class _Call(StreamUser):
    """One Export."""

    __slots__ = ("_connection", "_is_over", "_length", "_packs", "_parts", "_signal", "_size", "_stream", "_timer")

    def __init__(self, connection: GrpcConnection, stream: Stream) -> None:
        self._connection = connection
        self._stream = stream
        self._signal = ""
        self._packs = False  # by grpc-encoding, a message may be packed
        self._parts: list[bytes] = []
        self._size = 0  # of them; held by the intake
        self._length = -1  # of the message; -1: its prefix has not come
        self._is_over = False  # answered, or taken back
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, head: RequestHead) -> None:
        """Refuse what is no Export, or wait for its message."""
        found = {field.name: field.value for field in (*head.special, *head.plain)}
        if head.method.value != b"POST":
            self._refuse_http(405, "method")
            return
        if not is_call(found.get(b"content-type", b"")):
            self._refuse_http(415, "content-type")
            return
        path = head.path.value if head.path is not None else b""
        signal = _SIGNALS.get(path)
        if signal is None:
            self._refuse(_UNIMPLEMENTED, "path", "this is OTLP: Export of TraceService, MetricsService or LogsService")
            return
        coding = found.get(b"grpc-encoding", b"identity")
        if coding not in (b"gzip", b"identity"):
            name = coding[:20].decode("latin-1")
            self._refuse(_UNIMPLEMENTED, "content-encoding", f"grpc-encoding {name!r}: expected gzip or identity")
            return
        try:
            self._connection.server.intake.check_token(found.get(b"authorization", b"").decode("latin-1"))
        except RefusalError as error:
            self._refuse(GRPC_CODES[error.status], error.label, error.detail)
            return
        self._signal = signal
        self._packs = coding == b"gzip"
        self._timer = asyncio.get_running_loop().call_later(_READ_S, self._too_slow)

    # --- what comes

    def on_content(self, content: bytes, done: bool) -> None:
        if self._is_over:
            return
        if content:
            try:
                self._connection.server.intake.hold(len(content))
            except RefusalError as error:
                self._refuse(GRPC_CODES[error.status], error.label, error.detail)
                return
            self._parts.append(content)
            self._size += len(content)
            if not self._check_length():
                return
        if done:
            if self._length < 0 or self._size != _PREFIX_BYTES + self._length:
                self._refuse(_INVALID_ARGUMENT, "malformed", "the request is not one whole message")
            else:
                self._take_soon()

    def _check_length(self) -> bool:
        """Whether the message is one that is taken, as far as it has come."""
        if self._length < 0:
            if self._size < _PREFIX_BYTES:
                return True
            start = b"".join(self._parts[:_PREFIX_BYTES])
            self._length = int.from_bytes(start[1:_PREFIX_BYTES], "big")
            if start[0] > 1 or (start[0] and not self._packs):
                self._refuse(_INTERNAL, "malformed", "a message that is packed, though grpc-encoding does not say how")
                return False
            self._packs = start[0] == 1
        if self._length > MOST_BODY_BYTES:
            text = f"a message of more than {MOST_BODY_BYTES:,} bytes; set a smaller batch"
            self._refuse(_RESOURCE_EXHAUSTED, "body-too-large", f"{text} (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)")
            return False
        if self._size > _PREFIX_BYTES + self._length:
            self._refuse(_INVALID_ARGUMENT, "malformed", "more than one message")
            return False
        return True

    def on_trailers(self, fields: list[HeaderField]) -> None:
        self.on_content(b"", True)

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        """Taken back. What is being read already is kept."""
        self._end()

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse(_DEADLINE_EXCEEDED, "slow", f"the message did not come within {_READ_S:.0f} seconds")

    # --- the message

    def _take_soon(self) -> None:
        server = self._connection.server
        self._stop_timer()
        body = b"".join(self._parts)[_PREFIX_BYTES:]
        self._parts = []
        task = asyncio.get_running_loop().create_task(self._take(body, self._size))
        self._size = 0  # the task releases it
        server.tasks.add(task)
        task.add_done_callback(server.tasks.discard)

    async def _take(self, body: bytes, held: int) -> None:
        intake = self._connection.server.intake
        try:
            batch = await intake.take(self._signal, body, is_packed=self._packs, is_json=False)
        except RefusalError as error:
            self._refuse(GRPC_CODES.get(error.status, _INVALID_ARGUMENT), error.label, error.detail)
            return
        except Exception:
            log.exception("an Export could not be read")
            self._refuse(_INTERNAL, "bug", "a bug of the console; its log has more")
            return
        finally:
            intake.release(held)
        if self._is_over:
            return
        self._is_over = True
        answer = partial_success(batch)
        self._stream.send_headers([_STATUS_OK, _CONTENT_TYPE], [], False)
        self._stream.send(b"\0" + len(answer).to_bytes(4, "big") + answer, False)
        self._stream.send_headers([], [(b"grpc-status", b"0")], True)

    # --- its end

    def _refuse(self, status: int, label: str, detail: str) -> None:
        """Trailers alone (gRPC's "Trailers-Only")."""
        if self._is_over:
            return
        self._end()
        count(self._connection.server.intake.counts.refused, label)
        literals = [(b"grpc-status", b"%d" % status), (b"grpc-message", encode_message(detail))]
        self._stream.send_headers([_STATUS_OK, _CONTENT_TYPE, _ACCEPTS], literals, True)

    def _refuse_http(self, status: int, label: str) -> None:
        """It is not gRPC."""
        self._end()
        count(self._connection.server.intake.counts.refused, label)
        self._stream.send_headers([status_field(status)], [], True)

    def _end(self) -> None:
        self._is_over = True
        self._stop_timer()
        self._parts = []
        if self._size:
            self._connection.server.intake.release(self._size)
            self._size = 0

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_full(self, full: bool) -> None:
        """Answers are small."""

    def on_interim(self, head: ResponseHead) -> None:
        """Senders answer nothing."""

    def on_response(self, head: ResponseHead, done: bool) -> None:
        """Senders answer nothing."""
