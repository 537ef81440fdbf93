"""Bodies off a byte stream: the same content however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http1.message.bodies import Body, ChunkedBody, CloseBody, LengthBody, as_chunks
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
        if rest is not None:
            return content, rest + data[position + size :]
    return content, None


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
    ],
)
@pytest.mark.parametrize("size", [1, 5, 100_000])
def test_malformed_chunks(wire: bytes, size: int) -> None:
    repeat = 100 if wire.startswith(b"1;") else 1  # a flood of extensions: each line is short, their sum is not
    with pytest.raises(Refusal) as caught:
        read(chunked(), wire * repeat, size)
    assert caught.value.fault is Fault.BAD_FRAMING


def test_little_chunks_are_no_flood() -> None:
    assert read(chunked(), b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n", 65536) == (b"x" * 100_000, b"")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_length(size: int) -> None:
    assert read(LengthBody(5), b"helloNEXT", size) == (b"hello", b"NEXT")


def test_until_close() -> None:
    assert CloseBody().feed(b"abc") == (b"abc", None)
