"""A listener: whom it admits, what it counts, how it says goodbye; its clients have no sockets."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

import pytest
from lab.pairs import Plane
from lab.transports import FakeTransport

from proxy.http1.client import ClientConnection
from proxy.http1.message.request import Request
from proxy.listener import listener as module
from proxy.listener.handshake import Handshake
from proxy.listener.listener import Listener
from proxy.plan import Clients, Limits
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.access_log import AccessRecord
from proxy.transport.deadlines import NEVER
from proxy.transport.descriptors import Descriptors

in_source = pytest.mark.skipif(
    not cast(str, module.__file__).endswith(".py"), reason="what is compiled takes no stand-ins"
)

GET = b"GET /a HTTP/1.1\r\nHost: app\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def connect(plane: Plane, address: str = "10.0.0.1") -> tuple[ClientConnection, FakeTransport]:
    client, near = ClientConnection(plane.listener), FakeTransport(peername=(address, 50000))
    near.protocol = client
    client.connection_made(near)
    return client, near


async def test_clients_are_counted_and_swept_until_they_are_gone() -> None:
    plane = Plane()
    metrics = plane.metrics.listener("inbound")
    before = len(plane.ticker)
    client, _ = connect(plane)
    assert (metrics.connections_open, metrics.connections_total, len(plane.ticker)) == (1, 1, before + 1)
    client.connection_lost(None)
    client.connection_lost(None)
    assert (metrics.connections_open, metrics.connections_total, len(plane.ticker)) == (0, 1, before)
    assert len(plane.listener.connections) == 0


async def test_a_listener_has_so_many_connections_and_no_more() -> None:
    plane = Plane(rest={"limits": Limits(connections=2)})
    metrics = plane.metrics.listener("inbound")
    assert metrics.connections_limit == 2
    (first, _), _ = connect(plane), connect(plane)
    _, refused = connect(plane)
    assert (refused.is_aborted, metrics.connections_open, metrics.connections_refused) == (True, 2, {"limit": 1})
    assert metrics.connections_total == 3
    first.connection_lost(None)
    _, again = connect(plane)
    assert not again.is_aborted


async def test_one_address_has_so_many_connections_and_no_more() -> None:
    plane = Plane(clients=Clients(max_connections=1))
    first, _ = connect(plane)
    _, refused = connect(plane)
    _, other = connect(plane, "10.0.0.2")
    assert (refused.is_aborted, other.is_aborted) == (True, False)
    assert plane.metrics.listener("inbound").connections_refused == {"per-client": 1}
    first.connection_lost(None)
    assert not connect(plane)[1].is_aborted


async def test_one_address_has_so_many_requests_at_once() -> None:
    plane = Plane(clients=Clients(max_exchanges=1))
    (first,) = plane.pairs(1)
    first.client.data_received(GET)
    second, near = connect(plane)
    second.data_received(GET)
    said = near.take()
    assert said.startswith(b"HTTP/1.1 429 ")
    assert b"this address has 1 requests open already" in said
    first.upstream.data_received(OK)
    plane.outbox.flush()
    (third,) = plane.pairs(1)
    third.client.data_received(GET)
    assert third.near.take() == b""


async def test_what_it_says_of_itself() -> None:
    plane = Plane()
    (pair,) = plane.pairs(1)
    listener = plane.listener
    told = "<Listener inbound {}, 1 connections, 1 exchanges, 0 tunnels>"
    assert repr(listener) == "<Listener inbound serving, 1 connections, 0 exchanges, 0 tunnels>"
    pair.client.data_received(GET)
    assert (repr(listener), listener.is_busy()) == (told.format("serving"), True)
    assert listener.take_leave() == []
    assert repr(listener) == told.format("draining")
    listener.shut()
    assert repr(listener) == told.format("shut")
    listener.abort()
    assert (repr(listener), pair.near.is_aborted) == (told.format("stopped"), True)
    pair.client.connection_lost(None)
    assert plane.metrics.exchange("inbound", "app").faults == {"stopped": 1}
    assert listener.is_busy() is False


async def test_a_client_that_leaves_is_not_a_stop() -> None:
    plane = Plane()
    (pair,) = plane.pairs(1)
    pair.client.data_received(GET)
    pair.client.connection_lost(None)
    assert plane.metrics.exchange("inbound", "app").faults == {"client-gone": 1}


async def test_the_longest_idle_leave_first() -> None:
    plane = Plane()
    begin = plane.ticker.now
    idle = []
    for seconds in (2, 0, 1):
        plane.ticker.now = begin + seconds
        idle.append(connect(plane)[0])
    assert plane.listener.take_leave() == [idle[1], idle[2], idle[0]]
    assert plane.listener.is_draining
    assert not plane.listener.is_shut


async def test_bytes_that_wait_for_their_client_keep_it_busy() -> None:
    plane = Plane()
    client, near = connect(plane)
    client.data_received(b"nonsense\r\n\r\n")
    near.buffered = 5
    assert plane.listener.is_busy() is True
    near.buffered = 0
    assert plane.listener.is_busy() is False


async def test_a_handshake_that_is_too_slow_is_ended_once() -> None:
    plane = Plane()
    handshake = Handshake(plane.listener, lambda _: asyncio.Protocol(), ssl.create_default_context())
    handshake.transport = transport = FakeTransport()
    handshake.deadline = plane.ticker.now
    handshake.on_deadline()
    assert (transport.is_aborted, handshake.deadline) == (True, NEVER)


async def test_a_handshake_is_counted_once_however_it_ends() -> None:
    """Its connection is admitted again by the protocol that follows; one that fails is a refusal."""
    plane = Plane()
    metrics = plane.metrics.listener("inbound")
    for is_made, refused in ((True, {}), (False, {"tls-handshake": 1})):
        handshake, _ = connect(plane)
        for _ in range(2):
            plane.listener.forget_handshake(handshake, is_made=is_made)
        assert (metrics.connections_open, metrics.connections_refused) == (0, refused)
    assert metrics.connections_total == 1
    handshake, _ = connect(plane)
    plane.listener.abort()
    plane.listener.forget_handshake(handshake, is_made=False)
    assert metrics.connections_refused == {"tls-handshake": 1}


async def test_its_end_waits_for_handshakes_however_they_end() -> None:
    plane = Plane()
    refused = asyncio.get_running_loop().create_future()

    async def shake_hands() -> None:
        await refused

    plane.listener.handshakes.add(asyncio.create_task(shake_hands()))
    plane.listener.abort()
    ending = asyncio.create_task(plane.listener.wait_closed())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not ending.done()
    refused.set_exception(OSError("reset"))
    await ending


async def test_a_handshake_is_no_request_where_new_bounds_count_what_a_client_has() -> None:
    plane = Plane()
    handshake = Handshake(plane.listener, lambda _: asyncio.Protocol(), ssl.create_default_context())
    handshake.transport, handshake.address = FakeTransport(), b"10.0.0.1"
    assert plane.listener.admit(handshake)
    plane.listener.use(Plane(clients=Clients(max_exchanges=1)).listener.rules)
    bounds = plane.listener.bounds
    assert bounds is not None
    bounds.check(b"10.0.0.1")
    bounds.began(b"10.0.0.1")
    with pytest.raises(Refusal):
        bounds.check(b"10.0.0.1")


async def test_open_connections_are_served_by_new_rules() -> None:
    plane, other = Plane(), Plane(rest={"limits": Limits(connections=7, header_bytes=600), "explain": True})
    client, near = connect(plane)
    assert plane.listener.is_logging is False
    other.metrics.listener("inbound").connections_limit = 0  # the other's own
    plane.listener.use(other.listener.rules)
    assert (plane.listener.rules, plane.listener.is_logging) == (other.listener.rules, True)
    before, now = plane.metrics.listener("inbound"), other.metrics.listener("inbound")
    assert (before.connections_open, now.connections_open, now.connections_limit) == (0, 1, 7)
    client.data_received(b"GET / HTTP/1.1\r\nHost: app\r\nX: " + b"x" * 600 + b"\r\n\r\n")
    assert near.take().startswith(b"HTTP/1.1 431 ")
    client.connection_lost(None)
    assert now.connections_open == 0


async def test_new_bounds_of_a_client_count_what_it_has_and_the_same_ones_stay() -> None:
    plane = Plane(clients=Clients(max_connections=2))
    connect(plane)
    before = plane.listener.bounds
    plane.listener.use(Plane(clients=Clients(max_connections=2)).listener.rules)
    assert plane.listener.bounds is before
    plane.listener.use(Plane(clients=Clients(max_connections=1)).listener.rules)
    assert [connect(plane, address)[1].is_aborted for address in ("10.0.0.1", "10.0.0.2")] == [True, False]
    plane.listener.use(Plane(clients=Clients(max_exchanges=1)).listener.rules)
    assert [connect(plane, address)[1].is_aborted for address in ("10.0.0.1", "10.0.0.2")] == [False, False]
    plane.listener.use(Plane().listener.rules)
    assert plane.listener.bounds is None


async def test_tunnels_count_where_the_rules_in_force_do() -> None:
    plane, other = Plane(), Plane()
    plane.listener.tunnel_opened("connect", b"10.0.0.1")
    plane.listener.count_tunnel_in(3)
    plane.listener.use(other.listener.rules)
    plane.listener.count_tunnel_out(4)
    before, now = plane.metrics.listener("inbound"), other.metrics.listener("inbound")
    assert (before.tunnels_open, before.tunnels_total, before.tunnel_bytes_in) == (0, {"connect": 1}, 3)
    assert (now.tunnels_open, now.tunnels_total, now.tunnel_bytes_out) == (1, {}, 4)
    assert (plane.listener.tunnels, plane.listener.exchanges) == (1, 1)
    plane.listener.tunnel_closed(b"10.0.0.1", None)
    assert (now.tunnels_open, plane.listener.tunnels, plane.listener.exchanges) == (0, 0, 0)


async def test_at_debug_the_log_says_why_a_request_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    plane = Plane(rest={"explain": True})
    client, _ = connect(plane)
    client.data_received(b"GET /a?b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert [one.getMessage() for one in caplog.records] == ["request refused"]
    assert plane.metrics.listener("inbound").protocol_errors == {"bad-host": 1}


class Told:
    """A listener's console, and its access log, that write down what they are told."""

    is_on = True

    def __init__(self, plane: Plane, most: int = 9) -> None:
        self.records: list[AccessRecord] = []
        self.ours: list[tuple[int, Refusal | None]] = []
        self.exchanges: list[tuple[int, Refusal | None]] = []
        before = plane.listener
        self.listener = Listener(
            before.rules, ticker=plane.ticker, outbox=plane.outbox, pools=plane.pools,
            descriptors=Descriptors(64 + 2 * most), access_log=self.records.append, spans=before.spans,
            reports=cast(Any, self),
        )  # fmt: skip
        plane.listener = self.listener

    def record(self, *told: Any) -> None:
        self.exchanges.append((told[3], told[5]))

    def record_ours(self, *told: Any) -> None:
        self.ours.append(told[3:])


@in_source
async def test_a_console_and_the_log_are_told_of_answers_while_they_want_to_know() -> None:
    plane = Plane()
    told = Told(plane)
    (pair,) = plane.pairs(1)
    pair.client.data_received(GET)
    pair.upstream.data_received(OK)
    plane.outbox.flush()
    refusal = Refusal(Fault.BAD_HOST, "two of them")
    told.listener.record_refused(None, b"10.0.0.1", refusal)
    told.listener.record_answered(Request(b"OPTIONS", b"*", 1, []), b"10.0.0.1")
    assert (told.exchanges, told.ours) == ([(200, None)], [(400, refusal), (200, None)])
    assert [(one.method, one.status, one.error) for one in told.records] == [
        ("GET", 200, ""), ("", 400, "bad-host"), ("OPTIONS", 200, ""),
    ]  # fmt: skip
    told.is_on = False
    told.listener.choose_what_is_told()
    assert (told.listener.is_reporting, told.listener.is_logging) == (False, True)
    told.listener.record_refused(None, b"10.0.0.1", refusal)
    assert (len(told.ours), len(told.records)) == (2, 4)
    told.is_on = True
    told.listener.choose_what_is_told()
    assert told.listener.is_reporting is True


@in_source
async def test_clients_have_half_of_the_file_descriptors() -> None:
    plane = Plane()
    Told(plane, most=1)
    metrics = plane.metrics.listener("inbound")
    first, near = connect(plane)
    _, refused = connect(plane)
    assert (near.is_aborted, refused.is_aborted, metrics.connections_limit) == (False, True, 1)
    assert metrics.connections_refused == {"file-descriptors": 1}
    first.connection_lost(None)
    assert not connect(plane)[1].is_aborted
