"""The two sides of an exchange, in any protocol, and their view of the exchange between them.

    Asker     a client's request: an HTTP/1.1 connection during one request, or an HTTP/2 stream
    Answerer  carries it to the upstream: a connection lent for one exchange, or a stream of a shared one
    Receiver  the exchange, as the upstream's side sees it

Classes, not typing.Protocol, for speed: compiled code calls methods of a class much faster.
May know messages by their meaning.
Must not know sockets, nor any protocol.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Final

from proxy.listener.accounting import Accounted
from proxy.plan import Address
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.hop import Hop
from proxy.semantics.request import Field
from proxy.semantics.response import Response
from proxy.transport.processes import Ends
from proxy.transport.tunnel import End, FarEnd

# What a failed upstream knew of the request.
HEARD: Final = 0  # it may have acted on the request
PERHAPS: Final = 1  # it closed a kept connection just as we sent the request (RFC 9112, 9.3.1)
UNHEARD: Final = 2  # nothing, by its own word (RFC 9113, 8.7)


class Answerer(metaclass=ABCMeta):
    """The upstream's side. Serves one request at a time."""

    __slots__ = ("connect_s", "deadline", "is_pinned", "process", "remote", "timeout")

    connect_s: float  # how long it took to connect; 0 once an exchange was told
    deadline: float  # in seconds of the loop's clock
    remote: tuple[bytes, int]  # address and port of the other end; empty and 0 on a Unix socket
    process: int  # that holds the other end; UNKNOWN: not looked up yet
    timeout: Fault  # what a deadline that passes means
    is_pinned: bool  # it has an identity, and serves the asker that gave it one, nobody else

    def ends(self) -> Ends | None:
        """Both ends of the connection, the upstream's first; None on a Unix socket."""
        return None

    def ends_with_request(self) -> bool:
        """Whether the connection serves this request alone, and is closed if that is dropped."""
        return True

    @abstractmethod
    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send `receiver`'s request with the content so far; `done` if that is all. `receiver` gets the response."""

    @abstractmethod
    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """More content; `done` with the last."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Pause reading the response; meanwhile the upstream is not to blame for silence."""

    @abstractmethod
    def resume_reading(self) -> None:
        """Resume reading the response."""

    def may_be_unheard(self) -> bool:
        """Whether it can say that the upstream knows nothing of the request (UNHEARD)."""
        return False

    @abstractmethod
    def has_more(self) -> bool:
        """Whether unread bytes of the response are left."""

    @abstractmethod
    def is_ready_for(self, pool: object) -> bool:
        """Whether one that is pinned can serve another request by `pool`."""

    @abstractmethod
    def close(self) -> None:
        """Serve nobody any longer."""

    @abstractmethod
    def end(self) -> None:
        """Request and response are complete: it may serve another exchange, if it can."""

    @abstractmethod
    def abort(self) -> None:
        """Drop this response."""

    @abstractmethod
    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        """Give the transport away: this end of a tunnel. `received`: first bytes that were read here.

        `tell` gets the number of bytes that come from it.
        """


class Receiver(Accounted, metaclass=ABCMeta):
    """Sends a request through an Answerer, and receives its response."""

    hop: Hop
    trace: list[Field]  # the trace fields to write

    @property
    def answerer(self) -> Answerer | None:
        """What carries the request now."""
        return None

    # --- a pool's answer (see `pools.Pool`)

    @property
    @abstractmethod
    def client(self) -> bytes:
        """The address of its client; empty if it has none. Those of one client wait for one another."""

    deadline: float  # while it waits
    wants_fresh: bool  # wants a connection that has served nobody yet

    @abstractmethod
    def can_begin_again(self) -> bool:
        """Whether it has its whole request, and keeps it until it is sent."""

    @abstractmethod
    def on_unsent(self) -> None:
        """The connection was unfit before anything was sent: ask for another. Told to one that can begin again."""

    @abstractmethod
    def on_connected(self, answerer: Answerer) -> None:
        """It is yours. End it, or abort it."""

    @abstractmethod
    def on_unconnected(self, refusal: Refusal) -> None:
        """There will be no connection."""

    # --- an upstream's answer

    request_done: bool  # it is sent whole

    @abstractmethod
    def on_interim(self, response: Response) -> None:
        """A 1xx other than 101."""

    @abstractmethod
    def on_switch(self, response: Response, rest: bytes) -> None:
        """The requested 101. `rest`: the first bytes of the new protocol. The connection is yours."""

    @abstractmethod
    def on_response(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """The final head, with as much of the content as came with it."""

    @abstractmethod
    def on_response_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """More content; `done` with the last."""

    @abstractmethod
    def on_upstream_full(self, full: bool) -> None:
        """The upstream's write buffer is full, or has room again."""

    @abstractmethod
    def on_upstream_failed(self, refusal: Refusal, heard: int) -> None:
        """There will be no response, or no more of it. `heard`: what the upstream knew of the request."""


class Asker(metaclass=ABCMeta):
    """The client's side, one for each request that is open."""

    __slots__ = ("address", "names", "pinned", "port", "process")

    address: bytes  # of the client; empty on a Unix socket
    port: int
    names: tuple[str, ...]  # of the client's certificate, in lower case; none if it showed none
    pinned: Answerer | None  # what the client has logged in on: its next requests go there, and nobody else's

    process: int  # that holds the client's end; UNKNOWN: not looked up yet, NOBODY: cannot be known

    # --- what an exchange asks

    def ends(self) -> Ends | None:
        """Both ends of the connection, the client's first; None on a Unix socket."""
        return None

    def original(self) -> Address | None:
        """Where a redirected connection was meant to go; None if it was not redirected, or nobody has looked."""
        return None

    @abstractmethod
    def answer(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send the head of the response with the content so far; `done` if that is all."""

    @abstractmethod
    def answer_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send more content; `done` with the last."""

    @abstractmethod
    def answer_interim(self, response: Response) -> None:
        """Send a 1xx other than 101, if the client knows such responses."""

    @abstractmethod
    def switch(self, response: Response, answerer: Answerer, rest: bytes, idle_s: float) -> None:
        """Send the 101, and make a tunnel of both sides. `rest`: its first bytes from the upstream."""

    @abstractmethod
    def hold(self, held: bool) -> None:
        """Pause reading the request, or resume it."""

    @abstractmethod
    def exchange_over(self) -> None:
        """The response is sent whole."""

    @abstractmethod
    def exchange_failed(self, refusal: Refusal, cut: bool) -> None:
        """There is no response; or, if `cut`, a response that has begun stays incomplete."""

    # --- what a listener asks

    @abstractmethod
    def refuse(self, refusal: Refusal) -> None:
        """The request is broken, or has failed: drop the rest of it, and answer so if that is still possible."""

    @abstractmethod
    def connected(self, far: FarEnd, idle_s: float) -> None:
        """A CONNECT has got its connection."""
