"""How much room a request leaves for baggage. PURE.

Servers refuse requests with many fields or bytes, and baggage is what gives way: see the heart's REQUEST_FIELDS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ops_lib.propagation import REQUEST_BYTES, REQUEST_FIELDS, Beside, PlainBaggage
from proxy.participation.gate import RawHeaders

Weigh = Callable[[], tuple[int, int]]
"""Returns the number of a request's other fields, and the bytes of them and the target."""

_MOST_TRACE_FIELDS: Final = 10  # in all formats together, with the session and `baggage`
_MOST_TRACE_BYTES: Final = 1536


def nothing() -> tuple[int, int]:
    """Weighs nothing."""
    return 0, 0


def size_of(headers: RawHeaders) -> int:
    """The bytes of `headers` in a head."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def beside(weigh: Weigh, headers: RawHeaders) -> Beside:
    """The size of a request with `headers` and the rest from `weigh`, without `headers`."""
    fields, size = weigh()
    return Beside(fields, size, fields + len(headers), size + size_of(headers))


def has_room(baggage: PlainBaggage[bytes], weigh: Weigh) -> bool:
    """Whether `baggage` certainly fits into the request in any form; if not, the propagator decides what fits."""
    text, members = baggage
    fields, size = weigh()
    size += _MOST_TRACE_BYTES + 4 * len(text) + 12 * len(members)
    return fields + _MOST_TRACE_FIELDS + len(members) <= REQUEST_FIELDS and size <= REQUEST_BYTES
