"""One connection of the admin listener, over real sockets: clients that are slow, leave, or send too much."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest

from proxy.admin import connection, conversation
from proxy.admin import server as listening
from proxy.admin.answers import text
from proxy.admin.conversation import Waiting
from proxy.admin.exchange import Request, Response
from proxy.admin.routes import Application
from proxy.admin.server import MOST_CONNECTIONS, AdminServer
from proxy.plan import Address
from proxy.telemetry.state import State

WAIT_S = 10.0
GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
LARGE = 16 * 1024 * 1024  # more than the kernel takes of an answer that nobody reads


class Asked:
    """What the handlers were asked, and when they may go on."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.ended: list[str] = []
        self.began = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def echo(self, request: Request) -> Response:
        self.paths.append(request.path)
        return text(f"{request.text}\n")

    async def slow(self, request: Request) -> Response:
        """Waits for `goes_on`."""
        self.paths.append(request.path)
        self.began.set()
        try:
            await self.goes_on.wait()
        finally:
            self.ended.append(request.path)
        return text("slow\n")

    async def large(self, request: Request) -> Response:
        self.paths.append(request.path)
        return text("x" * LARGE)

    async def broken(self, _: Request) -> Response:
        raise KeyError("hunter2")


@pytest.fixture
async def asked() -> Asked:
    return Asked()


@pytest.fixture
async def server(asked: Asked) -> AsyncIterator[AdminServer]:
    routes = {
        "/echo": {"GET": asked.echo, "POST": asked.echo},
        "/slow": {"GET": asked.slow},
        "/large": {"GET": asked.large},
        "/broken": {"GET": asked.broken},
    }
    made = AdminServer(Application(routes, 64 * 1024), State())
    yield made
    await made.close()


@pytest.fixture
async def address(server: AdminServer) -> Address:
    return await server.listen(Address("127.0.0.1", 0))


@contextlib.asynccontextmanager
async def client(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The next answer: its status and its body."""
    async with asyncio.timeout(WAIT_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split()[1]), (await reader.readexactly(length)).decode()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return await reader.read()


async def test_a_connection_serves_one_request_after_the_other(address: Address, asked: Asked) -> None:
    async with client(address) as (reader, writer):
        for body in ("a", "b"):
            writer.write(POST + b"Content-Length: 1\r\n\r\n" + body.encode())
            assert await answer(reader) == (200, f"{body}\n")
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n")
        assert await answer(reader) == (200, "c\n")


async def test_pipelined_requests_are_answered_in_order(address: Address, asked: Asked) -> None:
    async with client(address) as (reader, writer):
        writer.write(
            GET % b"/slow" + b"".join(POST + b"Content-Length: 3\r\n\r\n%03d" % number for number in range(300))
        )
        await asked.began.wait()
        assert asked.paths == ["/slow"]  # one at a time
        asked.goes_on.set()
        assert await answer(reader) == (200, "slow\n")
        for number in range(300):
            assert await answer(reader) == (200, f"{number:03}\n")


async def test_byte_by_byte(address: Address) -> None:
    async with client(address) as (reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n":
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert await answer(reader) == (200, "ab\n")


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"Content-Length: 60000\r\n\r\n", b"x"),
        (b"", b"X: \r\n"),
    ],
    ids=["chunks", "bytes", "fields"],
)
async def test_a_flood_of_tiny_pieces_does_not_hold_up_the_loop(address: Address, head: bytes, piece: bytes) -> None:
    """Nobody else waits for more than a few pieces, whatever comes at once."""
    longest, stop = 0.0, False

    async def look() -> None:
        nonlocal longest
        while not stop:
            before = time.thread_time()  # of this thread: what other processes do, does not count
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    async with client(address) as (reader, writer):
        looking = asyncio.create_task(look())
        writer.write(POST + head + piece * 70_000)
        assert (await answer(reader))[0] in (200, 413, 431)
        stop = True
        await looking
    assert longest < 0.05


async def test_an_idle_connection_ends_without_a_word(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first request and after it."""
    monkeypatch.setattr(connection, "IDLE_S", 0.2)
    async with client(address) as (silent, _), client(address) as (reader, writer):
        writer.write(GET % b"/echo")
        assert await answer(reader) == (200, "\n")
        writer.write(b"\r\n" * 3)  # is no request
        assert await all_of(reader) == b""
        assert await all_of(silent) == b""


def sizes(server: AdminServer) -> list[int]:
    """What is written and not taken, of each connection."""
    return [one._transport.get_write_buffer_size() for one in server._connections]


async def test_a_client_that_does_not_read_is_given_up(
    server: AdminServer, address: Address, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can make us keep one answer, not as many as it asks for, and not for ever."""
    monkeypatch.setattr(connection, "TAKING_S", 0.5)
    with socket.create_connection((address.host, address.port)) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(sock, GET % b"/large" * 50)
        await until(lambda: any(sizes(server)))
        assert len(asked.paths) == 1
        assert sizes(server)[0] <= LARGE + 1000
        await until(lambda: not server._connections)
    assert len(asked.paths) == 1


async def test_a_client_that_sends_on_is_not_read(server: AdminServer, address: Address, asked: Asked) -> None:
    """While it is answered: what waits is what one look at the socket gave."""
    with socket.create_connection((address.host, address.port)) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(sock, GET % b"/slow")
        await asked.began.wait()
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while sent < 3 * LARGE:
                    await asyncio.get_running_loop().sock_sendall(sock, b"x" * 65536)
                    sent += 65536
        (one,) = server._connections
        assert len(one._conversation._ahead) <= 256 * 1024
    assert sent < 3 * LARGE


async def test_a_slow_reader_gets_all_of_its_answer(address: Address, asked: Asked) -> None:
    async with client(address) as (reader, writer):
        writer.write(GET % b"/large" + GET % b"/echo")
        await until(lambda: asked.paths)
        await asyncio.sleep(0.1)
        assert asked.paths == ["/large"]
        assert await answer(reader) == (200, "x" * LARGE)
        assert await answer(reader) == (200, "\n")


@pytest.mark.parametrize("is_reset", [False, True], ids=["FIN", "RST"])
async def test_a_client_that_leaves_while_it_is_answered(
    server: AdminServer, address: Address, asked: Asked, caplog: pytest.LogCaptureFixture, is_reset: bool
) -> None:
    """The handler ends in its own time, and nobody misses its answer."""
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(GET % b"/slow" + GET % b"/echo")
    await asked.began.wait()
    if is_reset:
        writer.transport.abort()
    else:
        writer.close()
    await asyncio.sleep(0.05)
    assert asked.ended == []
    asked.goes_on.set()
    await until(lambda: not server._connections and not server._tasks)
    assert asked.ended == ["/slow"]
    assert caplog.records == []


async def test_a_client_that_ends_its_side_is_answered(address: Address, asked: Asked) -> None:
    """As `nc -N` does; also where its requests are still waiting then."""
    asked.goes_on.set()
    async with client(address) as (reader, writer):
        writer.write(GET % b"/slow" + GET % b"/echo" * 20 + GET[:10])
        writer.write_eof()
        got = await all_of(reader)
    assert got.count(b"HTTP/1.1 200 OK\r\n") == 21


async def test_a_client_that_waits_to_send_is_told_to(address: Address) -> None:
    async with client(address) as (reader, writer):
        writer.write(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert await answer(reader) == (200, "ab\n")


async def test_a_client_that_still_sends_gets_its_refusal(address: Address) -> None:
    """No reset overtakes the answer: what still comes is thrown away for a while."""
    async with client(address) as (reader, writer):
        writer.write(POST + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        assert (await answer(reader))[0] == 413
        assert await all_of(reader) == b""


async def test_a_client_that_never_ends_is_cut(
    server: AdminServer, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ENDING_S", 0.2)
    async with client(address) as (reader, writer):
        writer.write(b"GET /echo HTTP/1.0\r\n\r\n")
        assert (await all_of(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(server._connections) == 1
        await until(lambda: not server._connections)


async def test_a_handler_that_fails(address: Address, caplog: pytest.LogCaptureFixture) -> None:
    """The client hears that it did, the log says at what; the connection goes on."""
    async with client(address) as (reader, writer):
        writer.write(GET % b"/broken?token=hunter3" + GET % b"/echo")
        assert await answer(reader) == (500, "500 Internal Server Error\n")
        assert await answer(reader) == (200, "\n")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "a request to the admin listener failed: KeyError")
    assert record.exc_info is not None
    assert "hunter3" not in caplog.text


async def test_the_end_waits_for_answers(
    server: AdminServer, address: Address, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are due are given, and are the last; idle connections are closed at once. Nothing else counts."""
    monkeypatch.setattr(listening, "_CLOSING_S", 10 * WAIT_S)
    monkeypatch.setattr(connection, "ENDING_S", 10 * WAIT_S)
    async with client(address) as (idle, _), client(address) as (reader, writer):
        writer.write(GET % b"/slow" + GET % b"/echo")
        await asked.began.wait()
        closing = asyncio.create_task(server.close())
        assert await all_of(idle) == b""
        asked.goes_on.set()
        got = await all_of(reader)
        assert b"\r\nConnection: close\r\n" in got
        assert got.endswith(b"\r\n\r\nslow\n")
        async with asyncio.timeout(WAIT_S):
            await closing
    assert asked.paths == ["/slow"]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)


async def test_the_end_does_not_wait_for_ever(server: AdminServer, address: Address, asked: Asked) -> None:
    async with client(address) as (reader, writer):
        writer.write(GET % b"/slow")
        await asked.began.wait()
        async with asyncio.timeout(WAIT_S):
            await server.close()
        assert await all_of(reader) == b""
    assert asked.ended == ["/slow"]  # it was cancelled
    assert not server._connections
    assert not server._tasks


@pytest.mark.parametrize(
    "sent",
    [GET % b"/slow" * 3, GET % b"/large" * 3, POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 40_000],
    ids=["slow", "large", "flood"],
)
async def test_the_oldest_makes_room_whatever_it_is_at(
    server: AdminServer, address: Address, asked: Asked, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        _, oldest = await stack.enter_async_context(client(address))
        oldest.write(sent)
        await until(
            lambda: asked.paths or [x for x in server._connections if x._conversation.waits_for is Waiting.BODY]
        )
        others = [await stack.enter_async_context(client(address)) for _ in range(MOST_CONNECTIONS)]
        for reader, writer in others:
            writer.write(GET % b"/echo")
            assert await answer(reader) == (200, "\n")
        asked.goes_on.set()
        await until(lambda: not server._tasks)
    assert server._state.admin_connections_cut == 1
    assert caplog.records == []


def test_the_bounds() -> None:
    """Those that no page promises: times, steps of a turn of the loop, and how much one of them looks at."""
    assert (connection.ENDING_S, connection._STEPS_A_TURN) == (2.0, 32)
    assert (listening._CLOSING_S, conversation._PIECE_BYTES) == (1.0, 2048)
