"""Connections that end when they should not: truncation is always seen, and nothing half-used is ever used again (RFC
9112 6.3, 8, 9.3, 9.6)."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lab.messages import Truncated
from lab.peers import Client, Upstream, UpstreamConnection
from lab.sidecar import Sidecar
from lab.wire import Wire, check_problem

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def asked(wire: Wire, request: bytes = GET) -> tuple[Client, UpstreamConnection]:
    client = wire.client()
    client.send(request)
    app = wire.accept()
    app.stream.request_head()
    return client, app


def next_goes_elsewhere(wire: Wire, app: UpstreamConnection) -> None:
    """The next request must be carried by another connection than `app`."""
    client = wire.client()
    client.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert wire.upstream.answer(b"next").target == b"/next"
    assert client.response().body == b"next"
    assert b"/next" not in app.received


# --- the app goes away


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_app_gone_before_a_byte(wire: Wire, reset: bool) -> None:
    """No byte of an answer: 502 with Proxy-Status, for a request on a fresh connection that may not be sent again."""
    client, app = asked(wire, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    app.reset() if reset else app.close()
    answer = client.response()
    assert answer.status == 502
    assert answer.head.value("content-type") == b"application/problem+json"
    assert b"error=connection_terminated" in (
        answer.head.value("proxy-status") or b""
    ) or b"error=http_response_incomplete" in (answer.head.value("proxy-status") or b"")


@pytest.mark.parametrize(
    "raw", [b"H", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"]
)
def test_app_gone_in_the_head(wire: Wire, raw: bytes) -> None:
    """Half a head is no answer: 502."""
    client, app = asked(wire)
    app.send(raw)
    app.close()
    assert client.response().status == 502


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize(
    ("framing", "part"),
    [
        (b"Content-Length: 10", b"12345"),
        (b"Content-Length: 10", b""),
        (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n"),
        (b"Transfer-Encoding: chunked", b"5\r\n123"),
        (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n0\r\n"),
        (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n0\r\nX-T: 1\r\n"),
    ],
)
def test_app_gone_in_the_body(wire: Wire, framing: bytes, part: bytes, reset: bool) -> None:
    """RFC 9112 8: the client must be able to tell that the body is not whole: no last chunk, no full length; the
    connection ends."""
    client, app = asked(wire)
    app.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + part)
    if not reset:
        app.close()
    try:
        head = client.stream.response_head()
    except Truncated:
        assert reset  # a reset may overtake what came before it
        return
    if reset:
        app.reset()
    assert head.start[0] in (b"200", b"502")
    if head.start[0] == b"200":
        with pytest.raises(Truncated):
            if head.value("transfer-encoding"):
                client.until(b"0\r\n\r\n")
            else:
                client.exactly(10)


def test_reset_is_no_end_of_a_body_until_close(wire: Wire) -> None:
    """RFC 9112 8: a close-delimited body that ends in a reset is not known to be whole: no last chunk for it."""
    client, app = asked(wire)
    app.send(b"HTTP/1.1 200 OK\r\n\r\npart")
    head = client.stream.response_head()
    assert head.value("transfer-encoding") == b"chunked"
    client.until(b"part\r\n")
    app.reset()
    with pytest.raises(Truncated):
        client.until(b"0\r\n\r\n")


def test_app_gone_in_the_request_body(wire: Wire) -> None:
    """The app hangs up while the client still sends: 502, and the client is not left sending into the void."""
    client, app = asked(wire, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    client.send(b"x" * 1000)
    app.reset()
    assert client.response().status == 502


def test_app_answers_and_hangs_up_on_the_body(wire: Wire) -> None:
    """An app that refuses an upload (413) and closes: its answer reaches the client, although the rest can't be
    delivered."""
    client, app = asked(wire, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    client.send(b"x" * 1000)
    app.exactly(1000)
    app.reply(b"too much", b"413 Content Too Large", b"Connection: close")
    app.close()
    answer = client.response()
    assert (answer.status, answer.body) == (413, b"too much")


def test_app_ends_and_does_not_read(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """An app that half-closes will not answer: 502 at once, although a part of the request cannot be sent to it.

    Over a Unix socket, whose buffers are small."""
    with closing(Upstream(unix_path=tmp_path / "app")) as upstream:
        sidecar = start({"inbound": {"app": upstream.url}})
        client = sidecar.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
        with upstream.accept() as app:
            app.stream.request_head()
            client.send(bytes(300_000))
            sidecar.settle()
            app.finish()
            check_problem(client.response(), 502, b"connection_terminated")


# --- the client goes away


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_client_gone_before_the_answer(wire: Wire, reset: bool) -> None:
    """The app's connection is closed, so that it can stop its work, and never used again."""
    client, app = asked(wire)
    client.reset() if reset else client.close()
    assert app.to_end() == b""
    next_goes_elsewhere(wire, app)


def test_client_gone_in_the_answer(wire: Wire) -> None:
    """The rest of a long answer is not read to the end for nobody."""
    client, app = asked(wire)
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nstart")
    client.stream.response_head()
    client.reset()
    app.sock.settimeout(5)
    try:
        for _ in range(1000):
            app.sock.sendall(bytes(100_000))
        raise AssertionError("all of it was taken")
    except (BrokenPipeError, ConnectionResetError):
        pass
    next_goes_elsewhere(wire, app)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize(
    "part",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
    ],
)
def test_client_gone_in_its_body(wired: Callable[..., Wire], part: bytes, reset: bool) -> None:
    """RFC 9112 8: the app must not take half a request for a whole one: no last chunk, and the connection ends."""
    wire = wired({"limits": {"gather_bytes": 0}})
    client, app = asked(wire, part)
    client.reset() if reset else client.finish()
    rest = app.to_end()
    assert b"0\r\n\r\n" not in rest
    if not reset:
        assert client.response().status == 400
    next_goes_elsewhere(wire, app)


@pytest.mark.parametrize("first", ["answer", "end"])
@pytest.mark.parametrize("more", [b"", b"\r\n", b"GET /next HTT"], ids=["nothing", "empty line", "half a head"])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
    ],
    ids=["length", "last", "chunked"],
)
def test_client_ends_in_the_turn_of_its_answer(wire: Wire, answer: bytes, more: bytes, first: str) -> None:
    """The answer and the client's end reach us at once, in either order: the client gets its answer all the same."""
    client, app = asked(wire)
    steps = [lambda: app.send(answer), lambda: client.send(more).finish()]
    with wire.sidecar.standstill():
        for step in steps if first == "answer" else reversed(steps):
            step()
    assert client.response().body == b"whole"


def test_half_close_in_a_head(wire: Wire) -> None:
    """Half a head and the end: nothing goes to the app; 400."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHos").finish()
    assert client.to_end()[:12] == b"HTTP/1.1 400"
    wire.settle()
    assert not wire.upstream.has_caller()


def test_client_comes_and_goes(wire: Wire) -> None:
    """A connection without a request (a health check by TCP) is no error for anybody."""
    wire.client().close()
    wire.client().reset()
    assert wire.passes(GET).target == b"/"


# --- the app sends too much


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        b"HTTP/1.1 204 No Content\r\n\r\npoison",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison",
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "later"])
def test_surplus_bytes_poison_nobody(wire: Wire, raw: bytes, late: bool) -> None:
    """RFC 9112 9.2: bytes that answer no request: the connection is closed, its next answer goes to nobody."""
    client, app = asked(wire)
    if late:
        cut = raw.index(b"HTTP/1.1", 1) if b"HTTP/1.1" in raw[1:] else len(raw) - (2 if raw.endswith(b"\r\n") else 6)
        app.send(raw[:cut])
        assert client.response().status < 400
        app.send(raw[cut:])
    else:
        app.send(raw)
        assert client.response().status < 400
    wire.settle()
    assert client.is_silent()
    assert app.to_end() == b""
    next_goes_elsewhere(wire, app)


def test_head_with_a_body(wire: Wire) -> None:
    """RFC 9110 9.3.2: a body after HEAD is surplus as well."""
    client, app = asked(wire, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    client.response("HEAD")
    wire.settle()
    assert client.is_silent()
    next_goes_elsewhere(wire, app)


def test_app_speaks_unasked(wire: Wire) -> None:
    """An idle connection on which bytes arrive is closed, not used."""
    client, app = asked(wire)
    app.reply()
    client.response()
    app.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    assert app.is_ended()
    next_goes_elsewhere(wire, app)


def test_idle_connection_that_the_app_closes(wire: Wire) -> None:
    """And one that the app closes is forgotten."""
    client, app = asked(wire)
    app.reply()
    client.response()
    app.close()
    wire.settle()
    next_goes_elsewhere(wire, app)
