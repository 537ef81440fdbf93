"""What a console beside a sidecar costs its data plane, while 1000 spans a second come in: the growth of the p99.

Two sidecars run, one of them with `console.listen`. They are loaded in turn, so that what else the machine does
meets both. The client, the app, and the sender of spans are processes of their own.
"""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final, cast

import uvloop

from bench import steady
from bench.console.spans import bodies, renewed

RATE: Final = 500  # requests a second
SPANS_PER_S: Final = 1000
_BATCH: Final = 100
_ROUND_S: Final = 4.0
_WAIT_S: Final = 20.0
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def measure(rounds: int) -> dict[str, Any]:
    """The p99 of each round, in milliseconds."""
    with ExitStack() as stack:
        app = stack.enter_context(_running(_serve))
        otlp = _free_port()
        alone = stack.enter_context(_sidecar(app))
        console = ("--set", "console.listen=127.0.0.1:0", "--set", f"console.otlp=127.0.0.1:{otlp}")
        beside = stack.enter_context(_sidecar(app, *console))
        _await_port(otlp)
        stack.enter_context(_running(_send, otlp))
        found: dict[int, list[float]] = {alone: [], beside: []}
        for port in (alone, beside):  # warm up
            steady.run(port, 1.0, traced=True, rate=RATE)
        for number in range(rounds):
            for port in (alone, beside) if number % 2 else (beside, alone):
                found[port].append(round(steady.run(port, _ROUND_S, traced=True, rate=RATE)[1], 2))
    growth = [on - off for off, on in zip(found[alone], found[beside], strict=True)]
    return {
        "alone_p99_ms": found[alone],
        "beside_p99_ms": found[beside],
        "growth_ms": statistics.median(growth),
    }


@contextmanager
def _running(target: Any, *values: Any) -> Iterator[Any]:
    """A process that says one thing, and then runs until it is ended."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *values), daemon=True)
    process.start()
    try:
        assert ours.poll(_WAIT_S), f"{target.__name__} did not start"
        yield ours.recv()
    finally:
        process.terminate()
        process.join(_WAIT_S)


class _App(asyncio.Protocol):
    """Answers each head; requests have no content."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(_ANSWER)


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_App, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


def _send(pipe: Connection, port: int) -> None:
    """SPANS_PER_S, in batches, at a constant pace."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT_S)
    made = list(bodies(8, _BATCH))
    pipe.send(None)
    began = time.monotonic()
    number = 0
    while True:
        connection.request(
            "POST", "/v1/traces", renewed(made[number % len(made)]), {"Content-Type": "application/x-protobuf"}
        )
        connection.getresponse().read()
        number += 1
        time.sleep(max(0.0, began + number * _BATCH / SPANS_PER_S - time.monotonic()))


@contextmanager
def _sidecar(app: int, *more: str) -> Iterator[int]:
    """The port of its inbound listener."""
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy", "run", "--inbound", "127.0.0.1:0", "--app", f"http://127.0.0.1:{app}",
         "--outbound", "off", "--admin", "off", *more],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        port = 0
        for line in process.stderr:
            if "inbound" in line and "127.0.0.1:" in line:
                port = int(line.split("127.0.0.1:")[1].split()[0].rstrip(",;"))
            if "ready" in line:
                break
        assert port, "the sidecar did not start"
        yield port
    finally:
        process.terminate()
        process.wait(_WAIT_S)
        process.stderr.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _await_port(port: int) -> None:
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until, "the console did not start"
            time.sleep(0.05)
        else:
            return
