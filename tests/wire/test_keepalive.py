"""TCP keep-alive: what the sidecar's own ends of its connections are set to."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def keepalive_of(peer: socket.socket) -> tuple[int, ...]:
    """Of the other end of `peer`, which is in this process: on or off, idle time, interval, number of probes."""
    ends = peer.getpeername()[:2], peer.getsockname()[:2]
    for link in tuple(Path("/proc/self/fd").iterdir()):
        if not (link.is_symlink() and str(link.readlink()).startswith("socket:")):
            continue
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(link.name))) as found:
            if found.family != socket.AF_UNIX and (found.getsockname()[:2], found.getpeername()[:2]) == ends:
                return (
                    found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                    found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                    found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
                )
    raise AssertionError(f"no socket at {ends}")


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [({}, (1, 60, 10, 6)), ({"tcp_keepalive_s": 5}, (1, 5, 5, 6)), ({"tcp_keepalive_s": "200ms"}, (1, 1, 1, 6))],
)
def test_both_sides(
    start: Callable[..., Sidecar], upstream: Upstream, setting: dict[str, object], wanted: tuple[int, ...]
) -> None:
    """Client and app, and both ends of a tunnel: after 60 s, unless the settings say otherwise."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}, "timeouts": setting})
    client = sidecar.client()
    client.send(GET)
    app = upstream.accept()
    app.answer(b"ok")
    assert client.response().status == 200
    assert (keepalive_of(client.sock), keepalive_of(app.sock)) == (wanted, wanted)
    tunnel = sidecar.client("outbound")
    tunnel.send(b"CONNECT " + upstream.authority + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    far = upstream.accept()
    assert tunnel.response("CONNECT").status == 200
    assert (keepalive_of(tunnel.sock), keepalive_of(far.sock)) == (wanted, wanted)


def test_off(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """And on again, by a reload, for those who come then."""
    settings = {"inbound": {"app": upstream.url, "listen": LISTEN}, "admin": {"listen": "off"}}
    settings["outbound"] = {"listen": "off"}
    sidecar = start({**settings, "timeouts": {"tcp_keepalive_s": 0}})

    def both() -> tuple[int, int]:
        client = sidecar.client()
        client.send(GET)
        app = upstream.accept()
        app.answer(b"ok")
        assert client.response().status == 200
        return keepalive_of(client.sock)[0], keepalive_of(app.sock)[0]

    assert both() == (0, 0)
    sidecar.replace(settings)
    assert both() == (1, 1)
