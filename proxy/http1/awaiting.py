"""A client's connection, the waiting part: how slow the client may be, and when it counts as gone.

May know the exchange that is being answered, and its clock. Must not know messages: `client` reads them.
"""

from __future__ import annotations

from typing import Final

from proxy.http1.answering import BY_CLOSE, Answering
from proxy.http1.connection import BODY, BUSY, ENDING
from proxy.listener.listener import Listener
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.deadlines import NEVER
from proxy.transport.sockets import reset

_LAST_TURNS: Final = 16  # for an answer that is ready when its client leaves


class Awaiting(Answering):
    """One connection from a client, and the limits of waiting for it."""

    __slots__ = ("_judged_at", "_judged_bytes", "_turns_left")

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._judged_at = NEVER  # when to check the body's progress next
        self._judged_bytes = 0  # bytes that had come at the last check
        self._turns_left = -1  # until a client that has ended its side counts as gone; -1: it has not

    # --- a client that is slow

    def _pace_anew(self) -> None:
        self._judged_at = self._ticker.now + self._timeouts.body_read_s
        self._judged_bytes = self._exchange.bytes_in if self._exchange is not None else 0

    def _judge_body(self) -> None:
        """The client has been silent for too long, or it is time to check its progress."""
        now, within_s, exchange = self._ticker.now, self._timeouts.body_read_s, self._exchange
        came_bytes = exchange.bytes_in - self._judged_bytes if exchange is not None else 0
        # A client that is being answered may send at any pace: it may be a conversation.
        is_judged = now >= self._judged_at and exchange is not None and not exchange.status
        if now >= self._silent_at:
            text = f"no byte of the request body came for {within_s:g} s"
            self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))
        elif is_judged and came_bytes < self._least_sent * within_s:
            text = (
                f"{came_bytes} bytes of the request body came in {within_s:g} s, fewer than {self._least_sent} a second"
            )
            self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))
        else:
            if now >= self._judged_at:
                self._pace_anew()
            self.deadline = min(self._silent_at, self._judged_at)

    def _give_up_answer(self) -> None:
        """The client reads the answer too slowly."""
        exchange, self._exchange = self._exchange, None
        self._state = ENDING
        if exchange is not None:
            exchange.abandon()
            text = f"the client took less than {self._least_read} bytes a second of its answer"
            self._listener.record(exchange, self, Refusal(Fault.CLIENT_TOO_SLOW, text))

    # --- a client that leaves

    def _ended_unread(self, lost: bool) -> None:
        if BODY <= self._state <= BUSY and (lost or self._abandons):
            self._leave_soon()

    def _leave_soon(self) -> None:
        """Check in a later turn, since an answer may come in this one."""
        if self._turns_left < 0:
            self._turns_left = _LAST_TURNS
            self._ticker.turns.later(self._leave)

    def _leave(self) -> None:
        if not BODY <= self._state <= BUSY:  # answered meanwhile
            self._turns_left = -1
        elif self._turns_left > 0 and self._exchange is not None and self._exchange.is_arriving():
            self._turns_left -= 1
            self._ticker.turns.later(self._leave)
        else:
            is_endless = self._exchange is not None and self._exchange.status > 0 and self._framing == BY_CLOSE
            self._abandon()
            self._state = ENDING
            if is_endless:
                reset(self.transport)
            else:
                self.transport.abort()

    def _abandon(self) -> None:
        """Nobody waits for the present exchange any more."""
        exchange, self._exchange = self._exchange, None
        if exchange is None and self._state != BUSY:
            return
        refusal = Refusal(Fault.CLIENT_GONE, "the client went away")
        if self._listener.is_stopped:
            refusal = Refusal(Fault.STOPPED, "the sidecar stopped before the exchange was over")
        if exchange is not None:
            exchange.abandon()
            self._listener.record(exchange, self, refusal)
        else:  # a CONNECT that still waits for its connection
            self._listener.give_up(self)
            self._listener.record_refused(self._request, self.address, refusal)
