"""One connection to the admin listener: reads requests, calls handlers, writes answers, and ends what takes too long.

May know asyncio. Must not know HTTP (`conversation`) or what is asked (`application`).
One request at a time; while it is answered, nothing more is read.
A client can make us keep one read of the event loop, one body and one answer, and each for a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from enum import Enum, auto
from typing import Final, Protocol, cast

from proxy.admin.answers import plain
from proxy.admin.conversation import Call, Conversation, Sign, Waiting
from proxy.admin.exchange import Response
from proxy.admin.routes import Application

IDLE_S: Final = 15.0  # for a request to begin
HEAD_S: Final = 10.0  # for the rest of its head
BODY_S: Final = 10.0  # for its body
TAKING_S: Final = 30.0  # for the client to take the answer
ENDING_S: Final = 2.0  # for the client to end its side, after the last answer
_STEPS_A_TURN: Final = 32  # most cost 10 to 20 us; the last of a large head, 1 ms

log = logging.getLogger(__name__)


class Stage(Enum):
    """What a connection is at."""

    READING = auto()  # a request comes, or nothing does
    ANSWERING = auto()  # the handler is at work
    WRITING = auto()  # the client takes the answer
    ENDING = auto()  # the last answer is out; what comes is thrown away, so that no reset overtakes the answer
    LOST = auto()


class Owner(Protocol):
    """Who keeps the connections and the handlers at work."""

    def opened(self, connection: Connection) -> None: ...
    def lost(self, connection: Connection) -> None: ...
    def began(self, task: asyncio.Task[None]) -> None: ...


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, application: Application, owner: Owner) -> None:
        self._application = application
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._conversation: Conversation
        self._stage = Stage.READING
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None  # in which we go on
        self._timed: Waiting | None = None  # what the timer is for
        self._is_jammed = False  # the client does not take what we write
        self._has_ended = False  # the client sends no more
        self._is_leaving = False  # we close once the answer is out

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = stream = cast(asyncio.Transport, transport)  # uvloop's is none by its type
        stream.set_write_buffer_limits(0)  # so that `resume_writing` says that all is out
        self._conversation = Conversation(self._application, transport.get_extra_info("peername"))
        self._owner.opened(self)
        self._mind_time()

    def data_received(self, data: bytes) -> None:
        """Read on, or keep it for later and hear no more until then."""
        if self._stage in (Stage.ENDING, Stage.LOST):
            return
        self._conversation.receive(data)
        if self._stage is Stage.READING and self._turn is None:
            self._read_on()
        else:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for an answer."""
        self._has_ended = True
        return self._turn is not None or self._stage in (Stage.ANSWERING, Stage.WRITING)

    def pause_writing(self) -> None:
        """The client is slower than we."""
        self._is_jammed = True

    def resume_writing(self) -> None:
        """The client has taken everything. In a turn of its own: asyncio's own loop cannot be told to close here."""
        self._is_jammed = False
        if self._stage is Stage.WRITING:
            self._turn = self._loop.call_soon(self._written)

    def connection_lost(self, exc: Exception | None) -> None:
        """A handler at work ends in its own time; nobody hears what it says."""
        self._stop()
        self._owner.lost(self)

    # --- what the owner calls

    def leave(self) -> None:
        """Close, after the answer if one is due."""
        self._is_leaving = True
        if self._stage in (Stage.READING, Stage.ENDING):
            self._close()

    def cut(self) -> None:
        """Close now, whatever is not written yet."""
        self._stop()
        self._transport.abort()

    def _close(self) -> None:
        self._stop()
        self._transport.close()

    def _stop(self) -> None:
        self._stage = Stage.LOST
        self._stop_timer()
        self._stop_turn()

    # --- one request

    def _read_on(self) -> None:
        """A bounded part of what has come; the rest in another turn of the event loop."""
        self._turn = None
        for _ in range(_STEPS_A_TURN):
            step = self._conversation.read()
            if isinstance(step, Call):
                self._begin(step)
                return
            if isinstance(step, Response):
                self._answer(step)
                return
            if step is Sign.NEEDS_BYTES:
                if self._has_ended:
                    self._close()
                    return
                if self._conversation.wants_100:
                    self._transport.write(self._conversation.continue_100())
                if self._transport.is_closing():
                    return
                self._transport.resume_reading()
                break
        else:
            self._read_later()
        self._mind_time()

    def _read_later(self) -> None:
        self._transport.pause_reading()
        self._turn = self._loop.call_soon(self._read_on)

    def _begin(self, call: Call) -> None:
        self._stage = Stage.ANSWERING
        self._stop_timer()
        self._owner.began(self._loop.create_task(self._call(call), name="admin"))

    async def _call(self, call: Call) -> None:
        try:
            response = await call.handler(call.request)
        except Exception as error:  # a bug of ours: the outermost edge
            log.error("a request to the admin listener failed: %s", type(error).__name__, exc_info=error)
            response = plain(500)
        self._answer(response)

    def _answer(self, response: Response) -> None:
        if self._stage is Stage.LOST or self._transport.is_closing():
            return
        self._stage = Stage.WRITING
        self._stop_timer()
        date = formatdate(time.time(), usegmt=True)
        self._transport.write(self._conversation.answer(response, date, is_last=self._is_leaving))
        if self._is_jammed:
            self._wait(TAKING_S, self.cut)
        elif not self._transport.is_closing():  # as it is where the client has gone
            self._written()

    def _written(self) -> None:
        """The answer is out: go on, or end."""
        self._turn = None
        if self._is_leaving or (self._conversation.is_over and self._has_ended):
            self._close()
        elif self._conversation.is_over:
            self._stage = Stage.ENDING
            self._wait(ENDING_S, self.cut)
            try:
                self._transport.write_eof()
            except OSError:  # asyncio's own loop: the client has gone, and we have not read that yet
                self.cut()
                return
            self._transport.resume_reading()
        else:
            self._stage = Stage.READING
            self._timed = None
            self._read_later()

    # --- time

    def _mind_time(self) -> None:
        """Begin to wait for what has to come next, unless that is what we wait for."""
        waits_for = self._conversation.waits_for
        if waits_for is self._timed:
            return
        self._timed = waits_for
        if waits_for is Waiting.REQUEST:
            self._wait(IDLE_S, self._close)
        else:
            self._wait(HEAD_S if waits_for is Waiting.HEAD else BODY_S, self._too_slow)

    def _too_slow(self) -> None:
        self._stop_turn()
        self._conversation.give_up()
        self._answer(plain(408))

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
