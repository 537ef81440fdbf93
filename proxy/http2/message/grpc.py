"""gRPC's own ways with HTTP/2: which requests are calls, how long they may take, how an error is told. PURE.

gRPC, "gRPC over HTTP2":

    Timeout       = "grpc-timeout" TimeoutValue TimeoutUnit      ; 1 to 8 digits, and one of H M S m u n
    Status        = "grpc-status" 1*DIGIT
    Status-Message = "grpc-message" Percent-Encoded              ; all but %x20-24 and %x26-7E
"""

from __future__ import annotations

import re
from typing import Final

from proxy.http2.hpack.field import HeaderField
from proxy.semantics.faults import Refusal

CONTENT_TYPE: Final = b"application/grpc"
_UNITS_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TO_ENCODE: Final = re.compile(rb"[^\x20-\x24\x26-\x7e]")
_LONGEST_MESSAGE: Final = 512  # bytes, before they are encoded
# The statuses that there are, with a zero before them or not.
_STATUSES: Final = {digits % status: status for status in range(17) for digits in (b"%d", b"%02d")}


def is_call(content_type: bytes) -> bool:
    """Whether a request with this Content-Type is gRPC's: `application/grpc`, with a suffix such as `+proto` or not."""
    return content_type.startswith(CONTENT_TYPE) and not content_type.startswith(b"application/grpc-web")


def read_timeout(value: bytes) -> float:
    """`grpc-timeout` in seconds; -1 if it is malformed."""
    unit = _UNITS_S.get(value[-1:])
    digits = value[:-1]
    if unit is None or not digits.isdigit() or len(digits) > 8:
        return -1.0
    return int(digits) * unit


def read_status(fields: list[HeaderField]) -> int:
    """`grpc-status` among trailers, or in a head without content; -1 if there is none that is known."""
    for field in fields:
        if field.name == b"grpc-status":
            return _STATUSES.get(field.value, -1)
    return -1


def encode_message(text: str) -> bytes:
    """A `grpc-message`."""
    raw = text.encode("utf-8", "replace")[:_LONGEST_MESSAGE]
    return _TO_ENCODE.sub(lambda found: b"%%%02X" % found[0][0], raw)


def status_fields(refusal: Refusal, *, details: bool) -> list[tuple[bytes, bytes]]:
    """What tells a caller of a refusal. `details`: in words that name hosts and values."""
    fault = refusal.fault
    message = refusal.detail if details and refusal.detail else fault.title
    return [(b"grpc-status", b"%d" % fault.grpc_status), (b"grpc-message", encode_message(message))]
