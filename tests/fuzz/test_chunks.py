"""Chunked bodies, whole and broken, in any pieces: one meaning, which llhttp and h11 share wherever they take them.

A reader that finds another end, or other content, than the next one behind it is how requests are smuggled.
"""

from __future__ import annotations

import random

import h11
import httptools
from fuzzing import cases
from fuzzing.grammar import pick

from proxy.http1.message.bodies import ChunkedBody
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
KINDS = response_kinds()
SPELLINGS = (b"%x", b"%x", b"%X", b"0%x", b"000%X", b"%x;a", b"%x;a=b", b'%x;a="b;c"', b"%x ; a = b", b"%x;a;b;c=d")
CONTENT = (b"x", b"\r\n", b"0\r\n\r\n", b"1\r\nx\r\n", b"\n", b"\r", b"\0\xff", b"GET / HTTP/1.1\r\n\r\n")
TRAILERS = (b"", b"", b"", b"T: u\r\n", b"T: u\r\nV:w\r\n", b"Content-Length: 5\r\n", b"X: " + b"a" * 300 + b"\r\n")
REST = (b"", b"GET /next HTTP/1.1\r\n\r\n", b"\r\n", b"0\r\n\r\n", b"x")
ODD = b'\r\n\t ;="0123456789abcdefABCDEFgx:,-+_\0\x7f\x80\xff'

Outcome = tuple[bytes, list[bytes], bytes] | None | Refusal
"""Content, trailers and what comes after; None: not whole; or why it is refused."""


def chunk(dice: random.Random) -> bytes:
    unit = pick(dice, CONTENT)
    size = pick(dice, (1, 1, 1, 2, 3, 10, 40, 255, 256, 4095, 4096, 5000))
    content = (unit * (size // len(unit) + 1))[:size]
    return pick(dice, SPELLINGS) % size + b"\r\n" + content + b"\r\n"


def body(dice: random.Random) -> bytes:
    """A good one, and what comes after."""
    many = pick(dice, (0, 1, 2, 5))
    chunks = [chunk(dice) for _ in range(many)]
    if many == 5:  # and a flood of small ones
        chunks += [pick(dice, SPELLINGS) % 1 + b"\r\nx\r\n" for _ in range(700)]
    return b"".join(chunks) + pick(dice, (b"0", b"000", b"0;a=b")) + b"\r\n" + pick(dice, TRAILERS) + b"\r\n"


def broken(wire: bytes, dice: random.Random) -> bytes:
    """`wire` with a few bytes changed, most of them near a line's end, where it matters."""
    made = bytearray(wire)
    for _ in range(dice.choice((0, 0, 1, 1, 2, 5))):
        at = dice.randrange(len(made) + 1)
        if dice.random() < 0.5:
            at = max(0, made.find(b"\r\n", at))
        how = dice.randrange(3)
        if how == 0:
            made[at : at + dice.choice((1, 1, 2))] = b""
        else:
            made[at : at + how - 1] = bytes([pick(dice, ODD)])
    return bytes(made)


def read(wire: bytes, sizes: list[int]) -> Outcome:
    """By the sidecar's reader, in pieces of these sizes, again and again."""
    reader, content, position, turn = ChunkedBody(Fault.BAD_FRAMING, KINDS), b"", 0, 0
    try:
        while position < len(wire) or reader.is_behind:
            size = sizes[turn % len(sizes)]
            piece = b"" if reader.is_behind else wire[position : position + size]
            position += len(piece)
            turn += 1
            got, rest = reader.feed(piece)
            content += got
            if rest is not None:
                return content, reader.trailers, rest + wire[position:]
    except Refusal as refusal:
        return refusal
    return None


def by_llhttp(wire: bytes) -> bytes | None:
    """The content by llhttp, where `wire` is one whole body to it."""
    content: list[bytes] = []
    ended: list[bool] = []

    class Parsed:
        def on_body(self, data: bytes) -> None:
            content.append(data)

        def on_message_complete(self) -> None:
            ended.append(True)

    try:
        httptools.HttpRequestParser(Parsed()).feed_data(HEAD + wire)
    except httptools.HttpParserError:
        return None
    return b"".join(content) if ended else None


def by_h11(wire: bytes) -> bytes | None:
    """The same by h11."""
    connection, content = h11.Connection(h11.SERVER), b""
    connection.receive_data(HEAD + wire)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                content += event.data
            elif isinstance(event, h11.EndOfMessage):
                return content if not connection.trailing_data[0] else None
            elif not isinstance(event, h11.Request):
                return None
    except h11.RemoteProtocolError:
        return None


def same(one: Outcome, other: Outcome) -> bool:
    return one == other or (isinstance(one, Refusal) and isinstance(other, Refusal))


async def test_chunks() -> None:
    async def case(dice: random.Random) -> None:
        rest = pick(dice, REST)
        wire = broken(body(dice), dice) + rest
        whole = read(wire, [len(wire) or 1])
        cuts = [[1], [2], [3], [dice.randrange(1, 9) for _ in range(7)], [dice.randrange(1, 9000) for _ in range(5)]]
        for sizes in cuts if len(wire) < 4000 else cuts[3:]:
            assert same(read(wire, sizes), whole), (sizes, wire)
        if whole is None or isinstance(whole, Refusal):
            return
        content, _trailers, left = whole
        end = len(wire) - len(left)
        for judge in (by_llhttp, by_h11):
            theirs = judge(wire[:end])
            assert theirs is None or theirs == content, (judge, wire)
            assert judge(wire[: end - 1]) is None, (judge, wire)  # it ends nowhere before

    await cases.run("test_chunks", 300, 0.1, case)


async def test_good_chunks_are_taken_by_all() -> None:
    """What the others refuse is what is broken, so the test above compares more than refusals."""

    async def case(dice: random.Random) -> None:
        wire = body(dice)
        whole = read(wire, [dice.randrange(1, 500)])
        assert isinstance(whole, tuple), wire
        assert (by_h11(wire) == whole[0]) or b" ;" in wire, wire
        assert (by_llhttp(wire) == whole[0]) or b" ;" in wire or b"Content-Length" in wire, wire

    await cases.run("test_good_chunks_are_taken_by_all", 200, 0.03, case)


async def test_every_split() -> None:
    """One wire of each kind, cut at each pair of places."""

    async def case(dice: random.Random) -> None:
        wire = broken(b"".join(chunk(dice)[:60] for _ in range(2))[:60] + b"\r\n0\r\nT: u\r\n\r\n", dice) + b"rest"
        whole = read(wire, [len(wire)])
        for first in range(1, len(wire)):
            for second in range(1, len(wire) - first + 1, 3):
                assert same(read(wire, [first, second, len(wire)]), whole), (first, second, wire)

    await cases.run("test_every_split", 8, 0.03, case)
