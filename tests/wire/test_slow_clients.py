"""Clients that are slow, on purpose or not, hold nothing that others need."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.wire import Wire, check_problem

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
