"""Whether baggage certainly fits, and what it weighs beside the rest."""

from __future__ import annotations

from ops_lib.propagation import REQUEST_BYTES, REQUEST_FIELDS, Beside
from proxy.participation.sizes import NOTHING, More, Weight, beside, has_room, size_of


def test_the_rest_is_weighed_with_and_without_our_headers() -> None:
    headers = [(b"a", b"1"), (b"bc", b"23")]
    assert size_of(headers) == 14
    assert beside(Weight(3, 100), headers) == Beside(3, 100, 5, 114)
    assert More(Weight(3, 100), headers).weigh() == (5, 114)
    assert NOTHING.weigh() == (0, 0)


def test_room_is_left_for_all_formats_together() -> None:
    baggage = (b"a=1", {b"a": b"1"})
    assert has_room(baggage, NOTHING)
    assert not has_room(baggage, Weight(REQUEST_FIELDS, 0))
    assert not has_room(baggage, Weight(0, REQUEST_BYTES))
