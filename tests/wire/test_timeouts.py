"""Timeouts, each with its status: small ones here, so that the test waits for the sidecar and not for the clock."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.messages import Truncated
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire, check_problem

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SHORT = 0.2


@pytest.mark.parametrize("part", [b"GET / HTTP/1.1\r\nHost:", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_slow_head(wired: Callable[..., Wire], part: bytes) -> None:
    """408 where a head has begun and does not end (slowloris); drop by drop does not prolong it."""
    wire = wired({"timeouts": {"header_read_s": SHORT}})
    client = wire.client()
    client.send(part)
    check_problem(client.response(), 408, b"http_request_error")
    assert client.to_end() == b""


def test_drops_do_not_prolong_a_head(wired: Callable[..., Wire]) -> None:
    """The time counts from the first byte to the last, not from drop to drop."""
    wire = wired({"timeouts": {"header_read_s": 0.5}})
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\n")
    client.sock.settimeout(0.05)
    answered = b""
    for _ in range(200):
        client.send(b"X: 1\r\n")
        with contextlib.suppress(TimeoutError):
            answered = client.sock.recv(12)
            break
    assert answered == b"HTTP/1.1 408"


def test_an_empty_line_begins_no_head(wired: Callable[..., Wire]) -> None:
    """RFC 9112 2.2: some clients send one behind a body. Nobody waits for the rest of a request then, with a 408 that
    the next request would take for its own answer."""
    wire = wired({"timeouts": {"header_read_s": SHORT, "idle_s": 4 * SHORT}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\n")
    wire.upstream.answer()
    assert client.response().status == 200
    assert client.to_end() == b"", "idle, and closed as such"


def test_slow_body(wired: Callable[..., Wire]) -> None:
    """408 for a silence within a request body; the app never sees the end of it."""
    wire = wired({"timeouts": {"body_read_s": SHORT}, "limits": {"gather_bytes": 0}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    app = wire.accept()
    check_problem(client.response(), 408, b"http_request_error")
    assert app.to_end().endswith(b"12345")


def test_silence_before_a_request_is_no_error(wired: Callable[..., Wire]) -> None:
    """An idle connection is closed without a word (RFC 9112 9.5), before the first request and after one."""
    wire = wired({"timeouts": {"idle_s": SHORT, "header_read_s": SHORT}})
    first, second = wire.client(), wire.client()
    second.send(GET)
    wire.upstream.answer()
    assert second.response().status == 200
    assert first.is_ended()
    assert second.is_ended()


def test_connect_timeout(start: Callable[..., Sidecar], deaf: str) -> None:
    """504, connection_timeout."""
    client = start({"inbound": {"app": deaf}, "timeouts": {"connect_s": SHORT}}).client()
    check_problem(client.ask(GET), 504, b"connection_timeout")


def test_connect_timeout_of_a_tunnel(start: Callable[..., Sidecar], deaf: str) -> None:
    """504 for CONNECT too."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "timeouts": {"connect_s": SHORT}})
    client = sidecar.client("outbound")
    client.send(f"CONNECT {deaf[7:]} HTTP/1.1\r\nHost: {deaf[7:]}\r\n\r\n".encode())
    check_problem(client.response("CONNECT"), 504, b"connection_timeout")


def test_response_head_timeout(wired: Callable[..., Wire]) -> None:
    """504, http_response_timeout, and the connection to the app is closed, so that a late answer meets nobody."""
    wire = wired({"timeouts": {"response_head_s": SHORT}})
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    check_problem(client.response(), 504, b"http_response_timeout")
    assert app.is_ended()
    client.send(GET)
    wire.upstream.answer(b"prompt")
    assert client.response().body == b"prompt"


def test_response_head_timeout_counts_from_the_end_of_the_request(wired: Callable[..., Wire]) -> None:
    """A long upload is no slow answer."""
    wire = wired({"timeouts": {"response_head_s": 0.4}, "limits": {"gather_bytes": 0}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
    app = wire.accept()
    app.stream.request_head()
    app.sock.settimeout(0.15)
    for _ in range(6):
        client.send(b"x")
        app.exactly(1)
        with contextlib.suppress(TimeoutError):
            assert app.sock.recv(1) != b"", "cut while the client was sending"
    app.sock.settimeout(5)
    app.reply(b"thanks")
    assert client.response().body == b"thanks"


def test_response_body_timeout(wired: Callable[..., Wire]) -> None:
    """A silence within a response body cuts it where the client can see it."""
    wire = wired({"timeouts": {"response_body_s": SHORT}})
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    with pytest.raises(Truncated) as cut:
        client.response()
    assert cut.value.got == b"hello"
    assert app.is_ended()


def test_queue_timeout(wired: Callable[..., Wire]) -> None:
    """503 with Retry-After for who has waited too long for a connection; who holds it is not disturbed."""
    wire = wired({"pool": {"max_connections": 1}, "timeouts": {"queue_s": SHORT}})
    holder, waiting = wire.client(), wire.client()
    holder.send(GET)
    app = wire.accept()
    app.request()
    answer = waiting.ask(GET)
    check_problem(answer, 503, b"connection_limit_reached")
    assert answer.head.value("retry-after")
    app.reply(b"held")
    assert holder.response().body == b"held"


def test_tunnel_idle_timeout(wired: Callable[..., Wire]) -> None:
    """An upgraded connection without a byte either way is closed on both sides."""
    wire = wired({"timeouts": {"tunnel_idle_s": SHORT}})
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    assert client.stream.response_head().start[0] == b"101"
    assert client.is_ended()
    assert app.is_ended()


def test_slow_reader_is_not_timed_as_a_slow_app(wired: Callable[..., Wire]) -> None:
    """A client that reads nothing for a while pauses the app; that is not the app's silence."""
    wire = wired({"timeouts": {"response_body_s": 0.6}})
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    size = 32 * 1024 * 1024
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    app.sock.settimeout(1.2)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < size:
            sent += app.sock.send(bytes(min(65536, size - sent)))
    assert sent < size, "the kernel took it all: nothing was paused"
    app.sock.settimeout(5)

    rest = threading.Thread(target=app.send, args=(bytes(size - sent),))
    rest.start()
    assert len(client.response().body) == size
    rest.join(5)


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x00"], ids=["silent", "stuck in a record"])
@pytest.mark.parametrize("listener", ["inbound", "billing"])
def test_stalled_tls_handshake(start: Callable[..., Sidecar], upstream: Upstream, listener: str, answer: bytes) -> None:
    """504 where the connection is made and its TLS is not; socket and task are gone with it."""
    target = f"https://127.0.0.1:{upstream.port}"
    sidecar = start(
        {
            "inbound": {"app": target},
            "outbound": {"listen": LISTEN},
            "upstreams": [{"name": "billing", "listen": LISTEN, "target": target}],
            "timeouts": {"connect_s": SHORT},
        }
    )
    client = sidecar.client(listener)
    sidecar.settle()
    before = held(sidecar)
    client.send(GET)
    far = upstream.accept()
    far.send(answer)
    check_problem(client.response(), 504, b"connection_timeout")
    assert far.stream.more()
    assert far.received[:2] == b"\x16\x03"  # it did want to speak TLS: a handshake record
    far.to_end()
    far.close()
    sidecar.settle(30)
    assert held(sidecar) == before
    name = "app" if listener == "inbound" else "billing"
    metrics = sidecar.metrics.upstream(name)
    assert (metrics.connect_failures, metrics.connections_open, metrics.queued) == ({"connect-timeout": 1}, 0, 0)


def held(sidecar: Sidecar) -> tuple[int, int]:
    """Tasks of the sidecar's loop, and sockets of this process."""

    async def count_tasks() -> int:
        return len(asyncio.all_tasks())

    return sidecar.thread.run(count_tasks()), sum(entry.is_socket() for entry in Path("/proc/self/fd").iterdir())
