"""Interim responses: 100-continue and 103 are relayed, an unasked 101 is not (RFC 9110 10.1.1, 15.2; RFC 8297)."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from lab.messages import Truncated
from lab.wire import Wire, check_problem

EXPECT = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"


def test_continue_is_relayed(wire: Wire) -> None:
    """The app's 100 lets the client go on, not one of our own: the app decides."""
    client = wire.client()
    client.send(EXPECT)
    app = wire.accept()
    assert (app.stream.request_head().value("expect") or b"").lower() == b"100-continue"
    wire.settle()
    assert client.is_silent()
    app.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.stream.response_head().start[0] == b"100"
    client.send(b"hello")
    assert app.exactly(5) == b"hello"
    app.reply(b"done")
    assert client.response().body == b"done"


@pytest.mark.parametrize("status", [b"417 Expectation Failed", b"401 Unauthorized", b"413 Too Large"])
@pytest.mark.parametrize("close", [True, False], ids=["app-closes", "app-keeps"])
def test_final_answer_instead_of_continue(wire: Wire, status: bytes, close: bool) -> None:
    """The app refuses before the body came: the client sees that answer, and neither connection is misread
    afterwards."""
    client = wire.client()
    client.send(EXPECT)
    app = wire.accept()
    app.stream.request_head()
    app.reply(b"no", status, *([b"Connection: close"] if close else []))
    if close:
        app.close()
    answer = client.response()
    assert (answer.status, answer.body, answer.interim) == (int(status[:3]), b"no", [])
    # Either way is right for the client's connection: ended, or still good for the body and for what follows.
    again = wire.client()
    again.send(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
    seen = wire.upstream.answer(b"clean")
    assert seen.target == b"/again"
    assert again.response().body == b"clean"


def test_client_does_not_wait(wire: Wire) -> None:
    """The body comes right behind the head (RFC 9110 10.1.1: a client may not wait for ever)."""
    client = wire.client()
    client.send(EXPECT + b"hello")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    answer = client.response()
    assert (answer.status, answer.body) == (200, b"ok")


def test_app_never_says_continue(wire: Wire) -> None:
    """An app that knows nothing of 100-continue gets the body when the client loses patience."""
    client = wire.client()
    client.send(EXPECT)
    app = wire.accept()
    app.stream.request_head()
    client.send(b"hello")
    assert app.exactly(5) == b"hello"
    app.reply()
    assert client.response().interim == []


def test_other_expectations_are_not_ours(wire: Wire) -> None:
    """RFC 9110 10.1.1: an unknown expectation is refused with 417, and goes no further."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n")
    check_problem(client.response(), 417, b"http_request_error")
    wire.settle()
    assert not wire.upstream.has_caller()


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
def test_early_hints_are_relayed(wire: Wire, piece: int) -> None:
    """RFC 8297: each 103 as it comes, with its fields, and then the answer."""
    raw = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.js>; rel=preload\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
    )
    answer = wire.answers(raw, piece=piece)
    assert [head.start[0] for head in answer.interim] == [b"103", b"103"]
    assert [head.value("link") for head in answer.interim] == [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]
    assert answer.body == b"body"


def test_early_hints_do_not_wait(wire: Wire) -> None:
    """A 103 is of use only before the answer."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert client.stream.response_head().start[0] == b"103"
    app.reply()
    assert client.response().status == 200


def test_hop_by_hop_in_interim(wire: Wire) -> None:
    """RFC 9110 7.6.1 holds for interim responses too."""
    answer = wire.answers(
        b"HTTP/1.1 103 Early Hints\r\nConnection: x-a\r\nX-A: 1\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    assert not {"x-a", "connection"} & set(answer.interim[0].names())


def test_no_interim_for_http10(wire: Wire) -> None:
    """RFC 9110 15.2: a 1xx is never sent to an HTTP/1.0 client."""
    answer = wire.answers(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", version=b"1.0"
    )
    assert (answer.interim, answer.body) == ([], b"ok")


def test_expect_of_http10_is_ignored(wire: Wire) -> None:
    """RFC 9110 10.1.1: a 100-continue of an HTTP/1.0 client is ignored: it would never see the 100."""
    client = wire.client()
    client.send(b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    app = wire.accept()
    assert app.request().body == b"hello"
    app.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    app.reply()
    assert client.response().interim == []


def test_unasked_101(wire: Wire) -> None:
    """RFC 9110 15.2.2: a 101 that nobody asked for is no answer: 502, and its bytes go nowhere."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nevil bytes")
    answer = client.response()
    assert answer.status == 502
    assert b"evil" not in client.received
    app.to_end()


def test_interim_without_end(wire: Wire) -> None:
    """An app that sends nothing but 1xx is stopped at some point: nothing is unbounded."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000)
    app.close()
    with contextlib.suppress(Truncated):
        assert client.response().status == 502


def test_early_answer_to_a_body(wired: Callable[..., Wire]) -> None:
    """RFC 9112 9.3: an answer before the request is complete reaches the client at once; the app's connection is not
    used again with the rest unsent."""
    wire = wired({"limits": {"gather_bytes": 0}})
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nstart")
    app = wire.accept()
    app.stream.request_head()
    assert app.exactly(5) == b"start"
    app.reply(b"enough", b"403 Forbidden")
    answer = client.response()
    assert (answer.status, answer.body) == (403, b"enough")
    other = wire.client()
    other.send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
    assert wire.upstream.answer(b"mine").target == b"/other"
    assert other.response().body == b"mine"
    client.send(b"x" * 995)
    assert b"/other" not in app.received


def test_early_answer_streams_on(wire: Wire) -> None:
    """A full-duplex app (echo) answers while it still reads: neither direction waits for the other."""
    client = wire.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    app = wire.accept()
    app.stream.request_head()
    app.until(b"one\r\n")
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nONE\r\n")
    client.stream.response_head()
    client.until(b"ONE\r\n")
    client.send(b"3\r\ntwo\r\n")
    app.until(b"two\r\n")
    app.send(b"3\r\nTWO\r\n")
    client.until(b"TWO\r\n")
    client.send(b"0\r\n\r\n")
    app.until(b"0\r\n\r\n")
    app.send(b"0\r\n\r\n")
    client.until(b"0\r\n\r\n")
