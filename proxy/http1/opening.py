"""A client's connection, until its first bytes have said which protocol it speaks.

May know timeouts. Must not know messages: `client` reads them, or hands the connection over.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import final

from proxy.http1.redirected import Redirected
from proxy.listener.listener import Listener


@final
class Other:
    """A protocol whose clients begin with bytes that no request of HTTP/1 begins with."""

    __slots__ = ("preface", "take_over")

    def __init__(self, preface: bytes, take_over: Callable[[asyncio.Transport, bytes], None]) -> None:
        """`take_over` gets a client's transport, and the bytes that came."""
        self.preface = preface
        self.take_over = take_over


class Opening(Redirected):
    """One connection from a client, and the first bytes of it."""

    __slots__ = ("_opening", "_other")

    def __init__(self, listener: Listener, other: Other | None = None) -> None:
        """`other`: the protocol of clients that turn out not to speak HTTP/1; None: it is not served."""
        super().__init__(listener)
        self._other = other
        self._opening = b""  # the first bytes, while they may be the beginning of `other`'s

    def _look_at_opening(self, data: bytes) -> bytes:
        """The bytes to read, once it is clear that the client speaks HTTP/1; until then none."""
        other = self._other
        assert other is not None
        opening = self._opening + data
        if opening.startswith(other.preface):
            self._hand_over(other, opening)
            return b""
        if other.preface.startswith(opening):
            if not self._opening:
                self.deadline = self._ticker.now + self._timeouts.header_read_s
            self._opening = opening
            return b""
        self._other = None
        self._opening = b""
        return opening

    @abstractmethod
    def _hand_over(self, other: Other, opening: bytes) -> None:
        """The client speaks the other protocol, and has begun with `opening`."""
