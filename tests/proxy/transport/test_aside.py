"""Bytes put aside come back in their order, however they are taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.transport.aside import Aside

steps = st.one_of(
    st.tuples(st.just("put"), st.binary(max_size=9)),
    st.tuples(st.just("take"), st.integers(1, 9)),
    st.tuples(st.just("back"), st.integers(0, 9)),
)


@given(st.lists(steps, max_size=30))
def test_bytes_keep_their_order(made: list[tuple[str, bytes | int]]) -> None:
    aside, expected, taken = Aside(), b"", b""
    for step, value in made:
        if isinstance(value, bytes):
            aside.put(value)
            expected += value
        elif step == "take":
            taken = aside.take(value)
            assert taken == expected[:value]
            expected = expected[value:]
        else:  # the end of what was taken last
            back = taken[max(0, len(taken) - value) :] if value else b""
            aside.put_back(back)
            expected, taken = back + expected, b""
        assert aside.is_empty is not bool(expected)
    assert aside.take_all() == expected
    assert aside.is_empty


def test_what_was_not_taken_from_here_can_be_put_before_the_rest() -> None:
    aside = Aside()
    aside.put(b"cd")
    aside.put_back(b"ab")
    assert aside.take(3) == b"abc"
    assert aside.take_all() == b"d"
