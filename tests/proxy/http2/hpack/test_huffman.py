"""The code of appendix B, against the `hpack` library's tables and decoder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from proxy.http2.hpack import huffman
from proxy.http2.hpack.errors import BadBlock


def decode(data: bytes) -> bytes:
    """By the way of this process, and by that of compiled ones: they say the same."""
    try:
        other = huffman.by_bits(data, 0, len(data))
    except BadBlock as refused:
        with pytest.raises(BadBlock, match=str(refused)):
            huffman.decode(data, 0, len(data))
        raise
    assert huffman.decode(data, 0, len(data)) == other
    return other


def test_every_code_is_that_of_the_appendix() -> None:
    assert list(huffman.LENGTHS) == REQUEST_CODES_LENGTH
    assert list(huffman.CODES) == REQUEST_CODES


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", b"www.example.com"),
        ("a8eb10649cbf", b"no-cache"),
        ("25a849e95ba97d7f", b"custom-key"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
    ],
)
def test_examples_of_appendix_c(code: str, text: bytes) -> None:
    assert decode(bytes.fromhex(code)) == text
    assert huffman.encode(text) == bytes.fromhex(code)


@given(st.binary(max_size=200))
def test_any_bytes_come_back(text: bytes) -> None:
    assert decode(huffman.encode(text)) == text


@given(st.text("0123456789abcdef/.-_ ABCXYZ^~\\|<", max_size=80))
def test_usual_text_comes_back_with_rare_symbols_in_it(text: str) -> None:
    assert decode(huffman.encode(text.encode())) == text.encode()


def test_the_next_twelve_bits_say_up_to_two_symbols_at_once() -> None:
    """So that compiled, usual text is not read bit by bit."""
    pairs = zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)
    symbols = {f"{code:0{bits}b}": symbol for symbol, (code, bits) in enumerate(pairs)}
    used, first, second, alone = huffman._short_tables()
    for index in range(1 << 12):
        ahead, found, sizes = f"{index:012b}", [], []
        while len(found) < 2:
            code = next((ahead[:bits] for bits in range(5, len(ahead) + 1) if ahead[:bits] in symbols), None)
            if code is None:
                break
            found.append(symbols[code])
            sizes.append(len(code))
            ahead = ahead[len(code) :]
        assert used[index] == sum(sizes) + 16 * len(found)
        assert (first[index], second[index], alone[index]) == ((found[0], found[-1], sizes[0]) if found else (0, 0, 0))


@pytest.mark.parametrize("read", [huffman.decode, huffman.by_bits])
def test_only_the_given_part_is_read(read: Callable[[bytes, int, int], bytes]) -> None:
    assert read(b"\x00" + bytes.fromhex("a8eb10649cbf") + b"\x00", 1, 7) == b"no-cache"


@pytest.mark.parametrize(
    "code",
    [
        b"\xff\xff\xff\xff",  # 5.2: the end-of-string symbol
        b"\x1f\xff\xff\xff\xff\xff",  # the same, behind another symbol
        b"\xff",  # 8 bits of padding
        b"\x1f\xff",  # more than 7 of them behind a symbol
        b"\x18",  # "a" and three zeros
    ],
)
@pytest.mark.parametrize("read", [huffman.decode, huffman.by_bits])
def test_bad_padding_and_the_end_of_string_are_refused(read: Callable[[bytes, int, int], bytes], code: bytes) -> None:
    with pytest.raises(BadBlock):
        read(code, 0, len(code))


@pytest.mark.parametrize("read", [huffman.decode, huffman.by_bits])
def test_padding_is_of_ones_up_to_the_last_bit(read: Callable[[bytes, int, int], bytes]) -> None:
    for symbol in range(256):
        code = huffman.encode(bytes((symbol,)))
        if huffman.LENGTHS[symbol] % 8:
            with pytest.raises(BadBlock, match=r"^a string with bad padding$"):
                read(code[:-1] + bytes((code[-1] ^ 1,)), 0, len(code))


@given(st.binary(max_size=30))
def test_any_code_is_read_or_refused_and_has_no_second_form(code: bytes) -> None:
    try:
        text = decode(code)
    except BadBlock:
        return
    assert huffman.encode(text) == code
