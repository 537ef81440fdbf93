"""Processes at the same addresses find each other."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from proxy.plan import Address
from proxy.transport import beside
from proxy.transport.beside import Beside

ONE, TWO = Address("127.0.0.1", 61_001), Address("127.0.0.1", 61_002)


@pytest.fixture
def two() -> tuple[Beside, Beside]:
    return Beside(), Beside()


def test_who_stands_at_an_address_is_seen_until_it_leaves(two: tuple[Beside, Beside]) -> None:
    first, second = two
    first.stand_at([ONE, TWO])
    assert first.is_alone()
    second.stand_at([TWO])
    assert (first.is_alone(), second.is_alone()) == (False, False)
    second.stand_at([Address("127.0.0.1", 61_003)])
    assert (first.is_alone(), second.is_alone()) == (True, True)
    second.stand_at([Address("0.0.0.0", 61_001)])
    assert not first.is_alone()
    first.stand_at([])
    assert (first.is_alone(), second.is_alone()) == (True, True)
    second.stand_at([])


def test_a_path_is_an_address_and_a_port_to_be_chosen_is_none(two: tuple[Beside, Beside], tmp_path: Path) -> None:
    first, second = two
    chosen, path = Address("127.0.0.1", 0), Address("", 0, str(tmp_path / ("x" * 60)))
    first.stand_at([chosen])
    second.stand_at([chosen])
    assert (first.is_alone(), second.is_alone()) == (True, True)
    first.stand_at([path])
    second.stand_at([path])
    assert (first.is_alone(), second.is_alone()) == (False, False)
    first.stand_at([])
    second.stand_at([])


def test_who_finds_no_place_is_not_alone() -> None:
    crowd = [Beside() for _ in range(10)]
    for each in crowd:
        each.stand_at([ONE])
    assert not any(each.is_alone() for each in crowd)
    for each in crowd[:-1]:
        each.stand_at([])
    assert not crowd[-1].is_alone()
    assert crowd[-1].is_alone()  # it has taken one by now
    crowd[-1].stand_at([])


def test_who_is_alone_looks_again_only_after_a_knock(
    two: tuple[Beside, Beside], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To look costs a tenth of a millisecond, and calls of the app ask."""
    first, second = two
    looks = []
    usual = beside._take

    def take(key: str, place: int) -> socket.socket | None:
        looks.append(place)
        return usual(key, place)

    monkeypatch.setattr(beside, "_take", take)
    first.stand_at([ONE])
    assert first.is_alone()
    looks.clear()
    assert (first.is_alone(), first.is_alone(), looks) == (True, True, [])
    second.stand_at([ONE])
    second.stand_at([])  # it has gone before anybody asked
    looks.clear()
    assert (first.is_alone(), looks) == (True, [1, 2, 3, 4, 5, 6, 7])
    looks.clear()
    assert (first.is_alone(), looks) == (True, [])
    for _ in range(1000):  # more knocks than anybody reads
        second.stand_at([ONE])
        second.stand_at([])
    second.stand_at([ONE])
    assert (first.is_alone(), second.is_alone()) == (False, False)
    second.stand_at([])
    assert first.is_alone()
    first.stand_at([])
