"""Processes that are never started: what they log is told beforehand, and what they are told is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Child:
    """As `asyncio.subprocess.Process`. It ends at TERM, unless it is deaf, or once `end` is called."""

    def __init__(self, *log: str, code: int | None = None, is_deaf: bool = False, leaves_log: bool = False) -> None:
        """`code`: it has ended by itself with it. `leaves_log`: open, to a child of its own."""
        self.stderr = asyncio.StreamReader()
        for line in log:
            self.stderr.feed_data(line.encode("latin-1") + b"\n")
        self.told: list[str] = []
        self.is_reaped = False  # somebody knows its exit code
        self.returncode: int | None = None
        self.arguments: tuple[str, ...] = ()
        self.options: dict[str, Any] = {}
        self._is_deaf = is_deaf
        self._leaves_log = leaves_log
        self._ended = asyncio.Event()
        if code is not None:
            self.end(code)

    def end(self, code: int) -> None:
        """It ends, and its log with it."""
        self.returncode = code
        if not self._leaves_log:
            self.stderr.feed_eof()
        self._ended.set()

    async def is_read(self) -> None:
        """Wait until somebody has read all that it has logged."""
        async with asyncio.timeout(5):
            while self.stderr._buffer:  # type: ignore[attr-defined]  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)

    def terminate(self) -> None:
        self._tell("TERM", -15)

    def kill(self) -> None:
        self._tell("KILL", -9)

    async def wait(self) -> int:
        await self._ended.wait()
        self.is_reaped = True
        assert self.returncode is not None
        return self.returncode

    def _tell(self, word: str, code: int) -> None:
        if self.returncode is not None:
            raise ProcessLookupError
        self.told.append(word)
        if word == "KILL" or not self._is_deaf:
            self.end(code)


@contextmanager
def starting(*children: Child) -> Iterator[None]:
    """These are started, one after the other. At the end all are reaped, and no task is left."""
    left = list(children)

    async def start(program: str, *arguments: str, **options: Any) -> Child:
        child = left.pop(0)
        child.arguments, child.options = (program, *arguments), options
        return child

    before = asyncio.all_tasks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", start)
        yield
    assert not left
    assert all(child.is_reaped for child in children)
    assert asyncio.all_tasks() == before
