"""What we write, byte by byte, at the edges of each form, and how much the encoder remembers (RFC 7541, 6)."""

from __future__ import annotations

import pytest

from proxy.http2.hpack import integers
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField
from proxy.http2.hpack.static_table import FIELD_INDEX, NAME_INDEX, SIZE, STATIC


def field(name: bytes, value: bytes, how: str = "indexed") -> HeaderField:
    return HeaderField(name, value, 0, how == "never", how != "indexed")


@pytest.mark.parametrize(
    ("prefix", "first", "value", "written"),
    [
        (127, 0x80, 0, "80"), (127, 0x80, 126, "fe"), (127, 0x80, 127, "ff00"), (127, 0x80, 128, "ff01"),
        (127, 0x80, 254, "ff7f"), (127, 0x80, 255, "ff8001"), (127, 0, 256, "7f8101"), (31, 0x20, 30, "3e"),
        (31, 0x20, 31, "3f00"), (31, 0, 1337, "1f9a0a"), (31, 0x20, 4096, "3fe11f"), (15, 0x10, 14, "1e"),
        (15, 0, 15, "0f00"), (127, 0, 127 + 16383, "7fff7f"), (127, 0, 127 + 16384, "7f808001"),
    ],
)  # fmt: skip
def test_integers_are_those_of_5_1(prefix: int, first: int, value: int, written: str) -> None:
    assert integers.integer(prefix, first, value).hex() == written


def test_tables_of_integers_say_what_the_function_does() -> None:
    assert len(integers.LENGTHS) == len(integers.INDEXED) == 256
    assert [one.hex() for one in (integers.LENGTHS[0], integers.LENGTHS[127], integers.LENGTHS[255])] == [
        "00", "7f00", "7f8001",
    ]  # fmt: skip
    assert [one.hex() for one in (integers.INDEXED[1], integers.INDEXED[127], integers.INDEXED[255])] == [
        "81", "ff00", "ff8001",
    ]  # fmt: skip
    assert [integers.length(size).hex() for size in (0, 255, 256)] == ["00", "7f8001", "7f8101"]
    assert integers.MAX_SHIFT == 28


def test_the_tables_of_names_and_fields_point_at_the_first() -> None:
    assert (SIZE, len(STATIC), STATIC[0]) == (61, 62, (b"", b""))
    assert (NAME_INDEX[b":authority"], NAME_INDEX[b":status"], NAME_INDEX[b"www-authenticate"]) == (1, 8, 61)
    assert (FIELD_INDEX[b":authority", b""], FIELD_INDEX[b":status", b"204"], FIELD_INDEX[b"via", b""]) == (1, 9, 60)
    assert (b"" in NAME_INDEX, (b"", b"") in FIELD_INDEX) == (False, False)


@pytest.mark.parametrize(
    ("one", "written"),
    [
        (field(b":method", b"GET"), "82"),
        (field(b":method", b"PUT"), "4203505554"),
        (field(b"via", b"1"), "7c0131"),
        (field(b"www-authenticate", b"1"), "7d0131"),
        (field(b"x", b"1"), "4001780131"),
        (field(b":status", b"1", "literal"), "080131"),
        (field(b"accept-charset", b"1", "literal"), "0f000131"),
        (field(b"x", b"1", "literal"), "0001780131"),
        (field(b"x", b"", "literal"), "00017800"),
        (field(b":status", b"1", "never"), "180131"),
        (field(b"authorization", b"1", "never"), "1f080131"),
        (field(b"x", b"1", "never"), "1001780131"),
    ],
)
def test_each_form_of_a_field(one: HeaderField, written: str) -> None:
    assert Encoder().encode([one], []).hex() == written
    encoder = Encoder()
    first = encoder.encode([one], [])
    again = field(one.name, one.value, "never" if one.never else "literal" if one.is_literal else "indexed")
    second = encoder.encode([again], [])
    assert (len(second) == 1) is (not one.is_literal and not one.never)
    assert (second == first) is (one.is_literal or one.never or one.static > 0)


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        (b"x", b"12", "000178023132"), (b":path", b"/a", "04022f61"), (b"user-agent", b"", "0f2b00"),
        (b"x", b"v" * 126, "0001787e" + "76" * 126), (b"x", b"v" * 127, "0001787f00" + "76" * 127),
        (b"x", b"v" * 255, "0001787f8001" + "76" * 255), (b"x", b"v" * 256, "0001787f8101" + "76" * 256),
    ],
)  # fmt: skip
def test_literals_beside_the_fields(name: bytes, value: bytes, written: str) -> None:
    encoder = Encoder()
    for _ in range(2):
        assert encoder.encode([], [(name, value)]).hex() == written
    assert encoder.size == 0


def filled(number: int, encoder: Encoder | None = None) -> tuple[Encoder, list[HeaderField]]:
    encoder = encoder or Encoder()
    fields = [field(b"x-%d" % one, b"v") for one in range(number)]
    encoder.encode(fields, [])
    return encoder, fields


@pytest.mark.parametrize("fresh", [False, True])
def test_indices_of_one_byte_and_more(fresh: bool) -> None:
    """62 is the newest. A field that is known finds its place, and so does another one of the same text."""
    encoder, fields = filled(100)
    if fresh:
        fields = [field(one.name, one.value) for one in fields]
    written = [encoder.encode([fields[at]], []).hex() for at in (99, 98, 35, 34, 33, 0)]
    assert written == ["be", "bf", "fe", "ff00", "ff01", "ff22"]


def test_the_largest_index_of_a_table_and_the_first_beyond() -> None:
    wide = Encoder(65536)
    wide.limit_table(65536)
    wide.encode([], [])
    encoder, fields = filled(300, wide)
    others = [field(one.name, one.value) for one in fields]
    for held in (fields, others):
        indices = [encoder.encode([held[at]], []).hex() for at in (106, 105, 104, 0)]  # 255, 256, 257, 361
        assert indices == ["ff8001", "ff8101", "ff8201", "ffea01"]


def test_fields_of_a_quarter_of_the_table_are_held() -> None:
    for size, held in ((1024, True), (1025, False)):
        encoder = Encoder()
        encoder.encode([field(b"x", b"v" * (size - 33))], [])
        assert encoder.size == (size if held else 0)


def test_the_oldest_are_pushed_out_and_their_numbers_with_them() -> None:
    encoder, fields = filled(113)  # 10 of 36 bytes, 90 of 37, 13 of 38: 4184 bytes, of which 4096 fit
    assert encoder.size == 4184 - 3 * 36
    assert encoder.encode([fields[3]], []).hex() == "ff2c"
    assert encoder.encode([fields[2]], [])[0] == 0x40
    assert encoder.encode([fields[2]], []).hex() == "be"
    assert encoder.size == 4184 - 3 * 36  # it came as one more went


def test_an_update_pushes_out_what_no_longer_fits() -> None:
    encoder, fields = filled(3)
    assert encoder.size == 108
    encoder.limit_table(72)
    assert encoder.encode([fields[2], fields[1]], []).hex() == "3f29bebf"
    assert encoder.size == 72
    assert encoder.encode([fields[0]], []).hex() == "0003782d300176"  # more than a quarter of the table


@pytest.mark.parametrize(
    ("sizes", "written"),
    [
        ((4096,), ""), ((65536,), ""), ((4095,), "3fe01f"), ((100, 200), "3f453fa901"), ((200, 100), "3f45"),
        ((0,), "20"), ((0, 4096), "203fe11f"), ((100, 100), "3f45"), ((100, 50, 75), "3f133f2c"), ((30,), "3e"),
        ((31,), "3f00"), ((100, 4096), "3f453fe11f"),
    ],
)  # fmt: skip
def test_updates_are_told_once_the_least_first(sizes: tuple[int, ...], written: str) -> None:
    encoder = Encoder()
    for size in sizes:
        encoder.limit_table(size)
    assert encoder.encode([], []).hex() == written
    assert encoder.encode([], []) == b""
    for size in sizes[-1:]:
        encoder.limit_table(size)
    assert encoder.encode([], []) == b""


@pytest.mark.parametrize(("ours", "written"), [(4095, "3fe01f"), (4096, ""), (8192, "")])
def test_a_table_of_our_own_is_told_where_it_is_smaller(ours: int, written: str) -> None:
    assert Encoder(ours).encode([], []).hex() == written


def test_a_larger_table_is_used_where_both_allow_it() -> None:
    encoder = Encoder(8192)
    encoder.limit_table(65536)
    assert encoder.encode([], []).hex() == "3fe13f"


def test_256_beginnings_of_literals_are_remembered() -> None:
    """Of names of at most 64 bytes."""
    encoder = Encoder()
    for number in range(256):
        encoder.encode([], [(b"x-%d" % number, b"")])
    assert len(encoder._names) == 256
    encoder.encode([], [(b"y" * 65, b"")])
    assert len(encoder._names) == 256
    encoder.encode([], [(b"y" * 64, b"")])
    assert list(encoder._names) == [b"y" * 64]
    encoder.encode([field(b"z", b"1", "literal")], [])
    assert list(encoder._names) == [b"y" * 64, b"z"]


def test_64_places_are_remembered() -> None:
    encoder, fields = filled(66)
    for one in fields[:64]:
        encoder.encode([field(one.name, one.value)], [])
    assert len(encoder._places) == 64
    encoder.encode([field(fields[64].name, b"v")], [])
    assert len(encoder._places) == 1


def test_a_place_that_is_remembered_is_found_after_another_encoder_had_the_field() -> None:
    one, other = Encoder(), Encoder()
    shared = field(b"x", b"1")
    one.encode([field(b"x", b"1"), field(b"y", b"1")], [])
    assert one.encode([shared], []).hex() == "bf"
    other.encode([shared], [])
    assert one.encode([shared], []).hex() == "bf"
    assert other.encode([shared], []).hex() == "be"
    one.encode([field(b"z", b"1")], [])
    other.encode([shared], [])
    assert one.encode([shared], []).hex() == "c0"


def test_places_of_what_was_pushed_out_are_given_up() -> None:
    encoder, _ = filled(2000)
    assert len(encoder._order) - 256 <= 110
    assert len(encoder._numbers) <= 110
    assert encoder.encode([field(b"x-1999", b"v")], []).hex() == "be"
