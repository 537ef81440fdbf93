"""Fields that belong to one connection stay on it, everything else passes untouched (RFC 9110 7.6.1, 7.8, 10.1.4,
11.7)."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"

# name, section, fields sent, names that must not arrive, names that must
REQUESTS: list[tuple[str, str, bytes, set[str], set[str]]] = [
    (
        "nominated",
        "7.6.1",
        b"Connection: x-a, X-B\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\n",
        {"connection", "x-a", "x-b"},
        {"x-c"},
    ),
    (
        "nominated-on-two-lines",
        "7.6.1",
        b"Connection: x-a\r\nX-A: 1\r\nConnection:x-b\r\nX-B: 2\r\n",
        {"connection", "x-a", "x-b"},
        set(),
    ),
    ("nominated-twice-there", "7.6.1", b"Connection: x-a\r\nX-A: 1\r\nX-C: 3\r\nx-a: 2\r\n", {"x-a"}, {"x-c"}),
    ("nominated-before-it-stands", "7.6.1", b"X-A: 1\r\nConnection: X-A\r\n", {"connection", "x-a"}, set()),
    ("nominated-with-empty-members", "7.6.1", b"Connection: ,, x-a\t,\r\nX-A: 1\r\n", {"connection", "x-a"}, set()),
    (
        "nominated-traceparent",
        "7.6.1",
        b"Connection: traceparent\r\ntraceparent: 00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01\r\n",
        {"traceparent"},
        set(),
    ),
    (
        "nominated-session",
        "7.6.1",
        b"Connection: x-mirascope-session-id\r\nX-Mirascope-Session-Id: s\r\n",
        {"x-mirascope-session-id"},
        set(),
    ),
    ("nominated-cookie", "7.6.1", b"Connection: close, cookie\r\nCookie: a=b\r\n", {"cookie"}, set()),
    ("nominated-expect", "7.6.1", b"Connection: Expect\r\nExpect: 100-continue\r\n", {"expect", "connection"}, set()),
    (
        "nominated-max-forwards",
        "7.6.1",
        b"Connection: Max-Forwards\r\nMax-Forwards: 3\r\n",
        {"connection"},
        {"max-forwards"},
    ),
    ("keep-alive", "7.6.1", b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", {"keep-alive"}, set()),
    ("keep-alive-not-nominated", "7.6.1", b"Keep-Alive: timeout=5\r\n", {"keep-alive"}, set()),
    ("proxy-connection", "7.6.1", b"Proxy-Connection: keep-alive\r\n", {"proxy-connection"}, set()),
    ("te-codings", "10.1.4", b"TE: gzip\r\nConnection: TE\r\n", {"te", "connection"}, set()),
    ("te-not-nominated", "10.1.4", b"TE: gzip;q=0.5\r\n", {"te"}, set()),
    ("upgrade-not-nominated", "7.8", b"Upgrade: websocket\r\n", {"upgrade"}, set()),
    (
        "h2c",
        "7.8",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        {"upgrade", "http2-settings", "connection"},
        set(),
    ),
    (
        "h2c-in-disguise",
        "7.8",
        b'Connection: Upgrade\r\nUpgrade: "h2c", h2c;q=1, h2c x, \xa0h2c\r\n',
        {"upgrade", "connection"},
        set(),
    ),
    ("h2c-among-others", "7.8", b"Connection: Upgrade\r\nUpgrade: h2c, foo\r\n", {"h2c"}, set()),
    ("http2-settings-alone", "RFC 7540 3.2.1", b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n", {"http2-settings"}, set()),
    (
        "proxy-authorization",
        "11.7.2",
        b"Proxy-Authorization: Basic eDp5\r\nAuthorization: Basic eDp6\r\n",
        {"proxy-authorization"},
        {"authorization"},
    ),
]


@pytest.mark.parametrize(
    ("section", "fields", "absent", "present"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS]
)
@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
def test_request_fields(
    wire: Wire, section: str, fields: bytes, absent: set[str], present: set[str], piece: int
) -> None:
    """RFC 9110, the section in the row: connection fields and what they name are dropped, and only those."""
    seen = wire.passes(GET + fields + b"\r\n", piece=piece)
    names = set(seen.head.names())
    assert not names & absent, section
    assert names >= present
    assert b"h2c" not in seen.head.raw.lower()


@pytest.mark.parametrize("value", [b"trailers", b"trailers, gzip;q=0.5", b"gzip, Trailers"])
def test_te_trailers_alone_may_pass(wire: Wire, value: bytes) -> None:
    """RFC 9110 10.1.4: what passes of TE is `trailers`, nominated again by a Connection of our own."""
    seen = wire.passes(GET + b"TE: " + value + b"\r\nConnection: TE\r\n\r\n")
    if passed := seen.head.values("te"):
        assert passed == [b"trailers"]
        assert (seen.head.value("connection") or b"").lower() == b"te"


def test_te_trailers_passes(wire: Wire) -> None:
    """gRPC-Web and others look for it: `TE: trailers` is kept."""
    assert wire.passes(GET + b"TE: trailers\r\nConnection: TE\r\n\r\n").head.values("te") == [b"trailers"]


@pytest.mark.parametrize("nominated", [b"content-length", b"transfer-encoding", b"host"])
def test_connection_cannot_take_framing_away(wire: Wire, nominated: bytes) -> None:
    """RFC 9110 7.6.1: Connection may not name Content-Length, Transfer-Encoding or Host to any effect."""
    seen = wire.passes(
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: " + nominated + b"\r\n\r\nhello"
    )
    assert (seen.body, seen.framing, seen.head.value("host")) == (b"hello", "length", b"a")


def test_end_to_end_fields_pass_as_they_came(wire: Wire) -> None:
    """RFC 9110 5.3: order, letter case, duplicates, empty and 8-bit values of end-to-end fields survive."""
    fields = [
        (b"User-Agent", b"x/1 (a; b)"),
        (b"X-Dup", b"1"),
        (b"aCCEPT", b"*/*"),
        (b"x-dup", b"2"),
        (b"X-Empty", b""),
        (b"X-8bit", "ä€".encode()),
        (b"X-Inner", b"a  b\tc"),
        (b"Cookie", b'a="b;c"'),
        (b"x!#$%&'*+-.^_`|~1", b"token"),
        (b"Content_Type", b"underscore"),
    ]
    seen = wire.passes(GET + b"".join(name + b": " + value + b"\r\n" for name, value in fields) + b"\r\n")
    ours = {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    assert [field for field in seen.head.fields if field[0].lower().decode() not in ours] == fields


def test_nothing_is_added_but_what_is_documented(wire: Wire) -> None:
    """The sidecar adds Via and X-Forwarded-*, and nothing else: no trace where none came, no Connection, no Content-
    Length."""
    seen = wire.passes(GET + b"\r\n")
    assert set(seen.head.names()) == {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}


def test_response_fields(wire: Wire) -> None:
    """RFC 9110 7.6.1 in the other direction: what the app says of its connection stays there."""
    answer = wire.answers(
        b"HTTP/1.1 200 Fine\r\nServer: app\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nProxy-Connection: close\r\n"
        b"Upgrade: h2c\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-End: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    assert answer.head.start == (b"200", b"Fine")
    assert not set(answer.head.names()) & {"x-hop", "keep-alive", "proxy-connection", "upgrade"}
    assert b"close" not in b",".join(answer.head.values("connection"))
    assert [field for field in answer.head.fields if field[0].lower() == b"set-cookie"] == [
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]
    assert answer.head.value("x-end") == b"1"
    assert answer.head.value("server") == b"app"
    assert answer.body == b"ok"


def test_close_of_one_side_is_not_the_other_sides(wire: Wire) -> None:
    """RFC 9112 9.3: the app's `Connection: close` ends the app's connection, the client's stays open; and the other
    way round."""
    client = wire.client()
    client.send(GET + b"\r\n")
    first = wire.accept()
    first.answer(b"one", b"200 OK", b"Connection: close")
    assert client.response().body == b"one"
    assert first.is_ended()
    client.send(GET + b"Connection: close\r\n\r\n")
    second = wire.accept()
    assert b"close" not in (second.answer(b"two").head.value("connection") or b"")
    answer = client.response()
    assert (answer.body, answer.head.value("connection")) == (b"two", b"close")
    assert client.is_ended()
    other = wire.client()
    other.send(GET + b"\r\n")
    second.answer(b"three")
    assert other.response().body == b"three"


def test_http10_client(wire: Wire) -> None:
    """RFC 9112 9.3, 7.1: no chunks for HTTP/1.0, and the end of the connection after the response."""
    client = wire.client()
    client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    app = wire.accept()
    assert app.request().head.start[2] == b"1"
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    answer = client.response()
    assert (answer.framing, answer.body) == ("close", b"abc")


def test_http10_client_keeps_alive(wire: Wire) -> None:
    """RFC 9112 9.3 and Appendix C.2.2: an HTTP/1.0 client that asks for it keeps its connection, where the length is
    known."""
    client = wire.client()
    client.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    app = wire.accept()
    app.answer(b"one")
    answer = client.response()
    assert (answer.framing, answer.body) == ("length", b"one")
    assert answer.head.value("connection") == b"keep-alive"
    client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    app.answer(b"two")
    assert client.response().body == b"two"
    assert client.is_ended()


def test_a_proxy_keeps_no_http10_client(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """RFC 9112 9.3: the recipient of `keep-alive` in HTTP/1.0 must not heed it where it is a proxy."""
    client = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}}).client("outbound")
    client.send(b"GET " + upstream.url.encode() + b"/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    upstream.answer(b"one")
    answer = client.response()
    assert (answer.head.value("connection"), answer.body) == (b"close", b"one")
    assert client.is_ended()


def test_http10_without_host(wire: Wire) -> None:
    """RFC 9112 3.2: HTTP/1.0 may do without Host; what leaves is HTTP/1.1 and has one."""
    seen = wire.passes(b"GET /old HTTP/1.0\r\n\r\n")
    assert (seen.head.start[2], seen.head.value("host")) == (b"1", wire.upstream.authority)
