"""Clients that are slow, on purpose or not, hold nothing that others need."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lab.flood import flood
from lab.peers import WAIT_S, Client, Upstream
from lab.sidecar import Sidecar
from lab.wire import Wire, check_problem

pytestmark = pytest.mark.logs

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n"


# --- bodies are gathered before an upstream is asked for


@pytest.mark.parametrize("size", [1, 1000])
def test_small_content_is_gathered_first(wired: Callable[..., Wire], size: int) -> None:
    """Up to `limits.gather_bytes`: the app sees nothing of the request before it is whole. Beside it others pass."""
    wire = wired({"limits": {"gather_bytes": 1000}, "pool": {"max_connections": 1}})
    slow = wire.client()
    slow.send(POST % b"Content-Length: %d" % size + bytes(size - 1))
    wire.settle()
    assert not wire.upstream.has_caller()
    quick = wire.client()
    quick.send(GET)
    app = wire.accept()
    app.answer(b"quick")
    assert quick.response().body == b"quick"
    slow.send(b"x")
    assert app.answer().body == bytes(size - 1) + b"x"
    assert slow.response().status == 200


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 1001",
        b"Transfer-Encoding: chunked",  # whose sender may wait for an answer to the first chunk
        b"Content-Length: 5\r\nExpect: 100-continue",
    ],
)
def test_other_content_is_passed_on_as_it_comes(wired: Callable[..., Wire], field: bytes) -> None:
    wire = wired({"limits": {"gather_bytes": 1000}})
    wire.client().send(POST % field)
    wire.accept().stream.request_head()


def test_a_small_body_that_does_not_come_is_answered_here(wired: Callable[..., Wire]) -> None:
    wire = wired({"timeouts": {"body_read_s": 0.2}})
    client = wire.client()
    client.send(POST % b"Content-Length: 10" + b"12345")
    check_problem(client.response(), 408, b"http_request_error")
    assert not wire.upstream.has_caller()


def test_a_small_body_that_breaks_off_is_answered_here(wire: Wire) -> None:
    client = wire.client()
    client.send(POST % b"Content-Length: 10" + b"12345").finish()
    check_problem(client.response(), 400, b"http_request_error")
    assert not wire.upstream.has_caller()


def test_what_was_gathered_may_be_sent_again(wire: Wire) -> None:
    """A PUT in two pieces meets a kept connection that closes without a word: it is sent to another, whole."""
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.answer()
    assert client.response().status == 200
    client.send(POST.replace(b"POST", b"PUT") % b"Content-Length: 4" + b"12")
    wire.settle()
    client.send(b"34")
    app.request()
    app.close()
    assert wire.accept().answer().body == b"1234"
    assert client.response().status == 200


# --- least rates


def settings(**clients: int) -> dict[str, dict[str, object]]:
    return {"clients": dict(clients), "timeouts": {"body_read_s": 0.4, "idle_s": 0.4}, "limits": {"gather_bytes": 0}}


def trickle(client: Client, pieces: int, each: bytes = b"x") -> None:
    """A piece every 0.1 s, until the sidecar has had enough."""
    client.sock.settimeout(0.1)
    for _ in range(pieces):
        client.send(each)
        try:
            if client.sock.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
    client.sock.settimeout(WAIT_S)


@pytest.mark.parametrize("field", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_refused(wired: Callable[..., Wire], field: bytes) -> None:
    """Never silent for long, and slower than `clients.send_bytes_per_s`."""
    wire = wired(settings(send_bytes_per_s=1000))
    client = wire.client()
    client.send(POST % field)
    trickle(client, 100, b"1\r\nx\r\n" if b"chunked" in field else b"x")
    answer = client.response()
    check_problem(answer, 408, b"http_request_error")
    assert b"fewer than 1000 a second" in answer.body


def test_a_body_that_is_fast_enough_may_take_long(wired: Callable[..., Wire]) -> None:
    """As long as it likes: here for three times of `timeouts.body_read_s`."""
    wire = wired(settings(send_bytes_per_s=10))
    client = wire.client()
    client.send(POST % b"Content-Length: 1200")
    trickle(client, 12, bytes(100))
    assert wire.accept().answer().body == bytes(1200)
    assert client.response().status == 200


def test_a_conversation_may_be_slow(wired: Callable[..., Wire]) -> None:
    """Once the answer has begun, nobody knows who waits for whom."""
    wire = wired(settings(send_bytes_per_s=1000))
    client = wire.client()
    client.send(POST % b"Transfer-Encoding: chunked")
    app = wire.accept()
    app.stream.request_head()
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.stream.response_head()
    trickle(client, 10, b"1\r\nx\r\n")
    client.send(b"0\r\n\r\n")
    app.until(b"0\r\n\r\n")
    app.send(b"0\r\n\r\n")
    client.until(b"0\r\n\r\n")


def test_a_client_is_not_blamed_for_an_app_that_does_not_read(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """Over a Unix socket, whose buffers are small."""
    with closing(Upstream(unix_path=tmp_path / "app")) as upstream:
        sidecar = start({"inbound": {"app": upstream.url}, **settings(send_bytes_per_s=1_000_000)})
        client = sidecar.client()
        client.send(POST % b"Content-Length: 3000000")
        app = upstream.accept()
        app.stream.request_head()
        sending = threading.Thread(target=client.sock.sendall, args=(bytes(3_000_000),))
        sending.start()
        assert not select.select([client.sock], [], [], 1.0)[0], "no 408"
        assert len(app.exactly(3_000_000)) == 3_000_000
        sending.join()
        app.reply()
        assert client.response().status == 200


def test_an_answer_that_is_taken_too_slowly_is_cut(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """Never without a byte for long, and slower than `clients.read_bytes_per_s`. The app is told, and the log."""
    with closing(Upstream()) as upstream:
        slow = settings(read_bytes_per_s=100_000_000)
        sidecar = start({"inbound": {"listen": f"unix:{tmp_path}/in", "app": upstream.url}, **slow})
        client = sidecar.client()
        client.send(GET)
        app = upstream.accept()
        app.request()
        app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        flooding = threading.Thread(target=flood, args=(app.sock, bytes(65536)))
        flooding.start()
        with contextlib.suppress(OSError):
            while not sidecar.records:
                client.sock.recv(10_000)
                time.sleep(0.02)
        flooding.join()
        (record,) = sidecar.records
        assert (record.status, record.error) == (200, "client-too-slow")


def test_an_event_stream_may_be_silent(wired: Callable[..., Wire]) -> None:
    """And a long poll. It is not the client that is waited for."""
    wire = wired(
        {"clients": {"send_bytes_per_s": 1_000_000, "read_bytes_per_s": 1_000_000}, "timeouts": {"idle_s": 0.2}}
    )
    client, poll = wire.client(), wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
    client.until(b"event")
    poll.send(GET)
    late = wire.accept()
    late.request()
    assert not select.select([client.sock, poll.sock], [], [], 1.0)[0]
    app.send(b"5\r\nagain\r\n")
    client.until(b"again")
    late.reply(b"late")
    assert poll.response().body == b"late"
