"""Limits, each with its status, a problem document (RFC 9457) and Proxy-Status (RFC 9209); nothing is unbounded."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.messages import Truncated
from lab.peers import Upstream
from lab.sidecar import Sidecar
from lab.wire import Wire, check_problem

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


def nothing_reached(wire: Wire) -> None:
    wire.settle()
    assert not wire.upstream.has_caller()


@pytest.mark.parametrize("piece", [0, 100], ids=["whole", "pieces"])
def test_target_too_long(wired: Callable[..., Wire], piece: int) -> None:
    """RFC 9110 15.5.15: 414."""
    wire = wired({"limits": {"request_line_bytes": 1024}})
    client = wire.client()
    client.send(b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", piece=piece)
    check_problem(client.response(), 414, b"http_request_error")
    assert client.to_end() == b""
    nothing_reached(wire)


def test_target_without_end(wired: Callable[..., Wire]) -> None:
    """A request line that never ends is cut off at the limit, not gathered."""
    wire = wired({"limits": {"request_line_bytes": 1024}})
    client = wire.client()
    client.send(b"GET /" + b"a" * 200_000)
    assert client.response().status == 414


def test_target_at_the_limit(wired: Callable[..., Wire]) -> None:
    """The limit itself is allowed."""
    wire = wired({"limits": {"request_line_bytes": 1024}})
    target = b"/" + b"a" * (1024 - len(b"GET / HTTP/1.1") - 2)
    assert wire.passes(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n").target == target


@pytest.mark.parametrize(
    "fields",
    [b"X-A: " + b"a" * 5000 + b"\r\n", b"X-A: aaaaaaaaaa\r\n" * 300, b"X-" + b"a" * 5000 + b": 1\r\n", b"Cookie: " + b"c" * 3000 + b"\r\nX-A: " + b"a" * 3000 + b"\r\n"],
)  # fmt: skip
@pytest.mark.parametrize("end", [b"\r\n", b""], ids=["ended", "endless"])
def test_head_too_large(wired: Callable[..., Wire], fields: bytes, end: bytes) -> None:
    """RFC 6585 5: 431 for too many bytes, however they are made up, and without waiting for their end."""
    wire = wired({"limits": {"header_bytes": 4096, "header_count": 1000}})
    client = wire.client()
    client.send(GET + fields + end)
    check_problem(client.response(), 431, b"http_request_error")
    assert client.to_end() == b""
    nothing_reached(wire)


def test_too_many_fields(wired: Callable[..., Wire]) -> None:
    """RFC 6585 5: 431 for too many fields."""
    wire = wired({"limits": {"header_count": 20}})
    check_problem(wire.client().ask(GET + b"X: 1\r\n" * 20 + b"\r\n"), 431, b"http_request_error")
    nothing_reached(wire)
    assert wire.passes(GET + b"X: 1\r\n" * 19 + b"\r\n").head.names().count("x") == 19


def test_default_limits(wire: Wire) -> None:
    """8 KiB of request line, 64 KiB of head, 100 fields."""
    assert wire.client().ask(b"GET /" + b"a" * 8300 + b" HTTP/1.1\r\nHost: a\r\n\r\n").status == 414
    assert wire.client().ask(GET + b"X-A: " + b"a" * 65536 + b"\r\n\r\n").status == 431
    assert wire.client().ask(GET + b"X: 1\r\n" * 100 + b"\r\n").status == 431
    seen = wire.passes(GET + b"X-A: " + b"a" * 60_000 + b"\r\n\r\n")
    assert len(seen.head.value("x-a") or b"") == 60_000


def test_body_too_large_by_length(wired: Callable[..., Wire]) -> None:
    """RFC 9110 15.5.14: 413 at the head already."""
    wire = wired({"limits": {"body_bytes": 1000}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
    check_problem(client.response(), 413, b"http_request_error")
    nothing_reached(wire)
    assert len(wire.passes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000).body) == 1000


def test_body_too_large_by_chunks(wired: Callable[..., Wire]) -> None:
    """RFC 9110 15.5.14: 413 where the sum of the chunks passes the limit; the app never sees a complete message."""
    wire = wired({"limits": {"body_bytes": 1000}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"64\r\n" + b"x" * 100 + b"\r\n")
    app = wire.accept()
    app.stream.request_head()
    client.send(b"385\r\n" + b"x" * 901 + b"\r\n0\r\n\r\n")
    check_problem(client.response(), 413, b"http_request_error")
    assert b"0\r\n\r\n" not in app.to_end()


def test_chunk_extensions_are_bounded(wire: Wire) -> None:
    """RFC 9112 7.1.1: a server ought to limit the length of chunk extensions."""
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=" + b"b" * 1_000_000)
    assert client.response().status == 400


def test_trailers_are_bounded(wire: Wire) -> None:
    """Trailers count like a head."""
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-T: 1\r\n" * 100_000)
    assert client.response().status == 400


def test_connection_refused(start: Callable[..., Sidecar]) -> None:
    """502, connection_refused; the client's connection lives on."""
    gone = Upstream()
    gone.close()
    client = start({"inbound": {"app": gone.url}}).client()
    for _ in range(2):
        answer = client.ask(GET + b"\r\n")
        check_problem(answer, 502, b"connection_refused")
    assert answer.head.value("connection") is None
    head = client.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
    assert (head.status, head.body) == (502, b"")
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + GET + b"\r\n")
    assert client.response().status == 502
    assert client.response().status == 502


def test_unknown_name(start: Callable[..., Sidecar]) -> None:
    """502, dns_error (RFC 6761: .invalid never resolves)."""
    client = start({"inbound": {"app": "http://no-such-host.invalid:80"}}).client()
    check_problem(client.ask(GET + b"\r\n"), 502, b"dns_error")


def test_queue_full(wired: Callable[..., Wire]) -> None:
    """503 with Retry-After where all connections are taken and the queue is full; who waits is served in order."""
    wire = wired({"pool": {"max_connections": 1, "max_queue": 1}})
    clients = [wire.client() for _ in range(3)]
    clients[0].send(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    assert app.request().target == b"/0"
    clients[1].send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.settle()
    answer = clients[2].ask(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    check_problem(answer, 503, b"connection_limit_reached")
    assert int(answer.head.value("retry-after") or b"0") >= 1
    assert not wire.upstream.has_caller()
    app.reply(b"zero")
    assert clients[0].response().body == b"zero"
    assert app.answer(b"one").target == b"/1"
    assert clients[1].response().body == b"one"


def test_too_many_connections(wired: Callable[..., Wire]) -> None:
    """One connection too many is closed at once; when another has gone, there is room again."""
    wire = wired({"limits": {"connections": 2}})
    first, second = wire.client(), wire.client()
    for client in (first, second):
        client.send(GET + b"\r\n")
    apps = [wire.accept(), wire.accept()]
    for app in apps:  # before any is answered: a request that still waits would go on the connection that is free
        app.request()
    third = wire.client()
    with pytest.raises(Truncated):
        third.ask(GET + b"\r\n")
    for app in apps:
        app.reply()
    assert [client.response().status for client in (first, second)] == [200, 200]
    first.close()
    wire.sidecar.until(lambda: wire.sidecar.metrics.listener("inbound").connections_open == 1)
    fourth = wire.client()
    fourth.send(GET + b"\r\n")
    wire.upstream.answer(b"room")
    assert fourth.response().body == b"room"
