"""What a request came with that the app may lose: a value, and what of it several requests have in common. PURE."""

from __future__ import annotations

from typing import Final, NamedTuple

from ops_lib.propagation import Baggage


class Carried(NamedTuple):
    """What a request said that the app's format cannot say."""

    tracestate: str = ""
    baggage: Baggage | None = None
    session: str | None = None
    is_debug: bool = False
    is_short: bool = False
    is_random: bool = False

    @property
    def size_bytes(self) -> int:
        """Roughly, the bytes that it takes."""
        members = self.baggage.members if self.baggage is not None else ()
        texts = sum(len(member.key) + len(member.value) + 120 for member in members)
        return len(self.tracestate) + len(self.session or "") + texts


NOTHING_CARRIED: Final = Carried()


def agreed(one: Carried, other: Carried) -> Carried:
    """What both requests came with alike."""
    return Carried(
        one.tracestate if one.tracestate == other.tracestate else "",
        one.baggage if one.baggage == other.baggage else None,
        one.session if one.session == other.session else None,
        one.is_debug and other.is_debug,
        one.is_short and other.is_short,
        one.is_random and other.is_random,
    )
