"""The heart: sans-io codecs for the wire formats of trace context and session.

Standard library only; no sockets, environment, clock, logging or event loop.
Each format's module has its grammar; `propagator` decides which format is believed and what goes out.
"""

from .baggage import REQUEST_BYTES, REQUEST_FIELDS, Baggage, Beside, Member
from .carrier import Carrier, MutableCarrier, fields, inject_into
from .codec import Codec, PlainForm
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
from .errors import ConfigurationError, InvalidSessionError, OpsError, UnknownFamilyError, UnknownFormatError
from .extraction import NOTHING, Extraction, Injection
from .families import FAMILIES, SESSION_KEY, Cargo, cargo_of, family_of, parse_families, without_cargo
from .fast.forms import ALL_TRAITS, HAS_PARENT, HAS_STATE, IS_RANDOM, IS_SHORT
from .fast.path import Plain, PlainBaggage, RawFastPath, context_of
from .formats import Format, Loss
from .precedence import Said, is_same_trace
from .propagator import Propagator
from .registry import COMPOSITE, FORMAT_NAMES, FORMATS, KNOWN_FORMATS, codec_of, parse_formats
from .session import EXTRACT_NAMES as SESSION_EXTRACT_NAMES
from .session import INJECT_NAME as SESSION_INJECT_NAME
from .session import check_session_id, is_session_id
from .session_header import check_session_header

__all__ = [
    "ALL_TRAITS",
    "COMPOSITE",
    "FAMILIES",
    "FORMATS",
    "FORMAT_NAMES",
    "HAS_PARENT",
    "HAS_STATE",
    "IS_RANDOM",
    "IS_SHORT",
    "KNOWN_FORMATS",
    "NOTHING",
    "REQUEST_BYTES",
    "REQUEST_FIELDS",
    "SESSION_EXTRACT_NAMES",
    "SESSION_INJECT_NAME",
    "SESSION_KEY",
    "Baggage",
    "BaggageMode",
    "Beside",
    "Cargo",
    "Carrier",
    "Codec",
    "ConfigurationError",
    "Extraction",
    "Fields",
    "Format",
    "Injection",
    "InvalidSessionError",
    "Loss",
    "Malformed",
    "Member",
    "MutableCarrier",
    "OpsError",
    "Plain",
    "PlainBaggage",
    "PlainForm",
    "Propagator",
    "RandomBits",
    "RawFastPath",
    "Said",
    "Sampling",
    "TraceContext",
    "UnknownFamilyError",
    "UnknownFormatError",
    "cargo_of",
    "check_session_header",
    "check_session_id",
    "child",
    "codec_of",
    "context_of",
    "family_of",
    "fields",
    "inject_into",
    "is_same_trace",
    "is_session_id",
    "new_context",
    "new_span_id",
    "new_trace_id",
    "parse_families",
    "parse_formats",
    "without_cargo",
]
