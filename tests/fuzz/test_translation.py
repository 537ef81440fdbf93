"""Tracing never costs a request anything: with any bytes in any trace header it gets through as it would without them.

What no header may hold (a control character) is refused for what it is, so it is not among the bytes.
"""

from __future__ import annotations

import random
import re

from fuzzing import cases
from fuzzing.grammar import pick
from fuzzing.peers import Peer
from fuzzing.reader import Message, read_request, read_response
from fuzzing.rig import PROPAGATION, Rig

from ops_lib.propagation import FORMATS, Format
from proxy.plan import PropagationPlan
from proxy.translate import Translator

NAMES = (
    b"traceparent", b"tracestate", b"b3", b"X-B3-TraceId", b"X-B3-SpanId", b"X-B3-ParentSpanId", b"X-B3-Sampled",
    b"X-B3-Flags", b"uber-trace-id", b"uberctx-user", b"uberctx-", b"jaeger-debug-id", b"jaeger-baggage", b"baggage",
    b"X-Mirascope-Session-Id", b"Mirascope-Session-Id", b"TRACEPARENT", b"x_b3_traceid", b"X_B3_Sampled",
    b"uber_trace_id",
)  # fmt: skip
TRACE, SPAN = b"80f198ee56343ba864fe8b2a57d3eff7", b"e457b5a2e4d86bd1"
VALUES = (
    b"00-%b-%b-01" % (TRACE, SPAN), b"%b-%b-d" % (TRACE, SPAN), b"%b-%b-1-%b" % (TRACE, SPAN, SPAN), b"0", b"1", b"d",
    b"true", b"%b:%b:0:3" % (TRACE, SPAN), TRACE, SPAN, TRACE[:16], b"a=1,b=2", b"ot=th:8;rv:1",
    b"k=v;p=1,session.id=x", b"", b"ff-%b-%b-01-x" % (TRACE, SPAN), b"00-%b-%b-01" % (b"0" * 32, SPAN), b"a" * 300,
    b"k=%ff%zz", b"ops=b:1", b"=,;,=",
)  # fmt: skip
VISIBLE = bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100)) + b"\t"
PLANS = (
    PROPAGATION,
    PropagationPlan(FORMATS, FORMATS),
    PropagationPlan(tuple(reversed(FORMATS)), (Format.JAEGER,), session_bridge=True),
    PropagationPlan(FORMATS, FORMATS, mode="participate", session_bridge=True, baggage="drop", lossless=False),
    PropagationPlan((Format.B3MULTI,), (Format.TRACECONTEXT,), baggage="pass"),
    PropagationPlan(FORMATS, (Format.TRACECONTEXT, Format.JAEGER), mode="participate"),
)


def trace_field(dice: random.Random) -> tuple[bytes, bytes]:
    value = bytearray(pick(dice, VALUES))
    for _ in range(dice.choice((0, 0, 1, 2, 10))):
        if value and dice.random() < 0.5:
            value[dice.randrange(len(value))] = pick(dice, VISIBLE)
        else:
            value[dice.randrange(len(value) + 1) : 0] = bytes([pick(dice, VISIBLE)])
    return pick(dice, NAMES), bytes(value)


def trace_fields(dice: random.Random) -> list[tuple[bytes, bytes]]:
    return [trace_field(dice) for _ in range(dice.randrange(1, 9))]


async def test_translator() -> None:
    """It never raises, whatever it is told to read and write, and what it writes can stand in a head."""
    translators = [Translator(plan) for plan in PLANS]
    is_name = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch
    is_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch

    async def case(dice: random.Random) -> None:
        fields = [(name, value.strip(b" \t")) for name, value in trace_fields(dice)]
        for translator in translators:
            owned = [field for field in fields if translator.owns(field[0])]
            translation = translator.translate(owned)
            again = translation.extraction, translation.context, translation.losses, translation.injected
            assert len(again) == 4
            for name, value in translation.headers:
                assert is_name(name), (name, fields)
                assert is_value(value), (name, value, fields)
                assert value == value.strip(b" \t"), (name, value, fields)

    await cases.run("test_translator", 1500, 0.04, case)


async def test_requests_get_through() -> None:
    seen: list[Message] = []

    def answer(peer: Peer) -> None:
        while (message := read_request(bytes(peer.received))) is not None:
            seen.append(message)
            del peer.received[: message.end]
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def case(dice: random.Random) -> None:
        del seen[:]
        fields = trace_fields(dice)
        lines = [name + pick(dice, (b": ", b":", b":\t ")) + value for name, value in fields]
        client.write(b"\r\n".join([b"GET / HTTP/1.1\r\nHost: app\r\nX-Other: 1", *lines, b"", b""]))
        assert await client.until(lambda: read_response(bytes(client.received), 0, b"GET", ended=client.is_over)), lines
        assert client.received.startswith(b"HTTP/1.1 200 "), (lines, bytes(client.received))
        assert (len(seen), seen[0].value(b"x-other")) == (1, b"1")
        client.received.clear()

    async with Rig.started(answer) as rig:
        client = await rig.client()
        await cases.run("test_requests_get_through", 600, 0.06, case)
        errors = rig.metrics.exchange("inbound", "app").translation.errors
        assert not errors
        await rig.settle()
