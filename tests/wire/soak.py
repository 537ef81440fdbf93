"""The long run: `make soak` (SOAK_S seconds of mixed load with faults, default 60; then bodies of 1 GiB in every
framing).

What must hold whatever happens: no answer reaches another client than the one who asked; what looks whole is whole;
the sidecar
lives, its memory stays, and when all is over every connection is gone.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.pump import MIB, pump
from lab.sidecar import LISTEN

SOAK_S = float(os.environ.get("SOAK_S", "60"))
CLIENTS = 24
GROWTH_KIB = 20 * 1024


@pytest.fixture
def seed() -> int:
    """Printed with a failure, so that it can be run again."""
    chosen = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"SOAK_SEED={chosen}")
    return chosen


class FaultyApp:
    """Echoes `id` and body of a request, or breaks off in one of the ways that apps do."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # cancelled: the load is over, and this connection with it
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        fault = self.random.random()
        if fault < 0.02:
            writer.transport.abort()
            return False
        body = await read_body(reader, head)
        answer = head.split(b" ", 2)[1] + b" " + body
        if fault < 0.04:
            return False
        if fault < 0.06:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(answer) + 10) + answer)
            return False
        if fault < 0.08:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(answer), answer))
            return False
        if fault < 0.10:
            writer.write(b"nonsense\r\n\r\n")
            return False
        if fault < 0.15:
            await asyncio.sleep(self.random.random() * 0.2)
        kind = self.random.randrange(3)
        surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison" if fault > 0.97 else b""
        if kind == 0:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer + surplus)
        elif kind == 1:
            writer.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(answer), answer)
            )
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answer)
        await writer.drain()
        return kind != 2


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The body that `head` announces; what the sidecar writes is never in doubt, so this is plain."""
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lower:
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return body
    marker = lower.find(b"\r\ncontent-length:")
    if marker < 0:
        return b""
    return await reader.readexactly(int(lower[marker + 17 :].split(b"\r\n", 1)[0]))


async def ask(port: int, who: int, until: float, seen: Counter[str], rng: random.Random) -> None:
    """One client: requests one after another, whole or broken off, each answer compared with what was asked."""
    loop, turn = asyncio.get_running_loop(), 0
    while loop.time() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while loop.time() < until:
                turn += 1
                path = b"/%d/%d" % (who, turn)
                body = rng.randbytes(rng.choice((0, 10, 1000, 100_000)))
                framing = rng.randrange(2)
                sent = (b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n") if framing else body
                head = (
                    b"POST "
                    + path
                    + b" HTTP/1.1\r\nHost: a\r\nX-B3-TraceId: %032x\r\nX-B3-SpanId: %016x\r\n" % (turn + 1, turn + 1)
                )
                head += b"Transfer-Encoding: chunked\r\n\r\n" if framing else b"Content-Length: %d\r\n\r\n" % len(body)
                if rng.random() < 0.03:
                    writer.write((head + sent)[: rng.randrange(len(head + sent))])
                    writer.transport.abort() if rng.random() < 0.5 else writer.close()
                    seen["client broke off"] += 1
                    break
                writer.write(head + sent)
                if rng.random() < 0.02:
                    writer.transport.abort()
                    seen["client left"] += 1
                    break
                async with asyncio.timeout(20):
                    answer_head = await reader.readuntil(b"\r\n\r\n")
                    answer = await read_body(reader, answer_head)
                status = answer_head[9:12].decode()
                seen[status] += 1
                if status == "200":
                    assert answer == path + b" " + body, (path, answer[:60])
                else:
                    assert status == "502", answer_head
                if b"\r\nconnection: close\r\n" in answer_head.lower():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            seen["cut"] += 1
        finally:
            writer.close()


async def test_mixed_load_with_faults(seed: int) -> None:
    """Nothing crosses, nothing leaks."""
    app = FaultyApp(seed)
    server = await asyncio.start_server(app.serve, "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", f"http://127.0.0.1:{port}")
    seen: Counter[str] = Counter()
    try:
        with SidecarProcess(*arguments, "--set", "pool.max_connections=16") as sidecar:
            loop = asyncio.get_running_loop()

            async def load(seconds: float, round_: int) -> None:
                until = loop.time() + seconds
                inbound = sidecar.addresses["inbound"].port
                await asyncio.gather(
                    *(ask(inbound, who, until, seen, random.Random(f"{seed}/{round_}/{who}")) for who in range(CLIENTS))
                )

            await load(SOAK_S / 3, 1)
            warm = sidecar.memory_kib("VmRSS")
            await load(SOAK_S * 2 / 3, 2)
            grown = sidecar.memory_kib("VmRSS") - warm
            print(dict(seen), f"grown by {grown} KiB")
            assert grown < GROWTH_KIB
            assert seen["200"] > 20 * SOAK_S
            assert seen["502"]
            sidecar.terminate()
            assert await asyncio.to_thread(sidecar.wait) == 0
            assert not [line for line in sidecar.log if "Traceback" in line or "Error" in line]
    finally:
        server.close()


@pytest.fixture
def process(upstream: Upstream) -> Iterator[SidecarProcess]:
    with SidecarProcess("--inbound", LISTEN, "--outbound", LISTEN, "--admin", "off", "--app", upstream.url) as sidecar:
        yield sidecar


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("framing", ["length", "chunk", "close", "tunnel"])
def test_one_gibibyte(process: SidecarProcess, upstream: Upstream, direction: str, framing: str) -> None:
    """In every framing, both ways, with a reader that stalls again and again: less than 20 MiB more."""
    total = 1024 * MIB
    idle = process.memory_kib("VmRSS")
    process.reset_peak()
    announce = {"length": b"Content-Length: %d\r\n" % total, "chunk": b"Transfer-Encoding: chunked\r\n"}.get(
        framing, b""
    )
    chunk = (
        b"%x\r\n" % total if framing == "chunk" else b""
    )  # one chunk of 1 GiB: its size says nothing of how it is carried
    if framing == "tunnel":
        client = process.client("outbound")
        client.send(b"CONNECT " + upstream.authority + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        app = upstream.accept()
        assert client.response("CONNECT").status == 200
    elif direction == "down":
        client = process.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        app = upstream.accept()
        app.request()
        app.send(b"HTTP/1.1 200 OK\r\n" + announce + b"\r\n" + chunk)
        client.stream.response_head()
    else:
        if framing == "close":
            pytest.skip("a request has no body until close")
        client = process.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + announce + b"\r\n" + chunk)
        app = upstream.accept()
        app.stream.request_head()
    source, sink = (app, client) if direction == "down" else (client, app)
    pump(source.sock, sink.sock, total, stalls=20)
    assert process.memory_kib("VmHWM") - idle < GROWTH_KIB


def test_many_connections_leave_nothing(process: SidecarProcess, upstream: Upstream) -> None:
    """2000 connections, a third of them cut in the middle: afterwards no descriptor more than before."""

    def descriptors() -> int:
        return len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))

    def exchange(turn: int) -> None:
        with process.client() as client:
            client.send(b"GET /%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % turn)
            app = upstream.accept()
            app.request()
            if turn % 3 == 0:
                client.reset()
            elif turn % 3 == 1:
                app.reset()
            else:
                app.reply(b"%d" % turn, b"200 OK", b"Connection: close")
                assert client.response().body == b"%d" % turn
            app.close()

    for turn in range(10):
        exchange(turn)
    before = descriptors()
    for turn in range(2000):
        exchange(turn)
    assert descriptors() <= before + 3
