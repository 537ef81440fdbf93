"""Connections of frames mean to us what they mean to libnghttp2's server; where they do not, a rule says why.

Compared frame by frame: which streams are reset and with what code, and whether and why the connection ends.
In the end: the requests, and the fields, content and trailers of those that were not reset.
`explain` names each kind of difference.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import NamedTuple

import pytest
from fuzzing import cases, nghttp2
from fuzzing.frames import Client
from lab.http2 import Fields, Frame, parse
from lab.http2_ends import ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.heads import RequestHead
from proxy.http2.engine.limits import Limits

READ = (b"host", b"content-length", b"te")  # their meaning is told instead
LIMITS = Limits(max_streams=100, most_stream_window=65535, connection_window=65535)


class Said(NamedTuple):
    """What a server has said to one frame."""

    goaway: int | None  # its code
    resets: dict[int, int]  # code by stream

    @classmethod
    def by(cls, frames: list[Frame]) -> Said:
        said = cls(None, {})
        for one in frames:
            if one.kind == codes.GOAWAY and said.goaway is None:
                said = said._replace(goaway=int.from_bytes(one.payload[4:8], "big"))
            elif one.kind == codes.RST_STREAM:
                said.resets.setdefault(one.id, int.from_bytes(one.payload, "big"))
        return said


def explain(ours: Said, theirs: Said, frame: Frame, end: ServerEnd) -> str:
    """Why they differ; empty if nobody knows."""
    kind = frame.kind
    if ours.goaway is not None and theirs.goaway is not None:
        return two_faults(ours.goaway, theirs.goaway, frame)
    if ours.resets and theirs.goaway in ours.resets.values():
        return f"a fault of a stream, by the RFC; libnghttp2 ends the connection (type {kind})"
    if theirs.resets and ours.goaway in theirs.resets.values():
        return f"a fault of the connection, by the RFC; libnghttp2 ends the stream (type {kind})"
    if ours == (None, {}):
        if kind == codes.HEADERS and not frame.flags & codes.END_HEADERS:
            return "a header block that has only begun: we judge it as a whole"
        if kind == codes.SETTINGS and theirs.goaway == codes.PROTOCOL_ERROR and frame.flags & codes.ACK:
            return "an acknowledgement of nothing: no rule forbids it"
        if kind == codes.SETTINGS and theirs.resets.keys() <= set(end.engine._recently):
            return "libnghttp2 resets a stream once more, which it has reset before"
    if theirs == (None, {}):
        if kind == codes.HEADERS and ours.goaway == codes.PROTOCOL_ERROR and frame.id < end.engine.last_id:
            return "an id below that of the last request (5.1.1): libnghttp2 ignores it"
        if kind == codes.HEADERS and ours.goaway == codes.STREAM_CLOSED:
            return "a second request on a stream that has ended (5.1): libnghttp2 ignores it"
        if kind == codes.DATA and frame.flags & codes.PADDED and ours.goaway == codes.PROTOCOL_ERROR:
            return "bad padding (6.1) on a stream that is over: libnghttp2 does not look"
        if kind == codes.DATA and set(ours.resets.values()) == {codes.STREAM_CLOSED}:
            return "content of a stream that is over (5.1): libnghttp2 ignores it"
    return ""


def two_faults(ours: int, theirs: int, frame: Frame) -> str:
    """Both end the connection. The RFC leaves open which fault of a frame is named; but there must be two."""
    kind = frame.kind
    is_connections = kind in (codes.SETTINGS, codes.PING, codes.GOAWAY)
    is_misplaced = kind == codes.PUSH_PROMISE or is_connections == (frame.id != 0)
    is_badly_padded = frame.flags & codes.PADDED and (not frame.payload or frame.payload[0] >= len(frame.payload))
    if (ours, theirs) == (codes.PROTOCOL_ERROR, codes.FRAME_SIZE_ERROR) and is_misplaced:
        return "two faults, one is named: of the wrong size, and out of place"
    if kind == codes.DATA and (ours, theirs) == (codes.PROTOCOL_ERROR, codes.STREAM_CLOSED) and is_badly_padded:
        return "two faults, one is named: bad padding, behind the end of the stream"
    if kind == codes.HEADERS and (ours, theirs) == (codes.COMPRESSION_ERROR, codes.STREAM_CLOSED):
        return "two faults, one is named: a broken block, behind the end of the stream"
    if kind == codes.HEADERS and (ours, theirs) == (codes.COMPRESSION_ERROR, codes.PROTOCOL_ERROR) and not frame.id & 1:
        return "two faults, one is named: a broken block, with an id that is no client's"
    return ""


def fields_of(head: RequestHead) -> Fields:
    """All that go on, sorted: `:authority` and the others are told beside those that have no meaning here."""
    pseudo = (head.method, head.scheme, head.path, head.authority, head.protocol)
    fields = (*(one for one in pseudo if one is not None), *head.plain, *head.special)
    return sorted((field.name, field.value) for field in fields)


def compare(dice: random.Random) -> str:
    """One connection; the difference that ended the comparison, if there was one."""
    client = Client(dice, dice.choice((0, 0.05, 0.3)))
    end = ServerEnd(LIMITS, Bucket(1e9, 0), hello=b"")
    other = nghttp2.Session([(codes.MAX_CONCURRENT_STREAMS, LIMITS.max_streams)])
    resets: set[int] = set()
    try:
        hello = client.hello()
        assert Said.by(end.get(hello)) == Said.by(parse(other.feed(hello))) == (None, {})
        for _ in range(dice.randrange(40)):
            wire = client.frames()
            ours, theirs = Said.by(end.get(wire)), Said.by(parse(other.feed(wire)))
            if ours != theirs:
                why = explain(ours, theirs, parse(wire)[0], end)
                assert why, f"we say {ours} to {parse(wire)}, libnghttp2 {theirs}"
                return why
            resets |= ours.resets.keys()
            if ours.goaway is not None:
                break
        content: dict[int, bytes] = {}
        trailers: dict[int, Fields] = {}
        ended = set()
        for told in end.owner.told:
            if told[1] == "trailers":
                trailers[told[0]] = told[2]
            if told[1] == "content":
                content[told[0]] = content.get(told[0], b"") + told[2]
            if told[1] == "trailers" or (told[1] in ("content", "request") and told[3]):
                ended.add(told[0])
        assert end.owner.heads.keys() - resets == other.requests.keys() - resets
        for id in end.owner.heads.keys() - resets:
            assert fields_of(end.owner.heads[id]) == sorted(pair for pair in other.requests[id] if pair[0] not in READ)
            assert content.get(id, b"") == other.content.get(id, b"")
            assert trailers.get(id) == other.trailers.get(id)
        assert ended - resets == other.ended - resets
        return ""
    finally:
        other.close()


@pytest.mark.skipif(nghttp2.LIBRARY is None, reason="libnghttp2 is not installed")
async def test_frames() -> None:
    """FUZZ_CONNECTIONS: as many (`make fuzz-http2`)."""
    differences: Counter[str] = Counter()

    async def case(dice: random.Random) -> None:
        differences[compare(dice)] += 1

    wanted = int(os.environ.get("FUZZ_CONNECTIONS", "0"))
    unexplained = []
    for seed in range(wanted):
        try:
            await case(random.Random(seed))
        except AssertionError as error:
            unexplained.append(f"connection {seed}: {error}")
    if not wanted:
        await cases.run("test_frames", 150, 0.1, case)
    print(f"{differences.total()} connections, {differences.pop('', 0)} without a difference")
    for why, count in differences.most_common():
        print(f"{count:7} {why}")
    assert unexplained == []
