"""What one turn has to write goes together."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from proxy.http2 import flushing
from proxy.http2.flushing import Flushed, Flusher

if not cast(str, flushing.__file__).endswith(".py"):
    pytest.skip("compiled classes have no subclass in Python", allow_module_level=True)


class _Writes(Flushed):
    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self.told = name, told

    def flush(self) -> None:
        self.told.append(self.name)


async def test_a_turn_is_flushed_when_all_of_its_input_is_read() -> None:
    told: list[str] = []
    flusher = Flusher(asyncio.get_running_loop())
    one, two = _Writes("one", told), _Writes("two", told)
    flusher.begin()
    flusher.begin()
    flusher.later(one)
    flusher.later(two)
    flusher.end()
    assert told == []
    flusher.end()
    assert told == ["one", "two"]
    await asyncio.sleep(0)
    assert told == ["one", "two"]


async def test_a_turn_is_asked_for_once_and_only_outside_of_reading() -> None:
    asked: list[object] = []

    class Loop:
        def call_soon(self, callback: object) -> None:
            asked.append(callback)

    flusher = Flusher(cast(asyncio.AbstractEventLoop, Loop()))
    flusher.begin()
    flusher.later(_Writes("one", []))
    assert asked == []
    flusher.end()
    flusher.later(_Writes("one", []))
    flusher.later(_Writes("two", []))
    assert len(asked) == 1


async def test_what_is_written_outside_of_reading_goes_at_the_end_of_the_turn() -> None:
    told: list[str] = []
    flusher = Flusher(asyncio.get_running_loop())
    for _ in range(2):
        flusher.later(_Writes("one", told))
        flusher.later(_Writes("two", told))
        assert told == []
        await asyncio.sleep(0)
        assert told == ["one", "two"]
        told.clear()
