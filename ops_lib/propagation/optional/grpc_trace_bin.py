"""`grpc-trace-bin`: OpenCensus in the metadata of gRPC. opencensus-specs, "BinaryEncoding" (trace context).

    grpc-trace-bin = base64 of the bytes below      ; gRPC over HTTP/2, "Requests": Binary-Header
    bytes          = %x00 *field                    ; version 0
    field          = %x00 16OCTET                   ; trace id; all zero is malformed
                   / %x01 8OCTET                    ; span id; all zero is malformed
                   / %x02 OCTET                     ; options: bit 0 sampled

Writers pad base64 or not; both are read, and none is written. Several values may be joined by commas: the first
that is not empty counts. Fields come in any order. One with another number ends the reading, since its length is
unknown. Without options, bit 0 is 0.

Bit 0 = 0 is read as DENY. Some tracers write it where nobody has decided: `extract_deferring` reads it so.

Departure: the specification has fields in the order of their numbers. Some writers have it otherwise.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64

from ..codec import Codec
from ..context import (
    ACCEPT,
    DEBUG,
    DEFER,
    DENY,
    SPAN_ID_ZERO,
    TRACE_ID_ZERO,
    Fields,
    Headers,
    Losses,
    Malformed,
    Policy,
    Reading,
    TraceContext,
    first_of,
    new,
)
from ..formats import Format, Loss

GRPC_TRACE_BIN = "grpc-trace-bin"
FORMAT = Format(GRPC_TRACE_BIN)

_LONGEST = 512  # characters; ours has 39
_SIZES = (16, 8, 1)  # of each field's value, by its number
_SAMPLED = 0x1


def extract(fields: Fields) -> Reading:
    """The context in `grpc-trace-bin`; one that is not sampled is DENY."""
    value = first_of(fields[GRPC_TRACE_BIN])
    if not value:
        return None, Malformed.EMPTY
    if len(value) > _LONGEST:
        return None, Malformed.TOO_LONG
    text = value.rstrip("=")
    try:
        data = a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except (Error, ValueError):  # ValueError: not ASCII
        return None, Malformed.SHAPE
    return _read(data)


def extract_deferring(fields: Fields) -> Reading:
    """The same; one that is not sampled is DEFER."""
    context, reason = extract(fields)
    if isinstance(context, TraceContext) and context.sampling is DENY:
        return context._replace(sampling=DEFER), reason
    return context, reason


def _read(data: bytes) -> Reading:
    if not data:
        return None, Malformed.EMPTY
    if data[0] != 0:
        return None, Malformed.VERSION
    found: list[bytes] = [b"", b"", b"\0"]
    seen = 0
    at = 1
    while at < len(data):
        number = data[at]
        if number >= len(_SIZES):
            break
        end = at + 1 + _SIZES[number]
        if end > len(data):
            return None, Malformed.SHAPE
        if seen & 1 << number:
            return None, Malformed.DUPLICATE
        seen |= 1 << number
        found[number] = data[at + 1 : end]
        at = end
    if not (found[0] and found[1]):
        return None, Malformed.MISSING_ID
    trace_id, span_id = found[0].hex(), found[1].hex()
    if trace_id == TRACE_ID_ZERO or span_id == SPAN_ID_ZERO:
        return None, Malformed.ZERO_ID
    sampling = ACCEPT if found[2][0] & _SAMPLED else DENY
    return new(TraceContext, (trace_id, span_id, sampling, False, False, None, "", False)), None


def inject(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append `grpc-trace-bin` without padding; note what is lost."""
    trace_id, span_id, sampling, short, is_random, parent_id, tracestate, made_up = context
    if sampling is DEFER:
        losses.append(_LOST_DEFER)
        sampling = policy.decide(trace_id)
    elif sampling is DEBUG:
        losses.append(_LOST_DEBUG)
    data = bytes.fromhex(f"0000{trace_id}01{span_id}02{'00' if sampling is DENY else '01'}")
    headers.append((GRPC_TRACE_BIN, b2a_base64(data, newline=False).decode("ascii").rstrip("=")))
    if short:
        losses.append(_LOST_WIDTH)
    if parent_id is not None:
        losses.append(_LOST_PARENT)
    if tracestate:
        losses.append(_LOST_TRACESTATE)
    if made_up:
        if sampling is not DENY:
            losses.append(_LOST_BARE)
    elif is_random:
        losses.append(_LOST_RANDOM)


_LOST_DEFER = (FORMAT, Loss.DEFER)
_LOST_DEBUG = (FORMAT, Loss.DEBUG)
_LOST_WIDTH = (FORMAT, Loss.WIDTH)
_LOST_PARENT = (FORMAT, Loss.PARENT)
_LOST_TRACESTATE = (FORMAT, Loss.TRACESTATE)
_LOST_RANDOM = (FORMAT, Loss.RANDOM)
_LOST_BARE = (FORMAT, Loss.BARE)

CODEC = Codec(
    format=FORMAT,
    writes=(GRPC_TRACE_BIN,),
    extract=extract,
    inject=inject,
    cannot_say=frozenset(
        {Loss.DEFER, Loss.DEBUG, Loss.WIDTH, Loss.PARENT, Loss.TRACESTATE, Loss.RANDOM, Loss.BARE},
    ),
    by_default=False,
)
