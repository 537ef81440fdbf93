"""The admin listener over a real socket: health, readiness, metrics; GET and HEAD, never cached."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from proxy.admin.application import application
from proxy.admin.hosts import AdminHosts
from proxy.admin.routes import Application
from proxy.admin.server import MOST_CONNECTIONS, AdminServer
from proxy.errors import StartError
from proxy.plan import Address
from proxy.telemetry.state import Phase, State
from proxy.transport.binding import file_identity

METRICS_TYPE = "text/plain; version=0.0.4"


def render_nothing(_: str) -> tuple[str, str]:
    return "", METRICS_TYPE


class App:
    """Stands in for the app: up or not."""

    def __init__(self) -> None:
        self.there = True

    async def is_up(self) -> bool:
        return self.there


@pytest.fixture
def state() -> State:
    return State(Phase.READY)


@pytest.fixture
def app() -> App:
    return App()


def routes(
    state: State, app: App | None = None, render: Callable[[str], tuple[str, str]] = render_nothing
) -> Application:
    return application(state, render, is_app_up=(app or App()).is_up, hosts=AdminHosts())


@pytest.fixture
async def url(state: State, app: App) -> AsyncIterator[str]:
    server = AdminServer(routes(state, app, lambda accept: (f"# {accept}\na_metric 1\n", METRICS_TYPE)), state)
    address = await server.listen(Address("127.0.0.1", 0))
    yield f"http://127.0.0.1:{address.port}"
    await server.close()


async def test_health_says_that_it_runs_and_readiness_that_it_serves(url: str, state: State) -> None:
    async with aiohttp.ClientSession(url) as session:
        for phase, ready in ((Phase.STARTING, 503), (Phase.READY, 200), (Phase.DRAINING, 503)):
            state.phase = phase
            async with session.get("/healthz") as response:
                assert response.status == 200
            async with session.get("/readyz") as response:
                assert response.status == ready
                assert await response.text() == f"{phase}\n"


@pytest.mark.parametrize("query", ["?app=1", "?app=true"])
async def test_readiness_can_include_the_app(url: str, state: State, app: App, query: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        for there, status in ((True, 200), (False, 503)):
            app.there = there
            async with session.get(f"/readyz{query}") as response:
                assert response.status == status
                assert there or await response.text() == "the app accepts no connections\n"
        for other in ("", "?app=0", "?app=", "?app=false", "?apps=1"):
            async with session.get(f"/readyz{other}") as response:
                assert response.status == 200
        state.phase, app.there = Phase.DRAINING, True
        async with session.get("/readyz?app=1") as response:
            assert response.status == 503


async def test_a_name_that_somebody_else_has_given_us_is_refused(url: str) -> None:
    """As a page in a browser would by DNS: it reads no metrics."""
    async with aiohttp.ClientSession(url) as session:
        for path in ("/", "/metrics", "/nothing"):
            async with session.get(path, headers={"Host": "evil.example"}) as response:
                assert response.status == 421
                assert "a_metric" not in await response.text()
                assert "admin.hosts" in await response.text()
        async with session.get("/metrics", headers={"Host": "localhost:1"}) as response:
            assert response.status == 200


async def test_metrics_come_as_they_are_rendered_for_what_is_accepted(url: str) -> None:
    accept = {"Accept": "text/html"}
    async with aiohttp.ClientSession(url) as session, session.get("/metrics", headers=accept) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4"
        assert response.headers["Vary"] == "Accept"
        assert await response.text() == "# text/html\na_metric 1\n"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/nothing"])
async def test_nothing_is_cached_and_nothing_can_be_changed(url: str, path: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            async with session.request(method, path, data=b"x" if method in ("POST", "PUT") else None) as response:
                assert response.headers["Cache-Control"] == "no-store"
                assert response.headers["Server"] == "ops-sidecar"  # and no versions
                if path == "/nothing":
                    assert response.status == 404
                elif method in ("GET", "HEAD"):
                    assert response.status == 200
                else:
                    assert response.status == 405
                    assert response.headers["Allow"] == "GET,HEAD"
                assert method != "HEAD" or await response.read() == b""


async def test_a_taken_address_is_named(state: State) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = AdminServer(routes(state), state)
        with pytest.raises(StartError, match=rf"admin cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            await server.listen(Address("127.0.0.1", port))


async def test_a_unix_socket_will_do(state: State, tmp_path: Path) -> None:
    server = AdminServer(routes(state), state)
    address = Address(unix_path=str(tmp_path / "a.sock"))
    assert await server.listen(address) == address
    connector = aiohttp.UnixConnector(address.unix_path)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://localhost/healthz") as response,
    ):
        assert response.status == 200
    second = AdminServer(routes(state), state)
    with pytest.raises(StartError, match="Address already in use"):
        await second.listen(address)
    await server.close()
    assert file_identity(address.unix_path) is None


async def test_one_that_never_listened_has_nothing_to_pass_on_or_to_close(state: State) -> None:
    server = AdminServer(routes(state), state)
    server.pass_on()
    await server.close()


@pytest.mark.parametrize("is_unix", [False, True], ids=["tcp", "unix"])
async def test_the_next_process_takes_over(state: State, tmp_path: Path, is_unix: bool) -> None:
    """At the same address; whoever passes on is asked no more."""
    address = Address(unix_path=str(tmp_path / "a.sock")) if is_unix else Address("127.0.0.1", 0)
    first, second = AdminServer(routes(State(Phase.DRAINING)), state), AdminServer(routes(state), state)
    address = await first.listen(address, reuse_port=True)
    await second.listen(address, reuse_port=True)
    first.pass_on()
    for _ in range(10):
        connector = aiohttp.UnixConnector(address.unix_path) if is_unix else None
        async with aiohttp.ClientSession(connector=connector) as session:
            url = "http://localhost/readyz" if is_unix else f"http://127.0.0.1:{address.port}/readyz"
            async with session.get(url) as response:
                assert response.status == 200
    await first.close()
    assert not is_unix or file_identity(address.unix_path) is not None
    await second.close()


async def test_requests_are_not_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with aiohttp.ClientSession(url) as session, session.get("/metrics?token=hunter2") as response:
        assert response.status == 200
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /?token=hunter2 HTTP/1.1\r\nHost: a\r\nToken: hunter2\x00\r\n\r\n", 400),
        (b"GET /hunter2" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: hunter2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: hunter2\r\n" * 5_000 + b"\r\n", 431),
        (b"\x16\x03\x01hunter2\r\n\r\n", 400),
    ],
)
async def test_a_request_that_cannot_be_read_is_answered_and_not_logged(
    url: str, caplog: pytest.LogCaptureFixture, request_bytes: bytes, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    writer.write(request_bytes)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert b"hunter2" not in answer
    writer.close()
    assert caplog.records == []


async def test_the_oldest_connection_makes_room(url: str, state: State) -> None:
    """Nobody takes all file descriptors here, and whoever asks for health is heard."""
    port = int(url.rsplit(":", 1)[1])
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS + 8)]
    async with aiohttp.ClientSession(url) as session, session.get("/healthz") as response:
        assert response.status == 200
    assert state.admin_connections_cut == 9
    for reader, _ in silent[:9]:
        assert await reader.read() == b""
    assert not any(reader.at_eof() for reader, _ in silent[9:])
    for _, writer in silent:
        writer.close()
