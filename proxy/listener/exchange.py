"""One request and its response on their way through the sidecar. Pairs a client's side with an upstream's.

May know both sides (`sides`), the pool, and messages by their meaning.
Must not know which protocol either side speaks: they frame the messages.
Decides whether a request is retried, and which side hears of the other's failure.
It has no task, only callbacks.
Most exchanges are just `begin`, `on_connected`, `on_response`, and over.

Its states, and what leads from one to another:

    state      is told of                 and then is
    NEW        begin, set_off             ASKING if a connection is free, else QUEUED; OVER if none may be had;
                                          GATHERING if little is to come, and has not;
                                          LOOKING if a process has to be looked up first
    GATHERING  send_content               with the last what `begin` leads to
               abandon                    OVER
    LOOKING    go_on                      what `begin` leads to; so does on_deadline
               abandon                    OVER
    QUEUED     on_connected               ASKING
               on_unconnected             OVER
               on_deadline                OVER: 503
               abandon                    OVER
    ASKING     on_response                ANSWERING, or OVER with the whole response
               on_unsent                  what `begin` leads to
               on_switch                  OVER: a tunnel goes on
               on_upstream_failed         QUEUED or ASKING if it may be sent again, else OVER
               abandon                    OVER
    ANSWERING  on_response_content        OVER with its last
               on_upstream_failed         OVER: the response is cut
               abandon                    OVER
    OVER       everything is ignored

The request ends separately (`request_done`): before the response begins, or later, or never.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.listener.app_calls.linking import Search
from proxy.listener.sides import HEARD, UNHEARD, Answerer, Asker, Receiver
from proxy.listener.terms import Terms
from proxy.listener.upstreams.pools import Pool
from proxy.participation.entry import Left
from proxy.participation.linking import Linked
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.hop import Hop
from proxy.semantics.request import IDEMPOTENT, Field, Request
from proxy.semantics.response import Response
from proxy.transport.deadlines import NEVER, Ticker

_MAX_REPLAY_BYTES: Final = 64 * 1024  # up to this size, the content of a request that may be retried is remembered
_LOOK_S: Final = 0.5  # the longest that a call is held for the look-up of a process
_ENDED_BY_UPSTREAM: Final = frozenset(
    (Fault.CONNECTION_LOST, Fault.RESPONSE_INCOMPLETE, Fault.STREAM_RESET, Fault.TLS_ALERT, Fault.NO_HTTP2)
)
_RESPONSE_TIMEOUT: Final = Fault.RESPONSE_TIMEOUT  # bound once, for speed

NEW: Final = 0
GATHERING: Final = 1  # waits for the rest of its content; a client that is slow holds no connection meanwhile
LOOKING: Final = 2  # waits until it is known which process called, and so what its trace is
QUEUED: Final = 3  # waits for a connection
ASKING: Final = 4  # the request is being sent, or waits for its response
ANSWERING: Final = 5  # the response has begun
OVER: Final = 6
_NAMES: Final = ("new", "gathering", "looking", "queued", "asking", "answering", "over")


@final
@mypyc_attr(free_list_len=1)
class Exchange(Receiver):
    """See the module. Waits for an answerer, and receives the response."""

    # As in `Accounted`: values that most exchanges never change.
    _binds = False  # the response asked for credentials that log in the connection
    _state = NEW
    _answerer: Answerer | None = None
    _tunnel_to: Answerer | None = None  # the answerer whose connection is the far end of a tunnel now
    _held = b""  # content, until there is an answerer
    _trailers: list[bytes] | None = None
    _replay: bytes | None = None  # all of the content, if the request may be retried
    wants_fresh = False  # this is the retry
    request_done = False
    deadline = NEVER
    _search: Search | None = None
    _on_found: Callable[[Linked], None] | None = None

    def __init__(
        self, asker: Asker, terms: Terms, pool: Pool, request: Request, trace: list[Field], hop: Hop, ticker: Ticker
    ) -> None:
        """`trace`: the trace fields to write; `hop`: the other fields that this hop adds."""
        self.terms = terms
        self.request = request
        self.started = perf_counter()
        self.translation = None  # here: mypyc leaves out a class's None if the type is a union of more than two
        self.trace = trace
        self.hop = hop
        self._asker = asker
        self._pool = pool
        self._ticker = ticker

    def __repr__(self) -> str:
        request = self.request
        return (
            f"<Exchange {request.method.decode('latin-1')} {request.path.decode('latin-1')} {_NAMES[self._state]}, "
            f"status {self.status}, {self.bytes_in} bytes in, {self.bytes_out} out>"
        )

    @property
    def client(self) -> bytes:
        return self._asker.address

    @property
    def answerer(self) -> Answerer | None:
        return self._answerer if self._answerer is not None else self._tunnel_to

    # --- the request

    def look_first(self, search: Search, on_found: Callable[[Linked], None]) -> None:
        """Before anything is sent, find whose call it is. `on_found` is told, and calls `go_on` with the trace."""
        self._search = search
        self._on_found = on_found

    def go_on(self, trace: list[Field]) -> None:
        """It is known what trace fields go out."""
        self._search = None
        self._stop_waiting()
        self._state = NEW
        self.trace = trace
        self._seek()

    def begin(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send the request, with the content that came with it, as soon as there is an answerer."""
        self.bytes_in = len(content)
        self.request_done = done
        self._held = content
        if trailers:
            self._trailers = trailers
        if done:
            self._seek()
        else:
            self.set_off()

    def set_off(self) -> None:
        """`begin`, with what has come by `send_content` so far."""
        if not self.request_done and self._is_gathered():
            self._state = GATHERING
        else:
            self._seek()

    def _seek(self) -> None:
        """Ask for an answerer. A client that has authenticated its connection gets the upstream's that goes with it."""
        if self._search is not None and self._on_found is not None:
            self._state = LOOKING
            self.deadline = self._ticker.now + _LOOK_S
            self._ticker.add(self)
            self._asker.hold(True)
            self._search.begin(self._on_found)
            return
        pinned = self._asker.pinned
        if pinned is not None and self._pool.has_ready(pinned):
            self.on_connected(pinned)
            return
        self._pool.acquire(self)
        if self._state == NEW:
            self._wait()

    def _is_gathered(self) -> bool:
        """Whether all content is waited for first.
        But not if its sender may wait for us: for a 100, or, if its
        size is unknown, for a response to the part sent so far.
        """
        length = self.request.length
        return length is not None and length <= self.terms.gather_bytes and not self.request.expects_continue

    def send_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """More of the request's content; `done` with the last."""
        state = self._state
        if state == OVER:
            return
        self.bytes_in += len(content)
        self.request_done = done
        answerer = self._answerer
        if answerer is None:
            self._held += content
            if trailers:
                self._trailers = trailers
            if done and state == GATHERING:
                self._state = NEW
                self._seek()
            return
        replay = self._replay
        if replay is not None:
            self._replay = replay + content if len(replay) + len(content) <= _MAX_REPLAY_BYTES else None
            if trailers:
                self._trailers = trailers
        answerer.send(content, done, trailers)
        if done and state == ASKING:
            answerer.deadline = self._ticker.now + self.terms.head_waits[self.request.pace]

    # --- the pool's answer

    def _wait(self) -> None:
        self._state = QUEUED
        self._ticker.add(self)
        self._asker.hold(True)

    def _stop_waiting(self) -> None:
        self._ticker.discard(self)
        self._asker.hold(False)

    def on_connected(self, answerer: Answerer) -> None:
        """Send what there is."""
        if self._state == QUEUED:
            self._stop_waiting()  # before sending the request, which may call `on_upstream_full` at once
        self._state = ASKING
        self._answerer = answerer
        extras = self.extras
        if extras is not None:
            extras.waited_s = perf_counter() - self.started
            extras.connect_s = answerer.connect_s
            answerer.connect_s = 0.0
        self.upstream_peer = answerer.remote
        content, self._held = self._held, b""
        done = self.request_done
        if done:
            answerer.deadline = self._ticker.now + self.terms.head_waits[self.request.pace]
            if not self.wants_fresh and len(content) <= _MAX_REPLAY_BYTES:
                self._replay = content
        elif not self.wants_fresh and answerer.may_be_unheard():
            self._replay = content
        answerer.ask(self, content, done, self._trailers or [])

    def can_begin_again(self) -> bool:
        return self.request_done and not self.wants_fresh and len(self._held) <= _MAX_REPLAY_BYTES

    def on_unsent(self) -> None:
        if self._state == OVER:
            return
        content, self._replay = self._replay, None
        assert content is not None
        self._held = content
        self._answerer = None
        self._state = NEW
        self._seek()

    def on_unconnected(self, refusal: Refusal) -> None:
        """No connection is available."""
        if self._state == QUEUED:
            self._stop_waiting()
        self._fail(refusal)

    def on_deadline(self) -> None:
        """Waited for a connection for too long, or for the look-up of a process."""
        if self._state == LOOKING and self._search is not None:
            self._search.give_up()
            return
        if self._state != QUEUED:
            return  # abandoned earlier in the same tick
        self._pool.give_up(self)
        self._pool.count_queue_timeout()
        self.on_unconnected(Refusal(Fault.QUEUE_TIMEOUT, "no connection to the upstream became free in time"))

    # --- the upstream's answer

    def on_interim(self, response: Response) -> None:
        """100 and 103 are relayed."""
        self._asker.answer_interim(response)

    def on_switch(self, response: Response, rest: bytes) -> None:
        """101: make a tunnel."""
        answerer = self._answerer
        assert answerer is not None
        self._state = OVER
        self._answerer = None
        self._tunnel_to = answerer
        self._replay = None
        self.status = response.status
        self._asker.switch(response, answerer, rest, self.terms.timeouts.tunnel_idle_s)

    def on_response(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Pass on the head, and the content that came with it, in one piece."""
        self._state = ANSWERING
        self._replay = None
        extras = self.extras
        if extras is not None:
            extras.head_s = perf_counter() - self.started
            extras.response = response
        if response.binds_connection:
            self._binds = True
        self.status = response.status
        self.bytes_out = len(content)
        self._asker.answer(response, content, done, trailers)
        if done and self._state == ANSWERING:
            self._finish()

    def on_response_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Pass on content as it comes."""
        self.bytes_out += len(content)
        self._asker.answer_content(content, done, trailers)
        if done:
            self._finish()

    def _finish(self) -> None:
        self._state = OVER
        answerer = self._answerer
        if answerer is not None:
            self._answerer = None
            if self.request_done:
                if self._binds or self.request.binds_connection:
                    self._pin(answerer)
                answerer.end()
            else:
                answerer.abort()
        self._asker.exchange_over()

    def _pin(self, answerer: Answerer) -> None:
        """NTLM and Negotiate log in the connection. The next user would be taken for this client."""
        before = self._asker.pinned
        if before is not None and before is not answerer:
            before.close()
        answerer.is_pinned = True
        self._asker.pinned = answerer

    # --- backpressure

    def on_upstream_full(self, full: bool) -> None:
        """The upstream reads the request too slowly: pause reading it from the client. Or it has room again.

        While it is full, the response's timeout limits its silence.
        """
        answerer = self._answerer
        if answerer is None:  # it is over
            return
        self._asker.hold(full)
        if full:
            answerer.deadline = self._ticker.now + self.terms.head_waits[self.request.pace]
            answerer.timeout = _RESPONSE_TIMEOUT
        elif not self.request_done and self._state == ASKING:
            answerer.deadline = NEVER

    def on_client_full(self, full: bool) -> None:
        """The client reads the response too slowly: pause reading it from the upstream. Or it has room again."""
        answerer = self._answerer
        if answerer is None:
            return
        if full:
            answerer.pause_reading()
        else:
            answerer.resume_reading()

    # --- the end before the end

    def on_upstream_failed(self, refusal: Refusal, heard: int) -> None:
        """Retry once if that is safe, else tell the client."""
        if self._state == OVER:
            return
        answerer, self._answerer = self._answerer, None
        replay = self._replay
        if replay is not None and (heard == UNHEARD or (heard != HEARD and self.request.method in IDEMPOTENT)):
            self._replay = None
            self._held = replay
            self.wants_fresh = True
            self.resends += 1
            self._state = NEW
            self._pool.count_retry()
            self._pool.enqueue(self)
            if self._state == NEW:
                self._wait()
            return
        if answerer is not None and refusal.fault not in _ENDED_BY_UPSTREAM:
            self._leave(answerer)
        self._fail(refusal)

    def _fail(self, refusal: Refusal) -> None:
        """If the response has begun, its status stays what it was."""
        cut = self._state == ANSWERING
        self._state = OVER
        self._asker.exchange_failed(refusal, cut)

    def is_arriving(self) -> bool:
        """Whether more of the response has come than was sent to the client."""
        return self._answerer is not None and self._answerer.has_more()

    def abandon(self) -> None:
        """The client is gone, or its request is broken: drop the upstream's answer."""
        state = self._state
        if state == OVER:
            return
        self._state = OVER
        if state == LOOKING:
            self._ticker.discard(self)
            if self._search is not None:
                self._search.cancel()
        if state == QUEUED:
            self._ticker.discard(self)
            self._pool.give_up(self)
        answerer, self._answerer = self._answerer, None
        if answerer is not None:
            self._leave(answerer, shows_end=state == ASKING and answerer.ends_with_request())
            answerer.abort()

    def _leave(self, answerer: Answerer, *, shows_end: bool = False) -> None:
        """Nobody waits for the answer any longer; the upstream may go on with the request all the same.

        `shows_end`: the upstream's end of the connection is gone once it is done with it. If a part of the answer was
        not read, our end is reset, and the other gone at once.
        """
        if self.terms.metrics.is_server:
            self.left = Left(answerer.ends(), answerer.process, shows_end)
            if self.in_flight is not None:
                self.in_flight.left = self.left
