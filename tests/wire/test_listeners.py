"""Where a sidecar listens: addresses that are taken, Unix sockets and their files, clients beyond what it can hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lab.apps import Answering
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

from proxy.errors import StartError

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_taken_address_is_named_and_nothing_stays_bound(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """The error names the listener and the address."""
    with closing(Upstream()) as taken:
        outbound = {"listen": f"127.0.0.1:{taken.port}"}
        told = rf"listener outbound cannot listen on 127\.0\.0\.1:{taken.port}: .*in use"
        with pytest.raises(StartError, match=told):
            start({"inbound": {"app": upstream.url}, "outbound": outbound})
    assert start({"inbound": {"listen": "off"}, "outbound": outbound}).addresses["outbound"].port == taken.port


def test_unix_sockets_on_both_sides(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """A file that a dead sidecar left is no obstacle, ours is gone afterwards, and there is no address to tell."""
    with closing(Upstream(unix_path=tmp_path / "app")) as app:
        for _ in range(2):
            sidecar = start({"inbound": {"listen": f"unix:{tmp_path}/in", "app": app.url}})
            client = sidecar.client()
            client.send(GET)
            assert app.accept().answer().head.value("x-forwarded-for") is None
            assert client.response().status == 200
            sidecar.stop()
            assert not (tmp_path / "in").exists()
            Upstream(unix_path=tmp_path / "in").close()  # leaves its file
    (tmp_path / "in").unlink()


def test_a_unix_socket_in_use_is_not_stolen(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    with closing(Upstream(unix_path=tmp_path / "app")) as app:
        with pytest.raises(StartError, match="in use"):
            start({"inbound": {"listen": app.url, "app": "http://127.0.0.1:1"}})
        assert (tmp_path / "app").exists()


def test_a_file_that_took_the_place_of_our_socket_stays(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    path = tmp_path / "in"
    sidecar = start({"inbound": {"listen": f"unix:{path}", "app": "http://127.0.0.1:1"}})
    path.rename(tmp_path / "was")
    path.write_text("mine")
    sidecar.stop()
    assert path.read_text() == "mine"


def test_ipv6_clients_and_hosts_are_told_as_they_are(start: Callable[..., Sidecar]) -> None:
    """X-Forwarded-For without brackets, Host with."""
    with closing(Upstream("::1")) as app:
        sidecar = start({"inbound": {"listen": "[::1]:0", "app": app.url, "host": "target"}})
        client = sidecar.client()
        client.send(GET)
        head = app.accept().answer().head
        assert (head.value("host"), head.value("x-forwarded-for")) == (b"[::1]:%d" % app.port, b"::1")
        assert client.response().status == 200


def test_clients_beyond_the_file_descriptors_are_closed_and_counted(
    start: Callable[..., Sidecar], upstream: Upstream
) -> None:
    """A process with few file descriptors still answers those whom it takes. When one goes, another may come."""
    with Answering(upstream):
        sidecar = start({"inbound": {"app": upstream.url}}, file_limit=64 + 2 * 3)
        clients = [sidecar.client() for _ in range(5)]
        metrics = sidecar.metrics.listener("inbound")
        sidecar.until(lambda: metrics.connections_refused == {"file-descriptors": 2})
        assert [client.ask(GET).status for client in clients[:3]] == [200] * 3
        clients[0].close()
        sidecar.until(lambda: metrics.connections_open == 2)
        assert sidecar.ask(GET).status == 200


def test_idle_connections_to_upstreams_make_room_for_other_upstreams(start: Callable[..., Sidecar]) -> None:
    """Where file descriptors are few. One that cannot be made gives its own back."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}}, file_limit=64 + 2 * 2)
    client = sidecar.client("outbound")
    metrics = sidecar.metrics.upstream("other")
    upstreams = [Upstream() for _ in range(5)]
    for upstream in upstreams:
        client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
        upstream.answer()
        assert client.response().status == 200
        sidecar.until(lambda: metrics.connections_open <= 2)
    assert metrics.idle_closed == {"file-descriptors": 3}
    for _ in range(3):
        assert client.ask(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n").status == 502
    client.send(b"GET / HTTP/1.1\r\nHost: " + upstreams[-1].authority + b"\r\n\r\n")
    upstreams[-1].answer()
    assert client.response().status == 200
    for upstream in upstreams:
        upstream.close()


def test_one_client_too_many_is_counted(wired: Callable[..., Wire]) -> None:
    """`limits.connections`."""
    wire = wired({"limits": {"connections": 1}})
    first = wire.client()
    wire.settle()
    assert wire.client().to_end() == b""
    assert wire.sidecar.metrics.listener("inbound").connections_refused == {"limit": 1}
    wire.exchange(first, GET)
