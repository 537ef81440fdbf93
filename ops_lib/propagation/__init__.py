"""The heart: sans-io codecs for the wire formats of trace context and session.

Standard library only; no sockets, environment, clock, logging or event loop. The grammar of each format stands in its
module; which of them is believed and what goes out, in `propagator`.
"""

from .baggage import REQUEST_BYTES, REQUEST_FIELDS, Baggage, Beside, Member
from .carrier import HEADER_NAMES, Carrier, MutableCarrier, fields, inject_into
from .context import (
    Fields,
    Malformed,
    RandomBits,
    Sampling,
    TraceContext,
    child,
    new_context,
    new_span_id,
    new_trace_id,
)
from .errors import InvalidSessionError, UnknownFormatError
from .fast import ALL_TRAITS, IS_RANDOM, FastPath, Plain, PlainBaggage, context_of
from .formats import COMPOSITE, FORMATS, Format, Loss, parse_formats
from .precedence import Said
from .propagator import NOTHING, SESSION_KEY, BaggageMode, Extraction, Injection, Propagator
from .session import EXTRACT_NAMES as SESSION_EXTRACT_NAMES
from .session import INJECT_NAME as SESSION_INJECT_NAME
from .session import check_session_id

__all__ = [
    "ALL_TRAITS",
    "COMPOSITE",
    "FORMATS",
    "HEADER_NAMES",
    "IS_RANDOM",
    "NOTHING",
    "REQUEST_BYTES",
    "REQUEST_FIELDS",
    "SESSION_EXTRACT_NAMES",
    "SESSION_INJECT_NAME",
    "SESSION_KEY",
    "Baggage",
    "BaggageMode",
    "Beside",
    "Carrier",
    "Extraction",
    "FastPath",
    "Fields",
    "Format",
    "Injection",
    "InvalidSessionError",
    "Loss",
    "Malformed",
    "Member",
    "MutableCarrier",
    "Plain",
    "PlainBaggage",
    "Propagator",
    "RandomBits",
    "Said",
    "Sampling",
    "TraceContext",
    "UnknownFormatError",
    "check_session_id",
    "child",
    "context_of",
    "fields",
    "inject_into",
    "new_context",
    "new_span_id",
    "new_trace_id",
    "parse_formats",
]
