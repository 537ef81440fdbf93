"""Pools of targets that requests name: bounded, and let go of when they are unused."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.http1 import links
from proxy.plan import Router


async def test_the_table_of_named_targets_is_bounded(
    lab: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """The unused make room; where all are in use, the client is told to come back."""
    monkeypatch.setattr(links, "_MAX_POOLS", 2)
    origins = [await lab.origin() for _ in range(3)]
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))))

    async def ask(port: int) -> bytes:
        request = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % port
        return bytes(await sidecar.ask(request, "outbound"))

    assert (await ask(1)).startswith(b"HTTP/1.1 502 ")
    assert (await ask(origins[0].port)).startswith(b"HTTP/1.1 200 ")
    assert (await ask(origins[1].port)).startswith(b"HTTP/1.1 200 "), "port 1 has no connection: it makes room"
    answer = await ask(origins[2].port)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer
    assert len(sidecar.plane._pools._pools) == 2
