"""What /metrics says of connections of HTTP/2: how many, their streams, who reset them, and how they ended."""

from __future__ import annotations

from collections.abc import Callable

from lab.h2 import CANCEL, DATA, GOAWAY, HEADERS, NO_ERROR, REFUSED_STREAM, RST_STREAM, App, Peer, frame
from lab.sidecar import Sidecar

from proxy.http2.engine.codes import STREAM_CLOSED

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]


def test_connections_and_streams_of_both_sides(start: Start, app: App, knock: Knock) -> None:
    sidecar = start({"inbound": {"app": app.url}})
    client = knock(sidecar)
    streams = [client.request("/a"), client.request("/b")]
    peer = app.accept()
    seen = [peer.frame(HEADERS) for _ in streams]
    down, up = sidecar.metrics.listener("inbound").http2, sidecar.metrics.upstream("app").http2
    sidecar.until(lambda: (down.streams_open, up.streams_open) == (2, 2))
    for one in seen:
        peer.headers(one.stream, [(":status", "204")], end=True)
    for stream in streams:
        assert client.answer(stream).status == 204
    sidecar.until(lambda: (down.streams_open, up.streams_open) == (0, 0))
    assert (down.streams_total, up.streams_total) == (2, 2)
    assert (down.connections_open, up.connections_open) == (1, 1)
    client.close()
    sidecar.until(lambda: down.connections_open == 0)
    assert down.connections_total == 1


def test_the_pool_counts_each_connection_and_each_request_on_it(start: Start, app: App, knock: Knock) -> None:
    """Opened, open, reused, closed for being idle, and those that could not be opened."""
    sidecar = start({"inbound": {"app": app.url}, "pool": {"idle_s": 0.2}})
    pool = sidecar.metrics.upstream("app")
    client = knock(sidecar)
    for number in range(3):
        stream = client.request("/")
        if not number:
            peer = app.accept()
        peer.headers(peer.frame(HEADERS).stream, [(":status", "204")], end=True)
        assert client.answer(stream).status == 204
        assert (pool.connects, pool.connections_open, pool.reused) == (1, 1, number)
    sidecar.until(lambda: pool.connections_open == 0)
    assert pool.idle_closed == {"timeout": 1}
    app.close()
    assert client.answer(client.request("/")).status == 502
    assert (pool.connects, pool.connect_failures) == (1, {"connection-refused": 1})


def test_clients_of_http_1_are_not_among_them(start: Start, app: App) -> None:
    sidecar = start({"inbound": {"app": app.url}})
    sidecar.ask(b"GET / HTTP/1.0\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n")
    assert sidecar.metrics.listener("inbound").connections_total == 1
    assert sidecar.metrics.listener("inbound").http2.connections_total == 0


def test_resets_and_goaways_by_direction_and_code(start: Start, app: App, knock: Knock) -> None:
    sidecar = start({"inbound": {"app": app.url}})
    client = knock(sidecar)
    stream = client.request("/")
    peer = app.accept()
    peer.frame(HEADERS)
    client.reset(stream, CANCEL)
    assert peer.frame(RST_STREAM).number == CANCEL
    down, up = sidecar.metrics.listener("inbound").http2, sidecar.metrics.upstream("app").http2
    assert down.resets == {("received", "CANCEL"): 1}
    assert up.resets == {("sent", "CANCEL"): 1}
    second = client.call()
    peer.reset(peer.frame(HEADERS).stream, 0xABCD)
    assert client.frame(RST_STREAM, stream=second)
    assert up.resets["received", "OTHER"] == 1  # whatever an upstream makes up is one series
    peer.send(frame(GOAWAY, 0, 0, bytes(4) + (0).to_bytes(4, "big")))
    sidecar.until(lambda: up.goaways.get(("received", "NO_ERROR")) == 1)
    client.send(frame(DATA, 0, 0, b"x"))
    assert client.goaway().number == 1
    assert down.goaways == {("sent", "PROTOCOL_ERROR"): 1}


def test_a_budget_that_is_used_up(start: Start, app: App, knock: Knock) -> None:
    sidecar = start({"inbound": {"app": app.url}, "clients": {"resets": 3, "resets_per_s": 1}})
    client = knock(sidecar)
    for _ in range(5):
        client.reset(client.request("/"))
    assert client.goaway().number == 11
    assert sidecar.metrics.listener("inbound").http2.goaways == {("sent", "ENHANCE_YOUR_CALM"): 1}


def test_a_request_beyond_the_limit_is_a_reset_as_well(start: Start, app: App, knock: Knock) -> None:
    """So are an answer that is whole before its request, and content behind the end of a stream."""
    sidecar = start({"inbound": {"app": app.url, "limits": {"streams": 1}}})
    client = knock(sidecar)
    first = client.request("/", method="POST", end=False)
    refused = client.request("/")
    assert client.frame(RST_STREAM, stream=refused).number == REFUSED_STREAM
    resets = sidecar.metrics.listener("inbound").http2.resets
    assert resets == {("sent", "REFUSED_STREAM"): 1}
    peer = app.accept()
    peer.headers(peer.frame(HEADERS).stream, [(":status", "204")], end=True)
    assert client.frame(RST_STREAM, stream=first).number == NO_ERROR
    assert resets["sent", "NO_ERROR"] == 1
    second = client.request("/")
    peer.headers(peer.frame(HEADERS).stream, [(":status", "204")], end=True)
    assert client.answer(second).status == 204
    client.data(second, b"late")
    assert client.frame(RST_STREAM, stream=second).number == STREAM_CLOSED
    assert resets["sent", "STREAM_CLOSED"] == 1
