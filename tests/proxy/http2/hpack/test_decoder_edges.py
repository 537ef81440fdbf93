"""Integers, strings and indices at their edges, byte by byte, and what the decoder remembers (RFC 7541, 5 and 6)."""

from __future__ import annotations

import pytest

from proxy.http2.hpack import huffman
from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.errors import BadBlock
from proxy.http2.hpack.field import HeaderField, Judge


def decoder(list_bytes: int = 65536) -> Decoder:
    return Decoder(Judge(), list_bytes)


def pairs(codec: Decoder, block: bytes) -> list[tuple[bytes, bytes]]:
    return [(field.name, field.value) for field in codec.decode(block)]


def numbered(codec: Decoder, number: int) -> None:
    """So many entries of 36 bytes, `x-0` the oldest."""
    for one in range(number):
        name = b"x-%d" % one
        codec.decode(b"\x40" + bytes((len(name),)) + name + b"\x01v")


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (b"\x81", (b":authority", b"")),  # the first of the static table
        (b"\xbd", (b"www-authenticate", b"")),  # the last
        (b"\xbe", (b"x-79", b"v")),  # the newest of the dynamic one
        (b"\xfe", (b"x-15", b"v")),  # 126: the largest index of one byte
        (b"\xff\x00", (b"x-14", b"v")),  # 127
        (b"\xff\x01", (b"x-13", b"v")),
        (b"\xff\x0e", (b"x-0", b"v")),  # the oldest
        (b"\xff\x8e\x00", (b"x-0", b"v")),  # an integer may be longer than it has to be
        (b"\x0f\x00\x01w", (b"accept-charset", b"w")),  # 15
        (b"\x0e\x01w", (b":status", b"w")),  # 14
        (b"\x1f\x00\x01w", (b"accept-charset", b"w")),  # the same, never indexed
        (b"\x1e\x01w", (b":status", b"w")),
        (b"\x0f\x2e\x01w", (b"www-authenticate", b"w")),  # 61
        (b"\x0f\x2f\x01w", (b"x-79", b"w")),  # 62
        (b"\x0f\x7e\x01w", (b"x-0", b"w")),  # 141: 15 + 126
        (b"\x0f\x80\x01\x01w", "an index beyond the table"),  # 15 + 128
        (b"\x7d\x01w", (b"www-authenticate", b"w")),
        (b"\x7e\x01w", (b"x-79", b"w")),
        (b"\x7f\x00\x01w", (b"x-78", b"w")),  # 63
        (b"\x03\x01w", (b":method", b"w")),
        (b"\x04\x01w", (b":path", b"w")),
        (b"\x05\x01w", (b":path", b"w")),
        (b"\x06\x01w", (b":scheme", b"w")),
        (b"\xff\x0f", "an index beyond the table"),  # one beyond the oldest
        (b"\x0f\x7f\x01w", "an index beyond the table"),
        (b"\x7f\x4f\x01w", "an index beyond the table"),
        (b"\x80", "index 0"),
        (b"\xff", "the block ends in an integer"),
        (b"\x0f", "the block ends in an integer"),
        (b"\x7f\x80", "the block ends in an integer"),
        (b"\x00", "the block ends before a string"),
        (b"\x40", "the block ends before a string"),
        (b"\x40\x01w", "the block ends before a string"),
        (b"\x04", "the block ends before a string"),
        (b"\xff\x80\x80\x80\x80\x00", (b"x-14", b"v")),  # five bytes more, and no sixth
        (b"\xff\x80\x80\x80\x80\x80\x00", "an integer is too long"),
    ],
)
def test_each_kind_of_index_at_its_edges(block: bytes, found: tuple[bytes, bytes] | str) -> None:
    codec = decoder()
    numbered(codec, 80)
    assert codec.size == 10 * 36 + 70 * 37
    if isinstance(found, str):
        with pytest.raises(BadBlock, match=f"^{found}$"):
            codec.decode(block)
    else:
        assert pairs(codec, block) == [found]


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 256, 16510, 16511])
@pytest.mark.parametrize("first", [b"\x00", b"\x10", b"\x40"])
def test_strings_of_any_length(size: int, first: bytes) -> None:
    length = bytes((size,)) if size < 127 else b"\x7f"
    if size >= 127:
        left = size - 127
        while left >= 128:
            length += bytes((left % 128 + 128,))
            left //= 128
        length += bytes((left,))
    block = first + length + b"n" * size + length + b"v" * size
    assert pairs(decoder(), block) == [(b"n" * size, b"v" * size)]
    assert pairs(decoder(), first + length + b"n" * size + length + b"v" * size + b"\x82") == [
        (b"n" * size, b"v" * size),
        (b":method", b"GET"),
    ]
    if size:
        with pytest.raises(BadBlock, match=r"^the block ends in a string$"):
            decoder().decode(block[:-1])


def test_where_a_block_has_to_begin_with_an_update() -> None:
    """4.2: an empty one does not, and neither does one that begins with what looks like one by a bit."""
    for block in (b"", b"\x82", b"\x40\x01a\x01b", b"\x00\x01a\x01b", b"\x10\x01a\x01b", b"\x60\x01b"):
        codec = decoder()
        codec.allow(4095)
        with pytest.raises(BadBlock, match="no size update"):
            codec.decode(block)
    for block in (b"\x20", b"\x3f\xe0\x1f", b"\x20\x3f\xe0\x1f"):
        codec = decoder()
        codec.allow(4095)
        assert codec.decode(block) == []
        assert pairs(codec, b"\x82") == [(b":method", b"GET")]
    codec = decoder()
    codec.allow(4096)  # no less than before
    assert pairs(codec, b"\x82") == [(b":method", b"GET")]
    assert decoder().decode(b"") == []


@pytest.mark.parametrize(("table_bytes", "must"), [(4095, True), (4096, False), (4097, False)])
def test_a_table_smaller_than_the_protocols_has_to_be_told(table_bytes: int, must: bool) -> None:
    codec = Decoder(Judge(), 65536, table_bytes)
    if must:
        with pytest.raises(BadBlock, match="no size update"):
            codec.decode(b"\x82")
    else:
        assert pairs(codec, b"\x82") == [(b":method", b"GET")]


def test_updates_of_each_length() -> None:
    codec = decoder()
    numbered(codec, 3)
    assert codec.size == 108
    codec.decode(b"\x3f\x4d")  # 108
    assert codec.size == 108
    codec.decode(b"\x3f\x4c")  # 107
    assert codec.size == 72
    assert pairs(codec, b"\xbf") == [(b"x-1", b"v")]
    codec.decode(b"\x3e")  # 30
    assert codec.size == 0
    codec.decode(b"\x3f\x00")  # 31
    codec.decode(b"\x40\x00\x00")
    assert codec.size == 0  # 32 bytes do not fit
    codec.decode(b"\x3f\x01\x40\x00\x00")
    assert codec.size == 32
    codec.decode(b"\x20")
    assert codec.size == 0
    codec.decode(b"\x3f\xe1\x1f")  # 4096
    with pytest.raises(BadBlock, match=r"^a size update beyond SETTINGS_HEADER_TABLE_SIZE$"):
        codec.decode(b"\x3f\xe2\x1f")  # 4097


def test_updates_may_follow_each_other_but_no_field() -> None:
    codec = decoder()
    assert pairs(codec, b"\x20\x3f\xe1\x1f\x82") == [(b":method", b"GET")]
    for field in (b"\x82", b"\x00\x01a\x01b", b"\x40\x01a\x01b"):
        with pytest.raises(BadBlock, match=r"^a size update behind a field$"):
            decoder().decode(field + b"\x20")


def test_the_oldest_make_room_for_the_newest() -> None:
    codec = decoder()
    codec.decode(b"\x3f\x4d")  # 108 bytes: three entries
    numbered(codec, 4)
    assert codec.size == 108
    assert pairs(codec, b"\xbe\xbf\xc0") == [(b"x-3", b"v"), (b"x-2", b"v"), (b"x-1", b"v")]
    with pytest.raises(BadBlock):
        codec.decode(b"\xc1")
    codec.decode(b"\x40\x01y\x4aw" + b"w" * 73)  # 107 bytes: alone
    assert codec.size == 107
    codec.decode(b"\x40\x01y\x4b" + b"w" * 75)  # 108
    assert (codec.size, pairs(codec, b"\xbe")) == (108, [(b"y", b"w" * 75)])
    codec.decode(b"\x40\x01y\x4c" + b"w" * 76)  # 109: none
    assert codec.size == 0


def test_places_of_what_is_gone_are_given_up() -> None:
    """At most 256 of them stay empty."""
    codec = decoder()
    numbered(codec, 2000)
    held = len(codec._table)
    assert held - 256 <= 110
    assert pairs(codec, b"\xbe") == [(b"x-1999", b"v")]


@pytest.mark.parametrize(("limit", "kept"), [(67, 1), (68, 2), (69, 2), (33, 0), (0, 0)])
def test_a_list_of_exactly_the_limit_is_whole(limit: int, kept: int) -> None:
    codec = decoder(limit)
    assert len(codec.decode(b"\x00\x01a\x01b\x00\x01c\x01d")) == kept
    assert codec.is_oversized is (kept < 2)


def test_a_list_that_was_too_long_is_forgotten_by_the_next() -> None:
    codec = decoder(34)
    assert codec.is_oversized is False
    codec.decode(b"\x00\x01a\x01b\x00\x01c\x01d")
    assert codec.is_oversized is True
    codec.decode(b"\x00\x01a\x01b")
    assert codec.is_oversized is False


def test_a_short_field_behind_one_that_was_too_long_is_not_kept() -> None:
    """So the list is cut at its end, not in its middle."""
    codec = decoder(40)
    assert pairs(codec, b"\x00\x01a\x01b\x00\x01c\x7f\x00" + b"d" * 127 + b"\x00\x00\x00") == [(b"a", b"b")]
    assert codec.is_oversized is True


def test_literals_are_marked_as_they_came() -> None:
    for first, never, literal in ((b"\x00", False, True), (b"\x10", True, True), (b"\x40", False, False)):
        (field,) = decoder().decode(first + b"\x01a\x01b")
        assert (field.never, field.is_literal) == (never, literal)
    for first, never in (
        (b"\x04", False), (b"\x05", False), (b"\x0f\x00", False), (b"\x14", True), (b"\x15", True), (b"\x1f\x00", True),
    ):  # fmt: skip
        (field,) = decoder().decode(first + b"\x01/")
        assert (field.never, field.is_literal) == (never, True)


def test_what_is_in_the_static_table_is_known_by_its_index() -> None:
    assert [field.static for field in decoder().decode(b"\x81\xbd\x42\x03GET")] == [1, 61, 0]


# --- what is remembered


def name_of(codec: Decoder, code: bytes) -> bytes:
    (field,) = codec.decode(b"\x00" + bytes((0x80 | len(code),)) + code + b"\x01v")
    return field.name


def test_64_names_are_remembered() -> None:
    codec = decoder()
    codes = [huffman.encode(b"name-%d" % number) for number in range(65)]
    first = name_of(codec, codes[0])
    for code in codes[1:64]:
        name_of(codec, code)
    assert name_of(codec, codes[0]) is first
    name_of(codec, codes[64])
    again = name_of(codec, codes[0])
    assert again == first
    assert again is not first


@pytest.mark.parametrize(("size", "remembered"), [(1, True), (48, True), (49, False)])
def test_a_name_of_48_bytes_is_remembered(size: int, remembered: bool) -> None:
    codec = decoder()
    text = b"0" * (8 * size // 5)  # five bits each
    code = huffman.encode(text)
    assert len(code) == size
    first = name_of(codec, code)
    assert first == text
    assert (name_of(codec, code) is first) is (remembered or size == 1)


def path_of(codec: Decoder, path: bytes) -> HeaderField:
    length = bytes((len(path),)) if len(path) < 127 else b"\x7f" + bytes((len(path) - 127,))
    (field,) = codec.decode(b"\x04" + length + path)
    return field


def test_64_paths_are_remembered() -> None:
    codec = decoder()
    first = path_of(codec, b"/0")
    for number in range(1, 64):
        path_of(codec, b"/%d" % number)
    assert path_of(codec, b"/0") is first
    path_of(codec, b"/64")
    assert path_of(codec, b"/0") is not first


@pytest.mark.parametrize(("size", "remembered"), [(1, True), (126, True), (127, False)])
def test_a_path_of_126_bytes_is_remembered(size: int, remembered: bool) -> None:
    codec = decoder()
    path = b"/" + b"a" * (size - 1)
    first = path_of(codec, path)
    again = path_of(codec, path)
    assert (first.value, again.value) == (path, path)
    assert (again is first) is remembered


def test_a_path_that_is_remembered_is_taken_whole() -> None:
    codec = decoder()
    block = b"\x04\x02/a\x82"
    assert pairs(codec, block) == pairs(codec, block) == [(b":path", b"/a"), (b":method", b"GET")]
    with pytest.raises(BadBlock, match=r"^the block ends before a string$"):
        codec.decode(b"\x04")
    with pytest.raises(BadBlock, match=r"^the block ends in a string$"):
        codec.decode(b"\x04\x02/")


def test_a_name_that_is_remembered_is_taken_whole() -> None:
    codec = decoder()
    code = huffman.encode(b"name")
    block = b"\x00" + bytes((0x80 | len(code),)) + code + b"\x01v\x82"
    assert pairs(codec, block) == pairs(codec, block) == [(b"name", b"v"), (b":method", b"GET")]
    for cut in range(2, len(code) + 2):
        with pytest.raises(BadBlock):
            codec.decode(block[:cut])
    assert pairs(codec, b"\x00\x80\x01v") == [(b"", b"v")]


def test_a_field_counts_32_bytes_beside_its_text() -> None:
    field = HeaderField(b"abc", b"defgh", 7)
    assert (field.size, field.kind, field.static, field.number, field.holder) == (40, 7, 0, 0, None)
    assert (field.never, field.is_literal) == (False, False)
    assert repr(field) == "<HeaderField abc, 5 bytes, kind 7>"
    assert Judge().kind_of(b"a", b"b") == 0
