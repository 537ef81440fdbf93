"""The demo's composition: sockets, services, wire taps and sidecars, wired into one chain and taken down again.

    caller -> [shop's sidecar] shop -> [..] -wire- [..] orders -> [..] -wire- [..] billing -> [..] -wire- [..] shop

The system chooses every port.
The sockets of services and taps are bound first, so all addresses are known before anything starts.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from aiohttp import web

from proxy.demo.http import WireTap
from proxy.demo.services import SERVICES, Call, build
from proxy.demo.sidecars import Sidecar, exporting, running, specs

NEXT = {"shop": "orders", "orders": "billing", "billing": "shop"}
WAYS = {
    "shop": "HTTP_PROXY names the sidecar",
    "orders": "a listener of its own for billing",
    "billing": "Host: shop.internal, sent to the sidecar",
}


@dataclass(frozen=True, slots=True)
class Topology:
    """What runs, while it runs."""

    sidecars: Mapping[str, Sidecar]
    taps: Mapping[str, WireTap]  # by the service whose calls pass there
    collector: str = ""  # URL that all export spans to; empty: the sidecars take no part in the trace

    @property
    def entry(self) -> str:
        """Where a caller sends its requests: the inbound listener of the shop's sidecar."""
        return self.sidecars["shop"].url("inbound") + "/checkout"


@contextlib.asynccontextmanager
async def running_topology(
    inject: Mapping[str, str], entry: str, collector: str = "", *, reports: bool = False
) -> AsyncIterator[Topology]:
    """Start everything, and stop it at the end.
    Raises DemoError if a sidecar fails.
    `collector`: URL that sidecars and services export spans to, empty for none.
    `reports`: it is a console, which is told the rest.
    Other arguments: see `sidecars.specs`.
    """
    async with contextlib.AsyncExitStack() as stack:
        app_sockets = {name: stack.enter_context(_listening()) for name in SERVICES}
        tap_sockets = {name: stack.enter_context(_listening()) for name in SERVICES}
        wanted = specs(_ports(app_sockets), _ports(tap_sockets), inject, entry)
        if collector:
            wanted = tuple(exporting(spec, collector, reports=reports) for spec in wanted)
        sidecars = await stack.enter_async_context(running(wanted))
        taps = {name: WireTap() for name in SERVICES}
        for name, tap in taps.items():
            host, port = sidecars[NEXT[name]].addresses["inbound"]
            await stack.enter_async_context(tap.relay(tap_sockets[name], host, port))
        for name, call in _calls(sidecars).items():
            await stack.enter_async_context(_serving(build(SERVICES[name], call, collector), app_sockets[name]))
        yield Topology(sidecars, taps, collector)


def _calls(sidecars: Mapping[str, Sidecar]) -> dict[str, Call]:
    """Each service reaches its sidecar in a different one of the possible ways."""
    return {
        "shop": Call("http://orders.internal/orders", proxy=sidecars["shop"].url("outbound")),
        "orders": Call(sidecars["orders"].url("billing") + "/charges"),
        "billing": Call(sidecars["billing"].url("outbound") + "/receipts", host="shop.internal"),
    }


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextlib.asynccontextmanager
async def _serving(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def _ports(sockets: Mapping[str, socket.socket]) -> dict[str, int]:
    return {name: listener.getsockname()[1] for name, listener in sockets.items()}
