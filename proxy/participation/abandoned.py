"""Requests whose clients have left before the app had answered. PURE: the time is an argument.

No protocol tells an app for certain that nobody waits any longer: most go on to the end, and call others on the way.
So such a request stays for a while among those that a call may belong to, though no call is joined to it.
"""

from __future__ import annotations

from typing import Final, final

from proxy.participation.entry import InFlight

_NOT_SET: Final = -1.0


@final
class Abandoned:
    """Those of one table, in the order in which their clients left."""

    __slots__ = ("_blind_until", "_until", "is_blind", "stay_s")

    def __init__(self, stay_s: float) -> None:
        """`stay_s`: for how long the app is taken to be at it; 0: not at all."""
        self.stay_s = stay_s
        self.is_blind = False  # one was forgotten before its time: it could be whose call comes
        self._blind_until = _NOT_SET
        self._until: dict[InFlight, float] = {}  # a time is set when the first sweep sees it

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, entry: InFlight) -> bool:
        return entry in self._until

    def __repr__(self) -> str:
        return f"<Abandoned {len(self._until)} requests, for {self.stay_s:g} s>"

    def add(self, entry: InFlight) -> None:
        """Its client has left."""
        self._until[entry] = _NOT_SET

    def discard(self, entry: InFlight) -> None:
        """The app is done with it, or it has stayed long enough."""
        self._until.pop(entry, None)

    def first(self) -> InFlight | None:
        """Whose client left first."""
        return next(iter(self._until), None)

    def forgotten(self) -> None:
        """One of them had to go before its time."""
        self.is_blind = True
        self._blind_until = _NOT_SET

    def over(self, now: float) -> list[InFlight]:
        """Those that have stayed long enough."""
        if self.is_blind and self._is_over(self._blind_until, now):
            self.is_blind = False
        elif self.is_blind and self._blind_until == _NOT_SET:
            self._blind_until = now + self.stay_s
        over = []
        for entry, until in self._until.items():
            if until == _NOT_SET:
                self._until[entry] = now + self.stay_s
            elif self._is_over(until, now):
                over.append(entry)
        return over

    @staticmethod
    def _is_over(until: float, now: float) -> bool:
        return until != _NOT_SET and now >= until
