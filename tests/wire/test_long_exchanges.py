"""Exchanges that last (event streams, WebSockets, CONNECT) do not use up what others need."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from lab.apps import Answering
from lab.messages import Message
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MANY = 257  # one more than 0.1 allowed


@pytest.mark.parametrize(("request_", "first"), [(GET, STREAM), (UPGRADE, SWITCH)], ids=["streams", "tunnels"])
def test_plain_requests_pass_beside_very_many(wire: Wire, request_: bytes, first: bytes) -> None:
    """By the default settings."""

    def answer(request: Message) -> bytes:
        return OK if request.target == b"/plain" else first

    with Answering(wire.upstream, answer):
        clients = [wire.client() for _ in range(MANY)]
        for client in clients:
            client.send(request_)
        for client in clients:
            client.until(b"event" if first is STREAM else b"\r\n\r\n")
        assert wire.client().ask(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok"
        metrics = wire.sidecar.metrics
        assert metrics.upstream("app").connections_open == (1 if first is SWITCH else MANY + 1)
        for client in clients:
            client.reset()


def test_a_tunnel_does_not_count(wired: Callable[..., Wire]) -> None:
    """Where there is a limit, it is one of exchanges."""
    wire = wired({"pool": {"max_connections": 1}})
    client = wire.client()
    client.send(UPGRADE)
    tunnel = wire.accept()
    tunnel.request()
    other = wire.client()
    other.send(GET)
    metrics = wire.sidecar.metrics.upstream("app")
    wire.sidecar.until(lambda: metrics.queued == 1)
    assert not wire.upstream.has_caller()
    tunnel.send(SWITCH)
    wire.accept().answer(b"beside")
    assert other.response().body == b"beside"
    client.until(b"\r\n\r\n")
    client.send(b"ping")
    assert tunnel.exactly(4) == b"ping"


def test_the_far_end_of_a_connect_is_a_file_descriptor(start: Callable[..., Sidecar]) -> None:
    """An idle connection makes room for it; where there is none, the client is told to come back."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}}, file_limit=64 + 2 * 2)
    metrics = sidecar.metrics.upstream("other")
    with closing(Upstream()) as one, closing(Upstream()) as two, closing(Upstream()) as far:
        client = sidecar.client("outbound")
        for upstream in (one, two):
            client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
            upstream.answer()
            assert client.response().status == 200
        connect = b"CONNECT " + far.authority + b" HTTP/1.1\r\nHost: " + far.authority + b"\r\n\r\n"
        client.send(connect)
        client.until(b" 200 Connection")
        assert metrics.idle_closed == {"file-descriptors": 1}


def test_what_limits_connections_is_told(wired: Callable[..., Wire]) -> None:
    wire = wired({"pool": {"max_connections": 7}, "limits": {"connections": 9}})
    wire.passes(GET)
    assert wire.sidecar.metrics.upstream("app").connections_limit == 7
    assert wire.sidecar.metrics.listener("inbound").connections_limit == 9
