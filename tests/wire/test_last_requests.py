"""Clients that come just before a listener closes: whoever was accepted is answered, and nobody is waited for long."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import pytest
from lab.peers import Client, Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Sidecar, connect
from lab.wire import Wire

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def turns() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def is_closed(sidecar: Sidecar) -> bool:
    """Whether nobody is accepted any more."""
    with contextlib.suppress(ConnectionRefusedError):
        connect(sidecar.addresses["inbound"]).close()
        return False
    return True


def check_last(client: Client) -> None:
    """`client` is answered, told to close, and closed."""
    answer = client.response()
    assert (answer.status, answer.body, answer.head.value("connection")) == (200, b"last", b"close")
    assert client.is_ended()


def test_the_request_comes_after_the_drain_has_begun(wire: Wire) -> None:
    """Of a connection that was accepted before, and had sent nothing yet."""
    client = wire.client()
    wire.settle()
    plane = wire.sidecar.plane

    async def drain() -> bool:
        drained = asyncio.ensure_future(plane.drain())
        await turns()
        assert is_closed(wire.sidecar)
        client.send(GET)  # from the sidecar's own thread: it has no time to get impatient
        return await drained

    drained = wire.sidecar.begin(drain())
    wire.upstream.answer(b"last")
    check_last(client)
    assert drained.result(5) is True


def test_a_head_that_has_begun(wire: Wire) -> None:
    """Its rest may take as long as ever (`timeouts.header_read_s`); the drain waits for it."""
    client = wire.client()
    client.send(GET[:9])
    wire.settle()
    drained = wire.sidecar.begin(wire.sidecar.plane.drain())
    wire.sidecar.settle(30)
    assert not drained.done()
    client.send(GET[9:])
    wire.upstream.answer(b"last")
    check_last(client)
    assert drained.result(5) is True


def test_a_silent_client_is_not_waited_for_long(wire: Wire) -> None:
    """It is the only one there, and does not keep the sidecar from ending whole."""
    client = wire.client()
    wire.settle()
    drained = wire.sidecar.begin(wire.sidecar.plane.drain())
    assert client.is_ended()
    assert drained.result(5) is True


def test_an_answered_client_is_not_waited_for(wired: Callable[..., Wire]) -> None:
    """Idle between two requests for a while: it is ended before one that has not asked yet."""
    wire = wired({"drain": {"timeout_s": 5}})
    idle, silent = wire.client(), wire.client()
    idle.send(GET)
    wire.upstream.answer()
    assert idle.response().status == 200
    ticker = wire.sidecar.plane._ticker
    answered = ticker.now
    wire.sidecar.until(lambda: ticker.now > answered + 0.5)

    async def drain() -> None:
        drained = asyncio.ensure_future(wire.sidecar.plane.drain())
        await turns()
        assert idle.is_ended()
        assert silent.is_silent()
        await drained

    wire.sidecar.begin(drain()).result(8)


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_waits_to_be_accepted_when_a_listener_is_dropped(
    start: Callable[..., Sidecar], upstream: Upstream, when: str
) -> None:
    """The kernel has told them that they are connected: a reload that drops the listener serves them first. With the
    request sent before it, or after."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}})
    plan = sidecar.plan({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "admin": {"listen": "off"}})
    clients: list[Client] = []

    async def reload() -> None:
        for _ in range(20):  # the loop does not turn meanwhile, and accepts none of them
            clients.append(sidecar.client())
            if when == "before":
                clients[-1].send(GET)
        await sidecar.plane.replace_plan(plan)
        assert is_closed(sidecar)
        if when == "after":
            for client in clients:
                client.send(GET)

    sidecar.thread.run(reload())
    for _ in clients:
        upstream.answer(b"last")
    for client in clients:
        check_last(client)
    assert sidecar.metrics.listeners["inbound"].connections_total == 20


@pytest.mark.slow
def test_term_between_the_connection_and_its_request(upstream: Upstream) -> None:
    """A process, and half a head when SIGTERM comes: it ends when the rest has been answered, with exit code 0."""
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", upstream.url)
    with SidecarProcess(*arguments) as sidecar:
        client = sidecar.client()
        client.send(GET[:-2])
        other = sidecar.client()  # by its answer the sidecar has seen the half
        other.send(GET)
        upstream.answer()
        assert other.response().status == 200
        sidecar.terminate()
        sidecar.await_line("draining")
        assert other.is_ended()
        client.send(GET[-2:])
        upstream.answer(b"last")
        check_last(client)
        assert sidecar.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_idle_clients(upstream: Upstream, number: signal.Signals) -> None:
    """One that has been answered, one that never asked: neither keeps the process, and nothing counts as cut."""
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", upstream.url)
    with SidecarProcess(*arguments, "--set", "drain.timeout_s=1h") as sidecar:
        idle, silent = sidecar.client(), sidecar.client()
        idle.send(GET)
        upstream.answer()
        assert idle.response().status == 200
        sidecar.process.send_signal(number)
        assert idle.is_ended()
        assert silent.is_ended()
        assert sidecar.wait() == 0
