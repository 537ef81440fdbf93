"""Sections in pieces: whole when the empty line comes, and no byte is searched twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http1.message import section
from proxy.http1.message.section import SectionScanner
from proxy.semantics.faults import Fault, Refusal


def scanner() -> SectionScanner:
    return SectionScanner(Fault.BAD_REQUEST, "head")


@given(st.lists(st.integers(1, 12), max_size=40))
def test_cut_anywhere_it_is_whole_with_its_empty_line(cuts: list[int]) -> None:
    wire = b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\nrest"
    scans, fed = scanner(), b""
    for cut in [*cuts, len(wire)]:
        piece = wire[len(fed) : len(fed) + cut]
        fed += piece
        whole = scans.feed(piece)
        if b"\r\n\r\n" in fed:
            assert whole == fed
            assert (scans.size, scans.line_end) == (0, -1)
            return
        assert whole is None
        assert scans.size == len(fed)
        assert scans.line_end == fed.find(b"\r\n")
        if scans.line_end >= 0:
            assert scans.first_line() == b"GET / HTTP/1.1"


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4])
def test_what_comes_at_once_is_found_at_once(first: int) -> None:
    """Behind nothing, or behind a few bytes."""
    line = b"GET / HTTP/1.1"
    scans = scanner()
    if first:
        assert scans.feed(line[:first]) is None
    assert scans.feed(line[first:] + b"\r\nHost") is None
    assert (scans.line_end, scans.first_line()) == (14, line)
    whole = scanner()
    if first:
        assert whole.feed(line[:first]) is None
    assert whole.feed(line[first:] + b"\r\n\r\nrest") == line + b"\r\n\r\nrest"


def test_an_empty_line_at_the_start_ends_it() -> None:
    scans = scanner()
    assert scans.feed(b"\r") is None
    assert scans.feed(b"\nrest") == b"\r\nrest"


@pytest.mark.parametrize("wire", [b"A: \0", b"A: b\rc", b"A: b\nc", b"A\x7f", b"A: b\r\r\n", b"\n"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_an_illegal_byte_is_refused_as_soon_as_it_is_there(wire: bytes, size: int) -> None:
    scans = scanner()
    with pytest.raises(Refusal, match="in the head"):
        for position in range(0, len(wire), size):
            assert scans.feed(wire[position : position + size]) is None


@pytest.mark.skipif(section.__file__.endswith(".so"), reason="compiled code cannot be given a buffer that counts")
def test_no_byte_is_searched_twice() -> None:
    """Byte by byte, the bytes that searches pass over are a few for each byte."""

    class Counted(bytearray):
        searched = 0

        def find(self, wanted: Any, start: Any = 0, end: Any = None) -> int:
            found = super().find(wanted, start)
            Counted.searched += (found if found >= 0 else len(self)) - start
            return found

    scans = scanner()
    scans._buffer = Counted()
    for _ in range(20_000):
        assert scans.feed(b"a") is None
    assert Counted.searched < 8 * 20_000
