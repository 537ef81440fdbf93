"""How many clients a process with few file descriptors may take."""

from __future__ import annotations

from proxy.transport.descriptors import NO_LIMIT, Descriptors, Place


def test_a_part_is_kept_for_others() -> None:
    """64 descriptors for logs, listeners and look-ups; of the rest a half, as each client may need an upstream."""
    assert Descriptors(1024).most == 480
    assert Descriptors(64 + 2).most == 1
    assert Descriptors(64 + 2 * 3).most == 3
    assert Descriptors(1).most == 1
    assert Descriptors().clients == Descriptors().upstreams == 0
    assert Descriptors().most > 1_000_000 < NO_LIMIT


def test_a_place_is_given_back_once() -> None:
    descriptors = Descriptors(64 + 2 * 3)
    place = Place(descriptors)
    assert descriptors.upstreams == 1
    place.free()
    place.free()
    assert descriptors.upstreams == 0
