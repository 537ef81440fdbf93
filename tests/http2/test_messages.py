"""Messages between HTTP/2 and HTTP/2, and from one version of HTTP to the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hpack
import pytest
from lab.h2 import DATA, END_STREAM, HEADERS, RST_STREAM, Answer, App, Fields, Frame, Peer
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar

pytestmark = pytest.mark.logs

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]


@pytest.fixture
def across(start: Start, app: App, knock: Knock) -> Callable[..., tuple[Peer, Peer, Frame]]:
    """`across(fields)`: a request that has arrived at the app: the client, the app's end, and what it saw."""

    def make(
        fields: Fields | None = None, *, path: str = "/", method: str = "GET", end: bool = True, **inbound: Any
    ) -> tuple[Peer, Peer, Frame]:
        client = knock(start({"inbound": {"app": app.url, **inbound}}))
        client.request(path, fields, method=method, end=end)
        peer = app.accept()
        return client, peer, peer.frame(HEADERS)

    return make


def names(fields: Fields) -> list[str]:
    return [name for name, _ in fields]


# --- HTTP/2 to HTTP/2


def test_fields_arrive_in_order_and_once(across: Callable[..., Any]) -> None:
    fields = [("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")]
    _, _, seen = across(fields, path="/a?b=c")
    assert seen.flags & END_STREAM
    assert seen.fields[:4] == [(":method", "GET"), (":scheme", "http"), (":path", "/a?b=c"), (":authority", "app.test")]
    assert seen.fields[4:10] == [*fields[:5], ("te", "trailers")]
    assert names(seen.fields[10:]) == ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]


def test_what_is_hop_by_hop_or_ours_does_not_arrive(across: Callable[..., Any]) -> None:
    _, _, seen = across([("proxy-authorization", "secret"), ("x_forwarded_for", "10.0.0.1"), ("http2-settings", "x")])
    assert not {"proxy-authorization", "x_forwarded_for", "http2-settings"} & set(names(seen.fields))


def test_forwarding_fields_are_added_to(across: Callable[..., Any]) -> None:
    given = [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "shop")]
    _, _, seen = across(given)
    told = dict(seen.fields)
    assert (told["x-forwarded-for"], told["x-forwarded-proto"], told["x-forwarded-host"]) == (
        "10.0.0.1, 127.0.0.1",
        "https",
        "shop",
    )


def test_a_secret_stays_out_of_every_table(across: Callable[..., Any]) -> None:
    """RFC 7541, 7.1.3: what its sender never indexes, no hop does."""
    client, peer, _ = across()
    head = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "app.test")]
    secret = hpack.NeverIndexedHeaderTuple("authorization", "Bearer x")
    block = client.encoder.encode([*head, secret])
    client.send(len(block).to_bytes(3, "big") + bytes((HEADERS, 5)) + (3).to_bytes(4, "big") + block)
    seen = peer.frame(HEADERS)
    assert ("authorization", "Bearer x") in seen.fields
    assert b"\x1f\x08\x08Bearer x" in seen.payload, "a literal that is never indexed, its name from the static table"


def test_interim_responses_and_trailers(across: Callable[..., Any]) -> None:
    client, peer, seen = across()
    peer.headers(seen.stream, [(":status", "103"), ("link", "</a>")])
    peer.headers(seen.stream, [(":status", "200"), ("trailer", "x-sum")])
    peer.data(seen.stream, b"content")
    peer.headers(seen.stream, [("x-sum", "1"), ("transfer-encoding-x", "2"), ("content-type", "no")], end=True)
    assert dict(client.frame(HEADERS).fields)[":status"] == "103"
    told = client.answer(1)
    assert (told.body, told.trailers) == (b"content", [("x-sum", "1"), ("transfer-encoding-x", "2")])
    assert told.field("trailer") == "x-sum"


def test_requests_have_trailers_too(across: Callable[..., Any]) -> None:
    client, peer, seen = across(method="POST", end=False)
    client.data(1, b"content")
    client.headers(1, [("x-sum", "1"), ("traceparent", "no")], end=True)
    assert peer.frame(DATA).payload == b"content"
    assert peer.frame(HEADERS).fields == [("x-sum", "1")]
    peer.headers(seen.stream, [(":status", "204")], end=True)
    assert client.answer(1).status == 204


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200"), ("GET", "304")])
def test_a_length_without_content(across: Callable[..., Any], method: str, status: str) -> None:
    client, peer, seen = across(method=method)
    peer.headers(seen.stream, [(":status", status), ("content-length", "100")], end=True)
    told: Answer = client.answer(1)
    assert (told.field("content-length"), told.body) == ("100", b"")


def test_a_date_is_added_where_there_is_none(across: Callable[..., Any]) -> None:
    client, peer, seen = across()
    peer.headers(seen.stream, [(":status", "200")], end=True)
    assert client.answer(1).field("date")


def test_a_websocket_over_http2(start: Start, app: App, knock: Knock) -> None:
    """RFC 8441, towards an app that is said to speak HTTP/2; its silence is a tunnel's."""
    app._values = {"_8": 1}
    waits = {"response_body_s": 0.1, "body_read_s": 0.1}
    client = knock(start({"inbound": {"app": app.url, "http2": "always", "timeouts": waits}}))
    first = client.request("/first")
    peer = app.accept()
    peer.headers(peer.frame(HEADERS).stream, [(":status", "204")], end=True)
    assert client.answer(first).status == 204
    assert client.their_settings[8] == 1
    head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat")]
    client.headers(3, [*head, (":authority", "app.test"), ("sec-websocket-version", "13")])
    seen = peer.frame(HEADERS)
    told = dict(seen.fields)
    assert (told[":method"], told[":protocol"], told[":path"]) == ("CONNECT", "websocket", "/chat")
    peer.headers(seen.stream, [(":status", "200")])
    assert dict(client.frame(HEADERS).fields)[":status"] == "200"
    for _ in range(3):
        client.data(3, b"to")
        assert peer.frame(DATA).payload == b"to"
        peer.data(seen.stream, b"fro")
        assert client.frame(DATA).payload == b"fro"
    client.data(3, b"", end=True)
    assert peer.frame(DATA).ends
    peer.data(seen.stream, b"bye", end=True)
    assert client.frame(DATA).payload == b"bye"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("x-a", "1")] * 101, 431),
        ([("x-a", "x" * 70_000)], 431),
        ([("expect", "something")], 417),
        ([("content-length", "11")], 413),
    ],
    ids=["too many", "too large", "expectation", "body"],
)
def test_requests_beyond_the_limits(start: Start, app: App, knock: Knock, fields: Fields, status: int) -> None:
    client = knock(start({"inbound": {"app": app.url, "limits": {"body_bytes": 10}}}))
    is_large = len(fields[0][1]) > 16384
    stream = _large(client, fields) if is_large else client.request(fields=fields, method="POST", end=False)
    told = client.answer(stream)
    assert told.status == status
    assert told.field("content-type") == "application/problem+json"


def _large(client: Peer, fields: Fields) -> int:
    head = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
    block = client.encoder.encode([*head, *fields], huffman=False)
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    for number, piece in enumerate(pieces):
        kind, flags = (HEADERS, 1) if not number else (9, 0)
        flags |= 4 if number == len(pieces) - 1 else 0
        client.send(len(piece).to_bytes(3, "big") + bytes((kind, flags)) + (1).to_bytes(4, "big") + piece)
    return 1


def test_a_body_that_grows_beyond_its_limit(start: Start, app: App, knock: Knock) -> None:
    """The request is reset at the app, and on record."""
    sidecar = start({"inbound": {"app": app.url, "limits": {"body_bytes": 10}}})
    client = knock(sidecar)
    stream = client.request(method="POST", end=False)
    peer = app.accept()
    seen = peer.frame(HEADERS)
    client.data(stream, b"x" * 11)
    assert client.answer(stream).status == 413
    assert peer.frame(RST_STREAM).stream == seen.stream
    sidecar.until(lambda: sidecar.records)
    (record,) = sidecar.records
    assert (record.method, record.status, record.error) == ("POST", 413, "body-too-large")


def test_a_loop_is_found(start: Start, knock: Knock) -> None:
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "forwarding": {"via": True}})
    client = knock(sidecar, "outbound")
    name = sidecar.plane._doors["outbound"].listener.rules.pseudonym.decode()
    assert client.answer(client.request(fields=[("via", f"2.0 {name}")])).status == 508


# --- HTTP/2 to HTTP/1.1


@pytest.fixture
def down(start: Start, upstream: Upstream, knock: Knock) -> Peer:
    """A client of HTTP/2, of an app that speaks HTTP/1.1."""
    return knock(start({"inbound": {"app": upstream.url, "http2": "never"}}))


def test_a_request_for_http_1(down: Peer, upstream: Upstream) -> None:
    """Pieces of a cookie are one field there (RFC 9113, 8.2.3), and trace fields have their usual spelling."""
    fields = [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("te", "trailers"), ("content-length", "7")]
    stream = down.request("/a?b", fields, method="POST", end=False)
    down.data(stream, b"content", end=True)
    seen = upstream.answer(b"ok", b"200 OK", b"Connection: close", b"Keep-Alive: timeout=5", b"X-B: 2")
    assert (seen.method, seen.body) == (b"POST", b"content")
    assert seen.head.value("cookie") == b"a=1; b=2"
    assert (seen.head.value("host"), seen.head.value("content-length")) == (b"app.test", b"7")
    told = down.answer(stream)
    assert (told.status, told.body, told.field("x-b")) == (200, b"ok", "2")
    assert not {"connection", "keep-alive", "transfer-encoding"} & set(names(told.fields))


def test_content_of_unknown_length_becomes_chunks_and_back(down: Peer, upstream: Upstream) -> None:
    stream = down.request(method="POST", end=False)
    down.data(stream, b"one")
    app = upstream.accept()
    assert b"Transfer-Encoding: chunked" in app.until(b"\r\n\r\n")
    down.data(stream, b"two", end=True)
    assert app.exactly(21) == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")
    told = down.answer(stream)
    assert (told.body, told.trailers) == (b"ok", [("x-sum", "1")])


def test_a_broken_answer_of_http_1(down: Peer, upstream: Upstream) -> None:
    stream = down.request()
    app = upstream.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close()
    assert down.frame(HEADERS).stream == stream
    assert down.frame(DATA).payload == b"half"
    assert down.frame(RST_STREAM).stream == stream


def test_many_streams_over_few_connections(start: Start, upstream: Upstream, knock: Knock) -> None:
    pool = {"max_connections": 1}
    client = knock(start({"inbound": {"app": upstream.url, "http2": "never", "pool": pool}}))
    asked = [client.request(f"/{number}") for number in range(5)]
    for number in range(5):
        assert upstream.answer(b"%d" % number).target == b"/%d" % number
    assert [client.answer(stream).body for stream in asked] == [b"%d" % number for number in range(5)]


# --- HTTP/1.1 to HTTP/2


def test_a_request_of_http_1(start: Start, app: App) -> None:
    sidecar = start({"inbound": {"app": app.url, "http2": "always"}})
    old = sidecar.client()
    old.send(
        b"POST /a?b HTTP/1.1\r\nHost: app.test\r\nConnection: X-C, TE\r\nX-C: no\r\nTE: trailers\r\nX-A: 1\r\n"
        b"X-B3-TraceId: 463ac35c9f6413ad48485a3953bb6124\r\nX-B3-SpanId: a2fb4a1d1a96d312\r\nX-B3-Sampled: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    peer = app.accept()
    seen = peer.frame(HEADERS)
    assert seen.fields[:4] == [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a?b"),
        (":authority", "app.test"),
    ]
    assert {("te", "trailers"), ("x-a", "1")} <= set(seen.fields)
    assert dict(seen.fields)["traceparent"] == "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01"
    assert not {"x-c", "connection", "transfer-encoding", "x-b3-traceid"} & set(names(seen.fields))
    assert peer.frame(DATA).payload == b"one"
    assert peer.frame(HEADERS).fields == [("x-sum", "1")]
    peer.headers(seen.stream, [(":status", "200"), ("x-b", "2")])
    peer.data(seen.stream, b"content")
    peer.headers(seen.stream, [("x-end", "3")], end=True)
    told = old.response("POST")
    assert (told.status, told.body, told.head.value("x-b")) == (200, b"content", b"2")


def test_an_upgrade_goes_by_http_1_where_either_is_spoken(start: Start, upstream: Upstream) -> None:
    sidecar = start({"inbound": {"app": upstream.url}})
    old = sidecar.client()
    old.send(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    app = upstream.accept()
    app.request()
    app.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    assert old.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    assert old.exactly(5) == b"hello"


def test_an_upgrade_towards_http2_alone_is_refused(start: Start, app: App) -> None:
    old = start({"inbound": {"app": app.url, "http2": "always"}}).client()
    old.send(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    app.accept()
    told = old.response()
    assert told.status == 502
    assert b"takes no protocol but HTTP" in told.body


def test_an_app_that_waits_behind_the_preface_gets_http_1(start: Start, upstream: Upstream, knock: Knock) -> None:
    """It neither answers the preface nor closes: after `connect_s` it is taken for an app of HTTP/1.1."""
    client = knock(start({"inbound": {"app": upstream.url, "timeouts": {"connect_s": 0.2}}}))
    stream = client.request("/a")
    silent = upstream.accept()
    assert silent.until(b"\r\n\r\n") == b"PRI * HTTP/2.0"
    assert upstream.accept().answer(b"ok").target == b"/a"
    assert client.answer(stream).body == b"ok"


def test_max_forwards_is_counted_down_until_we_answer(across: Callable[..., Any]) -> None:
    """RFC 9110, 7.6.2."""
    client, _, seen = across([("max-forwards", "1")], method="OPTIONS")
    assert dict(seen.fields)["max-forwards"] == "0"
    client.request("/", [("max-forwards", "0")], method="OPTIONS")
    assert dict(client.frame(HEADERS).fields)[":status"] == "200"


def test_a_header_list_beyond_what_the_app_takes_is_not_sent(start: Start, knock: Knock) -> None:
    """SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113, 6.5.2): 431, or RESOURCE_EXHAUSTED; smaller ones go on."""
    app = App(_6=1000)
    client = knock(start({"inbound": {"app": app.url}}))
    large = [("x-large", "v" * 900)]
    first = client.request("/", large)
    peer = app.accept()
    told = client.answer(first)
    assert told.status == 431
    assert b"SETTINGS_MAX_HEADER_LIST_SIZE" in told.body
    refused = client.answer(client.call(fields=large, end=True))
    assert refused.field("grpc-status") == "8"
    asked = client.request("/small", [("x-small", "v" * 300)])
    seen = peer.frame(HEADERS)
    assert (seen.stream, dict(seen.fields)[":path"]) == (1, "/small")
    peer.headers(seen.stream, [(":status", "204")], end=True)
    assert client.answer(asked).status == 204
    app.close()


def test_trace_with_content_is_refused(start: Start, app: App, knock: Knock) -> None:
    """RFC 9110, 9.3.8; without content it passes, where the settings let it."""
    settings = {"inbound": {"app": app.url}, "limits": {"refused_methods": []}}
    client = knock(start(settings))
    client.request("/", [], method="TRACE", end=False)
    assert dict(client.frame(HEADERS).fields)[":status"] == "400"
    client.request("/", [], method="TRACE")
    assert dict(app.accept().frame(HEADERS).fields)[":method"] == "TRACE"
