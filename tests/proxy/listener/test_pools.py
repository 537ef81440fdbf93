"""Pools of targets that requests name: bounded, and let go of when they are unused."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.listener import pools
from proxy.plan import Router


async def test_the_table_of_named_targets_is_bounded(
    lab: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """The one that was idle for longest makes room; where all are in use, the client is told to come back."""
    monkeypatch.setattr(pools, "MAX_POOLS", 2)
    origins = [await lab.origin() for _ in range(4)]
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))))

    async def ask(port: int) -> bytes:
        request = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % port
        return bytes(await sidecar.ask(request, "outbound"))

    for origin in origins:  # each keeps its connection
        assert (await ask(origin.port)).startswith(b"HTTP/1.1 200 ")
        assert len(sidecar.plane._pools._pools) <= 2
    await eventually(lambda: sidecar.metrics.upstream("other").connections_open == 2)
    for again in (2, 0, 2):  # 2 and 3 are there: used once more, 2 stays, and 3 makes room for 0
        assert (await ask(origins[again].port)).startswith(b"HTTP/1.1 200 ")
    assert [origin.opened for origin in origins] == [2, 1, 1, 1], "the one used last has kept its place"

    for origin in origins[1::2]:  # from here on two are busy
        origin.by_hand()
        wire = await sidecar.connect("outbound")
        await wire.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % origin.port)
        await origin.accept()
    answer = await ask(origins[2].port)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer
    assert sidecar.metrics.upstream("other").queue_refused == {"hosts": 1}


async def test_the_plans_own_targets_never_make_room(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MAX_POOLS", 1)
    app, *origins = [await lab.origin() for _ in range(4)]
    outbound = lab.outbound(Router(lab.upstream(None, "other")))
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(app)), outbound)
    for origin in origins:
        assert (await sidecar.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(
            b"HTTP/1.1 200 "
        )
        request = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % origin.port
        assert (await sidecar.ask(request, "outbound")).startswith(b"HTTP/1.1 200 ")
    assert app.opened == 1
