"""Whether the app is there.
Asked for readiness, and while draining: the outbound listener stays open until the app is gone.

May know addresses and sockets. Sends nothing to the app: a connection is closed as soon as it is accepted.
"""

from __future__ import annotations

import asyncio
import contextlib

from proxy.plan import Address, Plan

_PROBE_S = 0.5  # a slower probe has found a machine that is up but slow


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
    """Whether one of `addresses` accepts a connection. Yes in doubt, and without addresses."""
    if not addresses:
        return True
    return any([await _answer(address) is not False for address in addresses])


async def is_app_up(addresses: list[Address]) -> bool:
    """Whether one of `addresses` accepts a connection. No in doubt; yes without addresses, since no app is missing."""
    return not addresses or any([await _answer(address) is True for address in addresses])


async def _answer(address: Address) -> bool | None:
    """Whether `address` accepts connections; None in doubt."""
    try:
        async with asyncio.timeout(_PROBE_S):
            if address.unix_path:
                _, writer = await asyncio.open_unix_connection(address.unix_path)
            else:
                _, writer = await asyncio.open_connection(address.host, address.port)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:  # also TimeoutError
        return None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
