"""What a GOAWAY or a refused header block says, word by word, and fields at the edges of their grammar."""

from __future__ import annotations

import pytest
from lab.http2 import Frame, frame, settings, window_update
from lab.http2_ends import ServerEnd

from proxy.http2.engine import codes, fields
from proxy.http2.engine.fields import BAD, FieldJudge
from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.errors import BadBlock
from proxy.http2.hpack.field import Judge
from proxy.semantics.fields import CONTENT_LENGTH, PLAIN, TE, request_kinds, response_kinds

REQUESTS = FieldJudge(request_kinds(lambda name: False, via=False, x_forwarded=False), True)
RESPONSES = FieldJudge(response_kinds(), False)

FAULTS: tuple[tuple[bytes, int, str], ...] = (
    (frame(codes.SETTINGS, 0, 1), 1, "SETTINGS on a stream"),
    (frame(codes.SETTINGS, codes.ACK, 0, bytes(6)), 6, "an acknowledgement with settings"),
    (frame(codes.SETTINGS, 0, 0, bytes(5)), 6, "SETTINGS that end in the middle of one"),
    (settings((2, 2)), 1, "SETTINGS_ENABLE_PUSH is neither 0 nor 1"),
    (settings((4, 1 << 31)), 3, "SETTINGS_INITIAL_WINDOW_SIZE is too large"),
    (settings((5, 16_383)), 1, "SETTINGS_MAX_FRAME_SIZE is out of range"),
    (settings((5, 1 << 24)), 1, "SETTINGS_MAX_FRAME_SIZE is out of range"),
    (settings((8, 2)), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL is withdrawn, or not 0 or 1"),
    (settings((8, 1), (8, 0)), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL is withdrawn, or not 0 or 1"),
    (settings(*[(4, 1)] * 65), 11, "more than 64 settings at once"),
    (frame(codes.PING, 0, 1, bytes(8)), 1, "PING on a stream"),
    (frame(codes.PING, 0, 0, bytes(7)), 6, "PING that has not 8 bytes"),
    (frame(codes.GOAWAY, 0, 1, bytes(8)), 1, "GOAWAY on a stream"),
    (frame(codes.GOAWAY, 0, 0, bytes(7)), 6, "GOAWAY of less than 8 bytes"),
    (frame(codes.WINDOW_UPDATE, 0, 0, bytes(3)), 6, "WINDOW_UPDATE that has not 4 bytes"),
    (frame(codes.WINDOW_UPDATE, 0, 0, bytes(4)), 1, "WINDOW_UPDATE of 0"),
    (frame(codes.WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), 1, "WINDOW_UPDATE for an idle stream"),
    (window_update(0, 0x7FFFFFFF), 3, "the connection's window is too large"),
    (frame(codes.PRIORITY, 0, 0, bytes(5)), 1, "PRIORITY without a stream"),
    (frame(codes.RST_STREAM, 0, 1, bytes(5)), 6, "RST_STREAM that has not 4 bytes"),
    (frame(codes.RST_STREAM, 0, 1, bytes(4)), 1, "RST_STREAM for an idle stream"),
    (frame(codes.RST_STREAM, 0, 0, bytes(4)), 1, "RST_STREAM for an idle stream"),
    (frame(codes.PUSH_PROMISE, 0, 1, bytes(8)), 1, "PUSH_PROMISE"),
)


def last(frames: list[Frame]) -> tuple[int, str]:
    """The code and the text of the GOAWAY at the end."""
    assert frames[-1].kind == codes.GOAWAY
    return int.from_bytes(frames[-1].payload[4:8], "big"), frames[-1].payload[8:].decode()


@pytest.mark.parametrize(("wire", "code", "text"), FAULTS)
def test_a_goaway_says_why(wire: bytes, code: int, text: str) -> None:
    assert last(ServerEnd().get(wire)) == (code, text)


@pytest.mark.parametrize(
    "wire",
    [
        settings((4, (1 << 31) - 1)), settings((5, 16_384)), settings((5, (1 << 24) - 1)), settings((2, 0)),
        settings((2, 1)), settings((8, 0)), settings((8, 1)), settings((8, 1), (8, 1)), settings(*[(4, 1)] * 64),
        frame(codes.GOAWAY, 0, 0, bytes(8)), window_update(0, 0x7FFFFFFF - 65_535),
    ],
)  # fmt: skip
def test_what_is_just_allowed(wire: bytes) -> None:
    end = ServerEnd()
    assert all(one.kind != codes.GOAWAY for one in end.get(wire))
    assert not end.engine.is_failed


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("80", "index 0"),
        ("be", "an index beyond the table"),
        ("ff00", "an index beyond the table"),
        ("7e", "an index beyond the table"),
        ("8220", "a size update behind a field"),
        ("3fe21f", "a size update beyond SETTINGS_HEADER_TABLE_SIZE"),
        ("ff", "the block ends in an integer"),
        ("ff80", "the block ends in an integer"),
        ("ff8080808080", "the block ends in an integer"),
        ("ff808080808000", "an integer is too long"),
        ("40", "the block ends before a string"),
        ("4001", "the block ends in a string"),
        ("400161", "the block ends before a string"),
        ("4001610161ff", "the block ends in an integer"),
    ],
)
def test_a_header_block_is_refused_with_a_reason(block: str, text: str) -> None:
    with pytest.raises(BadBlock) as caught:
        Decoder(Judge(), 65_536).decode(bytes.fromhex(block))
    assert str(caught.value) == text


def test_a_table_that_was_made_smaller_has_to_be_told() -> None:
    decoder = Decoder(Judge(), 65_536)
    decoder.allow(0)
    with pytest.raises(BadBlock, match=r"^no size update after the table was made smaller$"):
        decoder.decode(b"\x82")


def test_an_integer_of_five_more_bytes_is_read() -> None:
    """28 bits of shift: more than any length that is accepted."""
    with pytest.raises(BadBlock, match=r"^an index beyond the table$"):
        Decoder(Judge(), 65_536).decode(bytes.fromhex("ff8080808001"))


@pytest.mark.parametrize("judge", [REQUESTS, RESPONSES])
@pytest.mark.parametrize("byte", range(256))
def test_each_byte_of_a_value_and_of_a_name(byte: int, judge: FieldJudge) -> None:
    """RFC 9113, 8.2.1: visible, HTAB and SP within, and what is beyond ASCII; a name is a token in lower case."""
    char = bytes((byte,))
    is_inside = byte == 9 or 32 <= byte <= 126 or byte >= 128
    assert (judge.kind_of(b"x", b"a" + char + b"b") == PLAIN) is is_inside
    assert (judge.kind_of(b"x", char) == PLAIN) is (is_inside and byte not in (9, 32))
    is_name = char in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
    assert (judge.kind_of(b"y-" + char, b"1") == PLAIN) is is_name


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (b":method", [b"GET", b"get", b"M-SEARCH", b"!"], [b"", b"G T", b"G(", b"G\x7f"]),
        (b":scheme", [b"http", b"a+-.1", b"HTTPS"], [b"", b"1a", b"ht tp", b"a_b"]),
        (b":path", [b"/", b"*", b"/a?b#c", b"/~!"], [b"", b"a", b"**", b"/ ", b"/\x7f", b"/\xc3"]),
        (b":authority", [b"a", b"a:1", b"[::1]", b"~"], [b"", b"a@b", b"a b", b"\x7f", b"\x80"]),
        (b":protocol", [b"websocket", b"x-1"], [b"", b"a b", b"a/b"]),
    ],
)
def test_each_pseudo_field_of_a_request(name: bytes, good: list[bytes], bad: list[bytes]) -> None:
    kind = getattr(fields, name[1:].decode().upper())
    assert [REQUESTS.kind_of(name, value) for value in good] == [kind] * len(good)
    assert [REQUESTS.kind_of(name, value) for value in bad] == [BAD] * len(bad)
    assert RESPONSES.kind_of(name, good[0]) == BAD


def test_a_status_has_three_digits() -> None:
    assert [RESPONSES.kind_of(b":status", one) for one in (b"100", b"999", b"200")] == [fields.STATUS] * 3
    assert {RESPONSES.kind_of(b":status", one) for one in (b"", b"99", b"1000", b"099", b"2x0", b"20x")} == {BAD}
    assert REQUESTS.kind_of(b":status", b"200") == BAD
    assert REQUESTS.kind_of(b":unknown", b"a") == BAD


def test_a_content_length_has_18_digits() -> None:
    for judge in (REQUESTS, RESPONSES):
        assert judge.kind_of(b"content-length", b"9" * 18) == CONTENT_LENGTH
        assert {judge.kind_of(b"content-length", one) for one in (b"9" * 19, b"", b"-1", b"+1", b"1x", b"1,1")} == {BAD}


def test_te_says_trailers_or_nothing() -> None:
    assert [REQUESTS.kind_of(b"te", one) for one in (b"trailers", b"Trailers")] == [TE, TE]
    assert {REQUESTS.kind_of(b"te", one) for one in (b"", b"gzip", b"trailers, gzip")} == {BAD}
    assert RESPONSES.kind_of(b"te", b"trailers") == BAD


@pytest.mark.parametrize("name", [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"])
def test_each_field_of_a_connection_is_malformed(name: bytes) -> None:
    """RFC 9113, 8.2.2."""
    assert REQUESTS.kind_of(name, b"x") == RESPONSES.kind_of(name, b"x") == BAD


def test_1024_names_of_64_bytes_are_remembered() -> None:
    judge = FieldJudge(response_kinds(), False)
    known = len(judge._known)
    judge.kind_of(b"x" * 65, b"1")
    assert len(judge._known) == known
    judge.kind_of(b"x" * 64, b"1")
    for number in range(1024 - known - 1):
        judge.kind_of(b"x-%d" % number, b"1")
    assert len(judge._known) == 1024
    judge.kind_of(b"y", b"1")
    assert set(judge._known) == {b":status", b"y"}
