"""Answers that are not HTTP/1.1 beyond doubt become 502; nothing of them reaches the client, and their connection is
closed (RFC 9112 4, 5, 6)."""

from __future__ import annotations

import pytest
from lab.messages import Truncated
from lab.wire import Wire

OK = b"HTTP/1.1 200 OK\r\n"
EVIL = b"Content-Length: 5\r\n\r\nhello"

# name, section, bytes
HEADS: list[tuple[str, str, bytes]] = [
    ("garbage", "RFC 9112 4", b"\x00\x01\x02 not http at all\r\n\r\n"),
    ("smtp", "RFC 9112 4", b"220 mail ready\r\n\r\n"),
    ("html", "RFC 9112 4", b"<html>hello</html>\r\n\r\n"),
    ("ssh", "RFC 9112 4", b"SSH-2.0-OpenSSH\r\n\r\n"),
    ("empty-line-before", "RFC 9112 4", b"\r\n" + OK + EVIL),
    ("version-2", "RFC 9112 2.3", b"HTTP/2.0 200 OK\r\n" + EVIL),
    ("version-0.9", "RFC 9112 2.3", b"HTTP/0.9 200 OK\r\n" + EVIL),
    ("status-two-digits", "RFC 9112 4", b"HTTP/1.1 20 OK\r\n" + EVIL),
    ("status-letters", "RFC 9112 4", b"HTTP/1.1 2xx OK\r\n" + EVIL),
    ("status-negative", "RFC 9112 4", b"HTTP/1.1 -200 OK\r\n" + EVIL),
    ("status-zero", "RFC 9110 15", b"HTTP/1.1 000 OK\r\n" + EVIL),
    ("reason-ctl", "RFC 9112 4", b"HTTP/1.1 200 O\x00K\r\n" + EVIL),
    ("reason-ctl-1", "RFC 9112 4", b"HTTP/1.1 200 O\x01K\r\n" + EVIL),
    ("reason-bare-cr", "RFC 9112 2.2", b"HTTP/1.1 200 O\rK\r\n" + EVIL),
    ("te-and-cl", "RFC 9112 6.3", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ("te-unknown", "RFC 9112 6.1", OK + b"Transfer-Encoding: gzip\r\n\r\nhello"),
    ("te-list", "RFC 9112 6.1", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("te-twice", "RFC 9112 6.1", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("te-in-http10", "RFC 9112 6.1", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("cl-different", "RFC 9112 6.3", OK + b"Content-Length: 4\r\n" + EVIL),
    ("cl-plus", "RFC 9110 8.6", OK + b"Content-Length: +5\r\n\r\nhello"),
    ("cl-minus", "RFC 9110 8.6", OK + b"Content-Length: -5\r\n\r\nhello"),
    ("cl-underscore", "RFC 9110 8.6", OK + b"Content-Length: 0_5\r\n\r\nhello"),
    ("cl-empty", "RFC 9110 8.6", OK + b"Content-Length:\r\n\r\nhello"),
    ("cl-huge", "RFC 9110 8.6", OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello"),
    ("space-before-colon", "RFC 9112 5.1", OK + b"X-A : 1\r\n" + EVIL),
    ("name-with-space", "RFC 9112 5.1", OK + b"X A: 1\r\n" + EVIL),
    ("name-empty", "RFC 9112 5", OK + b": 1\r\n" + EVIL),
    ("no-colon", "RFC 9112 5", OK + b"evil\r\n" + EVIL),
    ("nul-in-value", "RFC 9110 5.5", OK + b"X-A: 1\x00\r\n" + EVIL),
    ("bare-cr-splits", "RFC 9112 2.2", OK + b"X-A: 1\rSet-Cookie: evil=1\r\n" + EVIL),
    ("bare-lf-splits", "RFC 9112 2.2", OK + b"X-A: 1\nSet-Cookie: evil=1\r\n" + EVIL),
    ("obs-fold", "RFC 9112 5.2", OK + b"X-A: 1\r\n evil\r\n" + EVIL),
    ("head-too-large", "RFC 9110 5.4", OK + b"X-A: " + b"evil" * 100_000 + b"\r\n" + EVIL),
    ("too-many-fields", "RFC 9110 5.4", OK + b"X-A: evil\r\n" * 20_000 + EVIL),
]  # fmt: skip

# A good head, a bad body: the client has the head already, and must see that the body is not whole.
BODIES: list[tuple[str, bytes]] = [
    ("size-plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("size-0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("size-not-hex", b"zz\r\nhello\r\n0\r\n\r\n"),
    ("size-bare-lf", b"5\nhello\n0\n\n"),
    ("size-overflow", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("data-longer", b"5\r\nhello!\r\n0\r\n\r\n"),
    ("data-without-crlf", b"5\r\nhello0\r\n\r\n"),
    ("trailer-nul", b"5\r\nhello\r\n0\r\nX-A: \x00\r\n\r\n"),
    ("second-chunk-bad", b"5\r\nhello\r\n-1\r\n\r\n"),
]

EITHER_WAY = pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])


@EITHER_WAY
@pytest.mark.parametrize(("section", "raw"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_head(wire: Wire, section: str, raw: bytes, piece: int) -> None:
    """502 as problem+json with Proxy-Status; the section stands in the row."""
    if piece and len(raw) > 1000:
        piece = 997
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.settle = wire.sidecar.settle
    app.send(raw, piece=piece)
    answer = client.response()
    assert answer.status == 502, section
    assert answer.head.value("content-type") == b"application/problem+json"
    assert answer.head.value("proxy-status") is not None
    assert b"evil" not in client.received
    app.to_end()
    again = wire.client()
    again.send(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.upstream.answer(b"again")
    assert again.response().body == b"again"


@EITHER_WAY
@pytest.mark.parametrize(("name", "raw"), BODIES, ids=[row[0] for row in BODIES])
def test_body(wire: Wire, name: str, raw: bytes, piece: int) -> None:
    """RFC 9112 7.1, 8: 502 where nothing was sent yet, else a connection that ends without the last chunk."""
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = wire.accept()
    app.request()
    app.settle = wire.sidecar.settle
    app.send(OK + b"Transfer-Encoding: chunked\r\n\r\n" + raw, piece=piece)
    head = client.stream.response_head()
    if head.start[0] != b"502":
        with pytest.raises(Truncated):
            client.until(b"0\r\n\r\n")
    app.to_end()
