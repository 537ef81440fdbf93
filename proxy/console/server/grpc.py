"""OTLP over gRPC: the Export of TraceService, MetricsService and LogsService, plain or gzip.

The engine is the sidecar's own (`http2.engine`). What is taken, refused, held and counted is the same as over HTTP
(`intake`): so are the bounds. A call is unary: one message, one answer.

    GrpcIntake       all connections, for the composition root
    GrpcConnection   one sender's
    GrpcCall         one request, as its message comes (`grpc_call`)
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, cast, final

from proxy.console.server.grpc_call import GrpcCall
from proxy.console.server.intake import Intake, count
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import NO_ERROR
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead, status_field
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import ServerOwner
from proxy.http2.engine.server import ServerEngine
from proxy.http2.engine.streams import Stream
from proxy.semantics.fields import FieldKinds, request_kinds

log = logging.getLogger(__name__)

_MOST_CONNECTIONS: Final = 1000
_MOST_CALLS: Final = 32  # at once, of one connection
_MOST_HEADER_BYTES: Final = 32 * 1024
_IDLE_S: Final = 300.0  # of a connection without a call
_LAST_BYTES_S: Final = 3.0  # for a sender to read our last ones
_MOST_DISCARDED: Final = 1024 * 1024
_STOP_S: Final = 1.0  # for calls whose message is being read


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
            self.transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._is_closed:
            return
        if self._engine.is_behind and self._engine.feed(b"", self._loop.time()):
            self._loop.call_soon(self._read_on)
            return
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
        call = GrpcCall(self.server.intake, self.server.tasks, stream)
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
