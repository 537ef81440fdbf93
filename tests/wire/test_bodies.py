"""Bodies by length, by chunks and until close, both ways, streamed; messages without a body (RFC 9112 6, 7; RFC 9110
6.4.1, 9.3.2, 15.3.5, 15.4.5)."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from lab.messages import Message
from lab.wire import Wire

CHUNKED_POST = (
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    b'5\r\nhello\r\n6;a=b;c="d"\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n'
)
TRAILED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
CHUNKED_ANSWER = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    b'5;x="y"\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n'
)


@pytest.mark.parametrize("piece", [0, 1, 7])
def test_request_by_length(wire: Wire, piece: int) -> None:
    """RFC 9112 6.2."""
    seen = wire.passes(b"PUT /l HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world", piece=piece)
    assert (seen.framing, seen.body) == ("length", b"hello world")


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"PATCH", b"M-SEARCH", b"PURGE"])
def test_any_method_may_carry_a_body(wire: Wire, method: bytes) -> None:
    """RFC 9110 9.1, 9.3.1: the method does not decide whether there is a body."""
    seen = wire.passes(method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
    assert (seen.method, seen.body) == (method, b"hi")


def test_length_zero_stays(wire: Wire) -> None:
    """RFC 9110 8.6: a POST with `Content-Length: 0` says so to the app too."""
    assert wire.passes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").framing == "length"


@pytest.mark.parametrize("piece", [0, 1])
def test_request_by_chunks(wire: Wire, piece: int) -> None:
    """RFC 9112 7.1: same bytes and trailers in framing of our own; chunk extensions end here (7.1.1)."""
    seen = wire.passes(CHUNKED_POST, piece=piece)
    assert (seen.framing, seen.body, seen.trailers) == ("chunked", b"hello world", [(b"X-Sum", b"11")])


@pytest.mark.slow
def test_request_split_at_every_offset(wire: Wire) -> None:
    """Where TCP cuts a request says nothing about what it means."""
    client = wire.client()
    app = None
    for at in range(1, len(CHUNKED_POST)):
        client.send(CHUNKED_POST, at=at)
        app = app or wire.accept()
        seen = app.answer()
        assert (seen.target, seen.body, seen.trailers) == (b"/c", b"hello world", [(b"X-Sum", b"11")]), at
        assert client.response().body == b"ok"


@pytest.mark.slow
def test_response_split_at_every_offset(wire: Wire) -> None:
    """Where TCP cuts a response says nothing about what it means."""
    client = wire.client()
    app = None
    for at in range(1, len(CHUNKED_ANSWER)):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
        if app is None:
            app = wire.accept()
            app.settle = wire.sidecar.settle
        app.request()
        app.send(CHUNKED_ANSWER, at=at)
        answer = client.response()
        assert (answer.body, answer.trailers) == (b"hello world", [(b"X-Sum", b"11")]), at


@pytest.mark.parametrize("piece", [0, 1])
@pytest.mark.parametrize(
    ("method", "raw", "framing", "body"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "length", b"hello"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "length", b""),
        ("GET", b"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nno", "length", b"no"),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunked", b""),
        ("GET", CHUNKED_ANSWER, "chunked", b"hello world"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "none", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "none", b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", "none", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "none", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "none", b""),
    ],
)  # fmt: skip
def test_response(wire: Wire, method: str, raw: bytes, framing: str, body: bytes, piece: int) -> None:
    """RFC 9112 6.3: what a response carries is known from its method, status and framing, in this order."""
    answer = wire.answers(raw, method=method, piece=piece)
    assert (answer.framing, answer.body) == (framing, body)
    assert answer.head.start[0] == raw[9:12]


def test_head_keeps_content_length(wire: Wire) -> None:
    """RFC 9110 9.3.2: the length that a GET would have is told, and the connection goes on."""
    client = wire.client()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    assert client.response("HEAD").head.value("content-length") == b"12345"
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app.answer(b"next")
    assert client.response().body == b"next"


@pytest.mark.parametrize("coding", [b"Chunked", b"CHUNKED", b"  chunked"])
def test_codings_have_no_case(wire: Wire, coding: bytes) -> None:
    """RFC 9112 7: names of transfer codings have no case; white space around them is no part of them."""
    raw = (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:"
        + coding
        + b"\r\n\r\n0005\r\nhello\r\nA\r\n0123456789\r\n000\r\n\r\n"
    )
    seen = wire.passes(raw)
    assert (seen.body, seen.head.value("transfer-encoding")) == (b"hello0123456789", b"chunked")


@pytest.mark.parametrize(
    "expected", [b"", b"Expect: 100-continue\r\n"], ids=["unasked", "asked"]
)  # fmt: skip
def test_body_of_an_unmeasured_answer_to_head(wire: Wire, expected: bytes) -> None:
    """RFC 9110 9.3.2: HEAD whose answer has no length at all: nothing to wait for."""
    client = wire.client()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n" + expected + b"\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\n\r\n")
    assert client.response("HEAD").status == 200
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.upstream.answer(b"next")
    assert client.response().body == b"next"


def test_until_close_is_reframed(wire: Wire) -> None:
    """RFC 9112 6.3 rule 8: a response that ends at close goes out in chunks, and the client's connection lives on."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with wire.accept() as app:
        app.request()
        app.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil ")
        app.send(b"close")
    answer = client.response()
    assert (answer.framing, answer.body) == ("chunked", b"until close")
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.upstream.answer(b"next")
    assert client.response().body == b"next"


def test_until_close_to_http10(wire: Wire) -> None:
    """RFC 9112 7.1: to an HTTP/1.0 client it ends at close as well."""
    answer = wire.answers(b"HTTP/1.1 200 OK\r\n\r\nall of it", version=b"1.0", close=True)
    assert (answer.framing, answer.body) == ("close", b"all of it")


@pytest.mark.parametrize("keep", [b"", b"Connection: keep-alive\r\n"])
def test_http10_app(wire: Wire, keep: bytes) -> None:
    """RFC 9112 2.3, 9.3: an HTTP/1.0 answer goes out as HTTP/1.1; its connection is kept only where it says keep-
    alive."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.0 200 OK\r\n" + keep + b"Content-Length: 3\r\n\r\nold")
    assert client.response().body == b"old"
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    if not keep:
        assert app.is_ended()
        wire.upstream.answer(b"new")
    else:
        wire.settle()
        (app if not wire.upstream.has_caller() else wire.accept()).answer(b"new")
    assert client.response().body == b"new"


def test_204_loses_its_framing(wire: Wire) -> None:
    """RFC 9110 8.6: a 204 carries neither Content-Length nor Transfer-Encoding."""
    answer = wire.answers(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.framing) == (204, "none")


def test_request_is_streamed(wired: Callable[..., Wire]) -> None:
    """Bytes of a body reach the app before the client has sent the rest, where it is not so small as to be gathered."""
    wire = wired({"limits": {"gather_bytes": 0}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
    app = wire.accept()
    app.stream.request_head()
    assert app.exactly(5) == b"first"
    client.send(b"secon")
    assert app.exactly(5) == b"secon"
    app.reply()
    assert client.response().status == 200


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked", b"X-None: 1"])
def test_response_is_streamed(wire: Wire, framing: bytes) -> None:
    """Bytes of a response reach the client before the app has sent the rest (server-sent events)."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    wrap: Callable[[bytes], bytes] = (
        (lambda data: b"%x\r\n%s\r\n" % (len(data), data)) if b"chunked" in framing else (lambda data: data)
    )
    app.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
    head = client.stream.response_head()
    app.send(wrap(b"first"))
    assert client.until(b"first") in (b"", b"5\r\n")
    app.send(wrap(b"secon"))
    assert client.until(b"secon").endswith((b"", b"5\r\n"))
    app.send(b"0\r\n\r\n" if b"chunked" in framing else b"")
    app.finish()
    if head.value("transfer-encoding"):
        assert client.until(b"0\r\n\r\n") == b"\r\n"


def test_request_trailers_pass(wire: Wire) -> None:
    """RFC 9110 6.5: trailer fields pass as trailer fields, in their order, never merged into the head."""
    seen = wire.passes(TRAILED + b"X-A: 1\r\nx-b:2\r\n\r\n")
    assert (seen.body, seen.trailers) == (b"x", [(b"X-A", b"1"), (b"x-b", b"2")])
    assert not set(seen.head.names()) & {"x-a", "x-b"}


@pytest.mark.parametrize("name", [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"TE", b"Trailer", b"Upgrade", b"Authorization", b"Cookie", b"Content-Type", b"Content-Encoding", b"Expect", b"Max-Forwards", b"Via", b"X-Forwarded-For", b"Proxy-Authorization", b"Keep-Alive", b"traceparent", b"X-B3-TraceId", b"X-Mirascope-Session-Id"])  # fmt: skip
def test_request_trailers_that_do_not(wire: Wire, name: bytes) -> None:
    """RFC 9110 6.5.1: nothing of framing, routing, authentication, description of the content, or trace context."""
    value = b"chunked" if name == b"Transfer-Encoding" else b"9"
    seen = wire.passes(TRAILED + b"X-A: 1\r\n" + name + b": " + value + b"\r\nX-B: 2\r\n\r\n")
    assert seen.trailers == [(b"X-A", b"1"), (b"X-B", b"2")]
    assert seen.head.values(name.decode()) != [b"9"]


def test_response_trailers_pass(wire: Wire) -> None:
    """RFC 9110 6.5, RFC 9112 7.1.2."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(CHUNKED_ANSWER)
    answer = client.response()
    assert answer.trailers == [(b"X-Sum", b"11")]
    assert "x-sum" not in answer.head.names()
    assert not client.stream.buffer


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_eight_megabytes_both_ways(wire: Wire, chunked: bool) -> None:
    """Big bodies arrive whole, in order, with an app that echoes while it still reads."""
    size, block = 8 * 1024 * 1024, bytes(range(256)) * 256
    client = wire.client()
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n"
    piece = b"%x\r\n%s\r\n" % (len(block), block) if chunked else block
    raw = head + piece * (size // len(block)) + (b"0\r\n\r\n" if chunked else b"")

    sender = threading.Thread(target=client.send, args=(raw,))
    sender.start()
    app = wire.accept()
    seen: Message = app.request()
    sender.join(10)
    assert seen.body == block * (size // len(block))
    answering = threading.Thread(
        target=app.send, args=(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + raw[len(head) :],)
    )
    answering.start()
    answer = client.response()
    answering.join(10)
    assert answer.body == seen.body


ANNOUNCED = b"traceparent, X-Sum,b3 , Content-Type,uberctx-a,Connection, x-forwarded-for,, X-Two"


def test_a_trailer_that_is_dropped_is_not_announced(wire: Wire) -> None:
    """RFC 9110 6.6.2: Trailer tells a recipient which fields to expect; those that end here are not among them."""
    sections = b"traceparent: x\r\nX-Sum: 1\r\nb3: 0\r\nContent-Type: a\r\nX-Two: 2\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: " + ANNOUNCED + b"\r\n"
    seen = wire.passes(head + b"trailer: expires\r\n\r\n0\r\n" + sections)
    assert seen.head.values("trailer") == [b"X-Sum, X-Two"]
    assert seen.trailers == [(b"X-Sum", b"1"), (b"X-Two", b"2")]


def test_nothing_announced_is_no_field(wire: Wire) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: traceparent\r\n\r\n"
    seen = wire.passes(head + b"0\r\ntraceparent: x\r\n\r\n")
    assert seen.head.values("trailer") == []
    assert seen.trailers == []


def test_a_trailer_of_an_answer_that_is_dropped_is_not_announced(wire: Wire) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Expires, X-Sum,Server-Timing\r\n\r\n"
    got = wire.answers(head + b"0\r\nExpires: 0\r\nX-Sum: 1\r\nServer-Timing: a\r\n\r\n")
    assert got.head.values("trailer") == [b"X-Sum, Server-Timing"]
    assert got.trailers == [(b"X-Sum", b"1"), (b"Server-Timing", b"a")]
