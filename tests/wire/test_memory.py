"""A body of any size takes no memory: 1 GiB up and 1 GiB down, with a reader that stalls, adds less than 20 MiB to
the sidecar."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab.peers import Client, Upstream, UpstreamConnection
from lab.process import SidecarProcess
from lab.pump import MIB, pump
from lab.sidecar import LISTEN

GIB = 1024 * MIB
ALLOWED_KIB = 20 * 1024

pytestmark = pytest.mark.slow


@pytest.fixture
def process(upstream: Upstream) -> Iterator[SidecarProcess]:
    with SidecarProcess("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", upstream.url) as sidecar:
        yield sidecar


def exchange(process: SidecarProcess, upstream: Upstream, request: bytes) -> tuple[Client, UpstreamConnection]:
    client = process.client()
    client.send(request)
    app = upstream.accept()
    app.stream.request_head()
    return client, app


def idle_kib(process: SidecarProcess, upstream: Upstream) -> int:
    """What it holds after a first small exchange, as peaks are counted from here on."""
    client, app = exchange(process, upstream, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    app.reply()
    assert client.response().status == 200
    client.close()
    app.close()
    process.reset_peak()
    return process.memory_kib("VmRSS")


def test_one_gibibyte_down_to_a_client_that_stalls(process: SidecarProcess, upstream: Upstream) -> None:
    """A slow reader slows the app down; nothing is gathered."""
    idle = idle_kib(process, upstream)
    client, app = exchange(process, upstream, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
    client.stream.response_head()
    pump(app.sock, client.sock, GIB, stalls=4)
    assert process.memory_kib("VmHWM") - idle < ALLOWED_KIB


def test_one_gibibyte_up_to_an_app_that_stalls(process: SidecarProcess, upstream: Upstream) -> None:
    """A slow app slows the client down; nothing is gathered."""
    idle = idle_kib(process, upstream)
    client, app = exchange(process, upstream, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB)
    pump(client.sock, app.sock, GIB, stalls=4)
    app.reply(b"stored")
    assert client.response().body == b"stored"
    assert process.memory_kib("VmHWM") - idle < ALLOWED_KIB
