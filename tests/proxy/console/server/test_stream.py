"""What is live: rows as they come, to each reader what fits its filter; a slow reader is told what it lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from lab.consoles import WAIT_S, Console, hop, running, sent

from proxy.console.filter.terms import read_filter
from proxy.console.server.stream import Stream, _Listener

Event = tuple[str, str, Any]


class Reader:
    """Reads events of a stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._content = response.content

    async def next(self) -> Event:
        """Kind, id and data."""
        said = {"id": ""}
        async with asyncio.timeout(WAIT_S):
            while line := (await self._content.readline()).decode().rstrip("\n"):
                if not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    said[name] = value
        return said["event"], said["id"], json.loads(said["data"])


async def test_rows_come_as_they_are_written(console: Console) -> None:
    async with console.client.get(f"{console.url}/api/v1/stream") as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        reader = Reader(response)
        assert (await reader.next())[0] == "hello"
        await console.send(sent(hop(7), service="orders", scope="ops-sidecar"))
        kind, number, row = await reader.next()
        assert (kind, number, row["id"], row["to"]) == ("row", "1", f"r_{7:016x}", "orders")
        assert row == (await console.get("/requests"))["items"][0]


async def test_only_what_fits(console: Console) -> None:
    async with console.client.get(f"{console.url}/api/v1/stream?q=status:5xx") as response:
        reader = Reader(response)
        await reader.next()
        await console.send(sent(hop(1), scope="ops-sidecar"))
        failed = hop(2, attributes={"http.response.status_code": 503})
        await console.send(sent(failed, scope="ops-sidecar"))
        assert (await reader.next())[2]["status"] == 503


async def test_a_reader_that_comes_back_gets_what_it_missed(console: Console) -> None:
    await console.send(sent(*(hop(n, start_ms=n) for n in (1, 2, 3)), scope="ops-sidecar"))
    await console.until("/requests", lambda said: said["total"] == 3)
    async with console.client.get(f"{console.url}/api/v1/stream", headers={"Last-Event-ID": "1"}) as response:
        reader = Reader(response)
        await reader.next()
        assert [(await reader.next())[1] for _ in range(2)] == ["2", "3"]
    async with console.client.get(f"{console.url}/api/v1/stream", headers={"Last-Event-ID": "999"}) as response:
        reader = Reader(response)
        await reader.next()
        assert (await reader.next())[0] == "lost"  # of a console that was here before


def test_a_slow_reader_loses_rows_and_is_told() -> None:
    stream = Stream("1")
    listener = _Listener(read_filter(""))
    stream._listeners.add(listener)
    stream.publish([{"id": str(number)} for number in range(1500)])
    assert (len(listener.waiting), listener.lost, stream.lost) == (1000, 500, 500)


def test_what_is_too_old_to_be_kept_is_told() -> None:
    stream = Stream("1")
    stream.publish([{"id": str(number)} for number in range(2500)])
    listener = _Listener(read_filter(""))
    stream._resume(listener, "100")
    assert listener.lost == 400 + 1000  # 400 are gone, and of 2,000 half had no room
    assert len(listener.waiting) == 1000


async def test_the_end_of_the_console_ends_every_stream(console: Console) -> None:
    async with running() as other:
        response = await console.client.get(f"{other.url}/api/v1/stream")
        await Reader(response).next()
    assert await response.content.read() == b""
