"""Runs calls that may block forever in a thread that nobody waits for, such as reading a file on a lost disk.

asyncio waits for its own threads when the loop and the interpreter end; one that hangs would hold up both.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class StillBlockedError(Exception):
    """A call has not returned: this one, or an earlier one."""


class BlockingCalls:
    """Runs one call at a time, each in a new thread. While one hangs, it starts no other."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s`: how long a call may take."""
        self._patience_s = patience_s
        self._is_busy = False

    async def run(self, call: Callable[[], T]) -> T:
        """Returns or raises what `call` does. Raises StillBlockedError if it, or an earlier call, takes too long."""
        if self._is_busy:
            raise StillBlockedError("the previous reading has not finished yet")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]  # None only where T is

        def work() -> None:
            result, error = None, None
            try:
                result = call()
            except Exception as raised:  # any exception belongs to the caller that awaits
                error = raised
            self._is_busy = False
            if not loop.is_closed():
                try:
                    loop.call_soon_threadsafe(finish, result, error)
                except RuntimeError:  # closed just now: nobody waits
                    return

        self._is_busy = True
        threading.Thread(target=work, name="settings", daemon=True).start()
        # Not asyncio.wait_for: in Python 3.11 it can lose a cancellation, and with it SIGTERM.
        try:
            async with asyncio.timeout(self._patience_s):
                return await answer
        except TimeoutError:
            if not answer.cancelled():
                raise  # the call's own exception
            raise StillBlockedError(f"reading them has taken more than {self._patience_s:g} s") from None
