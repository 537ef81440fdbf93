"""One listener at work: it admits connections, counts what they do, and drains.

May know the plan, metrics, connections as `Accepted`.
Must not know any protocol.
`listener_rules` say how requests are served; a new plan may replace them at any time.
`dispatch` makes exchanges from requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from math import floor
from time import time

from proxy.listener.accepted import Accepted
from proxy.listener.accounting import Accounted, account, logged_status
from proxy.listener.client_bounds import ClientBounds
from proxy.listener.connecting import Connecting
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.exchange_record import exchange_record, refused_record
from proxy.listener.records.explanation import explanation, refused
from proxy.listener.records.spans import Spans
from proxy.listener.reports.reporter import Reporter
from proxy.listener.sides import Asker
from proxy.listener.upstreams.pools import Pools
from proxy.plan import Address
from proxy.semantics.faults import Refusal
from proxy.semantics.request import Request
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.log import fields
from proxy.telemetry.metrics import count
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

log = logging.getLogger(__name__)


class Listener:
    """The connections at one address, and the rules by which they are served."""

    def __init__(
        self,
        rules: ListenerRules,
        *,
        ticker: Ticker,
        outbox: Outbox,
        pools: Pools,
        descriptors: Descriptors,
        access_log: Callable[[AccessRecord], None] | None,
        spans: Spans,
        reports: Reporter | None = None,
    ) -> None:
        """`reports`: where a console is told of exchanges."""
        self.rules = rules
        self.spans = spans
        self._all_reports = reports
        self._reports: Reporter | None = None  # while a console wants to know
        self.is_inbound = rules.plan.direction == "inbound"
        self.ticker = ticker
        self.outbox = outbox
        self.name = rules.plan.name
        self.is_draining = False  # answers say that their connection ends
        self.is_shut = False  # nobody further is accepted
        self.is_stopped = False
        self.connections: set[Accepted] = set()
        self.exchanges = 0  # open: its head was read, and its response is not over
        self.handshakes: set[asyncio.Task[None]] = set()
        self._metrics = rules.metrics
        self.tunnels = 0  # open; each of them is one of the exchanges
        self._descriptors = descriptors
        self.bounds: ClientBounds | None = None  # if the plan bounds what one address may have open
        self._bound_clients()
        self._connecting = Connecting(pools, descriptors, self._connect_over)
        self._access_log = access_log
        self.is_logging = False  # whether the fate of a request's trace fields has to be remembered
        self._explains = False
        self.is_reporting = False  # whether a console wants to know of exchanges
        self.choose_what_is_told()
        self._tell_limit()
        self._date = b""
        self._date_second = 0

    def __repr__(self) -> str:
        states = (self.is_stopped, "stopped"), (self.is_shut, "shut"), (self.is_draining, "draining")
        state = next((name for holds, name in states if holds), "serving")
        return (
            f"<Listener {self.name} {state}, {len(self.connections)} connections, {self.exchanges} exchanges, "
            f"{self.tunnels} tunnels>"
        )

    def is_turned_by(self, rules: ListenerRules) -> bool:
        """Whether it has open exchanges, and leads to the app where `rules` lead away from it, or the reverse."""
        return self.exchanges > 0 and self.is_inbound != (rules.plan.direction == "inbound")

    def use(self, rules: ListenerRules) -> None:
        """Serve by `rules` from now on, on open connections too. Open exchanges keep the rules they began with."""
        before, self._metrics = self._metrics, rules.metrics
        if before is not self._metrics:  # another name: open requests count there
            before.connections_open -= len(self.connections)
            before.tunnels_open -= self.tunnels
            self._metrics.connections_open += len(self.connections)
            self._metrics.tunnels_open += self.tunnels
        self.rules = rules
        self.is_inbound = rules.plan.direction == "inbound"
        self.name = rules.plan.name
        self.choose_what_is_told()
        self._tell_limit()
        self._bound_clients()
        for connection in tuple(self.connections):
            connection.use(rules)

    def _tell_limit(self) -> None:
        self._metrics.connections_limit = min(self.rules.plan.limits.connections, self._descriptors.most)

    def _bound_clients(self) -> None:
        plan = self.rules.plan.clients
        if not (plan.max_connections or plan.max_exchanges):
            self.bounds = None
        elif self.bounds is None or self.bounds.plan != plan:
            self.bounds = ClientBounds(plan)
            for connection in self.connections:
                self.bounds.connected(connection.address, connection.open_exchanges)

    def choose_what_is_told(self) -> None:
        """Who is told of exchanges: the logs, and a console if it wants to know now."""
        self._explains = self.rules.plan.explain
        reports = self._all_reports
        self._reports = reports if reports is not None and reports.is_on else None
        self.is_reporting = self._reports is not None
        self.is_logging = self._explains or self._access_log is not None or self._reports is not None

    # --- what a connection asks

    def date(self) -> bytes:
        """The time, in the format of Date (RFC 9110, 5.6.7)."""
        second = floor(time())
        if second != self._date_second:
            self._date_second = second
            self._date = formatdate(second, usegmt=True).encode("ascii")
        return self._date

    def admit(self, connection: Accepted) -> bool:
        """Whether a new connection may stay."""
        metrics = self._metrics
        metrics.connections_total += 1
        if len(self.connections) >= self.rules.plan.limits.connections:
            count(metrics.connections_refused, "limit")
            return False
        bounds = self.bounds
        if bounds is not None and not bounds.has_room(connection.address):
            count(metrics.connections_refused, "per-client")
            return False
        descriptors = self._descriptors
        if descriptors.clients >= descriptors.most:
            count(metrics.connections_refused, "file-descriptors")
            return False
        if bounds is not None:
            bounds.connected(connection.address)
        descriptors.clients += 1
        metrics.connections_open += 1
        self.connections.add(connection)
        self.ticker.add(connection)
        return True

    def forget_handshake(self, handshake: Accepted, *, is_made: bool) -> None:
        """A handshake is over; told twice, it is forgotten once. If it `is_made`, its connection is admitted again."""
        if handshake in self.connections:
            self.forget(handshake)
            if is_made:
                self._metrics.connections_total -= 1
            elif not self.is_stopped:
                count(self._metrics.connections_refused, "tls-handshake")

    def forget(self, connection: Accepted) -> None:
        """A connection is closed."""
        if connection in self.connections:
            self.connections.discard(connection)
            if self.bounds is not None:
                self.bounds.disconnected(connection.address)
            self.ticker.discard(connection)
            self._descriptors.clients -= 1
            self._metrics.connections_open -= 1

    def connect(self, asker: Asker, request: Request) -> None:
        """CONNECT: a tunnel, if the plan allows one. Raises Refusal."""
        if self.bounds is not None:
            self.bounds.check(asker.address)
        self._connecting.begin(self.rules, asker, request)
        self._began(asker.address)

    def connect_redirected(self, asker: Asker, original: Address) -> None:
        """A tunnel to where `asker` was meant to go: it does not speak HTTP. Raises Refusal."""
        if self.bounds is not None:
            self.bounds.check(asker.address)
        self._connecting.begin_to(self.rules, asker, original)
        self._began(asker.address)

    def give_up(self, asker: Asker) -> None:
        """`asker` is gone; cancel its waiting CONNECT, if there is one."""
        self._connecting.give_up(asker)

    def _connect_over(self, asker: Asker) -> None:
        self._ended(asker.address)

    def _began(self, client: bytes) -> None:
        self.exchanges += 1
        if self.bounds is not None:
            self.bounds.began(client)

    def _ended(self, client: bytes) -> None:
        self.exchanges -= 1
        if self.bounds is not None:
            self.bounds.ended(client)

    # --- counting

    def record(self, accounted: Accounted, asker: Asker, refusal: Refusal | None) -> None:
        """An exchange is over. `asker`: whose it was; `refusal`: why it failed."""
        self.exchanges -= 1
        if self.bounds is not None:
            self.bounds.ended(asker.address)
        if self.is_inbound and accounted.in_flight is None:
            self.rules.in_flight.drop(accounted, is_over=refusal is None or accounted.left is None)
        if accounted.in_flight is not None:
            self.rules.in_flight.end(accounted.in_flight, refusal is None)
        status, duration_s = account(accounted, refusal)
        if accounted.translation is not None:
            peer = (asker.address, asker.port) if self.is_inbound else accounted.upstream_peer
            self.spans.record(accounted, peer, status, duration_s, refusal)
        mirror = self.rules.mirror
        if mirror is not None and not self.is_inbound:
            host, address = accounted.terms.host_of(accounted.request), accounted.upstream_peer[0]
            mirror.reached(host, address.decode("ascii"))
        if not self.is_logging:
            return
        status = logged_status(status, refusal)
        if self._explains:
            log.debug("request", extra=fields(**explanation(accounted, status, refusal)))
        if self._reports is not None:
            self._reports.record(accounted, asker, self.rules, status, duration_s, refusal)
        if self._access_log is not None:
            self._access_log(exchange_record(accounted, asker.address, status, duration_s, refusal))

    def record_refused(self, request: Request | None, client: bytes, refusal: Refusal) -> None:
        """A request was refused before it was an exchange; None if its head could not be read."""
        count(self._metrics.protocol_errors, refusal.fault.label)
        if self._explains:
            log.debug("request refused", extra=fields(**refused(self.name, request, refusal)))
        self._record_ours(request, client, refusal.fault.status, refusal)

    def record_answered(self, request: Request, client: bytes) -> None:
        """We answered a request with 200: a CONNECT, or one that is not forwarded."""
        self._record_ours(request, client, 200, None)

    def _record_ours(self, request: Request | None, client: bytes, status: int, refusal: Refusal | None) -> None:
        if self._reports is not None:
            self._reports.record_ours(self.rules, request, client, status, refusal)
        if self._access_log is not None:
            self._access_log(refused_record(self.name, client, request, status, refusal))

    def record_switch(self, accounted: Accounted, asker: Asker) -> None:
        """An exchange is over, and goes on as a tunnel. The app may call on its behalf until that is closed."""
        if self.is_inbound:
            self.rules.in_flight.settle()
        entry, accounted.in_flight = accounted.in_flight, None
        self.record(accounted, asker, None)
        accounted.in_flight = entry

    def tunnel_opened(self, kind: str, client: bytes) -> None:
        """`kind`: "connect" or "upgrade"; `client`: its address."""
        count(self._metrics.tunnels_total, kind)
        self._metrics.tunnels_open += 1
        self.tunnels += 1
        self._began(client)

    def tunnel_closed(self, client: bytes, switched: Accounted | None) -> None:
        """One of them has ended. `switched`: the exchange that it was, if it was one."""
        self._metrics.tunnels_open -= 1
        self.tunnels -= 1
        self._ended(client)
        if switched is not None and switched.in_flight is not None:
            self.rules.in_flight.end(switched.in_flight)

    def count_tunnel_in(self, size: int) -> None:
        """Bytes from the client."""
        self._metrics.tunnel_bytes_in += size

    def count_tunnel_out(self, size: int) -> None:
        """Bytes to the client."""
        self._metrics.tunnel_bytes_out += size

    # --- the end

    def is_busy(self) -> bool:
        """After `shut`: whether the listener still has work to wait for.

        A request may be open or still on its way, or a client may not have taken all of its answers yet.
        """
        return self.exchanges > 0 or any(
            connection.is_expecting or connection.transport.get_write_buffer_size() for connection in self.connections
        )

    def take_leave(self) -> list[Accepted]:
        """Let each answer say that its connection ends. Returns the idle connections, the longest idle first."""
        self.is_draining = True
        return sorted((one for one in self.connections if one.is_expecting), key=lambda one: one.deadline)

    def shut(self) -> None:
        """Close idle connections, and the others after their response; see `Accepted.shut`."""
        self.is_draining = self.is_shut = True
        for connection in tuple(self.connections):
            connection.shut()

    def close_tunnels(self) -> None:
        """Tell both ends of each tunnel that it is over."""
        for connection in tuple(self.connections):
            connection.close_tunnel()

    def abort(self) -> None:
        """Close every connection at once."""
        self.is_stopped = True
        self._connecting.abort()
        for connection in tuple(self.connections):
            connection.transport.abort()

    async def wait_closed(self) -> None:
        """Until the tasks of this listener have ended."""
        await self._connecting.wait_closed()
        await asyncio.gather(*self.handshakes, return_exceptions=True)
