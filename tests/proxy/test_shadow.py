"""The random numbers that a translation and its shadow share."""

from __future__ import annotations

from proxy.shadow import Tape


def test_a_shadow_gets_the_same_numbers_by_their_size() -> None:
    tape = Tape()
    one, two = tape.record(64), tape.record(128)
    assert (tape.replay(64), tape.replay(128)) == (one, two)
    tape.record(64)
    three = tape.record(128)
    assert tape.replay(128) == three


def test_a_shadow_that_needs_more_gets_new_ones() -> None:
    tape = Tape()
    number = tape.record(64)
    assert tape.replay(128) < 1 << 128
    assert tape.replay(64) == number
    assert tape.replay(64) < 1 << 64
    tape.record(64)
    tape.clear()
    assert tape.replay(8) < 256
    for _ in range(1000):
        tape.record(64)
    assert len(tape._numbers) == 64
