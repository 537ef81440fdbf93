"""What we write is read by others, as it was meant (RFC 7541)."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField, Judge

NAMES = st.sampled_from([b":path", b":method", b"cookie", b"x-a", b"x-b", b"x" * 70])
VALUES = st.sampled_from([b"", b"GET", b"/", b"1", b"2", b"y" * 300, b"z" * 1500]) | st.binary(max_size=10)
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.sampled_from(["indexed", "literal", "never"])), max_size=20)
LITERALS = st.lists(st.tuples(NAMES, VALUES), max_size=3)
SIZES = st.none() | st.sampled_from([0, 40, 100, 1000, 4096, 65536])


def field(name: bytes, value: bytes, how: str = "indexed") -> HeaderField:
    return HeaderField(name, value, 0, how == "never", how != "indexed")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(FIELDS, LITERALS, SIZES, SIZES), max_size=10))
def test_any_fields_are_read_by_another_decoder(
    messages: list[tuple[list[tuple[bytes, bytes, str]], list[tuple[bytes, bytes]], int | None, int | None]],
) -> None:
    encoder, other = Encoder(), hpack.Decoder(1 << 24)
    other.max_allowed_table_size = 65536
    for fields, literals, *sizes in messages:
        for size in sizes:
            if size is not None:
                encoder.limit_table(size)
                other.max_allowed_table_size = max(size, other.max_allowed_table_size)
        block = encoder.encode([field(*one) for one in fields], literals)
        assert [(bytes(name), bytes(value)) for name, value in other.decode(block, raw=True)] == [
            *((name, value) for name, value, _ in fields),
            *literals,
        ]
        assert encoder.size == other.header_table._current_size


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=20), max_size=10))
def test_fields_of_another_connection_go_through(messages: list[list[tuple[bytes, bytes]]]) -> None:
    """Table entries of one side's decoder, which remember their place in the other side's table."""
    client, ours = hpack.Encoder(), Decoder(Judge(), 1 << 24)
    upstreams = [(Encoder(), hpack.Decoder(1 << 24)) for _ in range(2)]
    for number, fields in enumerate(messages):
        entries = ours.decode(client.encode(fields))
        encoder, upstream = upstreams[number % 2]
        assert [tuple(pair) for pair in upstream.decode(encoder.encode(entries, []), raw=True)] == fields


def test_what_repeats_is_one_byte() -> None:
    encoder = Encoder()
    request = [field(b":method", b"GET"), field(b":authority", b"app"), field(b"x-a", b"1")]
    encoder.encode(request, [])
    assert len(encoder.encode(request, [])) == 3
    assert len(encoder.encode([field(one.name, one.value) for one in request], [])) == 3


def test_a_field_that_goes_to_several_connections_is_one_byte_on_each() -> None:
    """As of an upstream's answers, which go to many clients in turn."""
    field = HeaderField(b"x-served-by", b"cart-1")
    ends = [(Encoder(), hpack.Decoder()) for _ in range(3)]
    for number in range(4):
        for encoder, peer in ends:
            block = encoder.encode([field], [])
            assert (len(block) == 1) is (number > 0)
            assert list(peer.decode(block, raw=True)) == [(field.name, field.value)]
    for encoder, peer in ends:
        for number in range(200):  # these push it out
            peer.decode(encoder.encode([HeaderField(b"x-%d" % number, b"y")], []))
        block = encoder.encode([field], [])
        assert len(block) > 1
        assert list(peer.decode(block, raw=True)) == [(field.name, field.value)]


def test_ids_do_not_get_into_the_table() -> None:
    encoder = Encoder()
    assert encoder.encode([], [(b"x-b3-spanid", b"00f067aa0ba902b7")]).startswith(b"\x00\x0bx-b3-spanid")
    assert encoder.encode([field(b"x-request-id", b"1", "literal")], []).startswith(b"\x00")
    assert encoder.size == 0


def test_a_field_that_must_never_be_indexed_stays_such() -> None:
    encoder = Encoder()
    assert encoder.encode([field(b"authorization", b"secret", "never")], [])[0] & 0xF0 == 0x10
    (again,) = hpack.Decoder().decode(encoder.encode([field(b"x-key", b"secret", "never")], []), raw=True)
    assert not again.indexable
    assert encoder.size == 0


def test_a_large_field_does_not_push_out_the_others() -> None:
    encoder = Encoder()
    encoder.encode([field(b"x-a", b"1"), field(b"x-large", b"x" * 2000)], [])
    assert encoder.size == 36


def test_a_smaller_table_is_told_with_the_smallest_size_in_between() -> None:
    encoder = Encoder()
    encoder.encode([field(b"x-a", b"1")], [])
    encoder.limit_table(0)
    encoder.limit_table(100)
    assert encoder.encode([field(b":method", b"GET")], []) == b"\x20\x3f\x45\x82"
    assert encoder.size == 0
    assert encoder.encode([field(b":method", b"GET")], []) == b"\x82"


def test_a_table_larger_than_ours_is_not_used() -> None:
    encoder = Encoder()
    encoder.limit_table(65536)
    assert encoder.encode([field(b":method", b"GET")], []) == b"\x82"


def test_a_table_of_our_own_size_is_told_first() -> None:
    assert Encoder(100).encode([field(b":method", b"GET")], []) == b"\x3f\x45\x82"


def test_what_the_table_has_no_room_for_is_forgotten() -> None:
    """The oldest first, as the peer does (4.4): it may not be pointed at any more."""
    encoder, other = Encoder(200), hpack.Decoder()
    seen: list[tuple[bytes, bytes]] = []
    for number in range(40):
        pairs = [(b"x-a", b"%d" % number), (b"x-b", b"kept"), (b"x-a", b"%d" % max(0, number - 5))]
        block = encoder.encode([field(*pair) for pair in pairs], [])
        seen += [(bytes(name), bytes(value)) for name, value in other.decode(block, raw=True)]
        assert encoder.size == other.header_table._current_size <= 200
    assert seen[-3:] == [(b"x-a", b"39"), (b"x-b", b"kept"), (b"x-a", b"34")]
