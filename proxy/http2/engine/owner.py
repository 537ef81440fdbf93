"""Who holds an engine: a connection with a transport, as the engine sees it. PURE."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

from proxy.http2.engine.heads import RequestHead
from proxy.http2.engine.streams import Stream


class Owner(metaclass=ABCMeta):
    """Writes what the engine puts out, and hears what concerns the connection as a whole."""

    __slots__ = ()

    @abstractmethod
    def wants_flush(self) -> None:
        """There is output: call `take_parts` before this turn ends."""

    @abstractmethod
    def on_failed(self, code: int, detail: str) -> None:
        """The peer has broken a rule. GOAWAY is in the output: write it, and close. Streams have been told."""

    @abstractmethod
    def on_goaway(self, code: int, detail: bytes) -> None:
        """The peer takes no more streams. Those that it has not seen have been told."""

    @abstractmethod
    def on_settings(self) -> None:
        """The peer's settings have come, or changed."""

    @abstractmethod
    def on_pong(self, payload: bytes) -> None:
        """The answer to a PING of ours."""

    @abstractmethod
    def on_stream_over(self) -> None:
        """A stream has ended, so there is room for another; or the last one has."""

    @abstractmethod
    def on_reset(self, code: int, received: bool) -> None:
        """RST_STREAM was `received`, or is sent: for counters."""

    @abstractmethod
    def on_malformed(self, code: int, detail: str) -> None:
        """The engine has reset a stream for a fault of the peer: for counters and logs."""


class ServerOwner(Owner):
    """Of a client's connection."""

    __slots__ = ()

    @abstractmethod
    def on_request(self, stream: Stream, head: RequestHead, done: bool) -> None:
        """A request; `done` if no content follows. Give `stream.user` whoever takes what follows."""

    @abstractmethod
    def on_oversized(self, stream: Stream, done: bool) -> None:
        """A request with a header list beyond the limit: answer 431."""
