"""The wire format of protobuf, byte by byte, as its page on encoding has it."""

from __future__ import annotations

import pytest

from proxy.telemetry.otlp import attributes, protobuf


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (150, "9601"), (16383, "ff7f"), (16384, "808001"),
        (-1, "ffffffffffffffffff01"), (-2, "feffffffffffffffff01"), ((1 << 63) - 1, "ffffffffffffffff7f"),
    ],
)  # fmt: skip
def test_varints(value: int, written: str) -> None:
    assert protobuf.varint(value).hex() == written
    assert protobuf.fields(b"\x08" + protobuf.varint(value)) == [(1, value & (1 << 64) - 1)]


def test_each_kind_of_field() -> None:
    assert protobuf.tag(1, 0).hex() == "08"
    assert protobuf.tag(16, 2).hex() == "8201"
    assert protobuf.message(2, b"testing").hex() == "120774657374696e67"
    assert protobuf.message(3, b"").hex() == "1a00"
    assert protobuf.integer(1, 150).hex() == "089601"
    assert protobuf.fixed64(1, 258).hex() == "090201000000000000"
    assert protobuf.fixed32(8, 258).hex() == "4502010000"
    assert protobuf.double(4, 1.5).hex() == "21000000000000f83f"


def test_fields_are_read_in_order() -> None:
    data = bytes.fromhex("08960112036162631901020304050607082501020304820100")
    assert protobuf.fields(data) == [
        (1, 150), (2, b"abc"), (3, b"\1\2\3\4\5\6\7\x08"), (4, b"\1\2\3\4"), (16, b""),
    ]  # fmt: skip
    assert protobuf.fields(b"") == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("00", "a field has the number 0"), ("02", "a field has the number 0"),
        ("0b", "wire type 3 is not in use"), ("0c", "wire type 4 is not in use"), ("0e", "wire type 6 is not in use"),
        ("0f", "wire type 7 is not in use"),
        ("0a0261", "a field is longer than its message"), ("0901020304050607", "a field is longer than its message"),
        ("0d010203", "a field is longer than its message"), ("0a", "a varint is cut off"),
        ("08", "a varint is cut off"),
        ("0880", "a varint is cut off"), ("80", "a varint is cut off"),
        ("08" + "80" * 10 + "01", "a varint is longer than ten bytes"),
        ("08" + "80" * 9, "a varint is cut off"),
    ],
)  # fmt: skip
def test_what_is_no_message(data: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        protobuf.fields(bytes.fromhex(data))


def test_a_varint_of_ten_bytes_is_read_modulo_two_to_the_64() -> None:
    assert protobuf.fields(bytes.fromhex("08" + "80" * 9 + "01")) == [(1, 1 << 63)]
    assert protobuf.fields(bytes.fromhex("08" + "80" * 9 + "02")) == [(1, 0)]


# --- attributes


@pytest.mark.parametrize("key", ["k", "k" * 130])
@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 129, 1024, 1025])
@pytest.mark.parametrize("char", ["a", "é"])
def test_a_prepared_attribute_is_the_same_as_one_that_is_not(key: str, size: int, char: str) -> None:
    value = (char * size).encode()
    assert attributes.TextAttribute(key).encode(value) == attributes.string(key, value)


def test_texts_are_cut_at_a_character() -> None:
    assert attributes.MAX_TEXT_BYTES == 1024
    assert attributes.text(b"a" * 1025) == b"a" * 1024
    assert attributes.text(b"abc", 2) == b"ab"
    assert attributes.text("aé".encode(), 3) == "aé".encode()
    assert attributes.text("aé".encode(), 2) == b"a"
    assert attributes.text("😀😀".encode(), 4) == "😀".encode()
    assert attributes.text("😀😀".encode(), 7) == "😀".encode()
    assert attributes.text(b"a\xff", 9) == "a\ufffd".encode()
    assert attributes.text(b"\xff" * 3, 6) == "\ufffd\ufffd".encode()
    assert attributes.TextAttribute("k", 3).encode("aéé".encode()) == attributes.string("k", "aé".encode())


@pytest.mark.parametrize(
    ("made", "written"),
    [
        (attributes.string("k", b"v"), "4a08" "0a016b" "1203" "0a0176"),
        (attributes.string("k", b"v", 1), "0a08" "0a016b" "1203" "0a0176"),
        (attributes.number("k", 5), "4a07" "0a016b" "1202" "1805"),
        (attributes.number("k", 5, 7), "3a07" "0a016b" "1202" "1805"),
        (attributes.boolean("k", True), "4a07" "0a016b" "1202" "1001"),
        (attributes.boolean("k", False, 4), "2207" "0a016b" "1202" "1000"),
        (attributes.real("k", 1.5), "4a0e" "0a016b" "1209" "21000000000000f83f"),
        (attributes.strings("k", [b"v", b""]), "4a10" "0a016b" "120b" "2a09" "0a030a0176" "0a020a00"),
    ],
)  # fmt: skip
def test_each_kind_of_attribute(made: bytes, written: str) -> None:
    assert made.hex() == written
