"""What one unary gRPC call costs in HPACK alone: the header blocks of its request and its response.

    python -m bench.http2 [--runs N] [--json]
    PYTHONPATH=build/compiled python -P -m bench.http2        the compiled modules (`make compiled`)

The call is that of a usual gRPC client: 12 fields, 3 of them X-B3 with ids of their own, in Huffman's code.
It goes on with a traceparent instead of X-B3, and the response comes back with its trailers.
No sockets, no frames. The minimum over many short runs is hardly moved by what else runs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from time import perf_counter
from typing import NamedTuple

from bench.grpc_call import REQUEST, RESPONSE, TRAILERS
from proxy.http2.hpack import decoder as compiled_or_not
from proxy.http2.hpack import huffman
from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField, Judge

_CALLS = 100  # in one run

TRACEPARENT = [(b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]


class Cost(NamedTuple):
    """Microseconds a call, all its blocks together."""

    decode_us: float
    encode_us: float


class Peer:
    """Encodes as usual clients and servers do: what repeats is indexed, ids are literals in Huffman's code."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._encoder = Encoder()

    def block(self, fields: tuple[tuple[bytes, bytes], ...], *, traced: bool) -> bytes:
        """The next header block."""
        block = self._encoder.encode([HeaderField(name, value) for name, value in fields], [])
        if traced:
            trace_id, span_id = b"%032x" % self._dice.getrandbits(128), b"%016x" % self._dice.getrandbits(64)
            for field in ((b"x-b3-traceid", trace_id), (b"x-b3-spanid", span_id), (b"x-b3-sampled", b"1")):
                block += b"\x00" + b"".join(bytes((0x80 | len(code),)) + code for code in map(huffman.encode, field))
        return block


def measure(runs: int) -> Cost:
    """The cost of one call."""
    dice = random.Random(7)
    client, server = Peer(dice), Peer(dice)
    from_client, to_server = Decoder(Judge(), 65536), Encoder()
    from_server, to_client = Decoder(Judge(), 65536), Encoder()
    best_decode = best_encode = float("inf")
    count = len(REQUEST)
    for _ in range(runs):
        calls = [
            (
                client.block(REQUEST, traced=True),
                server.block(RESPONSE, traced=False),
                server.block(TRAILERS, traced=False),
            )
            for _ in range(_CALLS)
        ]
        start = perf_counter()
        decoded = [
            (from_client.decode(request), from_server.decode(response), from_server.decode(trailers))
            for request, response, trailers in calls
        ]
        middle = perf_counter()
        for request, response, trailers in decoded:
            to_server.encode(request[:count], TRACEPARENT)
            to_client.encode(response, [])
            to_client.encode(trailers, [])
        end = perf_counter()
        best_decode, best_encode = min(best_decode, middle - start), min(best_encode, end - middle)
    return Cost(best_decode / _CALLS * 1e6, best_encode / _CALLS * 1e6)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="short runs, of which the fastest counts (default 200)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args()
    cost = measure(options.runs)
    is_compiled = not (compiled_or_not.__file__ or "").endswith(".py")
    if options.json:
        print(json.dumps({**cost._asdict(), "compiled": is_compiled}))
    else:
        how = "compiled" if is_compiled else "pure Python"
        print(f"HPACK per call, {how}: {cost.decode_us:.2f} µs to decode, {cost.encode_us:.2f} µs to encode")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
