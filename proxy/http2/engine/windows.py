"""What we let a peer send, on a stream or a connection (RFC 9113, 5.2 and 6.9). PURE.

Credit follows room: a window opens again only as its content is taken.
The sending side is one integer for each stream, which a change of settings may make negative (6.9.2).
"""

from __future__ import annotations

from typing import final


@final
class ReceiveWindow:
    """How much may still come. It may double until it reaches `most`, as long as its content is taken."""

    __slots__ = ("_due", "_most", "left", "owed", "size")

    def __init__(self, size: int, most: int) -> None:
        self.size = size
        self._most = most
        self.left = size
        self._due = 0  # taken, but not yet told
        self.owed = 0  # has come while it was not to be taken: no credit is given for it

    def take(self, size: int) -> bool:
        """So much has come. False if it is more than allowed: a FLOW_CONTROL_ERROR."""
        self.left -= size
        return self.left >= 0

    def give(self, size: int) -> int:
        """So much has been taken. The increment to announce now; 0: later, with more."""
        due = self._due + size
        if due * 2 < self.size:
            self._due = due
            return 0
        self._due = 0
        if self.size < self._most:
            more = min(self.size, self._most - self.size)
            self.size += more
            due += more
        self.left += due
        return due
