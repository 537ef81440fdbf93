"""One stream, as one end of a connection sees it, and whoever uses it (RFC 9113, 5.1). PURE.

The states of RFC 9113 are these flags here:

    idle                 does not exist yet
    (waits to be opened) not `is_open`: nothing has been written, and it has no id
    open                 `is_open`
    half-closed (local)  `is_local_done`: our END_STREAM has been written
    half-closed (remote) `is_remote_done`: the peer's has been read
    closed               `is_over`
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections import deque
from typing import final

from proxy.compiling import mypyc_attr, trait
from proxy.http2.engine.heads import ResponseHead
from proxy.http2.engine.windows import ReceiveWindow
from proxy.http2.hpack.encoder import Literal
from proxy.http2.hpack.field import HeaderField


@trait
class StreamUser(metaclass=ABCMeta):
    """Gets what comes on one stream. An exchange's side."""

    __slots__ = ()

    @abstractmethod
    def on_content(self, content: bytes, done: bool) -> None:
        """Content; `done` with the last, which may be empty."""

    @abstractmethod
    def on_trailers(self, fields: list[HeaderField]) -> None:
        """The end, with trailers."""

    @abstractmethod
    def on_full(self, full: bool) -> None:
        """What was sent waits in the stream's queue; or all of it has been written now."""

    @abstractmethod
    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        """The stream has ended early. `unheard`: the peer has not seen the request, so it may be retried (8.7)."""

    @abstractmethod
    def on_interim(self, head: ResponseHead) -> None:
        """A 1xx, on a stream that we have opened."""

    @abstractmethod
    def on_response(self, head: ResponseHead, done: bool) -> None:
        """The final head, on a stream that we have opened; `done` if that is all."""


class Carrier(metaclass=ABCMeta):
    """The connection, as a stream sees it."""

    @abstractmethod
    def send_headers(self, stream: Stream, fields: list[HeaderField], literals: list[Literal], done: bool) -> None:
        """See Stream."""

    @abstractmethod
    def send(self, stream: Stream, content: bytes, done: bool) -> None:
        """See Stream."""

    @abstractmethod
    def hold(self, stream: Stream, held: bool) -> None:
        """See Stream."""

    @abstractmethod
    def reset(self, stream: Stream, code: int) -> None:
        """See Stream."""


@final
@mypyc_attr(free_list_len=1)
class Unsent:
    """What one stream has to write, and cannot write yet. Most have that for one turn only, until they are opened."""

    __slots__ = ("early", "fields", "first_at", "literals", "pieces", "size_bytes", "trailers", "trailing")

    def __init__(self) -> None:
        self.fields: list[HeaderField] | None = None  # the head, until the stream is opened
        self.literals: list[Literal] | None = None
        self.early = b""  # the first content, until the stream is opened: most requests have no more, and no queue
        self.pieces: deque[bytes] | None = None  # content that the windows do not allow yet
        self.first_at = 0  # how much of the first piece has been written
        self.size_bytes = 0  # of the content
        self.trailers: list[HeaderField] | None = None  # behind the content
        self.trailing: list[Literal] | None = None

    def queue(self) -> deque[bytes]:
        """`pieces`, from now on."""
        pieces = self.pieces = deque()
        if self.early:
            pieces.append(self.early)
            self.early = b""
        return pieces


@final
@mypyc_attr(free_list_len=1)
class Stream:
    """One stream. Its user calls the methods; the attributes belong to its connection, but can be read."""

    __slots__ = (
        "_carrier",
        "had_head",
        "id",
        "is_bodiless",
        "is_full",
        "is_held",
        "is_local_done",
        "is_open",
        "is_over",
        "is_queued_done",
        "is_ready",
        "is_remote_done",
        "is_tunnel",
        "left",
        "receive",
        "unsent",
        "user",
        "window",
    )

    def __init__(self, carrier: Carrier, user: StreamUser, window: int) -> None:
        self._carrier = carrier
        self.user = user
        self.id = 0
        # What comes.
        self.receive: ReceiveWindow | None = None  # made with the first content, since an idle stream needs none
        # Content that must still come, by Content-Length; negative: not announced. Until a response has its final
        # head, how many 1xx have come, from -1 downwards.
        self.left = -1
        # What goes.
        self.window = window  # content that the peer allows; negative after it made its windows smaller (6.9.2)
        self.unsent: Unsent | None = None
        # Side by side, for room (`proxy.compiling`).
        self.is_open = False
        self.is_local_done = False
        self.is_remote_done = False
        self.is_over = False
        self.is_tunnel = False  # each direction ends by itself
        self.had_head = False  # the final head of the response has come
        self.is_bodiless = False  # no content may come: the answer to HEAD, 204, 304
        self.is_held = False  # its user takes no more
        self.is_queued_done = False  # what was written, or waits, ends with END_STREAM
        self.is_full = False  # its user has been told that content waits
        self.is_ready = False  # it waits for its turn to write

    def __repr__(self) -> str:
        ends = f"{'' if self.is_local_done else 'sending '}{'' if self.is_remote_done else 'receiving'}"
        return f"<Stream {self.id} {'over' if self.is_over else ends}, {self.queued_bytes} bytes queued>"

    @property
    def queued_bytes(self) -> int:
        """Content that waits."""
        return self.unsent.size_bytes if self.unsent is not None else 0

    def send_headers(self, fields: list[HeaderField], literals: list[Literal], done: bool) -> None:
        """Send a head, or, with `done` after content, trailers. `literals` go out without a place in the table."""
        self._carrier.send_headers(self, fields, literals, done)

    def send(self, content: bytes, done: bool) -> None:
        """Send content; `done` with the last. What the windows do not allow waits here."""
        self._carrier.send(self, content, done)

    def hold(self, held: bool) -> None:
        """Give no more credit to the peer, or give it again. What it has credit for still comes."""
        if held != self.is_held:
            self.is_held = held
            self._carrier.hold(self, held)

    def reset(self, code: int) -> None:
        """End it at once. Its user hears nothing more. If it is not open yet, the peer never hears of it."""
        self._carrier.reset(self, code)


@final
class Nobody(StreamUser):
    """Uses a stream that has no user, or no longer."""

    __slots__ = ()

    def on_content(self, content: bytes, done: bool) -> None:
        """Nothing."""

    def on_trailers(self, fields: list[HeaderField]) -> None:
        """Nothing."""

    def on_full(self, full: bool) -> None:
        """Nothing."""

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        """Nothing."""

    def on_interim(self, head: ResponseHead) -> None:
        """Nothing."""

    def on_response(self, head: ResponseHead, done: bool) -> None:
        """Nothing."""
