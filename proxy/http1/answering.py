"""A client's connection, the answering half: heads, content, and the sidecar's own answers.

May know messages and the present exchange. Must not know how requests are read: `client` does that.
"""

from __future__ import annotations

from typing import Final

from proxy.http1.connection import BUSY, Connection
from proxy.http1.message.answers import options_response, problem_response
from proxy.http1.message.request import Request
from proxy.http1.message.write import as_chunks, interim_head, response_head
from proxy.listener.exchange import Exchange
from proxy.listener.listener import Listener
from proxy.listener.translation import trace_line
from proxy.semantics.faults import Refusal
from proxy.semantics.problem import problem_of
from proxy.semantics.response import Response

# How the client finds the end of a response body.
BY_LENGTH: Final = 0  # or by having no body
BY_CHUNKS: Final = 1
BY_CLOSE: Final = 2


class Answering(Connection):
    """One connection from a client, and the answer to its present request."""

    __slots__ = ("_begun", "_exchange", "_framing", "_keeps", "_listener", "_request")

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.ticker, listener.outbox)
        self._listener = listener
        self._begun = b""  # the first bytes of a head that is incomplete, or was refused
        self._request: Request | None = None  # the request read last, until it is answered
        self._exchange: Exchange | None = None
        self._framing = BY_LENGTH  # of the response being written
        self._keeps = False  # the connection may continue after this response

    def is_keeping(self) -> bool:
        """Whether the listener allows the connection to continue after this exchange."""
        # If we drain, or the client has ended its side, we still serve the requests that were read, but no more.
        return not self._aside.is_empty or not (self._listener.is_draining or self._saw_eof)

    # --- what an exchange asks (see sides.Asker)

    def answer(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        request, exchange = self._request, self._exchange
        assert request is not None
        assert exchange is not None
        minor = request.minor
        # If the response comes before the whole request, the connection cannot be reused.
        keep_alive = request.keep_alive and self._state == BUSY and self.is_keeping()
        framing = BY_LENGTH
        if response.length is None and response.has_body(request.method):
            if minor == 1:
                framing = BY_CHUNKS
            else:
                framing = BY_CLOSE
                keep_alive = False
        self._framing, self._keeps = framing, keep_alive
        chunks = framing == BY_CHUNKS
        terms = exchange.terms
        data = response_head(  # in the order of its parameters, without their names, for speed
            response,
            as_chunks(content, done, trailers) if chunks else content,
            minor,
            keep_alive,
            chunks,
            terms.response_via,
            b"" if response.has_date() else self._listener.date(),  # RFC 9110, 6.6.1
            _trace_line(exchange) if terms.trace_field else b"",
        )
        if done:
            self.send(data)
        else:
            self.write(data)

    def answer_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        data = as_chunks(content, done, trailers) if self._framing == BY_CHUNKS else content
        if data:
            was_stalled = self._flow.is_stalled
            self.write(data)
            if was_stalled:
                self._flow.owe(len(data))

    def answer_interim(self, response: Response) -> None:
        request = self._request
        assert request is not None
        if request.minor == 1:  # HTTP/1.0 has no 1xx (RFC 9110, 15.2)
            self.write(interim_head(response))

    # --- the sidecar's own answers

    def _answer_problem(self, refusal: Refusal, *, close: bool = True, exchange: Exchange | None = None) -> None:
        request = self._request  # None: its head was not read to the end
        head_only = request.method == b"HEAD" if request is not None else self._begun.lstrip(b"\r\n")[:5] == b"HEAD "
        tells = self._listener.rules.plan.details
        problem = problem_of(refusal.fault, refusal.detail if tells else "")
        trace = _trace_line(exchange) if exchange is not None and exchange.terms.trace_field else b""
        self.write(problem_response(problem, date=self._listener.date(), head_only=head_only, close=close, trace=trace))

    def _answer_options(self, request: Request) -> None:
        """Answer an OPTIONS that is not forwarded (RFC 9110, 7.6.2)."""
        self._keeps = request.keep_alive and not request.has_body and self.is_keeping()
        self.write(options_response(self._listener.date(), close=not self._keeps))
        self._listener.record_answered(request, self.address)


def _trace_line(exchange: Exchange) -> bytes:
    """The line that tells the client its trace. Called if the settings want it."""
    terms = exchange.terms
    return trace_line(terms.metrics.translation, terms.trace_field, exchange.translation)
