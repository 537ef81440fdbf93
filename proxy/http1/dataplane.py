"""The data plane: opens, changes, drains and closes the listeners of a plan. Objects are built here.

May know everything in this package. Must not know settings, signals or the admin listener.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import re
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Final

from proxy.errors import StartError
from proxy.http1.access import AccessRecord
from proxy.http1.deadlines import TICK_S, Ticker
from proxy.http1.downstream import ClientConnection
from proxy.http1.links import PoolTable
from proxy.http1.listener import Listener, ListenerRules
from proxy.http1.outbox import Outbox
from proxy.http1.presence import app_addresses, is_anyone_there
from proxy.http1.sockets import protocols
from proxy.plan import Address, ListenerPlan, Plan
from proxy.telemetry.metrics import Metrics

_BACKLOG: Final = 1024


class DataPlane:
    """All listeners of one sidecar."""

    def __init__(
        self, plan: Plan, *, metrics: Metrics, access_log: Callable[[AccessRecord], None] | None = None
    ) -> None:
        self._plan = plan
        self._metrics = metrics
        self._access_log = access_log
        self._name = token_hex(6)  # ours in Via, this process's alone
        self._listeners: dict[str, Listener] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._retired: list[Listener] = []  # of former plans, with connections still open
        self._own: set[tuple[str, int]] = set()
        self._ticker: Ticker
        self._outbox: Outbox
        self._pools: PoolTable

    # --- life

    async def start(self) -> None:
        """Bind every listener and serve. Raises StartError naming the listener that cannot be bound; then none is."""
        self._ticker = Ticker(asyncio.get_running_loop())
        self._outbox = Outbox(asyncio.get_running_loop())
        self._pools = PoolTable(self._ticker, self._metrics, self._is_own)
        self._ticker.every_tick(self._pools.on_tick)
        self._ticker.start()
        await self.replace_plan(self._plan)

    def addresses(self) -> dict[str, Address]:
        """Listener name -> bound address, with the real port where 0 was asked."""
        found = {}
        for name, server in self._servers.items():
            bind = self._listeners[name].rules.plan.bind
            if bind.unix_path:
                found[name] = bind
            else:
                host, port = server.sockets[0].getsockname()[:2]
                found[name] = Address(host, port)
        return found

    async def replace_plan(self, plan: Plan) -> None:
        """Serve new requests by `plan`. Raises StartError where a listener cannot be bound; then nothing changes."""
        rules = {listener.name: self._rules(listener) for listener in plan.listeners}
        opened: dict[str, asyncio.Server] = {}
        fresh: dict[str, Listener] = {}
        try:
            for listener in plan.listeners:
                old = self._listeners.get(listener.name)
                if old is not None and old.rules.plan.bind == listener.bind:
                    continue
                fresh[listener.name] = made = Listener(
                    rules[listener.name],
                    ticker=self._ticker,
                    outbox=self._outbox,
                    metrics=self._metrics,
                    pools=self._pools,
                    access_log=self._access_log,
                )
                opened[listener.name] = await _bind(listener, made)
        except BaseException:
            for server in opened.values():
                server.close()
            raise
        # Nothing can fail from here on.
        for name in [name for name in self._listeners if name in fresh or name not in rules]:
            self._servers.pop(name).close()
            old = self._listeners.pop(name)
            old.shut()
            self._retired.append(old)
        self._listeners.update(fresh)
        self._servers.update(opened)
        for name, listener_rules in rules.items():
            self._listeners[name].rules = listener_rules
        self._plan = plan
        self._own = {(address.host, address.port) for address in self.addresses().values() if address.port}
        upstreams = [upstream for listener in plan.listeners for upstream in listener.router.upstreams()]
        self._pools.keep_only(
            {(upstream.name, upstream.target, upstream.pool) for upstream in upstreams if upstream.target is not None},
            {upstream.name for upstream in upstreams if upstream.target is None},
        )
        self._retired = [listener for listener in self._retired if listener.connections]

    def in_flight(self, direction: str | None = None) -> int:
        """Exchanges and tunnels that are open, of one direction ("inbound", "outbound") or of both."""
        return sum(listener.exchanges for listener in self._of(direction))

    async def drain(self) -> bool:
        """Let what is in flight finish, inbound first (DrainPlan). True when all did, False when some must be cut."""
        plan = self._plan.drain
        loop = asyncio.get_running_loop()
        await asyncio.sleep(plan.grace_s)
        deadline = loop.time() + plan.timeout_s
        await self._shut("inbound")
        await self._until_idle("inbound", deadline)
        # The app may still call out while it ends its work.
        if any(listener.rules.plan.direction == "outbound" for listener in self._listeners.values()):
            await self._until_app_is_gone(min(deadline, loop.time() + plan.outbound_linger_s))
        await self._shut("outbound")
        await self._until_idle(None, deadline)
        return self.in_flight() == 0

    async def stop(self) -> None:
        """Close everything at once."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        listeners = [*self._listeners.values(), *self._retired]
        for listener in listeners:
            listener.abort()
        for listener in listeners:
            await listener.wait_closed()
        if hasattr(self, "_pools"):
            await self._pools.stop()
            self._ticker.stop()
            await asyncio.sleep(0)  # transports that were aborted close in the next turn of the loop
        for listener in listeners:
            if listener.rules.plan.bind.unix_path:
                _unlink(listener.rules.plan.bind.unix_path)

    # --- parts

    def _of(self, direction: str | None) -> list[Listener]:
        listeners = [*self._listeners.values(), *self._retired]
        return [one for one in listeners if direction is None or one.rules.plan.direction == direction]

    def _is_busy(self, direction: str | None) -> bool:
        """Whether an exchange is open, or the last bytes of one have not left yet."""
        return any(listener.exchanges or listener.has_unsent() for listener in self._of(direction))

    def _rules(self, plan: ListenerPlan) -> ListenerRules:
        pseudonym = f"{re.sub(r'[^A-Za-z0-9-]', '-', plan.name)}.{self._name}.ops-sidecar"
        return ListenerRules(plan, self._pools, self._metrics, pseudonym)

    def _is_own(self, ip: str, port: int) -> bool:
        """Whether connecting there would lead back here."""
        address = ipaddress.ip_address(ip.split("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if (str(address), port) in self._own:
            return True
        wildcards = {("0.0.0.0", port), ("::", port)} & self._own
        return bool(wildcards) and (address.is_loopback or address.is_unspecified)

    async def _shut(self, direction: str) -> None:
        # What the kernel has accepted for us is ours to serve: two turns of the loop empty its queue.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for name, listener in self._listeners.items():
            if listener.rules.plan.direction == direction:
                server = self._servers.pop(name, None)
                if server is not None:
                    server.close()
                listener.shut()

    async def _until_app_is_gone(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        addresses = app_addresses(self._plan)
        while loop.time() < until and (  # noqa: ASYNC110 - no event tells when another process ends
            self.in_flight("outbound") or await is_anyone_there(addresses)
        ):
            await asyncio.sleep(min(TICK_S, max(0.0, until - loop.time())))

    async def _until_idle(self, direction: str | None, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while self._is_busy(direction) and loop.time() < deadline:  # noqa: ASYNC110 - the hot path pays for no event
            await asyncio.sleep(min(TICK_S, max(0.0, deadline - loop.time())))


async def _bind(plan: ListenerPlan, listener: Listener) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    address = plan.bind
    made = protocols(lambda: ClientConnection(listener))
    try:
        if address.unix_path:
            _remove_stale_socket(address.unix_path)
            return await loop.create_unix_server(made, address.unix_path, backlog=_BACKLOG)
        return await loop.create_server(made, address.host or None, address.port, backlog=_BACKLOG)
    except OSError as error:
        where = address.unix_path or f"{address.host}:{address.port}"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(f"listener {plan.name} cannot listen on {where}: {reason}") from None


def _remove_stale_socket(path: str) -> None:
    """A socket file that nobody listens on, left by a process that died."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            _unlink(path)
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _unlink(path: str) -> None:
    Path(path).unlink(missing_ok=True)
