"""Blocks that other encoders send are read; what no encoder may send is refused (RFC 7541)."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.http2.engine.fields import BAD, PATH, STATUS, FieldJudge
from proxy.http2.hpack import huffman
from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.errors import BadBlock
from proxy.http2.hpack.field import Judge
from proxy.http2.hpack.static_table import STATIC
from proxy.semantics.fields import PLAIN, request_kinds, response_kinds

NAMES = st.sampled_from([b":path", b"cookie", b"x-a", b"authorization", b"x" * 70]) | st.binary(max_size=12)
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=80), st.booleans()), max_size=12)


def decoder(list_bytes: int = 65536) -> Decoder:
    return Decoder(Judge(), list_bytes)


def read(codec: Decoder, block: str) -> list[tuple[bytes, bytes]]:
    return [(field.name, field.value) for field in codec.decode(bytes.fromhex(block))]


def test_requests_of_appendix_c_4() -> None:
    codec = decoder()
    first = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
    assert read(codec, "828684418cf1e3c2e5f23a6ba0ab90f4ff") == first
    assert codec.size == 57
    assert read(codec, "828684be5886a8eb10649cbf") == [*first, (b"cache-control", b"no-cache")]
    assert codec.size == 110
    third = [first[0], (b":scheme", b"https"), (b":path", b"/index.html"), first[3], (b"custom-key", b"custom-value")]
    assert read(codec, "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf") == third
    assert codec.size == 164


def test_eviction_of_appendix_c_6() -> None:
    codec = Decoder(Judge(), 65536, 4096)
    codec.decode(bytes.fromhex("3fe101"))  # a table of 256 bytes, as in the appendix
    read(
        codec,
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    )
    assert codec.size == 222
    assert read(codec, "4883640effc1c0bf")[0] == (b":status", b"307")
    assert codec.size == 222


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(FIELDS, max_size=8), st.booleans())
def test_whatever_another_encoder_writes_is_read(lists: list[list[tuple[bytes, bytes, bool]]], coded: bool) -> None:
    encoder, codec = hpack.Encoder(), decoder(1 << 24)
    for fields in lists:
        got = codec.decode(encoder.encode(fields, huffman=coded))  # the third of each says "sensitive"
        assert [(field.name, field.value) for field in got] == [(name, value) for name, value, _ in fields]
        assert all(sensitive or not field.never for field, (_, _, sensitive) in zip(got, fields, strict=True))


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_are_read_as_another_decoder_reads_them_or_refused(blocks: list[bytes]) -> None:
    codec, other = decoder(1 << 24), hpack.Decoder(1 << 24)
    for block in blocks:
        try:
            got = [(field.name, field.value) for field in codec.decode(block)]
        except BadBlock:
            return
        assert got == [tuple(field) for field in other.decode(block, raw=True)]


def test_an_entry_is_one_object_wherever_it_is_named() -> None:
    codec = decoder()
    (first,) = codec.decode(b"\x40\x01a\x01b")
    assert codec.decode(b"\xbe\xbe") == [first, first]


def test_a_literal_says_how_its_sender_meant_it() -> None:
    codec = decoder()
    indexed, literal, never = codec.decode(b"\x40\x01a\x01b\x00\x01a\x01b\x10\x01a\x01b")
    assert (indexed.is_literal, indexed.never) == (False, False)
    assert (literal.is_literal, literal.never) == (True, False)
    assert (never.is_literal, never.never) == (True, True)


@pytest.mark.parametrize(
    "block",
    [
        "80",  # index 0
        "be",  # 6.1: beyond both tables
        "ff808080808000",  # 5.1: an integer of too many bytes
        "ff80",  # one that does not end
        "40",  # a literal that ends before its name
        "400161",  # before its value
        "4001610561",  # in its value
        "7e0161",  # the name of an entry that is not there
        "3fe21f",  # 6.3: an update beyond SETTINGS_HEADER_TABLE_SIZE
        "8220",  # 4.2: an update behind a field
        "4081ff00",  # a string of bad padding
        "400182ff",  # a string that ends in the middle of Huffman's code
    ],
)
def test_what_no_encoder_may_write_is_refused(block: str) -> None:
    with pytest.raises(BadBlock):
        decoder().decode(bytes.fromhex(block))


def test_a_smaller_table_has_to_be_told() -> None:
    codec = decoder()
    codec.allow(100)
    with pytest.raises(BadBlock, match="no size update"):
        codec.decode(b"\x82")
    codec.decode(b"\x3f\x45\x82")  # 100
    with pytest.raises(BadBlock, match="beyond"):
        codec.decode(b"\x3f\x46\x82")  # 101


def test_a_larger_table_need_not_be_told() -> None:
    codec = decoder()
    codec.allow(8192)
    assert len(codec.decode(b"\x82")) == 1
    codec.decode(b"\x3f\xe1\x3f\x82")  # 8192


def test_an_entry_larger_than_the_table_empties_it() -> None:
    codec = decoder()
    codec.decode(b"\x40\x01a\x01b")
    codec.decode(b"\x40\x01a\x7f\x81\x1f" + b"x" * 4096)
    assert codec.size == 0
    with pytest.raises(BadBlock):
        codec.decode(b"\xbe")


def test_a_list_beyond_the_limit_is_cut_but_the_table_goes_on() -> None:
    codec = decoder(100)
    fields = codec.decode(b"\x40\x01a\x01b" * 3 + b"\x40\x01c\x01d")
    assert codec.is_oversized
    assert len(fields) == 2  # of 34 bytes each
    assert [field.name for field in codec.decode(b"\xbe\xbf")] == [b"c", b"a"]
    assert not codec.is_oversized


def test_a_bomb_costs_no_memory() -> None:
    """One large entry, named thousands of times (RFC 9113, 10.5.1)."""
    codec = decoder()
    bomb = b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000 + b"\xbe" * 16000
    assert len(codec.decode(bomb)) == 16
    assert codec.is_oversized


def test_a_new_judge_judges_what_is_in_the_tables() -> None:
    codec = decoder()
    (before,) = codec.decode(b"\x40\x01a\x03bcd")
    codec.judge_by(FieldJudge(response_kinds(), False))
    (after, static) = codec.decode(b"\xbe\x82")
    assert (before.kind, after.kind, static.kind) == (0, PLAIN, BAD)
    assert codec.decode(b"\x88")[0].kind == STATUS


def test_the_static_table_is_that_of_the_appendix() -> None:
    assert [tuple(field) for field in STATIC[1:]] == [
        tuple(field) for field in hpack.Decoder().header_table.STATIC_TABLE
    ]


@given(st.binary(min_size=1, max_size=90), st.integers(0, 3))
def test_a_name_in_huffmans_code_is_read_again_as_the_first_time(name: bytes, cut: int) -> None:
    codec = decoder()
    code = huffman.encode(name)
    size = bytes((0x80 | len(code),)) if len(code) < 127 else b"\xff" + bytes((len(code) - 127,))
    block = b"\x00" + size + code + b"\x01v"
    for _ in range(3):
        assert [field.name for field in codec.decode(block)] == [name]
    if cut:
        with pytest.raises(BadBlock):
            codec.decode(block[:-cut])


@pytest.mark.parametrize("coded", [False, True])
def test_a_path_that_comes_again_is_the_same_field(coded: bool) -> None:
    """Most clients give paths no place in the table; so a field that was judged is found by its text."""
    judge = FieldJudge(request_kinds(lambda _name: False, via=True, x_forwarded=True), True)
    codec = Decoder(judge, 65536)

    def block(path: bytes, first: int = 0x04) -> bytes:
        text = huffman.encode(path) if coded else path
        return bytes((first, 0x80 * coded | len(text))) + text

    (field,) = codec.decode(block(b"/shop.v1.Cart/AddItem"))
    assert (field.name, field.value, field.kind) == (b":path", b"/shop.v1.Cart/AddItem", PATH)
    assert codec.decode(block(b"/shop.v1.Cart/AddItem")) == [field]
    assert codec.decode(block(b"/shop.v1.Cart/AddItem", 0x05)) == [field]
    assert codec.decode(block(b"/shop.v1.Cart/Empty")) != [field]
    assert codec.decode(block(b"no path"))[0].kind == codec.decode(block(b"no path"))[0].kind == BAD
    (secret,) = codec.decode(block(b"/shop.v1.Cart/AddItem", 0x14))
    assert secret.never
    assert not field.never
    with pytest.raises(BadBlock):
        codec.decode(block(b"/shop.v1.Cart/AddItem")[:-1])
    codec.judge_by(judge)
    assert codec.decode(block(b"/shop.v1.Cart/AddItem")) != [field]


def test_the_paths_of_a_client_that_calls_many_are_forgotten() -> None:
    codec = decoder()
    first = codec.decode(b"\x04\x02/0")
    for number in range(1000):
        path = b"/%d" % number
        (field,) = codec.decode(bytes((0x04, len(path))) + path)
        assert field.value == path
    assert codec.decode(b"\x04\x02/0") != first
