"""Credit is given as content is taken (RFC 9113, 6.9)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.http2.engine.windows import ReceiveWindow


def test_more_than_the_window_is_too_much() -> None:
    window = ReceiveWindow(100, 100)
    assert window.take(100)
    assert not window.take(1)


def test_credit_is_told_in_halves() -> None:
    window = ReceiveWindow(100, 100)
    assert window.take(60)
    assert window.give(49) == 0
    assert window.give(1) == 50
    assert window.left == 90


def test_a_window_whose_content_is_taken_doubles_up_to_its_most() -> None:
    window = ReceiveWindow(100, 350)
    sizes = []
    for _ in range(3):
        assert window.take(window.left)
        window.give(window.size)
        sizes.append(window.left)
    assert sizes == [200, 350, 350]


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 300), st.integers(1, 1000))
def test_a_peer_never_gets_more_credit_than_the_window_has(sizes: list[int], size: int, most: int) -> None:
    window = ReceiveWindow(size, max(size, most))
    allowed, untaken = size, 0
    for number, come in enumerate(sizes):
        come = min(come, allowed)
        assert window.take(come)
        allowed, untaken = allowed - come, untaken + come
        if number % 3 == 2:  # taken now and then
            allowed += window.give(untaken)
            untaken = 0
        assert allowed == window.left <= max(size, most)
        assert allowed + untaken <= max(size, most)
