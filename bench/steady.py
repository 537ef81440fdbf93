"""A constant rate of requests, far below a proxy's limit: the delay that it adds to a service in everyday use.

A request is sent when it is due, whatever the answers before it take.
One that finds no free connection waits for one, and its wait counts.
The client runs on the core of the load, as wrk does, and costs the same for each proxy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Final, cast

import uvloop

from bench import load

RATE: Final = 2000  # requests a second
_TICK_S: Final = 0.001
_PATIENCE_S: Final = 20.0  # for the last answers


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._received = b""
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, started: float) -> None:
        """Send `request`, which was due at `started`."""
        self._started = started
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received = b""
        self._client.answered(self, perf_counter() - self._started, is_good=head.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.lost += 1

    def close(self) -> None:
        """End it."""
        self._transport.close()


class _Client:
    """All connections, and what was measured."""

    def __init__(self, request: bytes, rate: int) -> None:
        self._request = request
        self._rate = rate
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()  # when they were due
        self.latencies_s: list[float] = []
        self.bad = 0
        self.lost = 0
        self.sent = 0

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(load.CONNECTIONS):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            self._idle.append(connection)

    async def run(self, seconds: float) -> None:
        """Send for `seconds`, and wait for the last answers."""
        loop = asyncio.get_running_loop()
        start = perf_counter()
        total = round(self._rate * seconds)
        while self.sent < total:
            now = perf_counter()
            for _ in range(min(total, int((now - start) * self._rate)) - self.sent):
                self._due(now)
            await asyncio.sleep(_TICK_S)
        until = loop.time() + _PATIENCE_S
        while len(self.latencies_s) + self.bad < total and loop.time() < until:  # noqa: ASYNC110 - the hot path pays for no event
            await asyncio.sleep(_TICK_S)
        lost, self.lost = self.lost, 0
        for connection in self._idle:
            connection.close()
        if self.bad or lost or len(self.latencies_s) != total:
            raise load.LoadError(
                f"at {self._rate} requests a second: {self.bad} bad answers, {lost} lost connections, "
                f"{total - len(self.latencies_s) - self.bad} of {total} unanswered"
            )

    def _due(self, now: float) -> None:
        self.sent += 1
        if self._idle:
            self._idle.popleft().send(self._request, now)
        else:
            self._waiting.append(now)

    def answered(self, connection: _Connection, latency_s: float, *, is_good: bool) -> None:
        """A connection is free again."""
        if is_good:
            self.latencies_s.append(latency_s)
        else:
            self.bad += 1
        if self._waiting:
            connection.send(self._request, self._waiting.popleft())
        else:
            self._idle.append(connection)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)


def run(port: int, seconds: float, *, traced: bool, rate: int = RATE) -> tuple[float, float]:
    """Load 127.0.0.1:`port`, `rate` requests a second; median and 99th percentile in ms. Raises LoadError."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in load.request_headers(traced=traced).items())
    request = f"GET /items?page=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n".encode()

    async def measure() -> list[float]:
        client = _Client(request, rate)
        await client.connect(port)
        await client.run(seconds)
        return sorted(client.latencies_s)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        latencies_s = runner.run(measure())
    return latencies_s[len(latencies_s) // 2] * 1e3, latencies_s[len(latencies_s) * 99 // 100] * 1e3
