"""One listener at work: it admits connections, opens an exchange or a tunnel for each request, and counts.

May know the plan, exchanges, metrics, and connections by what `connection` promises. What is served how is for the
`listener_rules` to say, which a new plan may replace at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from math import floor
from time import perf_counter, time

from proxy.http1.connection import Connection
from proxy.http1.exchange import Exchange
from proxy.http1.message.repeats import Sorted
from proxy.http1.message.request import Request, read_request
from proxy.http1.message.write import request_head
from proxy.listener.exchange_record import exchange_record, refused_record
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.pools import PoolTable
from proxy.listener.translation import tally, untranslated
from proxy.plan import Address, UpstreamPlan, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.metrics import count
from proxy.transport.deadlines import Ticker
from proxy.transport.outbox import Outbox
from proxy.transport.tunnel import FarEnd


class Listener:
    """The connections that came in at one address, and the rules by which they are served."""

    def __init__(
        self,
        rules: ListenerRules,
        *,
        ticker: Ticker,
        outbox: Outbox,
        pools: PoolTable,
        access_log: Callable[[AccessRecord], None] | None,
    ) -> None:
        self.rules = rules
        self.ticker = ticker
        self.outbox = outbox
        self.name = rules.plan.name
        self.is_draining = False
        self.is_stopped = False
        self.connections: set[Connection] = set()
        self.exchanges = 0  # open: a request head was read, and its response is not over
        self._metrics = rules.metrics
        self._tunnels = 0
        self._pools = pools
        self._access_log = access_log
        self._tasks: set[asyncio.Task[None]] = set()  # one per CONNECT that waits for its upstream
        self._date = b""
        self._date_second = 0

    def use(self, rules: ListenerRules) -> None:
        """Serve by `rules` from now on, on open connections too. Open exchanges keep the rules they began with."""
        before, self._metrics = self._metrics, rules.metrics
        if before is not self._metrics:  # another name: what is open counts there
            before.connections_open -= len(self.connections)
            before.tunnels_open -= self._tunnels
            self._metrics.connections_open += len(self.connections)
            self._metrics.tunnels_open += self._tunnels
        self.rules = rules
        self.name = rules.plan.name
        for connection in tuple(self.connections):
            connection.use(rules)

    # --- what a connection asks

    def now(self) -> float:
        """The time of the last tick, in seconds of the loop's clock."""
        return self.ticker.now

    def date(self) -> bytes:
        """The time, as a Date field has it (RFC 9110, 5.6.7)."""
        second = floor(time())
        if second != self._date_second:
            self._date_second = second
            self._date = formatdate(second, usegmt=True).encode("ascii")
        return self._date

    def admit(self, connection: Connection) -> bool:
        """Whether a new connection may stay."""
        metrics = self._metrics
        metrics.connections_total += 1
        if len(self.connections) >= self.rules.plan.limits.connections:
            count(metrics.connections_refused, "limit")
            return False
        descriptors = self._pools.descriptors
        if descriptors.clients >= descriptors.most:
            count(metrics.connections_refused, "file-descriptors")
            return False
        descriptors.clients += 1
        metrics.connections_open += 1
        self.connections.add(connection)
        self.ticker.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """A connection is closed."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.ticker.discard(connection)
            self._pools.descriptors.clients -= 1
            self._metrics.connections_open -= 1

    def read(self, line: bytes, fields: Sorted) -> Request:
        """A request, checked against what concerns every request. Raises Refusal."""
        rules = self.rules
        request = read_request(line, fields, rules.parse_authority)
        if rules.is_proxy and request.minor == 0:
            request.keep_alive = False  # RFC 9112, 9.3: proxies of old pass on a keep-alive that they do not understand
        if request.via and any(rules.pseudonym in entry for entry in request.via):
            raise Refusal(Fault.LOOP, "the request has been here before, as its Via says")
        if request.max_forwards == 0 and request.method == b"TRACE":
            raise Refusal(Fault.METHOD_NOT_ALLOWED, "TRACE ends here, and the sidecar does not answer it")
        return request

    def open(self, connection: Connection, request: Request) -> tuple[Exchange, bytes]:
        """An exchange for `request`, and the head to send. Raises Refusal."""
        rules = self.rules
        route = rules.only or rules.route(request)
        pool = route.fixed_pool or route.named_pool(request)
        try:
            translation = route.translator.translate(
                rules.trace(route, request) if rules.is_shared else request.trace, request.lines, request.path
            )
            tally(route.metrics.translation, translation)
        except Exception as error:  # a bug of ours: the outermost edge
            translation = untranslated(route.metrics.translation, error)
        head = request_head(
            request,
            trace=translation.headers,
            host=route.host(request),
            hop=rules.hop(connection.address),
        )
        exchange = Exchange(connection, route, pool, request, self.ticker, self.outbox)
        if self._access_log is not None:
            exchange.translation = translation
        self.exchanges += 1
        return exchange, head

    def connect(self, connection: Connection, request: Request) -> None:
        """CONNECT: a tunnel, where the plan allows one. Raises Refusal."""
        rules = self.rules
        if not rules.plan.connect:
            raise Refusal(Fault.METHOD_NOT_ALLOWED, "CONNECT is not served here")
        if request.has_body:
            raise Refusal(Fault.BAD_FRAMING, "CONNECT has no body")
        host, port = request.authority
        if not port:
            raise Refusal(Fault.BAD_TARGET, "the target of CONNECT is host:port")
        upstream = rules.upstream_plan(host, port)
        task = asyncio.get_running_loop().create_task(self._connect(connection, upstream, host, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.exchanges += 1

    async def _connect(self, connection: Connection, upstream: UpstreamPlan, host: str, port: int) -> None:
        target = upstream.target or UpstreamTarget("http", Address(host, port))
        connector = self._pools.connector(target, upstream.pool)
        limit = self.rules.plan.limits.buffer_bytes
        try:
            far = await connector.connect(
                lambda _alpn: FarEnd(limit),
                upstream.timeouts.connect_s,
                tls=False,  # the client speaks TLS itself, through the tunnel
            )
            if far.is_lost:  # before we came to know of it
                raise Refusal(Fault.CONNECTION_LOST, "the upstream closed the connection at once")
        except Refusal as refusal:
            connection.refuse(refusal)
            return
        finally:
            self.exchanges -= 1
        connection.connected(far, upstream.timeouts.tunnel_idle_s)

    # --- counting

    def record(
        self, connection: Connection, request: Request | None, exchange: Exchange | None, refusal: Refusal | None
    ) -> None:
        """An exchange is over, or a request was refused before there was one."""
        if exchange is None:
            status = refusal.fault.status if refusal is not None else 200
            if refusal is not None:
                count(self._metrics.protocol_errors, refusal.fault.label)
            if self._access_log is not None:
                self._access_log(refused_record(self.name, connection.address, request, status, refusal))
            return
        self.exchanges -= 1
        metrics = exchange.route.metrics
        response = exchange.response
        if response is not None:
            status = response.status
        elif refusal is not None and refusal.fault is not Fault.CLIENT_GONE and refusal.fault is not Fault.STOPPED:
            status = refusal.fault.status
        else:
            status = 0
        duration_s = perf_counter() - exchange.started
        metrics.requests[min(status // 100, 5)] += 1  # RFC 9110, 15: whatever is beyond 599 is a 5xx
        metrics.durations.observe(duration_s)
        metrics.bytes_in += exchange.bytes_in
        metrics.bytes_out += exchange.bytes_out
        if refusal is not None:
            count(metrics.faults, refusal.fault.label)
        if self._access_log is not None:
            self._access_log(exchange_record(exchange, connection.address, status, duration_s, refusal))

    def tunnel_opened(self, kind: str) -> None:
        """`kind`: "connect" or "upgrade"."""
        count(self._metrics.tunnels_total, kind)
        self._metrics.tunnels_open += 1
        self._tunnels += 1
        self.exchanges += 1

    def tunnel_closed(self) -> None:
        """One of them has ended."""
        self._metrics.tunnels_open -= 1
        self._tunnels -= 1
        self.exchanges -= 1

    def count_tunnel_in(self, size: int) -> None:
        """Bytes from the client."""
        self._metrics.tunnel_bytes_in += size

    def count_tunnel_out(self, size: int) -> None:
        """Bytes to the client."""
        self._metrics.tunnel_bytes_out += size

    # --- the end

    def is_busy(self) -> bool:
        """After `shut`: whether there is something left to wait for.

        A request may be open or still on its way, or a client may not have taken all of its answers yet.
        """
        return self.exchanges > 0 or any(
            connection.is_expecting or connection.transport.get_write_buffer_size() for connection in self.connections
        )

    def shut(self) -> None:
        """Close idle connections, and the others after their response; see `Connection.shut`."""
        self.is_draining = True
        for connection in tuple(self.connections):
            connection.shut()

    def abort(self) -> None:
        """Close every connection at once."""
        self.is_stopped = True
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self.connections):
            connection.transport.abort()

    async def wait_closed(self) -> None:
        """Until the tasks of this listener have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
