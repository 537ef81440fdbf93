"""A reused connection that dies before a byte of the answer came is replaced once, for requests that may be repeated
(RFC 9110 9.2.2, RFC 9112 9.3.1)."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import closing

import pytest
import trustme
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import Sidecar
from lab.wire import Wire, check_problem

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def warm(wire: Wire) -> UpstreamConnection:
    """A connection to the app that has carried one exchange and now waits in the pool."""
    client = wire.client()
    client.send(b"GET /warm HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.answer(b"warm")
    assert client.response().body == b"warm"
    client.close()
    return app


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_repeated_once(wire: Wire, method: bytes, reset: bool) -> None:
    """RFC 9110 9.2.2: idempotent methods without a body: the client notices nothing; what is sent again is the same."""
    app = warm(wire)
    client = wire.client()
    client.send(method + b" /again HTTP/1.1\r\nHost: a\r\nX-B3-Sampled: 1\r\n\r\n")
    first = app.request()
    app.reset() if reset else app.close()
    second = wire.accept()
    repeated = second.answer(b"second")
    assert repeated.head.raw == first.head.raw
    assert client.response(method.decode()).status == 200


@pytest.mark.parametrize("request_bytes", [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", b"LOCK / HTTP/1.1\r\nHost: a\r\n\r\n"])  # fmt: skip
def test_never_where_it_may_have_been_done(wire: Wire, request_bytes: bytes) -> None:
    """RFC 9110 9.2.2: a proxy must not repeat a request that is not idempotent: 502."""
    app = warm(wire)
    client = wire.client()
    client.send(request_bytes)
    app.request()
    app.close()
    assert client.response().status == 502
    wire.settle()
    assert not wire.upstream.has_caller()


def test_only_once(wire: Wire) -> None:
    """When the second connection dies as well the client hears of it."""
    app = warm(wire)
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app.request()
    app.close()
    second = wire.accept()
    second.request()
    second.close()
    assert client.response().status == 502
    wire.settle()
    assert not wire.upstream.has_caller()


def test_not_on_a_fresh_connection(wire: Wire) -> None:
    """A fresh connection that dies is no stale one: no repetition."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.close()
    assert client.response().status == 502
    wire.settle()
    assert not wire.upstream.has_caller()


@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_not_after_a_byte_of_the_answer(wire: Wire, part: bytes) -> None:
    """RFC 9112 9.3.1: once an answer has begun, the request was read."""
    app = warm(wire)
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app.request()
    app.send(part)
    wire.settle()
    app.close()
    assert client.response().status == 502
    wire.settle()
    assert not wire.upstream.has_caller()


def test_not_after_a_timeout(wired: Callable[..., Wire]) -> None:
    """An app that is slow is not dead: it is not asked for the same again, nor waited for twice."""
    wire = wired({"timeouts": {"response_head_s": 0.2}})
    app = warm(wire)
    client = wire.client()
    client.send(GET)
    app.request()
    check_problem(client.response(), 504, b"http_response_timeout")
    wire.settle()
    assert not wire.upstream.has_caller()


def test_body_that_was_on_its_way_is_not_repeated(wired: Callable[..., Wire]) -> None:
    """A PUT of which a part was sent: 502, as nothing is kept of what goes out piece by piece."""
    wire = wired({"limits": {"gather_bytes": 0}})
    app = warm(wire)
    client = wire.client()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    app.stream.request_head()
    app.exactly(5)
    app.close()
    wire.settle()
    client.send(b"67890")
    wire.settle()
    assert client.response().status == 502
    assert not wire.upstream.has_caller()


def test_on_a_fresh_connection(start: Callable[..., Sidecar]) -> None:
    """What is sent again waits for a connection that has served nobody, although another becomes free before: that one
    may be as stale. (RFC 9112 9.3.1: a repetition that failed is not repeated.)"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with closing(Upstream(tls=context)) as upstream:  # over TLS, since a connection is made when the test says so
        sidecar = start({"inbound": {"app": upstream.url, "tls": {"verify": False}}})
        clients = [sidecar.client(), sidecar.client()]
        for client in clients:
            client.send(GET)
        for app in [upstream.accept(), upstream.accept()]:
            app.answer()
        assert [client.response().status for client in clients] == [200, 200]
        slow, again = clients
        slow.send(GET)
        busy = upstream.busy()
        busy.request()
        again.send(GET)
        stale = upstream.busy()
        stale.request()
        stale.close()
        sidecar.settle()
        busy.reply(b"slow")
        assert slow.response().body == b"slow"
        sidecar.settle()
        assert busy.is_silent()
        upstream.accept().answer(b"again")
        assert again.response().body == b"again"
        slow.send(GET)
        assert upstream.answer().method == b"GET"


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_where_nobody_may_wait(wired: Callable[..., Wire], reset: bool) -> None:
    """The pool is full, its queue too: but the connection that died makes room for the one that replaces it."""
    wire = wired({"pool": {"max_connections": 1, "max_queue": 0}})
    app = warm(wire)
    client = wire.client()
    client.send(GET)
    app.request()
    app.reset() if reset else app.close()
    wire.accept().answer(b"again")
    assert client.response().body == b"again"


def test_it_does_not_wait_without_end(start: Callable[..., Sidecar]) -> None:
    """The place that became free is taken by who waited before: who is sent again has `queue_s` like anybody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with closing(Upstream(tls=context)) as upstream:  # a connection is made when the test says so, which is never
        sidecar = start(
            {
                "inbound": {"app": upstream.url, "tls": {"verify": False}},
                "pool": {"max_connections": 1},
                "timeouts": {"queue_s": 0.3, "connect_s": 30},
            }
        )
        again, waiting = sidecar.client(), sidecar.client()
        again.send(GET)
        app = upstream.accept()
        app.answer()
        assert again.response().status == 200
        again.send(GET)
        app.request()
        waiting.send(GET)
        sidecar.settle()
        app.close()
        check_problem(again.response(), 503, b"connection_limit_reached")
        check_problem(waiting.response(), 503, b"connection_limit_reached")


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_an_end_that_has_come_is_seen(wire: Wire, reset: bool) -> None:
    """RFC 9112 9.3.1: a POST cannot be repeated; so it is not sent on a connection whose end is in our kernel already,
    though the event loop has yet to hear of it."""
    app = warm(wire)
    client = wire.client()
    wire.settle()
    with wire.sidecar.standstill():
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        app.reset() if reset else app.close()
    assert wire.upstream.answer().body == b"hi"
    assert client.response().status == 200
