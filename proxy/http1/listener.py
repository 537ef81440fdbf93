"""One listener at work: its connections, and the rules by which it serves requests.

May know the plan, links, exchanges, metrics. `ListenerRules` is made once per plan; a request uses the rules that hold
when its head is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from math import floor
from time import perf_counter, time
from typing import Final

from proxy.http1.access import exchange_record, refused_record
from proxy.http1.deadlines import Ticker
from proxy.http1.downstream import ClientConnection
from proxy.http1.errors import Fault, Refusal
from proxy.http1.exchange import Exchange
from proxy.http1.fields import request_kinds
from proxy.http1.forward import Hop, request_head
from proxy.http1.heads import HeadLimits
from proxy.http1.links import Link, PoolTable
from proxy.http1.outbox import Outbox
from proxy.http1.request import Request, read_request
from proxy.http1.tally import tally
from proxy.http1.target import parse_authority
from proxy.http1.template import Sorted
from proxy.http1.tracing import untranslated
from proxy.http1.upstream import UpstreamConnection
from proxy.plan import Address, ListenerPlan, Target, UpstreamPlan
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.metrics import Metrics, count
from proxy.translate import Translator

_REMEMBERED_AUTHORITIES: Final = 1024
_REMEMBERED_CLIENTS: Final = 1024
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ListenerRules:
    """A ListenerPlan, compiled. Immutable but for what it remembers."""

    def __init__(self, plan: ListenerPlan, pools: PoolTable, metrics: Metrics, pseudonym: str) -> None:
        """`pseudonym`: our name in Via, unique to this process and listener (RFC 9110, 7.6.3)."""
        self.plan = plan
        self.metrics = metrics.listener(plan.name)
        self.pseudonym = pseudonym.encode("ascii")
        self.via = (b"1.0 " + self.pseudonym, b"1.1 " + self.pseudonym) if plan.via else (b"", b"")
        limits = plan.limits
        self.head_limits = HeadLimits(
            line_bytes=limits.request_line_bytes,
            field_bytes=limits.header_bytes,
            field_count=limits.header_count,
            line_fault=Fault.TARGET_TOO_LONG,
            field_fault=Fault.HEADERS_TOO_LARGE,
            bad_fault=Fault.BAD_REQUEST,
        )
        upstreams = plan.router.upstreams()
        translators = {upstream.propagation: Translator(upstream.propagation) for upstream in upstreams}
        owners = tuple(translators.values())
        # One pass reads a head before it is known where the request goes. So a field is set aside as soon as it may be
        # any translator's, and where the one chosen does not own it after all (`translate`), it is forwarded as it
        # came.
        self.kinds = request_kinds(
            lambda name: any(owner.owns(name) for owner in owners), via=plan.via, x_forwarded=plan.x_forwarded
        )
        self.is_shared = len(owners) > 1  # what one translator owns may be a plain field to another: see `trace`
        # A response passes a gateway without Via, as RFC 9110 allows; an outbound listener is a proxy, which has to add
        # it.
        self.is_proxy = plan.direction == "outbound"
        response_via = self.via[1] if self.is_proxy else b""
        self._links = {
            upstream: Link(
                upstream,
                translators[upstream.propagation],
                pools,
                metrics.exchange(plan.name, upstream.name),
                listener=plan.name,
                inbound=plan.direction == "inbound",
                buffer_bytes=limits.buffer_bytes,
                kinds=self.kinds,
                response_via=response_via,
            )
            for upstream in upstreams
        }
        self.only = self._links[upstreams[-1]] if plan.fixed_upstream else None  # the link of every request
        self.parse_authority = lru_cache(_REMEMBERED_AUTHORITIES)(parse_authority)
        self._route = lru_cache(_REMEMBERED_AUTHORITIES)(self._find)
        self.hop = lru_cache(_REMEMBERED_CLIENTS)(self._hop)

    def _find(self, host: str, port: int) -> Link:
        return self._links[self.plan.router.route(host, port)]

    def _hop(self, client: bytes) -> Hop:
        return Hop(via=self.via, client=client, forwarded=self.plan.x_forwarded)

    def link(self, request: Request) -> Link:
        """Where `request` goes."""
        authority = request.authority
        if not authority.host:
            raise Refusal(Fault.BAD_HOST, "the request names no host to send it to")
        return self._route(authority.host, authority.port or _DEFAULT_PORTS[request.scheme])

    def upstream_plan(self, host: str, port: int) -> UpstreamPlan:
        """Where a tunnel goes."""
        return self.plan.router.route(host, port)

    def trace(self, link: Link, request: Request) -> list[tuple[bytes, bytes]]:
        """The fields of `request` that the link's translator owns; where there are others, the rest is plain."""
        owns = link.translator.owns
        request.lines.extend(name + b": " + value for name, value in request.trace if not owns(name))
        return [field for field in request.trace if owns(field[0])]


class Listener:
    """The connections that came in at one address, and the rules by which they are served."""

    def __init__(
        self,
        rules: ListenerRules,
        *,
        ticker: Ticker,
        outbox: Outbox,
        metrics: Metrics,
        pools: PoolTable,
        access_log: Callable[[AccessRecord], None] | None,
    ) -> None:
        self.rules = rules
        self.ticker = ticker
        self.outbox = outbox
        self.name = rules.plan.name
        self.is_draining = False
        self.connections: set[ClientConnection] = set()
        self.exchanges = 0  # open: a request head was read, and its response is not over
        self._metrics = rules.metrics
        self._tunnels = 0
        self._pools = pools
        self._access_log = access_log
        self._tasks: set[asyncio.Task[None]] = set()  # one per CONNECT that waits for its upstream
        self._date = b""
        self._date_second = 0

    def use(self, rules: ListenerRules) -> None:
        """Serve by `rules` from now on, open connections too. Exchanges that are open go on as they began."""
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

    def admit(self, connection: ClientConnection) -> bool:
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

    def forget(self, connection: ClientConnection) -> None:
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

    def open(self, connection: ClientConnection, request: Request) -> tuple[Exchange, bytes]:
        """An exchange for `request`, and the head to send. Raises Refusal."""
        rules = self.rules
        link = rules.only or rules.link(request)
        pool = link.fixed_pool or link.named_pool(request)
        try:
            translation = link.translator.translate(rules.trace(link, request) if rules.is_shared else request.trace)
            tally(link.metrics.translation, translation)
        except Exception as error:  # a bug of ours: the outermost edge
            translation = untranslated(link.metrics.translation, error)
        head = request_head(
            request,
            trace=translation.headers,
            host=link.host(request),
            hop=rules.hop(connection.address),
        )
        exchange = Exchange(connection, link, pool, request, self.ticker, self.outbox)
        if self._access_log is not None:
            exchange.translation = translation
        self.exchanges += 1
        return exchange, head

    def connect(self, connection: ClientConnection, request: Request) -> None:
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

    async def _connect(self, connection: ClientConnection, upstream: UpstreamPlan, host: str, port: int) -> None:
        target = upstream.target or Target("http", Address(host, port))
        connector = self._pools.connector(target, upstream.pool)
        limit = self.rules.plan.limits.buffer_bytes
        try:
            far = await connector.connect(
                lambda: UpstreamConnection(
                    self.ticker, on_lost=lambda _lost: None, buffer_bytes=limit, for_tunnel=True
                ),
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
        self, connection: ClientConnection, request: Request | None, exchange: Exchange | None, refusal: Refusal | None
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
        metrics = exchange.link.metrics
        response = exchange.response
        if response is not None:
            status = response.status
        elif refusal is not None and refusal.fault is not Fault.CLIENT_GONE:
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
        """Once shut: whether a request is open or may still come, or a client has not taken all of its answers yet."""
        return self.exchanges > 0 or any(
            connection.is_expecting or connection.transport.get_write_buffer_size() for connection in self.connections
        )

    def shut(self) -> None:
        """Close idle connections, and the others after their response; see `ClientConnection.shut`."""
        self.is_draining = True
        for connection in tuple(self.connections):
            connection.shut()

    def abort(self) -> None:
        """Close every connection at once."""
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self.connections):
            connection.transport.abort()

    async def wait_closed(self) -> None:
        """Until the tasks of this listener have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
