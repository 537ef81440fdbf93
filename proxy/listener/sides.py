"""The two sides of an exchange, whatever protocol each of them speaks, and what they see of it in between.

    Asker     a client's request: a connection of HTTP/1.1 while it asks, or a stream of HTTP/2
    Answerer  what carries it to the upstream: a connection that is lent for the time, or a stream of a shared one
    Receiver  the exchange, as the upstream's side sees it

Classes and no typing.Protocol: compiled, a call by way of a class costs a tenth of a call by name. May know messages
by their meaning. Must not know sockets, nor any protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from proxy.listener.accounting import Accounted
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.hop import Hop
from proxy.semantics.request import Field
from proxy.semantics.response import Response
from proxy.transport.tunnel import End, FarEnd

# What an upstream that failed had heard of the request.
HEARD: Final = 0  # it may have acted on it
PERHAPS: Final = 1  # it closed a kept connection just when the request was sent (RFC 9112, 9.3.1)
UNHEARD: Final = 2  # nothing, by its own word (RFC 9113, 8.7)


class Answerer(ABC):
    """The upstream's side. One request at a time is its own."""

    __slots__ = ("deadline", "is_pinned", "remote", "timeout")

    deadline: float  # in seconds of the loop's clock
    remote: tuple[bytes, int]  # address and port of the other end; empty and 0 on a Unix socket
    is_pinned: bool  # it has an identity, and serves the asker that gave it one, nobody else
    timeout: Fault  # what a deadline that passes means

    @abstractmethod
    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send `receiver`'s request, and the content that has come; `done` if that is all. The response is its."""

    @abstractmethod
    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """More content; `done` with the last."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Take no more of the response for now; meanwhile its silence is not the upstream's fault."""

    @abstractmethod
    def resume_reading(self) -> None:
        """Take more of the response."""

    @abstractmethod
    def has_more(self) -> bool:
        """Whether more of the response has come than was passed on."""

    @abstractmethod
    def is_ready_for(self, pool: object) -> bool:
        """Whether one that is pinned can serve another request by `pool`."""

    @abstractmethod
    def close(self) -> None:
        """Serve nobody any longer."""

    @abstractmethod
    def end(self) -> None:
        """Request and response are whole: let it serve another, if it can."""

    @abstractmethod
    def abort(self) -> None:
        """Want no more of this response."""

    @abstractmethod
    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        """Give the transport away: this end of a tunnel. `received`: its first bytes, as far as they were read here.

        `tell` is told how many bytes come from there.
        """


class Receiver(Accounted, ABC):
    """Who sends a request by an Answerer and wants its response."""

    hop: Hop
    trace: list[Field]  # the trace fields that go out

    # --- a pool's answer (see `pools.Pool`)

    @property
    @abstractmethod
    def client(self) -> bytes:
        """The address of whoever it is for, empty where it has none. Those of one client wait for one another."""

    deadline: float  # while it waits
    wants_fresh: bool  # only a connection that has served nobody yet

    @abstractmethod
    def on_connected(self, answerer: Answerer) -> None:
        """It is yours. End it, or abort it."""

    @abstractmethod
    def on_unconnected(self, refusal: Refusal) -> None:
        """There will be none."""

    # --- an upstream's answer

    request_done: bool  # it is sent whole

    @abstractmethod
    def on_interim(self, response: Response) -> None:
        """A 1xx other than 101."""

    @abstractmethod
    def on_switch(self, response: Response, rest: bytes) -> None:
        """101, as it was asked for: `rest` are the first bytes of the new protocol. What carries them is yours."""

    @abstractmethod
    def on_response(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """The final head, with as much of the content as came with it."""

    @abstractmethod
    def on_response_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """More content; `done` with the last."""

    @abstractmethod
    def on_upstream_full(self, full: bool) -> None:
        """The upstream takes no more bytes for now, or does again."""

    @abstractmethod
    def on_upstream_failed(self, refusal: Refusal, heard: int) -> None:
        """There will be no (more) response. `heard`: what the upstream knows of the request."""


class Asker(ABC):
    """The client's side, one for each request that is open."""

    __slots__ = ("address", "pinned", "port")

    address: bytes  # of the client; empty on a Unix socket
    port: int
    pinned: Answerer | None  # what the client has logged in on: its next requests go there, and nobody else's

    # --- what an exchange asks

    @abstractmethod
    def answer(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send the head of the response, with as much of the content as there is; `done` if that is all."""

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
        """Read no more of the request for now, or read on."""

    @abstractmethod
    def exchange_over(self) -> None:
        """The response is sent whole."""

    @abstractmethod
    def exchange_failed(self, refusal: Refusal, cut: bool) -> None:
        """There is no response; or, if `cut`, not all of one that has begun."""

    # --- what a listener asks

    @abstractmethod
    def refuse(self, refusal: Refusal) -> None:
        """The request is broken, or came to nothing: want no more of it, and say so if there is still room to."""

    @abstractmethod
    def connected(self, far: FarEnd, idle_s: float) -> None:
        """A CONNECT has got its connection."""
