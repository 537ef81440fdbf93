"""The upstream's side of an exchange, in HTTP/2: one stream of a connection (`upstream`).

May know messages. Must not know the client, the pool, or why a request is sent.

    UpstreamSide     the connection, as its streams see it
    UpstreamStream   the `Answerer` of one exchange; takes what comes on its stream

The life of an UpstreamStream, and what it holds then:

    made                 nothing; `pool` has it in mind for a receiver
    asked                a receiver, and a stream that is opened with the turn's writes
    answered             the same; `timeout` is now that of content
    done                 the response is whole; the request may still go on
    dropped              neither: whatever comes later is nobody's
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.http2.connection import Connection
from proxy.http2.engine.client import ClientEngine
from proxy.http2.engine.codes import CANCEL, NO_ERROR, name_of
from proxy.http2.engine.heads import ResponseHead
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.grpc import read_status
from proxy.http2.message.response import read_response
from proxy.http2.message.trailers import Trailers
from proxy.http2.message.write import list_bytes, request_fields
from proxy.listener.sides import HEARD, UNHEARD, Answerer, Receiver
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.semantics.request import CALL, TUNNEL
from proxy.transport.deadlines import NEVER
from proxy.transport.processes import UNKNOWN, Ends, ends
from proxy.transport.tunnel import End

_RESPONSE_TIMEOUT: Final = Fault.RESPONSE_TIMEOUT  # bound once, for speed
_BODY_TIMEOUT: Final = Fault.BODY_TIMEOUT


class UpstreamSide(Connection):
    """A connection to an upstream, as its streams see it."""

    __slots__ = ("client", "connect_s", "kinds", "remote", "trailers")

    client: ClientEngine
    kinds: FieldKinds  # of the fields of its responses
    trailers: Trailers  # as all connections have them
    connect_s: float  # how long it took to connect; 0 once its first stream has taken it
    remote: tuple[bytes, int]  # its address and port; empty on a Unix socket

    @property
    def now(self) -> float:
        """The time of the last tick."""
        return self._ticker.now

    @abstractmethod
    def was_malformed(self) -> bool:
        """Whether the stream that is being told of its end was malformed."""

    @abstractmethod
    def began(self) -> None:
        """One more is in use."""

    @abstractmethod
    def ended(self) -> None:
        """It is no longer."""


@final
@mypyc_attr(free_list_len=1)
class UpstreamStream(Answerer, StreamUser):
    """One request on its way to an upstream, and its response."""

    __slots__ = ("_connection", "_is_done", "_is_held", "_is_used", "_receiver", "_stream")

    def __init__(self, connection: UpstreamSide) -> None:
        self._is_held = False
        self._is_used = False  # its connection counts it
        self._is_done = False  # the response is whole
        self._connection = connection
        self._receiver: Receiver | None = None
        self._stream: Stream | None = None
        self.connect_s = connection.connect_s
        connection.connect_s = 0.0
        self.deadline = NEVER
        self.timeout = _RESPONSE_TIMEOUT
        self.remote = connection.remote
        self.is_pinned = False
        self.process = UNKNOWN

    def __repr__(self) -> str:
        return f"<UpstreamStream {self._stream!r}>"

    def ends(self) -> Ends | None:
        return ends(self._connection.transport)

    def ends_with_request(self) -> bool:
        return False

    # --- what the exchange asks (see sides.Answerer)

    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self._receiver = receiver
        connection = self._connection
        connection.began()
        self._is_used = True
        request, terms = receiver.request, receiver.terms
        client = connection.client
        if request.upgrade or (request.pace == TUNNEL and not client.peer.extended_connect):
            self._drop()
            text = "the upstream speaks HTTP/2, and takes no protocol but HTTP there"
            receiver.on_upstream_failed(Refusal(Fault.BAD_UPGRADE, text), HEARD)
            return
        fields, literals = request_fields(request, receiver.trace, terms.host(request), receiver.hop, connection.is_tls)
        most = client.peer.header_list_bytes
        if most >= 0 and (size := list_bytes(fields, literals)) > most:
            self._drop()
            text = (
                f"the header fields count {size} bytes, and the upstream takes {most} (SETTINGS_MAX_HEADER_LIST_SIZE)"
            )
            receiver.on_upstream_failed(Refusal(Fault.HEADERS_TOO_LARGE, text), HEARD)
            return
        is_whole = done and not trailers
        self._stream = stream = client.open(self, fields, literals, is_whole and not content)
        if content:
            stream.send(content, is_whole)
        if done and trailers:
            stream.send_headers(connection.trailers.fields(trailers), [], True)

    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        stream = self._stream
        if stream is None:
            return
        if not trailers:
            stream.send(content, done)
            return
        if content:
            stream.send(content, False)
        stream.send_headers(self._connection.trailers.fields(trailers), [], True)

    def pause_reading(self) -> None:
        self._is_held = True
        self.deadline = NEVER
        if self._stream is not None:
            self._stream.hold(True)

    def resume_reading(self) -> None:
        self._is_held = False
        receiver = self._receiver
        if receiver is not None:
            self.deadline = self._connection.now + receiver.terms.body_waits[receiver.request.pace]
        if self._stream is not None:
            self._stream.hold(False)

    def may_be_unheard(self) -> bool:
        return True

    def has_more(self) -> bool:
        return False

    def is_ready_for(self, pool: object) -> bool:
        return False

    def close(self) -> None:
        self.abort()

    def end(self) -> None:
        self._drop()

    def abort(self) -> None:
        stream = self._stream
        is_done = self._is_done
        self._drop()
        if stream is not None:
            stream.reset(NO_ERROR if is_done else CANCEL)

    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        raise NotImplementedError  # HTTP/2 has no 101

    def on_deadline(self) -> None:
        """The upstream has been silent for too long."""
        receiver, fault = self._receiver, self.timeout
        self.abort()
        if receiver is not None:
            receiver.on_upstream_failed(Refusal(fault, "the upstream took too long to answer"), HEARD)

    def _drop(self) -> None:
        """Nobody is told any longer."""
        self._receiver = None
        self._stream = None
        self.deadline = NEVER
        if self._is_used:
            self._is_used = False
            self._connection.ended()

    # --- what comes

    def on_response(self, head: ResponseHead, done: bool) -> None:
        """The final head."""
        receiver = self._receiver
        if receiver is None:
            return
        response = read_response(head, self._connection.kinds)
        request = receiver.request
        if done:
            self._is_done = True
            if request.pace == CALL:
                receiver.rpc_status = read_status(head.plain)
        else:
            self.deadline = self._connection.now + receiver.terms.body_waits[request.pace]
            self.timeout = _BODY_TIMEOUT
        receiver.on_response(response, b"", done, [])

    def on_interim(self, head: ResponseHead) -> None:
        """A 1xx."""
        if self._receiver is not None:
            self._receiver.on_interim(read_response(head, self._connection.kinds))

    def on_content(self, content: bytes, done: bool) -> None:
        """Content of the response."""
        receiver = self._receiver
        if receiver is None:
            return
        if done:
            self._is_done = True
        elif not self._is_held:
            self.deadline = self._connection.now + receiver.terms.body_waits[receiver.request.pace]
        receiver.on_response_content(content, done, [])

    def on_trailers(self, fields: list[HeaderField]) -> None:
        """The end of the response."""
        receiver = self._receiver
        if receiver is None:
            return
        self._is_done = True
        if receiver.request.pace == CALL:
            receiver.rpc_status = read_status(fields)
        receiver.on_response_content(b"", True, self._connection.trailers.lines(fields))

    def on_full(self, full: bool) -> None:
        """The upstream takes the request more slowly than it comes."""
        if self._receiver is not None:
            self._receiver.on_upstream_full(full)

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        """There will be no more of the response."""
        receiver = self._receiver
        is_malformed = self._connection.was_malformed()
        self._stream = None
        self._drop()
        if receiver is None:
            return
        if self._connection.is_closed or self._connection.engine.is_failed:
            refusal = Refusal(Fault.CONNECTION_LOST, detail)
        elif is_malformed:
            refusal = Refusal(Fault.BAD_RESPONSE, detail)
        else:
            refusal = Refusal(Fault.STREAM_RESET, detail or name_of(code), code)
        receiver.on_upstream_failed(refusal, UNHEARD if unheard else HEARD)
