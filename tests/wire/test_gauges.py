"""Gauges of the data plane, which a tick sets: what is remembered of requests at the app, and of peers."""

from __future__ import annotations

from collections.abc import Callable

from lab.sidecar import LISTEN
from lab.wire import Wire

T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GET = b"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: 00-%b-%b-01\r\n\r\n" % (T.encode(), S.encode())


def test_what_is_at_the_app_is_counted_in_requests_and_bytes(wired: Callable[..., Wire]) -> None:
    """600 for each, beside what its format cannot carry."""
    wire = wired({"outbound": {"listen": LISTEN}})
    gauges = wire.sidecar.metrics.in_flight
    assert (gauges.remembered, gauges.size_bytes) == (0, 0)
    client = wire.client()
    client.send(GET)
    app = wire.upstream.busy()
    app.request()
    wire.sidecar.until(lambda: gauges.remembered == 1)
    assert gauges.size_bytes == 600
    app.reply()
    assert client.response().status == 200
    wire.sidecar.until(lambda: gauges.remembered == 0)
    assert gauges.size_bytes == 0


def test_peers_whose_format_is_remembered_are_counted(wired: Callable[..., Wire]) -> None:
    wire = wired({"propagation": {"mirror": True}})
    assert wire.sidecar.metrics.mirror_peers == 0
    wire.exchange(wire.client(), GET)
    wire.sidecar.until(lambda: wire.sidecar.metrics.mirror_peers == 1)


def test_a_tick_tells_how_much_work_was_put_off(wired: Callable[..., Wire]) -> None:
    wire = wired()
    assert wire.sidecar.metrics.put_off == 0
    client = wire.client()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 2000 + b"0\r\n\r\n"
    )
    assert len(wire.upstream.answer().body) == 2000
    assert client.response().status == 200
    wire.sidecar.until(lambda: wire.sidecar.metrics.put_off > 0)


def test_what_the_plane_says_of_itself(wired: Callable[..., Wire]) -> None:
    wire = wired({"outbound": {"listen": LISTEN}})
    plane = wire.sidecar.plane
    assert len(plane.name) == 12
    assert set(plane.addresses()) == {"inbound", "outbound"}
    client = wire.client()
    client.send(GET)
    app = wire.upstream.busy()
    app.request()
    assert [plane.in_flight(one) for one in ("inbound", "outbound", None)] == [1, 0, 1]
    assert plane.in_flight(tunnels=False) == 1
    app.reply()
    client.response()
