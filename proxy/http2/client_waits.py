"""How long a client's stream of HTTP/2 is waited for: its content, its reading, the end of its call.

May know requests and exchanges. Must not know how a request is answered: `client_stream`, built on this one, does.

    ClientSide    the connection, as its streams see it
    TimedAsker    the times of one request

What is waited for, and when:

    `silent_at`    the next byte of content, while the request is incomplete and its content is taken
    `judged_at`    as much content as `clients.send_bytes_per_s` asks for, of what is not gRPC
    `stalled_at`   as much reading as `clients.read_bytes_per_s` asks for, while an answer waits for its client
    `expires_at`   the end of a call, by its grpc-timeout
"""

from __future__ import annotations

from abc import abstractmethod

from proxy.http2.connection import Connection
from proxy.http2.engine.codes import CANCEL
from proxy.http2.engine.streams import Stream
from proxy.http2.message.request import Request
from proxy.http2.message.trailers import Trailers
from proxy.listener.exchange import Exchange
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Asker
from proxy.plan import Address, Limits, Timeouts
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import CALL, PROMPT, TUNNEL
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.processes import UNKNOWN
from proxy.transport.tunnel import TunnelSide


class ClientSide(Connection):
    """A client's connection, as its streams see it."""

    __slots__ = (
        "_rules",
        "least_read",
        "least_sent",
        "limits",
        "listener",
        "original",
        "timeouts",
        "trailers",
        "tunnels",
    )

    listener: Listener
    trailers: Trailers
    limits: Limits
    timeouts: Timeouts
    original: Address | None  # where the connection was meant to go, if it was redirected
    least_sent: int  # bytes a second of a request
    least_read: int  # bytes a second of an answer
    tunnels: set[TimedAsker]  # those of its streams that carry no exchange any longer, but a tunnel
    _rules: ListenerRules

    def keep_to(self, rules: ListenerRules) -> None:
        """Serve by `rules` from now on."""
        self._rules = rules
        self.limits = rules.plan.limits
        self.timeouts = rules.plan.timeouts
        self.ping_s = rules.plan.timeouts.ping_s
        self.least_sent = rules.plan.clients.send_bytes_per_s
        self.least_read = rules.plan.clients.read_bytes_per_s

    @property
    def now(self) -> float:
        """The time of the last tick."""
        return self._ticker.now

    @property
    def ticker(self) -> Ticker:
        """Of the data plane."""
        return self._ticker

    @abstractmethod
    def stream_over(self, stream: TimedAsker) -> None:
        """It is answered, or has ended otherwise. It may be told so again."""


class TimedAsker(Asker):
    """One request whose client is waited for."""

    __slots__ = (
        "_came_bytes",
        "_connection",
        "_exchange",
        "_expires_at",
        "_is_answered",
        "_is_complete",
        "_is_held",
        "_judged_at",
        "_judged_bytes",
        "_left_bytes",
        "_request",
        "_silent_at",
        "_stalled_at",
        "_stream",
        "is_under_way",
        "tunnel",
    )

    def __init__(
        self, connection: ClientSide, stream: Stream, address: bytes, port: int, names: tuple[str, ...]
    ) -> None:
        self.address = address
        self.port = port
        self.names = names
        self.pinned = None
        self.process = UNKNOWN
        self._connection = connection
        self._stream = stream
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self.tunnel: TunnelSide | None = None  # after CONNECT
        self._came_bytes = 0
        self._silent_at = NEVER  # when its content will have been silent for too long
        self._judged_at = NEVER  # when to check its progress
        self._judged_bytes = 0  # that had come at the last check
        self._stalled_at = NEVER  # when to check that the client takes its answer
        self._left_bytes = 0  # that waited for it at the last check
        self._expires_at = NEVER  # by grpc-timeout
        # Side by side, for room (`proxy.compiling`).
        self.is_under_way = True  # its connection counts it
        self._is_answered = False  # the head of the response is written
        self._is_complete = False  # the request is
        self._is_held = False  # its content is not taken

    @property
    def receiver(self) -> Exchange | None:
        """The exchange that it is, or was before it became a tunnel."""
        return self._exchange

    def _wait_for_content(self) -> None:
        """From now on the client is waited for."""
        request = self._request
        if request is None or request.pace == TUNNEL:
            return
        now, timeouts = self._connection.now, self._connection.timeouts
        if request.pace == PROMPT:
            self._silent_at = now + timeouts.body_read_s
            self._judged_at = self._silent_at
            self._judged_bytes = self._came_bytes
        else:
            self._silent_at = now + (timeouts.grpc_idle_s or NEVER)

    def _came(self, done: bool) -> None:
        if done:
            self._is_complete = True
            self._silent_at = self._judged_at = NEVER
        elif not self._is_held and self._silent_at != NEVER:
            timeouts = self._connection.timeouts
            request = self._request
            is_prompt = request is None or request.pace == PROMPT
            self._silent_at = self._connection.now + (timeouts.body_read_s if is_prompt else timeouts.grpc_idle_s)

    def close_tunnel(self) -> None:
        """End its tunnel, if it is one."""
        if self.tunnel is not None:
            self.tunnel.close()

    # --- what has been waited for too long

    def on_tick(self, now: float) -> None:
        """Judge a client that is slow, and a call whose time is over."""
        if now >= self._expires_at:
            self._expires_at = NEVER
            self.refuse(Refusal(Fault.CALL_TIMEOUT, "the call took longer than its grpc-timeout"))
        elif now >= self._silent_at:
            text = "no byte of the request came for too long"
            self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))
        elif now >= self._judged_at:
            self._judge(now)
        elif now >= self._stalled_at:
            self._judge_reading(now)

    def _judge(self, now: float) -> None:
        """Whether the content comes fast enough. A client that is being answered may send at any pace."""
        within_s = self._connection.timeouts.body_read_s
        came_bytes = self._came_bytes - self._judged_bytes
        self._judged_at = now + within_s
        self._judged_bytes = self._came_bytes
        if self._is_answered or came_bytes >= self._connection.least_sent * within_s:
            return
        least = self._connection.least_sent
        text = f"{came_bytes} bytes of the request came in {within_s:g} s, fewer than {least} a second"
        self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))

    def _judge_reading(self, now: float) -> None:
        """Whether the client takes its answer fast enough."""
        idle_s, least = self._connection.timeouts.idle_s, self._connection.least_read
        left = self._stream.queued_bytes
        taken = self._left_bytes - left
        self._left_bytes = left
        self._stalled_at = now + idle_s
        if taken >= max(1, least * idle_s) or self._is_call_waiting():
            return
        exchange, self._exchange = self._exchange, None
        self._connection.stream_over(self)
        self._stream.reset(CANCEL)
        if exchange is not None:
            exchange.abandon()
            text = f"the client took less than {least} bytes a second of its answer"
            self._connection.listener.record(exchange, self, Refusal(Fault.CLIENT_TOO_SLOW, text))

    def _is_call_waiting(self) -> bool:
        """A receiver of a gRPC stream may stop reading for as long as it likes: its window says so."""
        return self._request is not None and self._request.pace == CALL and not self._connection.timeouts.grpc_idle_s
