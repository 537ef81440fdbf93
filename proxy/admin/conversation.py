"""HTTP/1.1 with one client, without I/O: bytes in, what to do out; an answer in, bytes out.

May know h11, and which requests are answered at all. Must not know sockets, time or tasks.
Each request has a parser of its own, which is fed in small pieces: so what waits here is bounded, and so is one step.
"""

from __future__ import annotations

import dataclasses
from enum import Enum, auto
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import h11

from proxy.admin.answers import plain
from proxy.admin.exchange import REASONS, Request, Response
from proxy.admin.routes import Application, Handler

LIMIT_HEAD_BYTES: Final = 16 * 1024  # of a request's head, a chunk's head, or trailers
LIMIT_HEAD_LINES: Final = 101  # a field costs some microseconds, however short it is
_MOST_QUERY_FIELDS: Final = 100
_PIECE_BYTES: Final = 2048
_BLANK: Final = b"\r\n"  # before a request line; some clients end a body with it (RFC 9112, 2.2)


class Sign(Enum):
    """What `read` gives while there is nothing to do."""

    NEEDS_BYTES = auto()
    GOES_ON = auto()


class Waiting(Enum):
    """What has to come next."""

    REQUEST = auto()  # no byte of it is here
    HEAD = auto()  # the rest of it
    BODY = auto()  # the rest of it
    ANSWER = auto()  # ours


class Call(NamedTuple):
    """A request that is whole, and who answers it."""

    handler: Handler
    request: Request


Step = Sign | Call | Response


class Conversation:
    """All requests of one connection, one after the other."""

    def __init__(self, application: Application, peer: object) -> None:
        """`peer`: the client's address, for `Request.peer`."""
        self._application = application
        self._peer = peer
        self._ahead = bytearray()  # has come, and is not looked at yet
        self.is_over = False  # the answer that was given is the last one
        self._begin(b"")

    def _begin(self, rest: bytes) -> None:
        """Wait for another request. `rest`: what came behind the one before."""
        self._ahead[:0] = rest
        self._http = h11.Connection(h11.SERVER, LIMIT_HEAD_BYTES)
        self._request: Request | None = None
        self._answerer: Handler | Response | None = None
        self._lines = 0  # of the head
        self._body = bytearray()
        self._is_head = False
        self.wants_100 = False  # the client sends the body when it is told to (RFC 9110, 10.1.1)
        self.waits_for = Waiting.REQUEST

    def receive(self, data: bytes) -> None:
        """Take what came."""
        self._ahead += data

    def read(self) -> Step:
        """Look at one piece of what has come: a head, a part of a body, an end.

        A Call wants an answer; a Response is the answer itself. Then no more is read until `answer`.
        """
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            return self._refused(plain(error.error_status_hint))
        if event is h11.NEED_DATA:
            return self._feed()
        if isinstance(event, h11.Request):
            return self._read_head(event)
        if isinstance(event, h11.Data):
            self.wants_100 = False
            if len(self._body) + len(event.data) > self._application.limit_body_bytes:
                return self._refused(plain(413))
            self._body += event.data
            return Sign.GOES_ON
        self.waits_for = Waiting.ANSWER
        answerer, request = self._answerer, self._request
        assert answerer is not None
        assert request is not None
        if isinstance(answerer, Response):
            return answerer
        return Call(answerer, dataclasses.replace(request, body=bytes(self._body)))

    def _feed(self) -> Step:
        """Give the parser the next piece: a line of a head at most, so that these can be counted."""
        if self.waits_for is Waiting.REQUEST:
            blank = len(self._ahead) - len(self._ahead.lstrip(_BLANK))
            del self._ahead[:blank]
        if not self._ahead:
            return Sign.NEEDS_BYTES
        end = _PIECE_BYTES
        if self.waits_for is not Waiting.BODY:
            self.waits_for = Waiting.HEAD
            line_end = self._ahead.find(b"\n", 0, _PIECE_BYTES) + 1
            if line_end:
                end = line_end
                self._lines += 1
            if self._lines > LIMIT_HEAD_LINES + 1:  # and the empty one
                return self._refused(plain(431))
        self._http.receive_data(bytes(self._ahead[:end]))
        del self._ahead[:end]
        return Sign.GOES_ON

    def _read_head(self, head: h11.Request) -> Step:
        self._is_head = head.method == b"HEAD"
        try:
            self._request = request = _request_of(head, self._peer)
        except ValueError:
            return self._refused(plain(400))
        names = [name for name, _ in request.fields]
        if head.http_version not in (b"1.0", b"1.1"):
            return self._refused(plain(505))
        # RFC 9112, 6.1 and 6.3: somebody before us may have read another body than we would.
        if "transfer-encoding" in names and ("content-length" in names or head.http_version == b"1.0"):
            return self._refused(plain(400))
        self._answerer = self._application.find(request)
        length = int((request.values("content-length") or ["0"])[0])
        has_body = length > 0 or "transfer-encoding" in names
        if isinstance(self._answerer, Response) and has_body:
            return self._refused(self._answerer)
        if length > self._application.limit_body_bytes:
            return self._refused(plain(413))
        if head.http_version == b"1.1" and request.values("expect"):
            self.wants_100 = has_body and self._http.they_are_waiting_for_100_continue
            if not self._http.they_are_waiting_for_100_continue:
                return self._refused(plain(417))
        self.waits_for = Waiting.BODY
        return Sign.GOES_ON

    def give_up(self) -> None:
        """Nobody looks at what is still to come. The next answer is the last."""
        self.waits_for = Waiting.ANSWER
        self._ahead.clear()
        self.is_over = True

    def _refused(self, response: Response) -> Response:
        self.give_up()
        return response

    def continue_100(self) -> bytes:
        """The bytes that ask for the body."""
        self.wants_100 = False
        return bytes(self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")))

    def answer(self, response: Response, date: str, *, is_last: bool = False) -> bytes:
        """The bytes of `response`; then another request may come, unless `is_over`.

        `date`: now, as Date has it. `is_last`: end the connection with it.
        """
        http = self._http
        headers = [*response.headers, ("Content-Length", str(len(response.body))), ("Date", date)]
        if self.is_over or is_last:  # h11 adds it where the client wants no more
            headers.append(("Connection", "close"))
        reason = REASONS[response.status].encode()
        head = h11.Response(status_code=response.status, headers=headers, reason=reason)
        parts = [http.send(head)]
        if not self._is_head:
            parts.append(http.send(h11.Data(data=response.body)))
        parts.append(http.send(h11.EndOfMessage()))
        self.is_over = http.our_state is not h11.DONE
        if not self.is_over:
            self._begin(http.trailing_data[0])
        return b"".join(parts)


def _request_of(head: h11.Request, peer: object) -> Request:
    """Raises ValueError if its target cannot be read.

    The target may be a path, or a whole URL (RFC 9112, 3.2.2).
    The host of a URL counts as one more Host, so whoever judges names sees both.
    """
    target = head.target.decode("ascii").partition("#")[0]
    fields = [(name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in head.headers]
    path, _, query = target.partition("?")
    if target.lower().startswith(("http://", "https://")):
        parts = urlsplit(target)
        path, query = parts.path or "/", parts.query
        fields.append(("host", parts.netloc))
    return Request(
        method=head.method.decode("ascii"),
        path=unquote(path),
        query=parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_QUERY_FIELDS),
        fields=tuple(fields),
        peer=peer,
    )
