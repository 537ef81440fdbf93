"""Requests whose framing or syntax is in doubt are refused with 400, and nothing of them reaches the app (RFC 9112,
RFC 9110)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from lab.messages import Malformed, Truncated
from lab.wire import Wire

POST = b"POST /refused HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /refused HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def te(value: bytes) -> bytes:
    return POST + b"Transfer-Encoding:" + value + b"\r\n\r\n0\r\n\r\n" + SMUGGLED


def cl(value: bytes) -> bytes:
    return POST + b"Content-Length:" + value + b"\r\n\r\nx" + SMUGGLED


def line(value: bytes) -> bytes:
    return value + b"\r\nHost: a\r\n\r\n"


# name, section, bytes
HEADS: list[tuple[str, str, bytes]] = [
    (
        "te-then-cl",
        "RFC 9112 6.1",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    ),
    (
        "cl-then-te",
        "RFC 9112 6.1",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    ),
    ("te-with-empty-cl", "RFC 9112 6.1", POST + b"Content-Length:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("te-identity", "RFC 9112 6.1", te(b" identity")),
    ("te-gzip", "RFC 9112 6.1", te(b" gzip")),
    ("te-gzip-chunked", "RFC 9112 6.1", te(b" gzip, chunked")),
    ("te-chunked-gzip", "RFC 9112 6.1", te(b" chunked, gzip")),
    ("te-chunked-twice", "RFC 9112 6.1", te(b" chunked, chunked")),
    ("te-two-lines", "RFC 9112 6.1", te(b" chunked\r\nTransfer-Encoding: chunked")),
    ("te-two-lines-identity", "RFC 9112 6.1", te(b" chunked\r\nTransfer-Encoding: identity")),
    ("te-xchunked", "RFC 9112 6.1", te(b" xchunked")),
    ("te-empty", "RFC 9112 6.1", te(b"")),
    ("te-comma", "RFC 9112 6.1", te(b" ,chunked")),
    ("te-parameter", "RFC 9112 7", te(b" chunked;a=b")),
    ("te-quoted", "RFC 9112 7", te(b' "chunked"')),
    ("te-vertical-tab", "RFC 9112 6.1", te(b" \x0bchunked")),
    ("te-in-http10", "RFC 9112 6.1", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("cl-two-different", "RFC 9112 6.3", cl(b" 1\r\nContent-Length: 2")),
    ("cl-list-different", "RFC 9112 6.3", cl(b" 1, 2")),
    ("cl-plus", "RFC 9110 8.6", cl(b" +1")),
    ("cl-minus", "RFC 9110 8.6", cl(b" -1")),
    ("cl-underscore", "RFC 9110 8.6", cl(b" 1_0")),
    ("cl-hex", "RFC 9110 8.6", cl(b" 0x1")),
    ("cl-letters", "RFC 9110 8.6", cl(b" one")),
    ("cl-empty", "RFC 9110 8.6", cl(b"")),
    ("cl-space-inside", "RFC 9110 8.6", cl(b" 1 1")),
    ("cl-fraction", "RFC 9110 8.6", cl(b" 1.0")),
    ("cl-trailing-comma", "RFC 9110 8.6", cl(b" 1,")),
    ("cl-quoted", "RFC 9110 8.6", cl(b' "1"')),
    ("cl-unicode-digit", "RFC 9110 8.6", cl(" １".encode())),
    ("cl-list-equal", "RFC 9112 6.3", cl(b" 1, 1")),
    ("cl-2-to-64", "RFC 9110 8.6", cl(b" 18446744073709551617")),
    ("host-missing", "RFC 9112 3.2", b"GET / HTTP/1.1\r\n\r\n"),
    ("host-twice", "RFC 9112 3.2", GET + b"Host: b\r\n\r\n"),
    ("host-twice-equal", "RFC 9112 3.2", GET + b"Host: a\r\n\r\n"),
    ("host-empty", "RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    ("host-with-space", "RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("host-with-path", "RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("host-with-userinfo", "RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ("host-list", "RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ("host-bad-port", "RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    ("space-before-colon", "RFC 9112 5.1", GET + b"X-A : 1\r\n\r\n"),
    ("tab-before-colon", "RFC 9112 5.1", GET + b"X-A\t: 1\r\n\r\n"),
    ("space-before-colon-cl", "RFC 9112 5.1", POST + b"Content-Length : 5\r\n\r\nhello"),
    ("space-before-colon-te", "RFC 9112 5.1", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("obs-fold", "RFC 9112 5.2", GET + b"X-A: 1\r\n 2\r\n\r\n"),
    ("obs-fold-tab", "RFC 9112 5.2", GET + b"X-A: 1\r\n\t2\r\n\r\n"),
    ("obs-fold-te", "RFC 9112 5.2", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("obs-fold-first-line", "RFC 9112 2.2", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("bare-lf-in-head", "RFC 9112 2.2", b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare-lf-one-line", "RFC 9112 2.2", GET + b"X-A: 1\nX-B: 2\r\n\r\n"),
    ("bare-lf-at-end", "RFC 9112 2.2", GET + b"X-A: 1\r\n\n"),
    ("bare-cr-in-value", "RFC 9112 2.2", GET + b"X-A: 1\rX-B: 2\r\n\r\n"),
    ("bare-cr-line-end", "RFC 9112 2.2", GET + b"X-A: 1\r\rX-B: 2\r\n\r\n"),
    ("cr-cr-lf", "RFC 9112 2.2", GET + b"X-A: 1\r\r\n\r\n"),
    ("nul-in-value", "RFC 9110 5.5", GET + b"X-A: 1\x002\r\n\r\n"),
    ("ctl-in-value", "RFC 9110 5.5", GET + b"X-A: 1\x012\r\n\r\n"),
    ("escape-in-value", "RFC 9110 5.5", GET + b"X-A: \x1b[0m\r\n\r\n"),
    ("del-in-value", "RFC 9110 5.5", GET + b"X-A: 1\x7f2\r\n\r\n"),
    ("nul-in-name", "RFC 9110 5.1", GET + b"X-\x00A: 1\r\n\r\n"),
    ("name-empty", "RFC 9110 5.1", GET + b": 1\r\n\r\n"),
    ("name-with-space", "RFC 9110 5.1", GET + b"X A: 1\r\n\r\n"),
    ("name-with-delimiter", "RFC 9110 5.6.2", GET + b"X(A: 1\r\n\r\n"),
    ("name-8-bit", "RFC 9110 5.6.2", GET + b"X-\xc3\xa4: 1\r\n\r\n"),
    ("no-colon", "RFC 9112 5", GET + b"XA\r\n\r\n"),
    ("no-version", "RFC 9112 3", line(b"GET /")),
    ("version-lower-case", "RFC 9112 2.3", line(b"GET / http/1.1")),
    ("version-2", "RFC 9112 2.3", line(b"GET / HTTP/2.0")),
    ("version-3.7", "RFC 9112 2.3", line(b"GET / HTTP/3.7")),
    ("version-0.9", "RFC 9112 2.3", line(b"GET / HTTP/0.9")),
    ("version-none-no-fields", "RFC 9112 2.3", b"GET /\r\n\r\n"),
    ("version-rtsp", "RFC 9112 2.3", line(b"GET / RTSP/1.0")),
    ("version-behind-two-spaces", "RFC 9112 3", line(b"GET /  HTTP/1.1")),
    ("version-long", "RFC 9112 2.3", line(b"GET / HTTP/1.11")),
    ("version-junk", "RFC 9112 2.3", line(b"GET / HTTP/1.1 x")),
    ("method-bad", "RFC 9110 9.1", line(b"G@T / HTTP/1.1")),
    ("target-behind-a-tab", "RFC 9112 3", line(b"GET\t/ HTTP/1.1")),
    ("target-8-bit", "RFC 9112 3.2", line(b"GET /\xff HTTP/1.1")),
    ("target-without-slash", "RFC 9112 3.2", line(b"GET refused HTTP/1.1")),
    ("target-with-space", "RFC 9112 3.2", line(b"GET /a b HTTP/1.1")),
    ("target-with-nul", "RFC 9112 3.2", line(b"GET /a\x00b HTTP/1.1")),
    ("target-with-cr", "RFC 9112 3.2", line(b"GET /a\rb HTTP/1.1")),
    ("target-authority", "RFC 9112 3.2.3", line(b"GET a:80 HTTP/1.1")),
    ("target-asterisk-get", "RFC 9112 3.2.4", line(b"GET * HTTP/1.1")),
    ("target-empty", "RFC 9112 3.2", line(b"GET  HTTP/1.1")),
    ("trace-with-a-body", "RFC 9110 9.3.8", b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
    ("empty-lines-without-end", "RFC 9112 2.2", b"\r\n" * 20 + GET + b"\r\n"),
    ("tls-hello", "RFC 9112 2.2", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(32)) + b"\r\n\r\n"),
]

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n" + SMUGGLED

# A head that is right, a body that is not: the app may see the head, never a whole message.
BODIES: list[tuple[str, str, bytes]] = [
    ("size-plus", "RFC 9112 7.1", CHUNKED + b"+5\r\nhello\r\n" + END),
    ("size-minus", "RFC 9112 7.1", CHUNKED + b"-5\r\nhello\r\n" + END),
    ("size-0x", "RFC 9112 7.1", CHUNKED + b"0x5\r\nhello\r\n" + END),
    ("size-underscore", "RFC 9112 7.1", CHUNKED + b"0_5\r\nhello\r\n" + END),
    ("size-not-hex", "RFC 9112 7.1", CHUNKED + b"g\r\nhello\r\n" + END),
    ("size-empty", "RFC 9112 7.1", CHUNKED + b"\r\nhello\r\n" + END),
    ("size-leading-space", "RFC 9112 7.1", CHUNKED + b" 5\r\nhello\r\n" + END),
    ("size-trailing-space", "RFC 9112 7.1", CHUNKED + b"5 \r\nhello\r\n" + END),
    ("size-overflow", "RFC 9112 7.1", CHUNKED + b"10000000000000005\r\nhello\r\n" + END),
    ("size-bare-lf", "RFC 9112 2.2", CHUNKED + b"5\nhello\r\n" + END),
    ("size-bare-cr", "RFC 9112 2.2", CHUNKED + b"5\rhello\r\n" + END),
    ("size-nul", "RFC 9112 7.1", CHUNKED + b"5\x00\r\nhello\r\n" + END),
    ("extension-bare-semicolon", "RFC 9112 7.1.1", CHUNKED + b"5;\r\nhello\r\n" + END),
    ("extension-ctl", "RFC 9112 7.1.1", CHUNKED + b"5;a=\x01\r\nhello\r\n" + END),
    ("extension-bare-lf", "RFC 9112 7.1.1", CHUNKED + b"5;a\nhello\r\n" + END),
    ("data-without-crlf", "RFC 9112 7.1", CHUNKED + b"5\r\nhello" + END),
    ("data-longer", "RFC 9112 7.1", CHUNKED + b"5\r\nhello!\r\n" + END),
    ("data-bare-lf", "RFC 9112 7.1", CHUNKED + b"5\r\nhello\n" + END),
    ("last-chunk-bare-lf", "RFC 9112 7.1", CHUNKED + b"5\r\nhello\r\n0\n\n" + SMUGGLED),
    ("trailer-name", "RFC 9112 7.1.2", CHUNKED + b"5\r\nhello\r\n0\r\nX A: 1\r\n\r\n" + SMUGGLED),
    ("trailer-nul", "RFC 9112 7.1.2", CHUNKED + b"5\r\nhello\r\n0\r\nX-A: \x00\r\n\r\n" + SMUGGLED),
    ("trailer-folded", "RFC 9112 7.1.2", CHUNKED + b"5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n" + SMUGGLED),
]

EITHER_WAY = pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])


@EITHER_WAY
@pytest.mark.parametrize(("section", "raw"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_head_refused(wire: Wire, section: str, raw: bytes, piece: int) -> None:
    """400 as problem+json, connection closed, no connection to the app. The section of the RFC stands in the row."""
    client = wire.client()
    client.send(raw, piece=piece)
    answer = client.response()
    assert answer.status in ((400, 505) if "2.3" in section or "9113" in section else (400,)), section
    assert answer.head.value("content-type") == b"application/problem+json"
    assert answer.head.value("connection") == b"close"
    assert b"error=http_request_error" in (answer.head.value("proxy-status") or b"")
    assert client.to_end() == b""
    wire.settle()
    assert not wire.upstream.has_caller()


@EITHER_WAY
@pytest.mark.parametrize(("section", "raw"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_body_refused(wire: Wire, section: str, raw: bytes, piece: int) -> None:
    """400, connection closed, and the app never sees a complete message, nor what stood behind it."""
    client = wire.client()
    client.send(raw, piece=piece)
    answer = client.response()
    assert answer.status == 400, section
    assert client.to_end() == b""
    wire.settle()
    if wire.upstream.has_caller():
        app = wire.accept()
        with pytest.raises((Truncated, Malformed)):
            app.request()
        app.to_end()
        assert b"smuggled" not in app.received


def test_equal_content_lengths_never_leave_as_two(wire: Wire) -> None:
    """RFC 9112 6.3: `Content-Length: 5` twice may be read as one, and is refused all the same."""
    client = wire.client()
    client.send(POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello")
    assert client.response().status == 400
    wire.settle()
    assert not wire.upstream.has_caller()


def test_refusal_does_not_reach_back(wire: Wire) -> None:
    """A bad request that is pipelined behind a good one: the good one is answered, then comes the 400."""
    client = wire.client()
    client.send(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n" + te(b" identity"))
    assert wire.upstream.answer(b"good").target == b"/good"
    assert client.response().body == b"good"
    assert client.response().status == 400
    assert client.to_end() == b""


def test_empty_lines_before_a_request_are_ignored(wire: Wire) -> None:
    """RFC 9112 2.2: at least one empty line before the request line is ignored."""
    assert wire.passes(b"\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n").target == b"/after"


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"HEAD / HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\nHEAD / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"HEAD / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"HEAD * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: more\r\n\r\n", 417),
    ],
)
def test_a_refusal_to_head_has_no_body(wire: Wire, request_bytes: bytes, status: int, piece: int) -> None:
    """RFC 9110 9.3.2: no answer to HEAD has content, be its head as bad as it may."""
    client = wire.client()
    client.send(request_bytes, piece=piece)
    assert client.response("HEAD").status == status
    assert client.to_end() == b""


@pytest.mark.parametrize("request_bytes", [b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\r\nHo"])
def test_a_refusal_is_to_its_own_request(wire: Wire, request_bytes: bytes) -> None:
    """It has its body, although the request before it was a HEAD."""
    client = wire.client()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.upstream.answer()
    assert client.response("HEAD").status == 200
    client.send(request_bytes).finish()
    answer = client.response()
    assert (answer.status, bool(answer.body)) == (400, True)


def test_what_failed_can_be_kept_from_outsiders(wired: Callable[..., Wire]) -> None:
    """`forwarding: {details: false}`: the kind of the fault, and neither words nor addresses."""
    client = wired({"forwarding": {"details": False}}).client()
    answer = client.ask(b"GET / HTTP/1.1\r\nHost: secret.internal\r\nHost: b\r\n\r\n")
    assert answer.status == 400
    assert answer.head.value("proxy-status") == b"ops-sidecar; error=http_request_error"
    assert set(json.loads(answer.body)) == {"type", "title", "status", "proxy_error"}
