"""The gate against stalls: `make stall` (STALL_S=2 seconds for each flood).

A few connections send as fast as they can. Meanwhile every other request has to be answered in time: this is what
would break first if one turn of the event loop did all the work that a peer can send. It measures time, so it is not a
part of `make test`; there `test_turns.py` counts the work of a turn instead.

The floods need a machine that has little else to do: `test_nobody_floods` tells. What a busy one cannot falsify is
measured besides, in CPU time: the longest turn, and the heaviest heads that the limits let through.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter, thread_time

import pytest
from lab import heavy
from lab.pairs import Plane
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, connect

STALL_S = float(os.environ.get("STALL_S", "2"))
REQUEST_LIMIT_S = 0.025  # 99 of 100 requests
HEALTH_LIMIT_S = 0.050
HEAD_LIMIT_S = 0.002
TURN_LIMIT_S = 0.002
ROUNDS = 5  # the fastest counts
DICE = random.Random(8)
FLOOD = Path(__file__).parents[1] / "lab" / "flood.py"


@contextmanager
def flooding(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of `lab/flood.py`."""
    process = subprocess.Popen(
        [sys.executable, "-S", FLOOD, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Probe:
    """Sends one request after another on a kept connection, and takes the time of each."""

    def __init__(self, sidecar: SidecarProcess, listener: str, path: str) -> None:
        self._sock = connect(sidecar.addresses[listener])
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()
        self.times_s: list[float] = []

    def ask(self) -> None:
        start = perf_counter()
        self._sock.sendall(self._request)
        answer = self._sock.recv(65536)
        self.times_s.append(perf_counter() - start)
        assert answer.startswith(b"HTTP/1.1 200 "), answer

    def p99_s(self) -> float:
        return sorted(self.times_s)[int(len(self.times_s) * 0.99)]

    def close(self) -> None:
        self._sock.close()


def measure(sidecar: SidecarProcess) -> tuple[float, float]:
    """The 99th percentile of other requests, and of /healthz, in seconds."""
    probes = Probe(sidecar, "inbound", "/"), Probe(sidecar, "admin", "/healthz")
    until = monotonic() + STALL_S
    while monotonic() < until:
        for probe in probes:
            probe.ask()
            probe._sock.settimeout(30)
    request_s, health_s = (probe.p99_s() for probe in probes)
    print(f"{len(probes[0].times_s)} probes: p99 {request_s * 1000:.1f} ms, /healthz {health_s * 1000:.1f} ms", end=" ")
    for probe in probes:
        probe.close()
    return request_s, health_s


@pytest.fixture(scope="module")
def sidecar() -> Iterator[SidecarProcess]:
    with flooding("app") as app:
        assert app.stdout is not None
        url = f"http://127.0.0.1:{int(app.stdout.readline())}"
        with SidecarProcess("--inbound", LISTEN, "--outbound", "off", "--admin", LISTEN, "--app", url) as sidecar:
            yield sidecar


def test_nobody_floods(sidecar: SidecarProcess) -> None:
    """What this machine gives: where this fails, it is too busy for the rest to tell anything."""
    request_s, health_s = measure(sidecar)
    assert request_s < REQUEST_LIMIT_S
    assert health_s < HEALTH_LIMIT_S


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize(
    "kind,size", [*[(k, s) for k in ("up", "down") for s in (1, 10, 40, 100, 0)], ("pipelined", 0)]
)
def test_others_are_served_in_time(sidecar: SidecarProcess, kind: str, size: int, connections: int) -> None:
    """Whatever floods: chunks of `size` bytes, plain bytes (0), requests."""
    with flooding(kind, sidecar.addresses["inbound"].port, connections, size):
        measured = measure(sidecar)
    assert measured[0] < REQUEST_LIMIT_S, measured
    assert measured[1] < HEALTH_LIMIT_S, measured


@pytest.mark.parametrize("connections", [1, 4, 40])
@pytest.mark.parametrize("size", [1, 10, 100])
async def test_a_turn_is_short(size: int, connections: int) -> None:
    """Whoever sends chunks, and however many do: in CPU time of the event loop's thread, best of a few rounds."""
    longest_s = min([await longest_turn_s(size, connections) for _ in range(ROUNDS)])
    print(f"{longest_s * 1000:.2f} ms", end=" ")
    assert longest_s < TURN_LIMIT_S


async def longest_turn_s(size: int, connections: int) -> float:
    pairs = Plane().pairs(connections)
    for pair in pairs:
        pair.client.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        pair.client.data_received(b"%x\r\n%b\r\n" % (size, b"x" * size) * (256_000 // (size + 6)))
    longest_s, before = 0.0, thread_time()
    while any(pair.near.is_reading_paused for pair in pairs):
        await asyncio.sleep(0)
        longest_s, before = max(longest_s, thread_time() - before), thread_time()
    return longest_s


def cost_of_request(plane: Plane, lines: list[bytes], host: bytes = b"a") -> float:
    """Seconds from the bytes of a request to those of the upstream, or of a refusal."""
    [pair] = plane.pairs(1)
    head = b"\r\n".join([b"GET / HTTP/1.1", b"Host: " + host, *lines, b"", b""])
    start = thread_time()
    pair.client.data_received(head)
    taken_s = thread_time() - start
    pair.client.connection_lost(None)
    pair.upstream.connection_lost(None)
    return taken_s


def cost_of_response(plane: Plane, lines: list[bytes]) -> float:
    [pair] = plane.pairs(1)
    pair.client.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: 0", *lines, b"", b""])
    start = thread_time()
    pair.upstream.data_received(head)
    taken_s = thread_time() - start
    pair.client.connection_lost(None)
    pair.upstream.connection_lost(None)
    return taken_s


@pytest.mark.parametrize("kind", heavy.requests(DICE))
async def test_a_heavy_request_costs_little(kind: str) -> None:
    taken_s = min(cost_of_request(Plane(), heavy.requests(DICE)[kind]) for _ in range(ROUNDS))
    print(f"{taken_s * 1000:.2f} ms", end=" ")
    assert taken_s < HEAD_LIMIT_S


@pytest.mark.parametrize("kind", heavy.hosts())
async def test_a_heavy_host_costs_little(kind: str) -> None:
    """On a listener that looks for its upstream by name."""
    names = "*.internal", "10.0.0.0/8"
    taken_s = min(cost_of_request(Plane(names=names), [], heavy.hosts()[kind]) for _ in range(ROUNDS))
    print(f"{taken_s * 1000:.2f} ms", end=" ")
    assert taken_s < HEAD_LIMIT_S


@pytest.mark.parametrize("kind", heavy.responses(DICE))
async def test_a_heavy_response_costs_little(kind: str) -> None:
    taken_s = min(cost_of_response(Plane(), heavy.responses(DICE)[kind]) for _ in range(ROUNDS))
    print(f"{taken_s * 1000:.2f} ms", end=" ")
    assert taken_s < HEAD_LIMIT_S
