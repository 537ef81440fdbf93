"""A listener at several addresses: each serves by the same rules, and stays over reloads; `[::]` takes IPv4 as well."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab.peers import WAIT_S, Client, Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Sidecar, connect

from proxy.plan import Address

pytestmark = pytest.mark.logs

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OFF = {"outbound": {"listen": "off"}, "admin": {"listen": "off"}}


def served(address: Address, app: Upstream) -> bytes:
    """One exchange with whoever listens at `address`; the X-Forwarded-For that the app saw."""
    with contextlib.closing(Client(connect(address))) as client:
        client.send(GET)
        seen = app.answer(b"served")
        assert client.response().body == b"served"
    return seen.head.value("x-forwarded-for") or b""


def addresses(sidecar: Sidecar, listener: str = "inbound") -> tuple[Address, ...]:
    return sidecar.plane.addresses()[listener]


def is_open(address: Address) -> bool:
    try:
        connect(address).close()
    except OSError:
        return False
    return True


def test_each_serves(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
    """IPv4, IPv6 and a Unix socket at once; counted as one listener."""
    path = f"unix:{tmp_path / 'in.sock'}"
    sidecar = start({"inbound": {"listen": [LISTEN, "[::1]:0", path], "app": upstream.url}})
    found = addresses(sidecar)
    assert [str(address.host or address) for address in found] == ["127.0.0.1", "::1", path]
    for address in found:
        served(address, upstream)
    assert sidecar.metrics.listener("inbound").connections_total == 3


def test_what_stays_over_a_reload(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Sockets and connections, wherever in the list; what is new is opened, what has gone is closed."""
    sidecar = start({"inbound": {"listen": [LISTEN, "127.0.0.2:0"], "app": upstream.url}})
    first, second = addresses(sidecar)
    kept = Client(connect(first))
    kept.send(GET)
    upstream.answer(b"before")
    assert kept.response().body == b"before"
    inbound: dict[str, Any] = {"app": upstream.url, "listen": ["127.0.0.3:0", str(first)]}
    sidecar.replace({"inbound": inbound, **OFF})
    third, still = addresses(sidecar)
    assert (third.host, still) == ("127.0.0.3", first)
    assert not is_open(second)
    kept.send(GET)
    upstream.answer(b"after")
    assert kept.response().body == b"after"
    served(third, upstream)
    served(first, upstream)
    kept.close()


def test_an_address_goes_to_another_listener(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Its socket is never closed in between, and its next client is the other's."""
    sidecar = start(
        {"inbound": {"listen": [LISTEN, "127.0.0.2:0"], "app": upstream.url}, "outbound": {"listen": "[::1]:0"}}
    )
    first, moving = addresses(sidecar)
    (outbound,) = addresses(sidecar, "outbound")
    settings = {
        "inbound": {"listen": str(first), "app": upstream.url},
        "outbound": {"listen": [str(outbound), str(moving)]},
        "admin": {"listen": "off"},
    }
    sidecar.replace(settings)
    assert addresses(sidecar, "outbound") == (outbound, moving)
    assert served(first, upstream)
    with contextlib.closing(Client(connect(moving))) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
        upstream.answer(b"out")
        assert client.response().body == b"out"
    assert sidecar.metrics.listener("outbound").connections_total == 1


def test_one_that_is_taken_leaves_everything_as_it_was(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    sidecar = start({"inbound": {"listen": LISTEN, "app": upstream.url}})
    (first,) = addresses(sidecar)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = [str(first), "127.0.0.2:0", f"127.0.0.1:{taken.getsockname()[1]}"]
        with pytest.raises(Exception, match=rf"listener inbound cannot listen on {listen[2]}"):
            sidecar.replace({"inbound": {"listen": listen, "app": upstream.url}, **OFF})
    assert addresses(sidecar) == (first,)
    served(first, upstream)


def test_every_interface_of_both_families(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """`[::]` takes IPv4 clients as well, and they are known by their IPv4 address."""
    if Path("/proc/sys/net/ipv6/bindv6only").read_text().strip() != "0":
        pytest.skip("this system has it otherwise: net.ipv6.bindv6only")
    sidecar = start({"inbound": {"listen": "[::]:0", "app": upstream.url}, "forwarding": {"x_forwarded": True}})
    (address,) = addresses(sidecar)
    assert served(Address("127.0.0.1", address.port), upstream) == b"127.0.0.1"
    assert served(Address("::1", address.port), upstream) == b"::1"
    sidecar.until(lambda: len(sidecar.records) == 2)
    assert {record.client for record in sidecar.records} == {"127.0.0.1", "::1"}


def test_both_families_by_a_socket_each(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Written out, they do not get into each other's way."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sidecar = start({"inbound": {"listen": f"[::]:{port}, 0.0.0.0:{port}", "app": upstream.url}})
    assert addresses(sidecar) == (Address("::", port), Address("0.0.0.0", port))
    served(Address("127.0.0.1", port), upstream)
    served(Address("::1", port), upstream)


def test_the_start_names_each() -> None:
    with SidecarProcess("--inbound", f"{LISTEN},[::1]:0", "--outbound", "off", "--admin", "off") as sidecar:
        lines = [line for line in sidecar.log if "inbound listening on" in line]
    assert len(lines) == 2
    assert "inbound listening on 127.0.0.1:" in lines[0]
    assert "inbound listening on [::1]:" in lines[1]


def test_a_drain_closes_each(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """And who waits at either is still served."""
    sidecar = start({"inbound": {"listen": [LISTEN, "[::1]:0"], "app": upstream.url}})
    found = addresses(sidecar)
    with sidecar.standstill():
        waiting = [Client(connect(address)) for address in found]
        for client in waiting:
            client.send(GET)
        draining = sidecar.begin(sidecar.plane.drain(linger=False))
    for client in waiting:
        upstream.answer(b"last")
        assert client.response().body == b"last"
        client.close()
    assert draining.result(WAIT_S)
    assert not any(map(is_open, found))
