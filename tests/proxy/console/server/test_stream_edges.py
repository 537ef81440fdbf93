"""The stream at its bounds: how much is kept, how many listen, and what a reader that comes back is told."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from lab.consoles import WAIT_S, Console

from proxy.console.filter.terms import read_filter
from proxy.console.server import stream as module
from proxy.console.server.stream import Stream, _Listener


def filled(count: int) -> Stream:
    stream = Stream("1")
    stream.publish([{"id": str(number)} for number in range(1, count + 1)])
    return stream


@pytest.mark.parametrize(
    ("count", "last", "lost", "numbers"),
    [
        (0, "0", 0, []),
        (0, "1", 1, []),  # of a console that was here before
        (3, "0", 0, [1, 2, 3]),
        (3, "2", 0, [3]),
        (3, "3", 0, []),
        (3, "4", 1, []),
        (3, "", 0, []),
        (3, "-1", 0, []),
        (3, "²", 0, []),
        (3, "0" * 18, 0, [1, 2, 3]),
        (3, "0" * 19, 0, []),
        (2001, "1", 0, range(2, 1002)),
        (2001, "0", 1, range(2, 1002)),
    ],
)
def test_who_comes_back_gets_what_is_kept(count: int, last: str, lost: int, numbers: list[int]) -> None:
    """2000 rows are kept; 1000 wait for one reader."""
    listener = _Listener(read_filter(""))
    stream = filled(count)
    stream._resume(listener, last)
    assert [number for number, _ in listener.waiting] == list(numbers)
    without_room = max(0, min(count, 2000) - 1000) if count > 2000 else 0
    assert (listener.lost, stream.lost) == (lost + without_room, without_room)


def test_a_row_that_does_not_fit_is_not_lost() -> None:
    stream, listener = Stream("1"), _Listener(read_filter("path:/a"))
    stream._listeners.add(listener)
    stream.publish([{"target": "/b"}] * 3)
    assert (list(listener.waiting), listener.lost, stream.lost, listener.wake.is_set()) == ([], 0, 0, False)
    stream.publish([{"target": "/a"}])
    assert [number for number, _ in listener.waiting] == [4]
    assert listener.wake.is_set()


async def test_as_many_as_may_listen(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_READERS", 2)
    there = f"{console.url}/api/v1/stream"
    async with console.client.get(there) as one, console.client.get(there) as other:
        assert (await one.content.readline(), await other.content.readline()) == (b"retry: 2000\n",) * 2
        async with console.client.get(there) as third:
            assert third.status == 503
            assert (await third.json())["detail"] == "Too many pages listen already."
        assert (await console.get("/health"))["console"]["stream"] == {"readers": 2, "lost": 0, "cut": 0}


async def test_a_reader_too_many_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_READERS", 0)
    stream = Stream("1")
    for _ in range(2):
        with pytest.raises(web.HTTPServiceUnavailable):
            await stream.serve(make_mocked_request("GET", "/"), {})
    assert (stream.refused, stream.readers) == (2, 0)


async def test_a_reader_to_whom_nothing_comes_hears_that_we_are_here(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BEAT_S", 0.0)
    async with asyncio.timeout(WAIT_S), console.client.get(f"{console.url}/api/v1/stream") as response:
        said = await response.content.readuntil(b"still here\n\n")
    version = (await console.get("/self"))["version"]
    assert said.decode().startswith(f'retry: 2000\nevent: hello\ndata: {{"version": "{version}"}}\n\n: still here\n\n')


def test_the_bounds() -> None:
    assert (module._MOST_KEPT, module._MOST_WAITING, module._MOST_READERS) == (2000, 1000, 64)
    assert (module._BEAT_S, module._PATIENCE_S) == (15.0, 10.0)


@pytest.mark.parametrize(("is_silent", "cut"), [(True, 1), (False, 0)])
async def test_a_reader_that_takes_nothing_is_cut(is_silent: bool, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has left is not counted."""
    if is_silent:
        monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    stream, ended, connected = Stream("1"), asyncio.Event(), asyncio.Event()
    transports: list[asyncio.Transport] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        transports.append(request.transport)
        connected.set()
        try:
            return await stream.serve(request, {})
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            await connected.wait()
            if not is_silent:
                client.close()
            while not ended.is_set():
                stream.publish([{"id": "x" * 1_000_000}] * 10)
                await asyncio.sleep(0)
        assert [one.is_closing() for one in transports] == [True]
        client.close()
        assert (stream.cut, stream.readers) == (cut, 0)
        await runner.cleanup()
