"""The data plane's door: start, addresses, reload, drain, stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy.dataplane import DataPlane
from proxy.errors import StartError
from proxy.plan import Address, DrainPlan, Plan, PoolPlan, Router, UpstreamTarget
from proxy.telemetry.metrics import Metrics

GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_taken_port_is_named(lab: Any) -> None:
    """And nothing stays bound."""
    origin = await lab.origin()
    upstream = lab.upstream(origin)
    taken = lab.inbound(upstream, bind=Address("127.0.0.1", origin.port), name="second")
    plane = DataPlane(Plan(1, (lab.inbound(upstream), taken), None), metrics=Metrics())
    with pytest.raises(StartError, match=rf"listener second cannot listen on 127\.0\.0\.1:{origin.port}: .*in use"):
        await plane.start()
    assert plane.addresses() == {}
    await plane.stop()


async def test_ipv6(lab: Any) -> None:
    """On both sides, and the client's address is told as it is."""
    origin = await lab.origin(host="::1")
    target = UpstreamTarget("http", Address("::1", origin.port))
    upstream = lab.upstream(origin, target=target, preserve_host=False)
    sidecar = await lab.sidecar(lab.inbound(upstream, bind=Address("::1", 0)))
    assert (await sidecar.ask(CLOSE)).startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nHost: [::1]:%d\r\n" % origin.port in origin.requests[0]
    assert b"\r\nX-Forwarded-For: ::1\r\n" in origin.requests[0]


async def test_unix_sockets(lab: Any, tmp_path: Path) -> None:
    """On both sides; a stale socket file is no obstacle, and ours is gone afterwards."""
    origin = await lab.origin(path=str(tmp_path / "app.sock"))
    target = UpstreamTarget("http", Address(unix_path=str(tmp_path / "app.sock")))
    listener = lab.inbound(lab.upstream(origin, target=target), bind=Address(unix_path=str(tmp_path / "in.sock")))
    for _ in range(2):
        sidecar = await lab.sidecar(listener)
        assert (await sidecar.ask(CLOSE)).startswith(b"HTTP/1.1 200 OK")
        await sidecar.plane.stop()
        assert not (tmp_path / "in.sock").exists()
    assert b"X-Forwarded-For" not in origin.requests[0]


async def test_a_unix_socket_in_use_is_not_stolen(lab: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    origin = await lab.origin(path=path)
    plane = DataPlane(Plan(1, (lab.inbound(lab.upstream(1), bind=Address(unix_path=path)),), None), metrics=Metrics())
    with pytest.raises(StartError, match="in use"):
        await plane.start()
    await plane.stop()
    assert origin.opened <= 1


async def test_replace_plan(lab: Any) -> None:
    """New requests use the new plan, on open connections too; what is in flight is not disturbed."""
    old, new = await lab.origin(), await lab.origin()
    old.by_hand()
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(old)))
    port = sidecar.port()
    wire, other = await sidecar.connect(), await sidecar.connect()
    await wire.send(GET)
    upstream = await old.accept()
    await upstream.head()
    bind = Address("127.0.0.1", 0)
    await sidecar.plane.replace_plan(
        Plan(2, (lab.inbound(lab.upstream(new)), lab.outbound(Router(lab.upstream(None, "other")), bind=bind)), None)
    )
    assert sidecar.port() == port
    assert set(sidecar.plane.addresses()) == {"inbound", "outbound"}
    await other.send(GET)
    await other.message()
    assert len(new.requests) == 1
    await upstream.send(OK)
    assert (await wire.message())[1] == b"ok"
    await wire.send(GET)
    await wire.message()
    assert len(new.requests) == 2


async def test_replace_plan_keeps_pools(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    await sidecar.ask(CLOSE)
    await sidecar.plane.replace_plan(Plan(2, (lab.inbound(lab.upstream(origin)),), None))
    await sidecar.ask(CLOSE)
    assert origin.opened == 1


async def test_replace_plan_lets_go_of_pools(lab: Any, eventually: Any) -> None:
    sidecar, _ = await lab.pair()
    await sidecar.ask(CLOSE)
    assert sidecar.metrics.upstream("app").connections_open == 1
    await sidecar.plane.replace_plan(Plan(2, (lab.inbound(lab.upstream(await lab.origin(), "new")),), None))
    await eventually(lambda: sidecar.metrics.upstream("app").connections_open == 0)


async def test_a_bad_plan_changes_nothing(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    before = sidecar.plane.addresses()
    taken = lab.outbound(Router(lab.upstream(None, "other")), bind=Address("127.0.0.1", origin.port))
    with pytest.raises(StartError):
        await sidecar.plane.replace_plan(Plan(2, (lab.inbound(lab.upstream(1)), taken), None))
    assert sidecar.plane.addresses() == before
    assert (await sidecar.ask(CLOSE)).startswith(b"HTTP/1.1 200 OK")


async def test_a_listener_that_a_plan_drops_is_closed(lab: Any) -> None:
    origin = await lab.origin()
    upstream = lab.upstream(origin)
    sidecar = await lab.sidecar(lab.inbound(upstream), lab.outbound(Router(upstream)))
    port = sidecar.port("outbound")
    idle = await sidecar.connect("outbound")
    await idle.send(GET)
    await idle.message()
    await sidecar.plane.replace_plan(Plan(2, (lab.inbound(upstream),), None))
    assert await idle.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_drain(lab: Any) -> None:
    """In flight: finished, and told that the connection ends. Idle: closed. New: refused. Outbound: open to the end."""
    origin = await lab.origin()
    origin.by_hand()
    upstream = lab.upstream(origin)
    sidecar = await lab.sidecar(
        lab.inbound(upstream),
        lab.outbound(Router(upstream)),
        drain=DrainPlan(timeout_s=8, outbound_linger_s=0.2),
    )
    port = sidecar.port()
    idle, busy = await sidecar.connect(), await sidecar.connect()
    await idle.send(GET)
    first = await origin.accept()
    await first.head()
    await first.send(OK)
    await idle.message()
    await busy.send(GET)
    await first.head()
    assert sidecar.plane.in_flight("inbound") == 1
    draining = asyncio.create_task(sidecar.plane.drain())
    assert await idle.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    outbound = await sidecar.connect("outbound")
    await outbound.send(GET)
    second = await origin.accept()
    await second.head()
    await second.send(OK)
    assert (await outbound.message())[1] == b"ok"
    await first.send(OK)
    answer = await busy.rest()
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"ok")
    assert await draining is True
    assert await outbound.rest() == b""


async def test_drain_gives_up_in_time(lab: Any) -> None:
    origin = await lab.origin()
    origin.by_hand()
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(origin)), drain=DrainPlan(timeout_s=0.3))
    wire = await sidecar.connect()
    await wire.send(GET)
    await (await origin.accept()).head()
    assert await sidecar.plane.drain() is False
    await sidecar.plane.stop()
    (cut,) = sidecar.records
    assert (cut.error, cut.status) == ("stopped", 0), "and not that the client went away"


async def test_a_request_that_was_sent_is_not_lost_in_a_drain(lab: Any) -> None:
    """It lies unread in the kernel when the idle connections are closed."""
    sidecar, _ = await lab.pair(pool=PoolPlan())
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    draining = asyncio.create_task(sidecar.plane.drain())
    wire.writer.write(GET)
    _, body = await wire.message()
    assert body == b"ok"
    await draining


async def test_stop_closes_everything(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(GET)
    upstream = await origin.accept()
    await sidecar.plane.stop()
    assert await wire.rest() in (b"", b"<reset>")
    await upstream.rest()
    assert sidecar.plane.in_flight() == 0
