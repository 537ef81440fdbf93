"""How much room a request leaves for baggage. PURE.

Servers refuse requests with many fields or bytes, and baggage is what gives way: see the heart's REQUEST_FIELDS.
"""

from __future__ import annotations

from typing import Final, final

from ops_lib.propagation import REQUEST_BYTES, REQUEST_FIELDS, Beside, PlainBaggage
from proxy.participation.gate import RawHeaders
from proxy.semantics.request import Weighed

_MOST_TRACE_FIELDS: Final = 10  # in all formats together, with the session and `baggage`
_MOST_TRACE_BYTES: Final = 1536


@final
class Weight(Weighed):
    """So many fields, of so many bytes."""

    __slots__ = ("_fields", "_size")

    def __init__(self, fields: int, size_bytes: int) -> None:
        self._fields = fields
        self._size = size_bytes

    def weigh(self) -> tuple[int, int]:
        return self._fields, self._size


NOTHING: Final = Weight(0, 0)


@final
class More(Weighed):
    """What `rest` weighs, and `headers` with it. Nobody counts until it is asked."""

    __slots__ = ("_headers", "_rest")

    def __init__(self, rest: Weighed, headers: RawHeaders) -> None:
        self._rest = rest
        self._headers = headers

    def weigh(self) -> tuple[int, int]:
        fields, size = self._rest.weigh()
        return fields + len(self._headers), size + size_of(self._headers)


def size_of(headers: RawHeaders) -> int:
    """The bytes of `headers` in a head."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def beside(rest: Weighed, headers: RawHeaders) -> Beside:
    """The size of a request with `headers` and `rest`, without `headers`."""
    fields, size = rest.weigh()
    return Beside(fields, size, fields + len(headers), size + size_of(headers))


def has_room(baggage: PlainBaggage[bytes], rest: Weighed) -> bool:
    """Whether `baggage` certainly fits beside `rest` in any form; if not, the propagator decides what fits."""
    text, members = baggage
    fields, size = rest.weigh()
    size += _MOST_TRACE_BYTES + 4 * len(text) + 12 * len(members)
    return fields + _MOST_TRACE_FIELDS + len(members) <= REQUEST_FIELDS and size <= REQUEST_BYTES
