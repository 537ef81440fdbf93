"""One Export of OTLP over gRPC, from its head to its answer. A call is unary: one message, one answer.

May know the intake, and messages of gRPC. Must not know its connection: see `grpc`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, final

from proxy.console.server.intake import (
    GRPC_CODES,
    MOST_BODY_BYTES,
    Intake,
    RefusalError,
    count,
    partial_success,
)
from proxy.http2.engine.heads import RequestHead, ResponseHead, status_field
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.grpc import encode_message, is_call

log = logging.getLogger(__name__)

_READ_S: Final = 60.0  # for a message to come
_PREFIX_BYTES: Final = 5  # of a message: whether it is packed, and its length

_PACKAGE: Final = b"/opentelemetry.proto.collector."
_SIGNALS: Final = {
    _PACKAGE + b"trace.v1.TraceService/Export": "traces",
    _PACKAGE + b"metrics.v1.MetricsService/Export": "metrics",
    _PACKAGE + b"logs.v1.LogsService/Export": "logs",
}

# Statuses of gRPC.
_INVALID_ARGUMENT: Final = 3
_DEADLINE_EXCEEDED: Final = 4
_RESOURCE_EXHAUSTED: Final = 8
_UNIMPLEMENTED: Final = 12
_INTERNAL: Final = 13

_STATUS_OK: Final = status_field(200)
_CONTENT_TYPE: Final = HeaderField(b"content-type", b"application/grpc")
_ACCEPTS: Final = HeaderField(b"grpc-accept-encoding", b"identity,gzip")


@final
class GrpcCall(StreamUser):
    """One Export."""

    __slots__ = (
        "_intake",
        "_is_over",
        "_length",
        "_packs",
        "_parts",
        "_signal",
        "_size",
        "_stream",
        "_tasks",
        "_timer",
    )

    def __init__(self, intake: Intake, tasks: set[asyncio.Task[None]], stream: Stream) -> None:
        """`tasks`: messages that are being read; ours is added."""
        self._intake = intake
        self._tasks = tasks
        self._stream = stream
        self._signal = ""  # as the path names it
        self._packs = False  # by grpc-encoding, a message may be packed
        self._parts: list[bytes] = []
        self._size = 0  # of them; held by the intake
        self._length: int | None = None  # of the message; None: its prefix has not come
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
            self._intake.check_token(found.get(b"authorization", b"").decode("latin-1"))
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
                self._intake.hold(len(content))
            except RefusalError as error:
                self._refuse(GRPC_CODES[error.status], error.label, error.detail)
                return
            self._parts.append(content)
            self._size += len(content)
            if not self._check_length():
                return
        if done:
            if self._length is None or self._size != _PREFIX_BYTES + self._length:
                self._refuse(_INVALID_ARGUMENT, "malformed", "the request is not one whole message")
            else:
                self._take_soon()

    def _check_length(self) -> bool:
        """Whether the message is one that is taken, as far as it has come."""
        if self._length is None:
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
        self._stop_timer()
        body = b"".join(self._parts)[_PREFIX_BYTES:]
        self._parts = []
        task = asyncio.get_running_loop().create_task(self._take(body, self._size))
        self._size = 0  # the task releases it
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, body: bytes, held: int) -> None:
        intake = self._intake
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
        count(self._intake.counts.refused, label)
        literals = [(b"grpc-status", b"%d" % status), (b"grpc-message", encode_message(detail))]
        self._stream.send_headers([_STATUS_OK, _CONTENT_TYPE, _ACCEPTS], literals, True)

    def _refuse_http(self, status: int, label: str) -> None:
        """It is not gRPC."""
        self._end()
        count(self._intake.counts.refused, label)
        self._stream.send_headers([status_field(status)], [], True)

    def _end(self) -> None:
        self._is_over = True
        self._stop_timer()
        self._parts = []
        if self._size:
            self._intake.release(self._size)
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
