"""An event loop in simulated time: whoever waits for seconds has them at once. For protocols over a FakeTransport."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Waits for nobody: the time that it should wait passes at once."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and nothing is due"
        self.now_s += max(timeout, 0.0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._simulated = _Selector()
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.now_s


def simulate(story: Coroutine[Any, Any, None]) -> None:
    """Run `story`: its `asyncio.sleep(10)` takes no time, and what is due meanwhile happens in order."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(story)
