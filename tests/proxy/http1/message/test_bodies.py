"""Bodies off a byte stream: the same content however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http1.message.bodies import CHUNKS_A_FEED, Body, ChunkedBody, CloseBody, LengthBody, LimitedBody
from proxy.http1.message.write import as_chunks
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds

KINDS = response_kinds()


def chunked() -> ChunkedBody:
    return ChunkedBody(Fault.BAD_FRAMING, KINDS)


def read(body: Body, data: bytes, size: int) -> tuple[bytes, bytes | None]:
    """Content, and what comes after, None if the body is not over."""
    content = b""
    for position in range(0, len(data), size):
        piece, rest = body.feed(data[position : position + size])
        content += piece
        while rest is None and body.is_behind:
            piece, rest = body.feed(b"")
            content += piece
        if rest is not None:
            return content, rest + data[position + size :]
    return content, None


def is_refused(wire: bytes, size: int) -> bool:
    try:
        read(chunked(), wire, size)
    except Refusal:
        return True
    return False


WIRE = (
    b'5\r\nhello\r\n3;a;b=c ; d="e\\"f"\r\n, y\r\n00a\r\n0123456789\r\n0;last\r\nT: u\r\nContent-Type: no\r\n\r\nNEXT'
)


@pytest.mark.parametrize("size", range(1, len(WIRE) + 1))
def test_chunks_cut_anywhere(size: int) -> None:
    body = chunked()
    assert read(body, WIRE, size) == (b"hello, y0123456789", b"NEXT")
    assert body.trailers == [b"T: u"]


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.integers(1, 40))
def test_what_we_write_we_read(pieces: list[bytes], size: int) -> None:
    wire = b"".join(as_chunks(piece, False, []) for piece in pieces) + as_chunks(b"", True, [b"A: b"])
    body = chunked()
    assert read(body, wire + b"rest", size) == (b"".join(pieces), b"rest")
    assert body.trailers == [b"A: b"]


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"5_0\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"5;\r\nhello\r\n",
        b'5;a="b\r\nhello\r\n',
        b"5;a\rb\r\nhello\r\n",
        b"5;a\0\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello\n",
        b"5\r\nhelloX",
        b"11111111111111111\r\n",
        b"5;" + b"a" * 2000,
        b"0\r\nX: a\n",
        b"0\r\nX : a\r\n\r\n",
        b"0\r\nX: a\r\n b\r\n\r\n",
        b"0\r\nX: " + b"a" * 20_000,
        b"1;" + b"a" * 900 + b"\r\nx\r\n",
        b"1;" + b"a" * 900 + b"\r\nx\r\n1\r\nx\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 5, 100_000])
def test_malformed_chunks(wire: bytes, size: int) -> None:
    repeat = 100 if wire.startswith(b"1;") else 1  # a flood of extensions: each line is short, their sum is not
    with pytest.raises(Refusal) as caught:
        read(chunked(), wire * repeat, size)
    assert caught.value.fault is Fault.BAD_FRAMING


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    "begin,fill,end,most",
    [
        (b"1;", b"a", b"\r\nx\r\n", 1024 - 2),  # a line of 1 KiB
        (b"0\r\nX: ", b"a", b"\r\n\r\n", 16 * 1024 - 3),  # trailers of 16 KiB
        (b"0\r\nX: ", b"\r\nX: ", b"\r\n\r\n", 127),  # 128 trailer fields
        (b"", b"1;" + b"a" * 30 + b"\r\nx\r\n", b"", 1260),  # each has 13 bytes too much, the first 16
        (b"", b"0", b"1\r\nx\r\n", 15),  # 16 digits
    ],
)
def test_the_limits_are_exact(begin: bytes, fill: bytes, end: bytes, most: int, size: int) -> None:
    """However the bytes are cut."""
    assert not is_refused(begin + fill * most + end, size)
    assert is_refused(begin + fill * (most + 1) + end, size)


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"01\r\nx\r\n", b"1;a\r\nx\r\n"])
def test_one_call_reads_a_bounded_number_of_chunks(chunk: bytes) -> None:
    """However many came; the rest is read by further calls."""
    body = chunked()
    content, rest = body.feed(chunk * 10_000 + b"0\r\n\r\nrest")
    assert len(content) == CHUNKS_A_FEED
    total = len(content)
    while rest is None:
        assert body.is_behind
        content, rest = body.feed(b"")
        assert len(content) <= CHUNKS_A_FEED
        total += len(content)
    assert (total, rest, body.is_behind) == (10_000, b"rest", False)


def test_what_comes_while_a_body_is_behind_is_read_in_its_order() -> None:
    body = LimitedBody(chunked(), 10_000)
    assert body.feed(b"1\r\nx\r\n" * (CHUNKS_A_FEED + 1)) == (b"x" * CHUNKS_A_FEED, None)
    assert body.is_behind
    assert body.feed(b"2\r\nyz\r\n0\r\nT: u\r\n\r\nrest") == (b"xyz", b"rest")
    assert (body.is_behind, body.trailers) == (False, [b"T: u"])


sizes = st.one_of(st.integers(1, 9), st.integers(1, 5000))
spellings = st.sampled_from(["%x", "%X", "0%x", "%x;a=b", "%x ; c"])


@given(st.lists(st.tuples(sizes, spellings), max_size=30), st.lists(st.integers(1, 700), max_size=60))
def test_any_spelling_of_any_size_cut_anywhere(made: list[tuple[int, str]], cuts: list[int]) -> None:
    """The content is made of what chunk-size lines look like."""
    pieces = [((b"1\r\n0\r\n" * size)[:size], spelling % size) for size, spelling in made]
    wire = b"".join(b"%b\r\n%b\r\n" % (line.encode(), content) for content, line in pieces) + b"0\r\n\r\n"
    body, content, rest = chunked(), b"", None
    for cut in [*cuts, len(wire)]:
        if wire:
            piece, rest = read(body, wire[:cut], cut)
            content, wire = content + piece, wire[cut:]
    assert (content, rest) == (b"".join(content for content, _ in pieces), b"")


def test_little_chunks_are_no_flood() -> None:
    assert read(chunked(), b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n", 65536) == (b"x" * 100_000, b"")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_length(size: int) -> None:
    assert read(LengthBody(5), b"helloNEXT", size) == (b"hello", b"NEXT")


def test_until_close() -> None:
    assert CloseBody().feed(b"abc") == (b"abc", None)
