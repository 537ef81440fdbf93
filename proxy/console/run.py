"""The composition root of a console: builds the store, the intake, the API and the page. Reads like a list."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

import uvloop
from aiohttp import web

from ops_lib.hosts import parse_pattern, read_address
from proxy.address import Address
from proxy.admin.hosts import AdminHosts
from proxy.compiling import quieten_coroutines
from proxy.console.forward.forwarder import Forwarder
from proxy.console.server.api import Api
from proxy.console.server.grpc import GrpcIntake
from proxy.console.server.guard import Guard
from proxy.console.server.http import protocols, runner
from proxy.console.server.intake import MOST_BODY_BYTES, Intake
from proxy.console.server.page import add_page
from proxy.console.server.sockets import FirstBytes, listen
from proxy.console.server.stream import Stream
from proxy.console.state import ConsoleState
from proxy.console.store.open import Place, StoreError, open_store
from proxy.console.store.reader import Reader
from proxy.console.store.writer import Writer
from proxy.errors import StartError
from proxy.own_version import own_version
from proxy.plan.console import ConsolePlan
from proxy.settings.addresses import parse_endpoint
from proxy.telemetry import log
from proxy.telemetry.writer import LineWriter

logger = logging.getLogger(__name__)

_STDERR: Final = 2
_QUEUE_LINES: Final = 10_000
_STOP_S: Final = 10.0
_FLUSH_S: Final = 5.0  # for what waits to be forwarded


class Addresses(NamedTuple):
    """Where it listens. `url` has the token, if one is asked for."""

    url: str
    otlp: str


def run_console(plan: ConsolePlan, *, until: Callable[[], Awaitable[None]] | None = None) -> None:
    """Run until TERM or INT, or until `until` returns. Raises StartError."""
    writer = LineWriter(_STDERR, limit_lines=_QUEUE_LINES, name="log")
    log.configure(writer, level=plan.log_level, form=plan.log_format)
    quieten_coroutines()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(plan, writer, until))
    finally:
        writer.close()


async def _run(plan: ConsolePlan, lines: LineWriter, until: Callable[[], Awaitable[None]] | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_console(plan) as addresses:
        for line in _lines(plan, addresses):
            lines.write(log.start_line(line, plan.log_format))
        waits = [asyncio.create_task(stop.wait())]
        if until is not None:
            waits.append(asyncio.ensure_future(until()))  # type: ignore[arg-type]  # a coroutine, as callers give
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


@contextlib.asynccontextmanager
async def running_console(plan: ConsolePlan) -> AsyncIterator[Addresses]:
    """A console at work. Yields its Addresses; raises StartError."""
    loop = asyncio.get_running_loop()
    place = Place(Path(plan.store) if plan.store else None, plan.store_bytes)
    try:
        connection = open_store(place)
    except StoreError as error:
        raise StartError(str(error)) from None
    lock = threading.RLock()
    stream = Stream(own_version())
    writer = Writer(
        connection,
        lock,
        limit_bytes=plan.store_bytes,
        max_age_s=plan.max_age_s,
        on_rows=stream.from_thread(loop),
    )
    writer.start()
    reader = Reader(place, connection, lock)
    hosts = AdminHosts([socket.gethostname()])
    hosts.use(parse_pattern(pattern) for pattern in plan.hosts)
    token = _token(plan)
    guard = Guard(hosts, token)
    forwarder = Forwarder(plan.forward) if plan.forward.url else None
    if forwarder is not None:
        forwarder.start()
    intake = Intake(
        writer.add,
        forward=forwarder.add if forwarder is not None else None,
        token=plan.otlp_token,
        cors_origins=plan.cors_origins,
    )
    state = ConsoleState(
        plan, writer=writer, reader=reader, stream=stream, guard=guard, intake=intake, forwarder=forwarder
    )
    api = Api(reader, guard, stream, state, writer.add)
    page_runner = runner(_pages(guard, api))
    intake_runner = runner(intake.application())
    grpc = GrpcIntake(intake)
    servers: list[asyncio.Server] = []
    try:
        url, otlp = await _listen(plan, page_runner, intake_runner, grpc, servers)
        state.otlp = otlp
        yield Addresses(f"{url}/?token={token}" if token else url, otlp)
    finally:
        for server in servers:
            server.close()
        stream.close()
        await grpc.close()
        await intake_runner.cleanup()
        await page_runner.cleanup()
        intake.close()
        api.close()
        if forwarder is not None:
            await asyncio.to_thread(forwarder.stop, _FLUSH_S)
        if not await asyncio.to_thread(writer.stop, _STOP_S):
            logger.error("the store did not end in time; what waited is lost")
        else:
            reader.close()
            connection.close()


def _pages(guard: Guard, api: Api) -> web.Application:
    app = web.Application(middlewares=[guard.middleware()], client_max_size=MOST_BODY_BYTES)
    api.add_to(app)
    add_page(app)
    return app


async def _listen(
    plan: ConsolePlan, page: web.AppRunner, intake: web.AppRunner, grpc: GrpcIntake, servers: list[asyncio.Server]
) -> tuple[str, str]:
    """Both URLs; the second empty if OTLP is not received."""
    await page.setup()
    await intake.setup()
    server, address = await listen(protocols(page), parse_endpoint(plan.listen), "console.listen")
    servers.append(server)
    if not plan.otlp:
        return _url(address), ""
    received = protocols(intake)

    def make() -> asyncio.Protocol:
        return FirstBytes(received, grpc.connection)

    server, otlp = await listen(make, parse_endpoint(plan.otlp), "console.otlp")
    servers.append(server)
    return _url(address), _url(otlp)


def _url(address: Address) -> str:
    if address.unix_path:
        return str(address)
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(address.host, address.host)
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"


def _token(plan: ConsolePlan) -> str:
    """The token that is asked for; empty: none."""
    if plan.token not in ("auto", "off"):
        return plan.token
    if plan.token == "off" or _is_loopback(parse_endpoint(plan.listen)):
        return ""
    return secrets.token_urlsafe(24)


def _is_loopback(address: Address) -> bool:
    if address.unix_path or address.host == "localhost":
        return True
    number = read_address(address.host)
    return number is not None and number.is_loopback


def _lines(plan: ConsolePlan, addresses: Addresses) -> list[str]:
    where = plan.store or "memory"
    found = [f"console listening on {addresses.url}"]
    if addresses.otlp:
        found.append(f"OTLP is received on {addresses.otlp}")
    found.append(f"traces are kept in {where}, at most {plan.store_bytes // (1024 * 1024):,} MiB")
    if plan.forward.url:
        found.append(f"all that is received is forwarded to {plan.forward.url}")
    return [*found, "ops-sidecar console ready"]


def wait_for_end_of_input() -> Callable[[], Awaitable[None]]:
    """For a child: returns once its parent has gone, which closes our standard input."""

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else gone.set())
        await gone.wait()

    return wait
