"""What one exchange costs in Python alone: the data plane's own objects, with transports that lead nowhere.

    python -m bench.exchange [--untraced | --spans] [--outbound] [--report all | --report counted] [--runs N]

No sockets, no system calls, one connection on either side; every request has ids and a path of its own. The minimum
over many short runs is hardly moved by what else runs, so a change to the hot path can be judged in seconds.
In the running sidecar the same work costs about a quarter more (cold caches), and the kernel and uvloop come on top.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
from collections.abc import Callable
from time import perf_counter
from typing import cast

from bench import load
from bench.peer_files import ANSWER
from ops_lib.propagation import FORMATS, Format
from proxy.http1.client import ClientConnection
from proxy.http1.kept_connection import HeldRequests
from proxy.http1.pool import ConnectionPool, connection_pools
from proxy.http1.upstream import UpstreamConnection
from proxy.listener.app_calls.doctor import Doctor
from proxy.listener.app_calls.linking import Linker
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.spans import Spans
from proxy.listener.reports.reporter import Reporter
from proxy.listener.upstreams.pools import HTTP_1_1, Pools
from proxy.participation.in_flight import InFlightTable
from proxy.plan import Address, Direction, ListenerPlan, PoolPlan, PropagationPlan, Router, UpstreamPlan, UpstreamTarget
from proxy.plan.participation import LinkingPlan
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.buffer import Outlet, SpanBuffer
from proxy.telemetry.report.channel import Channel
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

_CALLS = 100  # in one run

RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 280\r\nConnection: keep-alive\r\n\r\n" + ANSWER.encode()
)


class Nowhere(asyncio.Transport):
    """Remembers what was written last."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000)})
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written = cast(bytes, data)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""


class Turns:
    """Stands for the loop where something is to be done at the end of a turn: here we say when one ends."""

    def __init__(self) -> None:
        self._due: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Keeps it for the end of the turn."""
        self._due.append(callback)

    def end(self) -> None:
        """A turn ends."""
        due, self._due = self._due, []
        for callback in due:
            callback()


def requests(*, traced: bool) -> Callable[[], bytes]:
    """The next request, each time another: 4096 of them in turn."""
    randomly = random.Random(7)
    made = []
    for number in range(4096):
        trace_id, span_id = b"%032x" % randomly.getrandbits(128), b"%016x" % randomly.getrandbits(64)
        head = b"GET /items?page=%d HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" % number
        for name, value in load.request_headers(traced=traced).items():
            value = value.replace(load.TRACE_ID, trace_id.decode()).replace(load.SPAN_ID, span_id.decode())
            head += f"{name}: {value}\r\n".encode()
        made.append(head + b"\r\n")
    return itertools.cycle(made).__next__


class Told(Channel):
    """A channel to a console, without the console: what is reported is encoded, and dropped."""

    def __init__(self, *, all_exchanges: bool) -> None:
        super().__init__("")
        self._has_room = all_exchanges

    @property
    def is_on(self) -> bool:
        return True

    def has_room(self, is_notable: bool) -> bool:
        return self._has_room

    def add(self, entry: bytes) -> None:
        """Goes nowhere."""


def connect(
    ticker: Ticker,
    outbox: Outbox,
    held_requests: HeldRequests,
    channel: Channel | None = None,
    kept: SpanBuffer | None = None,
    direction: Direction = "inbound",
) -> tuple[ClientConnection, Nowhere, UpstreamConnection, Nowhere]:
    """A client's and an upstream's connection of one listener, b3multi → tracecontext.

    `kept`: takes a span of each exchange; None: there are no spans.
    """
    propagation = PropagationPlan(
        extract=FORMATS, inject=(Format.TRACECONTEXT,), mode="translate" if kept is None else "participate"
    )
    target = UpstreamTarget("http", Address("127.0.0.1", 8080))
    plan_of_pool = PoolPlan(http2="never")
    upstream_plan = UpstreamPlan("app", target, propagation, pool=plan_of_pool)
    plan = ListenerPlan(direction, direction, (Address("127.0.0.1", 0),), Router(upstream_plan), fixed_upstream=True)
    metrics = Metrics()
    descriptors = Descriptors()
    pools = Pools(
        {HTTP_1_1: connection_pools(ticker, outbox, held_requests, descriptors)}, metrics, lambda _ip, _port: ""
    )
    spans = Spans(Outlet(kept))
    at_app = InFlightTable()
    linker = Linker(at_app, LinkingPlan(), lambda _ends: {})
    doctor = Doctor(at_app, metrics.app_calls)
    rules = ListenerRules(plan, pools, metrics, spans, "bench", in_flight=at_app, linker=linker, doctor=doctor)
    listener = Listener(
        rules,
        ticker=ticker,
        outbox=outbox,
        pools=pools,
        descriptors=descriptors,
        access_log=None,
        spans=spans,
        reports=Reporter(channel) if channel is not None else None,
    )
    client, near = ClientConnection(listener), Nowhere()
    client.connection_made(near)
    # A pool opens sockets; this one gets an idle connection without one.
    pool = cast(ConnectionPool, pools.pool("app", target, plan_of_pool))
    upstream, far = pool.new_protocol(), Nowhere()
    upstream.connection_made(far)
    upstream.served = 1
    pool._all.add(upstream)
    pool._idle.append(upstream)
    return client, near, upstream, far


def measure(
    *,
    traced: bool,
    runs: int,
    channel: Channel | None = None,
    spans_too: bool = False,
    direction: Direction = "inbound",
) -> tuple[float, float]:
    """Microseconds from the request's bytes to the upstream's, and from the response's to the client's."""
    loop = asyncio.get_running_loop()
    turns = Turns()
    of_turns = cast(asyncio.AbstractEventLoop, turns)
    outbox, held_requests = Outbox(of_turns), HeldRequests(of_turns)
    kept = SpanBuffer(limit_bytes=1 << 40, batch_spans=512) if spans_too else None
    client, near, upstream, far = connect(Ticker(loop), outbox, held_requests, channel, kept, direction)
    following = requests(traced=traced)
    best_request = best_response = float("inf")
    for _ in range(runs):
        request_s = response_s = 0.0
        for _ in range(_CALLS):
            request = following()
            start = perf_counter()
            client.data_received(request)
            turns.end()
            middle = perf_counter()
            upstream.data_received(RESPONSE)
            turns.end()
            request_s += middle - start
            response_s += perf_counter() - middle
        while kept is not None and (batch := kept.take(0)) is not None:  # nobody sends them
            kept.free(batch)
        best_request, best_response = min(best_request, request_s), min(best_response, response_s)
    if (b"\r\ntraceparent: 00-" in far.written) is not traced or not near.written.endswith(ANSWER.encode()):
        raise RuntimeError(f"not what was to be measured: {far.written!r}, {near.written!r}")
    return best_request / _CALLS * 1e6, best_response / _CALLS * 1e6


async def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--untraced", action="store_true", help="requests without trace headers")
    parser.add_argument("--spans", action="store_true", help="a span is made of each exchange")
    parser.add_argument("--outbound", action="store_true", help="a call of the app, while it has no request")
    parser.add_argument("--runs", type=int, default=500, help="short runs, of which the fastest counts (default 500)")
    parser.add_argument("--report", choices=("all", "counted"), help="a console is told: of each, or of counts alone")
    options = parser.parse_args()
    channel = Told(all_exchanges=options.report == "all") if options.report else None
    request_us, response_us = measure(
        traced=not options.untraced,
        runs=options.runs,
        channel=channel,
        spans_too=options.spans,
        direction="outbound" if options.outbound else "inbound",
    )
    print(f"Python per exchange: {request_us + response_us:.2f} µs ({request_us:.2f} + {response_us:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
