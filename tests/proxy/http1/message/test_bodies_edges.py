"""Limits of bodies at their edges: lengths, chunks, extensions, trailers."""

from __future__ import annotations

import pytest

from proxy.http1.message.bodies import ChunkedBody, CloseBody, LengthBody, LimitedBody, request_body
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds

KINDS = response_kinds()


def chunked() -> ChunkedBody:
    return ChunkedBody(Fault.BAD_RESPONSE, KINDS)


def refused(body: ChunkedBody | LimitedBody, wire: bytes) -> tuple[Fault, str]:
    with pytest.raises(Refusal) as caught:
        body.feed(wire)
    return caught.value.fault, caught.value.detail


def test_a_length_ends_where_it_says() -> None:
    body = LengthBody(5)
    assert body.feed(b"abc") == (b"abc", None)
    assert body.feed(b"d") == (b"d", None)
    assert body.feed(b"efg") == (b"e", b"fg")
    assert body.feed(b"h") == (b"", b"h")
    assert LengthBody(2).feed(b"ab") == (b"ab", b"")
    assert LengthBody(0).feed(b"") == (b"", b"")
    assert (body.is_behind, body.trailers) == (False, [])
    assert CloseBody().feed(b"x") == (b"x", None)


def test_a_limited_body_has_exactly_so_much() -> None:
    said = (Fault.BODY_TOO_LARGE, "the request body is longer than 5 bytes")
    body = LimitedBody(chunked(), 5)
    assert body.feed(b"3\r\nabc\r\n2\r\nde\r\n0\r\nx: 1\r\n\r\nrest") == (b"abcde", b"rest")
    assert (body.trailers, body.is_behind) == ([b"x: 1"], False)
    body = LimitedBody(chunked(), 5)
    body.feed(b"3\r\nabc\r\n")
    assert body.feed(b"2\r\nde\r\n") == (b"de", None)
    assert refused(body, b"1\r\nf") == said
    assert refused(LimitedBody(chunked(), 5), b"6\r\nabcdef") == said


def test_a_request_body_is_what_its_head_announces() -> None:
    said = (Fault.BODY_TOO_LARGE, "the request body is longer than 5 bytes")
    assert isinstance(request_body(5, False, KINDS, 5), LengthBody)
    assert isinstance(request_body(6, False, KINDS, 0), LengthBody)
    with pytest.raises(Refusal) as caught:
        request_body(6, False, KINDS, 5)
    assert (caught.value.fault, caught.value.detail) == said
    assert isinstance(request_body(0, True, KINDS, 5), LimitedBody)
    unlimited = request_body(0, True, KINDS, 0)
    assert isinstance(unlimited, ChunkedBody)
    assert refused(unlimited, b"x\r\n") == (Fault.BAD_FRAMING, "malformed chunk size")


def extended(size: int, content: int = 1) -> bytes:
    """A chunk whose line has `size` bytes."""
    begin = b"%x;" % content
    return begin + b"a" * (size - len(begin)) + b"\r\n" + b"c" * content + b"\r\n"


@pytest.mark.parametrize(("size", "fine"), [(1024, True), (1025, False)])
@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_line_of_1_kib(size: int, fine: bool, cut: int) -> None:
    wire = extended(size)
    first, second = wire[: size + 2 - cut], wire[size + 2 - cut :]
    body = chunked()
    if fine:
        content = body.feed(first)[0] + body.feed(second)[0]
        assert content == b"c"
    else:
        with pytest.raises(Refusal, match="malformed chunk size"):
            body.feed(first)
            body.feed(second)


def test_extensions_take_16_kib_more_than_came() -> None:
    """A line has 16 bytes for its own, and as many as came since the last such line."""
    # 16 lines of 1024 take 1008 each; three bytes of content came between two of them.
    whole = 16 * 1008 - 15 * 3
    left = 16 * 1024 - whole + 3
    assert 16 < left < 1000
    body = chunked()
    assert body.feed(extended(1024) * 16) == (b"c" * 16, None)
    assert body.feed(extended(left + 16)) == (b"c", None)
    body = chunked()
    body.feed(extended(1024) * 16)
    assert refused(body, extended(left + 17)) == (Fault.BAD_RESPONSE, "more chunk extensions than content")


@pytest.mark.parametrize("pieces", [1, 7, 1000, 100_000])
@pytest.mark.parametrize("extra", [0, 1])
def test_content_gives_extensions_their_room_again(pieces: int, extra: int) -> None:
    """However it is cut: each chunk pays for the line behind it, to the byte."""
    wire = extended(1024) * 16
    wire += extended(16 * 1024 - (16 * 1008 - 16 * 3) + 16, 1006)  # now there is no room left
    wire += extended(1024, 1006) * 20 + extended(1024, 500)
    wire += b"1\r\nc\r\n" + extended(16 + 502 + 6 + extra)
    body, content = chunked(), b""
    try:
        for at in range(0, len(wire), pieces):
            content += body.feed(wire[at : at + pieces])[0]
    except Refusal as refusal:
        assert (extra, refusal.detail) == (1, "more chunk extensions than content")
    else:
        assert (extra, len(content)) == (0, 16 + 21 * 1006 + 500 + 2)


def test_what_came_before_counts_once() -> None:
    body = chunked()
    body.feed(b"3e8\r\n" + b"c" * 1000 + b"\r\n" + extended(1024) * 16)
    assert body.feed(extended(200)) == (b"c", None)
    assert refused(body, extended(1024)) == (Fault.BAD_RESPONSE, "more chunk extensions than content")


def test_a_chunk_has_its_ending() -> None:
    said = (Fault.BAD_RESPONSE, "chunk data is not followed by CRLF")
    for wire in (b"1\r\nab", b"1\r\na\rb", b"1\r\na\n", b"0001\r\nabc"):
        assert refused(chunked(), wire) == said
    for cut in range(1, 9):
        body = chunked()
        wire = b"2\r\nab\r\n1"
        content = body.feed(wire[:cut])[0] + body.feed(wire[cut:])[0]
        assert content == b"ab"
        assert body.feed(b"\r\nc\r\n0\r\n\r\nrest") == (b"c", b"rest")


def test_sizes_of_any_spelling() -> None:
    for line, size in ((b"a", 10), (b"A", 10), (b"00000000000000FF", 255), (b"fff", 4095), (b"1000", 4096)):
        assert chunked().feed(line + b"\r\n" + b"c" * size + b"\r\n0\r\n\r\n") == (b"c" * size, b"")
    for line in (b"00000000000000001", b"g", b"", b"1;", b"1;a=", b";a"):
        assert refused(chunked(), line + b"\r\n")[1] == "malformed chunk size"
    for ending in (b"0\r\n\r\n", b"00;a=b\r\n\r\n", b"0;a\r\n\r\n"):
        assert chunked().feed(b"1\r\nc\r\n" + ending + b"rest") == (b"c", b"rest")


def test_512_chunks_are_read_at_once() -> None:
    body = chunked()
    content, rest = body.feed(b"1\r\nc\r\n" * 513 + b"0\r\n\r\nrest")
    assert (len(content), rest, body.is_behind) == (512, None, True)
    assert body.feed(b"") == (b"c", b"rest")
    assert body.is_behind is False
    body = chunked()
    body.feed(b"1\r\nc\r\n" * 512)
    assert body.is_behind is True
    assert body.feed(b"1\r\nd\r\n") == (b"d", None)
    assert body.is_behind is False


def test_trailers_of_16_kib_and_128_fields() -> None:
    too_long = (Fault.BAD_RESPONSE, "the trailer section is too long")
    for extra, fine in ((0, True), (1, False)):
        line = b"x: " + b"v" * (16384 - 3 + extra)
        for cut in (0, 1, 4):
            body = chunked()
            wire = b"0\r\n" + line + b"\r\n\r\n"
            if fine:
                body.feed(wire[: len(wire) - cut])
                rest = body.feed(wire[len(wire) - cut :])[1] if cut else b""
                assert (rest, body.trailers) == (b"", [line])
            else:
                with pytest.raises(Refusal) as caught:
                    body.feed(wire[: len(wire) - cut])
                    body.feed(wire[len(wire) - cut :])
                assert (caught.value.fault, caught.value.detail) == too_long
    many = b"x: 1\r\n" * 128
    body = chunked()
    assert body.feed(b"0\r\n" + many + b"\r\nrest") == (b"", b"rest")
    assert len(body.trailers) == 128
    assert refused(chunked(), b"0\r\n" + many + b"y: 1\r\n\r\n") == too_long


def test_trailers_that_have_no_place_there_are_dropped() -> None:
    body = chunked()
    wire = b"1\r\nc\r\n0\r\nX: 1\r\nHost: a\r\nContent-Length: 5\r\nY: 2\r\n\r\nrest"
    for at in range(len(wire) - 5):
        body.feed(wire[at : at + 1])
    assert body.feed(wire[-5:]) == (b"", b"rest")
    assert body.trailers == [b"X: 1", b"Y: 2"]
    assert refused(chunked(), b"0\r\nX : 1\r\n\r\n")[0] is Fault.BAD_RESPONSE
    with pytest.raises(Refusal, match=r"in the trailers$"):
        chunked().feed(b"0\r\nX: \x01")


@pytest.mark.parametrize("extension", [b"", b";a=b"])
def test_a_chunk_may_be_as_large_as_the_system_can_count(extension: bytes) -> None:
    largest = b"7FFFFFFFFFFFFFFF" + extension + b"\r\n"
    assert chunked().feed(largest + b"abc") == (b"abc", None)
    for size in (b"8000000000000000", b"ffffffffffffffff"):
        for piece in (b"", b"abc"):
            assert refused(chunked(), size + extension + b"\r\n" + piece)[1] == "the chunk size is too large"
