"""When a sidecar has outlived its app, and when it only seems so."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from proxy.lifecycle.app_watch import Absence, has_network, until_gone

LIMIT_S = 10.0


@pytest.mark.parametrize(
    ("looks", "gone"),
    [
        ([], ""),
        ([(0, False, True), (99, False, True)], ""),  # it never came up: a slow start is no end
        ([(0, True, True), (5, False, True), (14.9, False, True)], ""),  # a restart of the app
        ([(0, True, True), (5, False, True), (15, False, True)], "its app"),
        ([(0, True, True), (5, False, True), (14, True, True), (16, False, True), (25, False, True)], ""),
        ([(0, True, True), (5, True, False), (15, True, False)], "its network"),
        ([(0, False, True), (5, False, False), (15, False, False)], "its network"),  # the app had not come up yet
        ([(0, True, False), (5, True, False), (99, True, False)], ""),  # it never had one
        ([(0, True, True), (5, False, True), (10, False, False), (15, False, False)], "its network"),
    ],
)
def test_what_was_there_and_stays_away_is_gone(looks: list[tuple[float, bool, bool]], gone: str) -> None:
    absence = Absence()
    found = [absence.look(now, LIMIT_S, app=app, network=network) for now, app, network in looks]
    assert (found[-1] if found else "") == gone
    assert not any(found[:-1])


async def test_the_watch_ends_when_the_app_has_gone() -> None:
    looks = iter([True, True])

    async def is_app_up() -> bool:
        return next(looks, False)

    assert await until_gone(lambda: 0.02, is_app_up, lambda: True) == "its app"


async def test_nobody_is_asked_while_it_is_off() -> None:
    limits = iter([0.0, 0.0])
    asked = []

    async def is_app_up() -> bool:
        asked.append(True)
        return len(asked) < 2

    assert await until_gone(lambda: next(limits, 0.01), is_app_up, lambda: True, pause_s=0.001) == "its app"
    assert len(asked) >= 3


@pytest.mark.parametrize(("limit_s", "pause_s"), [(0.0, 1.0), (3.0, 0.75), (4.0, 1.0), (4.2, 1.0), (60.0, 1.0)])
async def test_the_app_is_looked_at_once_a_second(
    limit_s: float, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And four times within the time that it may be gone."""
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        raise asyncio.CancelledError

    async def is_app_up() -> bool:
        return True

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await until_gone(lambda: limit_s, is_app_up, lambda: True)
    assert pauses == [pause_s]


def test_a_network_is_an_interface_that_is_up_and_not_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel's flags of each; in a namespace of its own, see `wire/test_exit_with_app.py`."""
    flags = {each.parent.name: int(each.read_text(), 16) for each in Path("/sys/class/net").glob("*/flags")}
    up = {name: bool(bits & 1) and not bits & 8 for name, bits in flags.items()}
    assert has_network() is any(up.values())
    for name, is_network in up.items():
        monkeypatch.setattr(socket, "if_nameindex", lambda name=name: [(1, "lo"), (2, name)])
        assert has_network() is is_network


def test_where_interfaces_cannot_be_asked_there_may_be_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "no-such-one")])
    assert has_network()
    monkeypatch.setattr(socket, "if_nameindex", list)
    assert not has_network()
