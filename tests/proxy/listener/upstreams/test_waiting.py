"""The queue of a pool: turns between clients, and who makes room where it is full."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.listener.sides import Receiver
from proxy.listener.upstreams import waiting
from proxy.listener.upstreams.waiting import Waiters

pytestmark = pytest.mark.skipif(
    not cast(str, waiting.__file__).endswith(".py"), reason="what is compiled takes no stand-ins"
)


class Request(SimpleNamespace):
    """A receiver that is told apart by its name."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def queue(*names: str) -> tuple[Waiters, dict[str, Receiver]]:
    """Of requests whose first letter is their client; those in capitals want a fresh connection."""
    waiters = Waiters()
    made: dict[str, Any] = {}
    for name in names:
        made[name] = Request(name=name, client=name[:1].lower().encode(), wants_fresh=name.isupper())
        waiters.add(made[name])
    return waiters, made


def taken(waiters: Waiters, *, is_fresh: bool = True) -> str:
    names = []
    while (one := waiters.take(is_fresh=is_fresh)) is not None:
        names.append(cast(Any, one).name)
    return " ".join(names)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ("a1 a2 a3", "a1 a2 a3"),
        ("a1 a2 a3 b1 b2 c1", "a1 b1 c1 a2 b2 a3"),
        ("a1 b1 a2 b2 b3", "a1 b1 a2 b2 b3"),
    ],
)
def test_clients_take_turns(names: str, order: str) -> None:
    waiters, _ = queue(*names.split())
    assert len(waiters) == len(names.split())
    assert taken(waiters) == order
    assert len(waiters) == 0


def test_who_wants_a_fresh_connection_is_passed_over() -> None:
    waiters, _ = queue("A1", "a2", "b1")
    assert taken(waiters, is_fresh=False) == "a2 b1"
    assert taken(waiters) == "A1"


def test_one_that_is_sent_again_is_first() -> None:
    waiters, made = queue("a1", "b1", "b2")
    waiters.remove(made["b2"])
    waiters.add_first(made["b2"])
    assert waiters.first() is made["b2"]
    assert taken(waiters) == "b2 a1 b1"
    assert waiters.first() is None


def test_one_that_leaves_is_not_taken() -> None:
    waiters, made = queue("a1", "a2", "b1")
    assert waiters.remove(made["a1"])
    assert not waiters.remove(made["a1"])
    assert waiters.remove(made["b1"])
    assert taken(waiters) == "a2"


@pytest.mark.parametrize(
    ("names", "client", "crowder"),
    [
        ("", "a", None),
        ("a1 a2 a3", "a", None),
        ("a1", "b", None),  # it would have no more than who is there
        ("a1 a2", "b", "a2"),
        ("a1 a2 b1", "b", None),
        ("a1 a2 a3 b1", "b", "a3"),
    ],
)
def test_the_last_of_who_has_most_makes_room(names: str, client: str, crowder: str | None) -> None:
    waiters, made = queue(*names.split())
    assert waiters.crowder(client.encode()) is (made[crowder] if crowder else None)
