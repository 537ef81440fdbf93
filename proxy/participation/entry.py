"""One request at the app, as it is remembered: see `in_flight`. PURE."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.participation.carried import NOTHING_CARRIED, Carried

OVERHEAD_BYTES: Final = 600  # bytes of an entry without its texts: the object, its places in dicts
LEFT_BYTES: Final = 600  # more, once its client has left

# Where a request stands with the table.
NOWHERE: Final = 0  # it has not begun, or it is over
REMEMBERED: Final = 1
UNTRACKED: Final = 2  # at the app, and not remembered: no room, or too old
ANSWERED: Final = 3  # it is over, with the app's whole answer


@final
class Left:
    """A request whose client has left before the app has answered."""

    def __init__(self, connection: object, process: int, shows_end: bool) -> None:
        """`connection`: both ends of that to the app, None if it is not known. `process`: who serves it, if known.

        `shows_end`: the app's end of the connection is gone as soon as the app is done with the request.
        """
        self.connection = connection
        self.process = process
        self.shows_end = shows_end


@final
@mypyc_attr(free_list_len=1)
class InFlight:
    """One request at the app. `trace_id` and `span_id` (32 and 16 digits): the caller, as the app was told."""

    # Values that most of them never change are class attributes, for speed.
    trace_id = b""
    span_id = b""
    carried: Carried = NOTHING_CARRIED
    evidence: tuple[tuple[str, str], ...] = ()
    place = NOWHERE
    exchange: object = None  # whose entry it is, while it is in flight
    left: Left | None = None  # its client has left, and the app may still be at it

    def __init__(
        self,
        trace_id: bytes,
        span_id: bytes,
        started: float,
        carried: Carried | None = None,
        evidence: tuple[tuple[str, str], ...] = (),
        source: object = None,
    ) -> None:
        """`evidence`: configured header names (lower case) and values, which can link a call to this request.

        `trace_id` is empty if the app was told none.
        `source`: what the app was given, as the translation has it.
        """
        self.started = started
        self.source = source
        if trace_id:
            self.trace_id = trace_id
            self.span_id = span_id
        if carried is not None:
            self.carried = carried
        if evidence:
            self.evidence = evidence

    @property
    def is_answered(self) -> bool:
        """Whether it ended with the app's whole answer."""
        return self.place == ANSWERED

    @property
    def size_bytes(self) -> int:
        """Roughly, the bytes that it takes."""
        size = OVERHEAD_BYTES
        if self.carried is not NOTHING_CARRIED:
            size += self.carried.size_bytes
        if self.evidence:
            size += sum([len(name) + len(text) for name, text in self.evidence])
        return size

    def __repr__(self) -> str:
        ids = f"{self.trace_id.decode('ascii')} {self.span_id.decode('ascii')}"
        return f"<InFlight {ids} since {self.started:g}>"


class AtApp(metaclass=ABCMeta):
    """Who has a request at the app, and can tell what is to be remembered of it. Most are over before anybody asks."""

    @abstractmethod
    def remembered(self, given: object, now: float) -> InFlight | None:
        """Its entry, from now on; None if nothing has to be remembered of it. Never raises.

        `given`: what the app was given, as the translation has it; `now`: in seconds.
        """

    @abstractmethod
    def unremembered(self, error: Exception) -> None:
        """Its entry could not be kept: a bug of ours, which the request survives."""


def evidence_of(names: Iterable[str], headers: Mapping[str, list[str]]) -> tuple[tuple[str, str], ...]:
    """The configured headers (lower case) that a request has exactly once, with values that distinguish requests.

    Skips empty values, and those over 256 characters.
    """
    found = []
    for name in names:
        values = headers.get(name)
        if values is not None and len(values) == 1 and 0 < len(values[0]) <= 256:
            found.append((name, values[0]))
    return tuple(found)
