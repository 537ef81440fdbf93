"""Calls that may block for ever: what they give, and that nobody waits for one that does."""

from __future__ import annotations

import threading

import pytest

from proxy.lifecycle.blocking import BlockingCalls, StillBlockedError


async def test_a_call_gives_its_result_or_its_error() -> None:
    calls = BlockingCalls(5.0)
    assert await calls.run(lambda: 7) == 7

    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await calls.run(fail)


async def test_a_call_that_takes_too_long_is_given_up_and_none_is_started_beside_it() -> None:
    calls, release = BlockingCalls(0.05), threading.Event()
    try:
        with pytest.raises(StillBlockedError, match=r"^reading them has taken more than 0\.05 s$"):
            await calls.run(release.wait)
        with pytest.raises(StillBlockedError, match=r"^the previous reading has not finished yet$"):
            await calls.run(lambda: 1)
    finally:
        release.set()
    for thread in threading.enumerate():
        if thread.name == "settings":
            thread.join(5)
    assert await calls.run(lambda: 2) == 2
