"""Whether the app is still there: asked while draining, since the outbound listener stays open until the app is gone.

May know addresses and sockets. Nothing is sent to the app: a connection that is taken is closed again.
"""

from __future__ import annotations

import asyncio
import contextlib

from proxy.plan import Address, Plan

_PROBE_S = 0.5  # a probe that takes longer has found somebody: a machine that is up but slow


def app_addresses(plan: Plan) -> list[Address]:
    """Where the inbound listeners of `plan` send their requests."""
    found = []
    for listener in plan.listeners:
        if listener.direction == "inbound":
            found += [
                upstream.target.address for upstream in listener.router.upstreams() if upstream.target is not None
            ]
    return found


async def is_anyone_there(addresses: list[Address]) -> bool:
    """Whether one of `addresses` takes a connection. Doubt counts as yes; without addresses nobody can know: yes."""
    if not addresses:
        return True
    return any([await _takes_connections(address) for address in addresses])


async def _takes_connections(address: Address) -> bool:
    try:
        async with asyncio.timeout(_PROBE_S):
            if address.unix_path:
                _, writer = await asyncio.open_unix_connection(address.unix_path)
            else:
                _, writer = await asyncio.open_connection(address.host, address.port)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:  # among them TimeoutError
        return True
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
