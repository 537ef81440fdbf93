"""The data plane: opens, changes, drains and closes the listeners of a plan. Objects are built here.

May know every room of the data plane. Must not know settings, signals or the admin listener.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
from collections.abc import Callable
from secrets import token_hex

from ops_lib.hosts import unmapped
from proxy.dataplane.app_presence import app_addresses, is_anyone_there, is_app_up
from proxy.dataplane.door import Door
from proxy.dataplane.either import either_pools
from proxy.dataplane.keeping import is_v6_only, kept_doors, kept_sockets, shared_addresses
from proxy.http1.kept_connection import HeldRequests
from proxy.http1.pool import connection_pools
from proxy.http2.serving import Http2
from proxy.listener.app_calls.doctor import Doctor
from proxy.listener.app_calls.evidence import Evidence, ShownProof
from proxy.listener.app_calls.linking import Linker
from proxy.listener.catching_up import catch_up
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.spans import Spans
from proxy.listener.reports.reporter import Reporter
from proxy.listener.trials import ShownExample, Trials
from proxy.listener.upstream_health import UpstreamHealths
from proxy.listener.upstreams.pools import EITHER, HTTP_1_1, HTTP_2, PoolFactory, Pools
from proxy.participation.in_flight import InFlightTable
from proxy.participation.mirror import Mirror
from proxy.plan import Address, ListenerPlan, Plan
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import Exporter
from proxy.telemetry.report.channel import Channel
from proxy.transport.beside import Beside
from proxy.transport.deadlines import TICK_S, Ticker
from proxy.transport.descriptors import NO_LIMIT, Descriptors
from proxy.transport.handed import HandedSockets
from proxy.transport.listening import ListeningSocket, Waiting, drop, serve
from proxy.transport.outbox import Outbox
from proxy.transport.processes import owners
from proxy.transport.sockets import is_of_this_machine

_MOST_CAUGHT_UP = 64  # requests that are remembered late, in one turn: with large baggage, 3 ms
_HALF_OPEN_S = 0.25  # until a client whose SYN came to us is in our queue


class DataPlane:
    """All listeners of one sidecar.
    Make it in the event loop that it will serve in.
    Call `stop` even if `start` failed.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        metrics: Metrics,
        access_log: Callable[[AccessRecord], None] | None = None,
        exporter: Exporter | None = None,
        channel: Channel | None = None,
        file_limit: int = NO_LIMIT,
        handed: HandedSockets | None = None,
    ) -> None:
        """`exporter`: takes the spans; `channel`: the reports.
        `file_limit`: how many file descriptors the process may have open.

        `handed`: sockets that the service manager has bound for listeners at their addresses.
        """
        self._exporter = exporter or Exporter("")
        self._spans = Spans(self._exporter.outlet)
        self._channel = channel or Channel("")
        self._reports = Reporter(self._channel)
        self._plan = plan
        self._metrics = metrics
        self._access_log = access_log
        self._handed = handed or HandedSockets()
        self._name = token_hex(6)  # our name in Via, unique to this process
        self._listeners: dict[str, Listener] = {}
        self._doors: dict[str, Door] = {}  # by listener name; those that accept
        self._descriptors = Descriptors(file_limit)
        self._beside = Beside()
        self._retired: list[Listener] = []  # of former plans, with connections still open
        self._admin = plan.admin
        self._own: list[tuple[Address, str]] = []  # where we listen, and the direction, or "admin"
        loop = asyncio.get_running_loop()
        self._ticker = Ticker(loop)
        self._outbox = Outbox(loop)
        pools = connection_pools(self._ticker, self._outbox, HeldRequests(loop), self._descriptors)
        self._http2 = http2 = Http2(self._ticker, self._descriptors)
        either = either_pools(pools, http2, self._ticker)
        factories: dict[str, PoolFactory] = {HTTP_1_1: pools, HTTP_2: http2.pool, EITHER: either}
        self._pools = Pools(factories, metrics, self._own_at, self._descriptors)
        self._ticker.every_tick(self._pools.on_tick)
        self._ticker.every_tick(self._count_turns)
        self._healths = UpstreamHealths()
        self._in_flight = InFlightTable(plan.in_flight, self._at_app)  # what inbound remembers, and outbound asks
        self._linker = Linker(self._in_flight, plan.linking, owners)
        self._doctor = Doctor(self._in_flight, metrics.app_calls)
        self._mirror = Mirror()
        self._trials = Trials()
        self._metrics.in_flight.unremembered = self._in_flight.counts
        self._is_behind = False  # what began before linking was on is still to be remembered
        self._ticker.every_tick(self._sweep)
        self._ticker.every_tick(lambda: self._exporter.on_tick(self._ticker.now))
        self._ticker.every_tick(lambda: self._channel.on_tick(self._ticker.now))

    # --- life

    async def start(self) -> None:
        """Bind every listener and serve.
        Raises StartError, which names the listener that cannot be bound; then none is bound.
        """
        self._ticker.start()
        await self.replace_plan(self._plan)

    def addresses(self) -> dict[str, tuple[Address, ...]]:
        """Listener name -> bound addresses, with the real port if 0 was asked."""
        return {name: tuple(each.address for each in door.sockets) for name, door in self._doors.items()}

    def know_admin(self, admin: Address | None) -> None:
        """Where the admin listener is: nobody is to reach it by way of the sidecar."""
        self._admin = admin
        self._note_own()

    @property
    def name(self) -> str:
        """Our name in Via, unique to this process."""
        return self._name

    @property
    def most_clients(self) -> int:
        """How many clients the file descriptors allow at a time, whatever the plan's limits."""
        return self._descriptors.most

    def app_proofs(self) -> dict[str, ShownProof]:
        """What the app did to contexts: the last proof of each finding (`app_calls.evidence`)."""
        return self._doctor.proofs()

    def evidence(self, *, is_final: bool = False) -> Evidence:
        """What the app did to contexts, counted since a console wants to know."""
        return self._doctor.settled(is_final=is_final)

    def shadow_examples(self) -> dict[tuple[str, str], dict[str, ShownExample]]:
        """By listener and upstream: the last request of each difference that `propagation.shadow` would make."""
        return self._trials.examples()

    async def is_app_up(self) -> bool:
        """Whether the app accepts connections; true if the plan has no app."""
        return await is_app_up(app_addresses(self._plan))

    async def replace_plan(self, plan: Plan) -> None:
        """Serve new requests by `plan`. Raises StartError, and changes nothing, if a listener cannot be bound.

        A listener whose address stays keeps its socket and its connections, even under another name.
        """
        # Only calls are joined to requests: without a way out there are none.
        has_calls = any(one.direction == "outbound" for one in plan.listeners)
        linker = self._linker if has_calls and plan.linking.is_on else None
        mirror = self._mirror if plan.mirrors else None
        evidence = plan.linking.headers if linker is not None else ()
        rules = {
            listener.name: self._rules(listener, linker, mirror, evidence, has_calls) for listener in plan.listeners
        }
        kept = kept_sockets(self._doors, plan)
        doors = kept_doors(self._doors, plan, kept)
        new = {name: Door(self._listener(rules[name]), self._http2) for name in rules if name not in doors}
        self._beside.stand_at([*shared_addresses(self._plan), *shared_addresses(plan)])
        doors |= new
        sockets: dict[str, list[ListeningSocket]] = {name: [] for name in rules}
        opened: list[ListeningSocket] = []
        try:
            for listener in plan.listeners:
                for bind in listener.binds:
                    listening = kept.get((listener.name, bind))
                    if listening is None:
                        listening = doors[listener.name].new_socket(bind)
                        await listening.open(
                            listener.name,
                            v6_only=is_v6_only(plan, bind),
                            reuse_port=plan.reuse_port,
                            handed=self._handed.take(bind),
                        )
                        opened.append(listening)
                    sockets[listener.name].append(listening)
        except BaseException:
            for listening in opened:
                drop(listening.close())
            for door in new.values():
                door.listener.abort()
            self._beside.stand_at(shared_addresses(self._plan))
            raise
        # From here on, nothing can fail.
        for name, door in doors.items():
            if door.listener.is_turned_by(rules[name]):
                doors[name] = Door(self._listener(rules[name]), self._http2)
        self._retired = [listener for listener in self._retired if listener.connections]
        used = {listening for each in sockets.values() for listening in each}
        waiting: Waiting = []
        for door in self._doors.values():
            for listening in door.sockets:
                if listening not in used:
                    waiting += listening.close()
            if door not in doors.values():
                door.listener.shut()
                self._retired.append(door.listener)
        self._doors = {name: doors[name] for name in rules}
        self._listeners = {name: door.listener for name, door in self._doors.items()}
        self._channel.use(plan.report)
        self._doctor.tell(self._channel.formats if self._channel.is_on else None, self._reports.id_of)
        for name, door in self._doors.items():
            door.use(rules[name], sockets[name])
            door.listener.choose_what_is_told()
        self._plan = plan
        self._beside.stand_at(shared_addresses(plan))
        self._in_flight.use(plan.in_flight)
        self._linker.use(plan.linking, reads_trace=any(each.keeps_trace for each in rules.values()))
        remembers_all = any(rules[one.name].remembers_all for one in plan.listeners if one.direction == "inbound")
        self._is_behind = remembers_all and not self._in_flight.is_whole
        self._catch_up()
        self._trials.keep_only(plan.shadowed)
        self._exporter.use(plan.export)
        self._note_own()
        upstreams = [upstream for listener in plan.listeners for upstream in listener.router.upstreams()]
        self._pools.keep_only(
            {(upstream.name, upstream.target, upstream.pool) for upstream in upstreams if upstream.target is not None},
            {upstream.name for upstream in upstreams if upstream.target is None},
        )
        await serve(waiting)

    def in_flight(self, direction: str | None = None, *, tunnels: bool = True) -> int:
        """Open exchanges and `tunnels`, of one direction ("inbound", "outbound") or of both."""
        return sum(one.exchanges - (0 if tunnels else one.tunnels) for one in self._of(direction))

    async def drain(self, *, linger: bool = True) -> bool:
        """Let exchanges in flight finish, inbound first (DrainPlan). True if all did, False if some must be cut.

        A tunnel that is still open then is closed, and not cut: it has no end of its own.

        `linger`: whether the outbound listener stays open for an app that is still there.
        """
        plan = self._plan.drain
        loop = asyncio.get_running_loop()
        if self._plan.reuse_port:
            self._pass_on("inbound")
        await self._take_leave(plan.grace_s)
        deadline = loop.time() + plan.timeout_s
        await self._shut("inbound")
        await self._until_idle("inbound", deadline)
        # The app may still call out while it finishes its work.
        if linger and any(listener.rules.plan.direction == "outbound" for listener in self._listeners.values()):
            await self._until_app_is_gone(min(deadline, loop.time() + plan.outbound_linger_s))
        await self._shut("outbound")
        await self._until_idle(None, deadline)
        await self._close_tunnels()
        return self.in_flight(tunnels=False) == 0

    async def stop(self) -> None:
        """Close everything at once."""
        for door in self._doors.values():
            drop(door.close())
        self._doors.clear()
        listeners = [*self._listeners.values(), *self._retired]
        for listener in listeners:
            listener.abort()
        for listener in listeners:
            await listener.wait_closed()
        self._linker.stop()
        self._beside.stand_at(())
        await self._pools.stop()
        await self._exporter.stop()
        await self._channel.stop()
        self._ticker.stop()
        await asyncio.sleep(0)  # aborted transports close in the next turn of the loop

    # --- parts

    def _count_turns(self) -> None:
        self._metrics.put_off = self._ticker.turns.put_off

    def _catch_up(self) -> None:
        if self._is_behind:
            listeners = *self._listeners.values(), *self._retired
            self._is_behind = catch_up(listeners, self._ticker.now, _MOST_CAUGHT_UP)

    def _sweep(self) -> None:
        self._catch_up()
        self._in_flight.sweep(self._ticker.now)
        self._metrics.in_flight.remembered = len(self._in_flight)
        self._metrics.in_flight.abandoned = len(self._in_flight.abandoned)
        self._metrics.in_flight.size_bytes = self._in_flight.size_bytes
        self._metrics.in_flight.missing = max(0, self._in_flight.missing)
        self._metrics.mirror_peers = len(self._mirror)

    def _of(self, direction: str | None) -> list[Listener]:
        listeners = [*self._listeners.values(), *self._retired]
        return [one for one in listeners if direction is None or one.rules.plan.direction == direction]

    def _at_app(self) -> int:
        """How many requests and tunnels are at the app now, those of former listeners included.

        One more if another process shares our addresses: nobody knows how many it has there.
        """
        ours = sum(one.exchanges for one in (*self._listeners.values(), *self._retired) if one.is_inbound)
        return ours if self._beside.is_alone() else ours + 1

    def _listener(self, rules: ListenerRules) -> Listener:
        return Listener(
            rules,
            ticker=self._ticker,
            outbox=self._outbox,
            pools=self._pools,
            descriptors=self._descriptors,
            access_log=self._access_log,
            spans=self._spans,
            reports=self._reports,
        )

    def _rules(
        self,
        plan: ListenerPlan,
        linker: Linker | None,
        mirror: Mirror | None,
        evidence: tuple[str, ...],
        has_calls: bool,
    ) -> ListenerRules:
        pseudonym = f"{re.sub(r'[^A-Za-z0-9-]', '-', plan.name)}.{self._name}.ops-sidecar"
        doctor = self._doctor if linker is not None else None  # else not every request is remembered
        return ListenerRules(
            plan,
            self._pools,
            self._metrics,
            self._spans,
            pseudonym,
            self._healths,
            self._in_flight,
            linker,
            doctor,
            mirror,
            self._trials,
            evidence=evidence,
            has_calls=has_calls,
        )

    def _own_at(self, ip: str, port: int) -> str:
        """Our listener at an address: a direction, "admin", or none (empty)."""
        found = [(listens.host, what) for listens, what in self._own if listens.port == port]
        if not found:
            return ""
        address = unmapped(ipaddress.ip_address(ip.split("%")[0]))
        is_here = address.is_loopback or address.is_unspecified or is_of_this_machine(str(address))
        here = {
            what
            for host, what in found
            if host == str(address) or (is_here and (host in ("0.0.0.0", "::") or address.is_unspecified))
        }
        return next((what for what in ("outbound", "admin", "inbound") if what in here), "")

    def _note_own(self) -> None:
        self._own = [
            (address, str(self._listeners[name].rules.plan.direction))
            for name, addresses in self.addresses().items()
            for address in addresses
        ]
        if self._admin is not None:
            self._own.append((self._admin, "admin"))
        if self._plan.console_page is not None:
            self._own.append((self._plan.console_page, "admin"))  # as well kept from the app's peers

    async def _take_leave(self, grace_s: float) -> None:
        """Inbound answers say that their connections end, and those that are idle are closed bit by bit."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        idle = [one for listener in self._of("inbound") for one in listener.take_leave()]
        closed = 0
        while (passed_s := loop.time() - start) < grace_s:
            due = math.ceil(len(idle) * passed_s / grace_s)
            for connection in idle[closed:due]:  # one that is busy again hears of it with its answer
                connection.shut()
            closed = due
            await asyncio.sleep(min(TICK_S, grace_s - passed_s))

    def _pass_on(self, direction: str) -> None:
        """Leave new clients at `direction` to another process that listens there, if one does."""
        for door in self._doors.values():
            if door.listener.rules.plan.direction == direction:
                for listening in door.sockets:
                    listening.pass_on()

    async def _shut(self, direction: str) -> None:
        """Stop accepting at `direction`. Clients that the kernel has accepted are still served."""
        if self._plan.reuse_port:
            self._pass_on(direction)
            await asyncio.sleep(_HALF_OPEN_S)
        waiting: Waiting = []
        for listener in [one for one in self._listeners.values() if one.rules.plan.direction == direction]:
            door = self._doors.pop(listener.name, None)
            if door is not None:
                waiting += door.close()
            listener.shut()
        await asyncio.sleep(0)  # whom the event loop has just accepted, it tells the listener in its next turn
        await serve(waiting)

    async def _until_app_is_gone(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        addresses = app_addresses(self._plan)
        while loop.time() < until and (  # noqa: ASYNC110 - no event tells when another process ends
            self.in_flight("outbound") or await is_anyone_there(addresses)
        ):
            await asyncio.sleep(min(TICK_S, max(0.0, until - loop.time())))

    async def _close_tunnels(self) -> None:
        for listener in self._of(None):
            listener.close_tunnels()
        while any(one.tunnels for one in self._of(None)):  # noqa: ASYNC110 - a second at most; tunnels have no event
            await asyncio.sleep(TICK_S)

    async def _until_idle(self, direction: str | None, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while any(one.is_busy() for one in self._of(direction)) and loop.time() < deadline:  # noqa: ASYNC110 - the hot path pays for no event
            await asyncio.sleep(min(TICK_S, max(0.0, deadline - loop.time())))
