"""What one client address may have open, where the settings bound it; and turns between addresses in a queue."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.peers import WAIT_S, Client, Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire, check_problem

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


def client_from(sidecar: Sidecar, address: str, listener: str = "inbound") -> Client:
    """A connection from another address of this machine's."""
    there = sidecar.addresses[listener]
    sock = socket.create_connection((there.host, there.port), WAIT_S, source_address=(address, 0))
    client = Client(sock, sidecar.settle)
    sidecar._clients.append(client)
    return client


def is_refused(client: Client) -> bool:
    return client.is_ended()


def test_connections_of_one_address(wired: Callable[..., Wire]) -> None:
    """`clients.max_connections`: one too many is closed at once, others are not touched, and a place comes back."""
    wire = wired({"clients": {"max_connections": 2}})
    first, second = wire.client(), wire.client()
    wire.settle()
    assert is_refused(wire.client())
    other = client_from(wire.sidecar, "127.0.0.2")
    for client in (first, second, other):
        wire.exchange(client, GET)
    first.close()
    metrics = wire.sidecar.metrics.listener("inbound")
    wire.sidecar.until(lambda: metrics.connections_open == 2)
    wire.exchange(wire.client(), GET)
    assert metrics.connections_refused == {"per-client": 1}


def test_requests_of_one_address(wired: Callable[..., Wire]) -> None:
    """`clients.max_exchanges`: one too many is 429, others are not touched, and a place comes back."""
    wire = wired({"clients": {"max_exchanges": 1}})
    first, second = wire.client(), wire.client()
    first.send(GET)
    app = wire.accept()
    app.request()
    answer = second.ask(GET)
    check_problem(answer, 429, b"http_request_denied")
    assert answer.head.value("retry-after") == b"1"
    other = client_from(wire.sidecar, "127.0.0.2")
    other.send(GET)
    wire.accept().answer()
    assert other.response().status == 200
    app.reply()
    assert first.response().status == 200
    wire.exchange(wire.client(), GET)
    assert wire.sidecar.metrics.listener("inbound").protocol_errors == {"client-limit": 1}


def test_a_request_that_was_refused_or_abandoned_gives_its_place_back(wired: Callable[..., Wire]) -> None:
    wire = wired({"clients": {"max_exchanges": 1}, "limits": {"body_bytes": 10}})
    for request in (
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
    ):
        assert wire.client().ask(request).status in (400, 413)
    leaver = wire.client()
    leaver.send(GET)
    app = wire.accept()
    app.request()
    leaver.close()
    app.to_end()
    wire.exchange(wire.client(), GET)


def test_tunnels_count_as_requests(wired: Callable[..., Wire]) -> None:
    wire = wired({"clients": {"max_exchanges": 1}})
    client = wire.client()
    client.send(UPGRADE)
    app = wire.accept()
    app.request()
    app.send(SWITCH)
    client.until(b"\r\n\r\n")
    assert wire.client().ask(GET).status == 429
    client.close()
    app.to_end()
    app.close()
    wire.sidecar.until(lambda: not wire.sidecar.plane.in_flight())
    wire.exchange(wire.client(), GET)


def test_connects_count_as_requests(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "clients": {"max_exchanges": 1}})
    connect = b"CONNECT " + upstream.authority + b" HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n"
    client = sidecar.client("outbound")
    client.send(connect)
    client.until(b"\r\n\r\n")
    assert sidecar.ask(connect, "outbound").status == 429
    client.reset()
    sidecar.until(lambda: not sidecar.plane.in_flight())
    again = sidecar.client("outbound")
    again.send(connect)
    assert again.until(b"\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("proxies", [["127.0.0.0/8"], ["127.0.0.1"], ["10.0.0.0/8", "::ffff:127.0.0.1"]])
def test_a_proxy_is_not_bounded(wired: Callable[..., Wire], proxies: list[str]) -> None:
    """`clients.proxies`."""
    wire = wired({"clients": {"max_connections": 1, "max_exchanges": 1, "proxies": proxies}})
    clients = [wire.client() for _ in range(3)]
    for client in clients:
        client.send(GET)
    apps = [wire.accept() for _ in clients]
    for app in apps:
        app.request()
    for app in apps:
        app.reply()
    assert [client.response().status for client in clients] == [200] * 3


def test_a_unix_socket_has_no_address_to_bound(
    start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path
) -> None:
    limits = {"max_connections": 1, "max_exchanges": 1}
    sidecar = start({"inbound": {"listen": f"unix:{tmp_path}/in", "app": upstream.url}, "clients": limits})
    clients = [sidecar.client() for _ in range(2)]
    for client in clients:
        client.send(GET)
    apps = [upstream.accept() for _ in clients]
    for app in apps:
        app.request()
    for app in apps:
        app.reply()
    assert [client.response().status for client in clients] == [200] * 2


def test_a_reload_counts_what_is_open(wire: Wire) -> None:
    """Bounds that are new hold for the connections and requests that were there."""
    first = wire.client()
    first.send(GET)
    app = wire.accept()
    app.request()
    second = wire.client()
    wire.settle()
    inbound = {"listen": LISTEN, "app": wire.upstream.url, "clients": {"max_connections": 2, "max_exchanges": 1}}
    wire.sidecar.replace({"inbound": inbound, "outbound": {"listen": "off"}})
    assert is_refused(wire.client())
    assert second.ask(GET).status == 429
    app.reply()
    assert first.response().status == 200
    wire.exchange(first, GET)


def test_clients_take_turns_in_a_queue(wired: Callable[..., Wire]) -> None:
    """One with many requests does not hold up another."""
    wire = wired({"pool": {"max_connections": 1}})
    busy = wire.client()
    busy.send(GET)
    app = wire.accept()
    app.request()
    metrics = wire.sidecar.metrics.upstream("app")
    many = [wire.client() for _ in range(3)]
    for number, client in enumerate(many):
        client.send(b"GET /many/%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        wire.sidecar.until(lambda queued=number + 1: metrics.queued == queued)
    other = client_from(wire.sidecar, "127.0.0.2")
    other.send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.sidecar.until(lambda: metrics.queued == 4)
    app.reply()
    assert [app.answer().target for _ in range(4)] == [b"/many/0", b"/other", b"/many/1", b"/many/2"]
