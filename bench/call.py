"""What one gRPC call costs in Python alone, as `bench.exchange` has it for HTTP/1.1: transports lead nowhere.

    python -m bench.call [--streams N] [--runs N]

One connection on either side, with that many calls in each turn of the loop; every call has ids of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import cast

from bench.exchange import Nowhere
from bench.grpc_call import REQUEST, RESPONSE, TRAILERS
from ops_lib.propagation import FORMATS, Format
from proxy.http2.engine import frames
from proxy.http2.engine.codes import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField
from proxy.http2.pool import StreamPool
from proxy.http2.serving import Http2
from proxy.http2.upstream import UpstreamConnection
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.spans import Spans
from proxy.listener.upstreams.pools import HTTP_2, Pools
from proxy.plan import Address, ListenerPlan, PoolPlan, PropagationPlan, Router, UpstreamPlan, UpstreamTarget
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.buffer import Outlet
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

_TURNS = 20  # in one run
_MESSAGE = bytes(55)
_SERVED_BY = (b"x-served-by", b"cart-1")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return frames.beginning(len(payload), kind, flags) + stream.to_bytes(4, "big") + payload


class Peer:
    """Writes what a caller or a service would."""

    def __init__(self, seed: int = 7) -> None:
        """`seed`: of the ids of its calls."""
        self._encoder = Encoder()
        self._random = random.Random(seed)

    def _headers(self, stream: int, fields: Sequence[tuple[bytes, bytes]], flags: int) -> bytes:
        block = self._encoder.encode([HeaderField(name, value) for name, value in fields], [])
        return _frame(HEADERS, END_HEADERS | flags, stream, block)

    def call(self, stream: int) -> bytes:
        """A request, with ids that no other has."""
        return self.open(stream) + _frame(DATA, END_STREAM, stream, _MESSAGE)

    def open(self, stream: int) -> bytes:
        """Its head."""
        bits = self._random.getrandbits
        ids = [(b"x-b3-traceid", b"%032x" % bits(128)), (b"x-b3-spanid", b"%016x" % bits(64)), (b"x-b3-sampled", b"1")]
        return self._headers(stream, [*REQUEST, *ids], 0)

    def answer(self, stream: int) -> bytes:
        """Its response."""
        message = _frame(DATA, 0, stream, _MESSAGE)
        return self._headers(stream, [*RESPONSE, _SERVED_BY], 0) + message + self._headers(stream, TRAILERS, END_STREAM)


def measure(*, streams: int, runs: int) -> tuple[float, float]:
    """Microseconds a call, from the request's bytes to the upstream's, and from the response's to the client's."""
    loop = asyncio.get_running_loop()
    ticker, descriptors, metrics = Ticker(loop), Descriptors(), Metrics()
    http2 = Http2(ticker, descriptors)
    pools = Pools({HTTP_2: http2.pool}, metrics, lambda _ip, _port: "")
    plan_of_pool = PoolPlan(http2="always", streams=1 << 30)
    propagation = PropagationPlan(extract=FORMATS, inject=(Format.TRACECONTEXT,))
    target = UpstreamTarget("http", Address("127.0.0.1", 8080))
    upstream_plan = UpstreamPlan("app", target, propagation, pool=plan_of_pool)
    plan = ListenerPlan("inbound", "inbound", (Address("127.0.0.1", 0),), Router(upstream_plan), fixed_upstream=True)
    spans = Spans(Outlet())
    rules = ListenerRules(plan, pools, metrics, spans, "bench")
    listener = Listener(
        rules,
        ticker=ticker,
        outbox=Outbox(loop),
        pools=pools,
        descriptors=descriptors,
        access_log=None,
        spans=spans,
    )
    client, near = http2.connection(listener), Nowhere()
    client.connection_made(near)
    client.data_received(PREFACE + frames.settings([]))
    pool = cast(StreamPool, pools.pool("app", target, plan_of_pool))
    upstream, far = cast(UpstreamConnection, pool.new_protocol()), Nowhere()
    upstream.connection_made(far)
    upstream.data_received(frames.settings([]))
    pool.adopt(upstream)
    caller, service = Peer(), Peer()
    stream = 1
    credit = frames.window_update(bytes(4), 1 << 22)  # for one run
    best_request = best_response = float("inf")
    for _ in range(runs):
        request_s = response_s = 0.0
        client.data_received(credit)
        upstream.data_received(credit)
        for _ in range(_TURNS):
            ids = range(stream, stream + 2 * streams, 2)
            stream += 2 * streams
            requests, responses = b"".join(map(caller.call, ids)), b"".join(map(service.answer, ids))
            start = perf_counter()
            client.data_received(requests)
            middle = perf_counter()
            upstream.data_received(responses)
            request_s += middle - start
            response_s += perf_counter() - middle
        best_request, best_response = min(best_request, request_s), min(best_response, response_s)
    if listener.exchanges or metrics.exchange("inbound", "app").requests[2] != runs * _TURNS * streams:
        raise RuntimeError(f"not every call was answered: {listener!r}")
    calls = _TURNS * streams
    return best_request / calls * 1e6, best_response / calls * 1e6


async def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=10, help="calls in one turn (default 10)")
    parser.add_argument("--runs", type=int, default=200, help="short runs, of which the fastest counts (default 200)")
    options = parser.parse_args()
    request_us, response_us = measure(streams=options.streams, runs=options.runs)
    print(f"Python per call: {request_us + response_us:.2f} µs ({request_us:.2f} + {response_us:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
