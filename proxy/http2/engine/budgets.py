"""How much a peer may ask of us that brings nobody anything, by rate (RFC 9113, 10.5). PURE: the time is an argument.

Rapid resets, PING, SETTINGS, PRIORITY, empty DATA, unknown frames, windows opened byte by byte:
each is cheap to send, and makes its receiver work.
A connection that lives for months sends many of them, so totals say nothing. Rates do.
Frames that carry something earn new ones: a peer that measures a fast transfer may send thousands of PINGs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, final

_REMEMBERED_CLIENTS: Final = 1024


@final
class Bucket:
    """Tokens that come back at a rate, up to a number. Connections of one client may share one."""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens", "earned")

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = burst
        self._at = 0.0  # when they were last counted
        self.earned = 0  # more tokens, counted with the next that is spent

    def spend(self, now: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens at `now`, in seconds of any clock. False if there are not as many."""
        came = (now - self._at) * self._per_second + self.earned
        self._at = now
        self.earned = 0
        tokens = min(self._burst, self._tokens + came) if came > 0 else self._tokens
        if tokens < cost:
            self._tokens = tokens
            return False
        self._tokens = tokens - cost
        return True


Budgets = Callable[[bytes, int, int], Bucket]


def budgets() -> Budgets:
    """The resets that each client has left, by its address and the limits of the plan; for all of its connections."""
    return lru_cache(_REMEMBERED_CLIENTS)(lambda _address, burst, per_s: Bucket(burst, per_s))
