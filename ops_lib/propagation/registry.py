"""The wire formats: one row each. A new format is a new module, and a row in CODECS.

The order of the rows is the default order of reading.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import b3, jaeger, tracecontext
from .codec import Codec
from .errors import UnknownFormatError
from .formats import Format
from .optional import grpc_trace_bin

CODECS: tuple[Codec, ...] = (
    tracecontext.CODEC,
    grpc_trace_bin.CODEC,
    b3.CODEC,
    b3.MULTI_CODEC,
    jaeger.CODEC,
)

KNOWN_FORMATS: tuple[Format, ...] = tuple(codec.format for codec in CODECS)
"""All formats."""

FORMATS: tuple[Format, ...] = tuple(codec.format for codec in CODECS if codec.by_default)
"""The formats that are read by default, in order. `composite` stands for all of them."""

COMPOSITE = "composite"

FORMAT_NAMES: tuple[str, ...] = (*KNOWN_FORMATS, COMPOSITE)
"""The names that people may use for formats."""

_BY_FORMAT = {codec.format: codec for codec in CODECS}


def codec_of(format: Format) -> Codec:
    """The row of `format`."""
    return _BY_FORMAT[format]


def codecs_of(formats: Iterable[Format]) -> tuple[Codec, ...]:
    """The rows of `formats`, in their order."""
    return tuple(_BY_FORMAT[format] for format in formats)


def parse_formats(names: str | Iterable[str]) -> tuple[Format, ...]:
    """Formats from `"b3,tracecontext"`, `["b3multi"]` or `"composite"`: case does not matter, duplicates count once.

    An empty input gives an empty result.
    Raises UnknownFormatError, which names the wrong name and lists the right ones.
    """
    found: dict[Format, None] = {}
    for name in names.split(",") if isinstance(names, str) else names:
        key = Format(name.strip().lower())
        if key == COMPOSITE:
            found.update(dict.fromkeys(FORMATS))
        elif (codec := _BY_FORMAT.get(key)) is not None:
            found[codec.format] = None
        elif key or not isinstance(names, str):
            known = ", ".join(FORMAT_NAMES)
            raise UnknownFormatError(f"unknown propagation format {name!r}; known are: {known}{_meant(key)}")
    return tuple(found)


_OTHER_NAMES = {
    "tracecontext": ("w3c", "traceparent", "trace-context", "trace_context", "tracestate", "otel", "opentelemetry"),
    "b3 or b3multi": ("zipkin", "brave", "x-b3"),
    "b3": ("b3single", "b3-single", "b3_single"),
    "b3multi": ("b3-multi", "b3_multi", "multi"),
    "jaeger": ("uber", "uber-trace-id", "jaegertracing"),
    "grpc-trace-bin": ("grpc", "grpc_trace_bin", "opencensus", "oc", "binary"),
    "composite": ("all", "any", "every", "*"),
}
"""Other names of formats."""


def _meant(name: str) -> str:
    for format, others in _OTHER_NAMES.items():
        if name in others:
            return f"; did you mean {format}?"
    import difflib  # imported here, since only an error needs it

    close = difflib.get_close_matches(name, FORMAT_NAMES, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def with_family(formats: Iterable[Format]) -> tuple[Format, ...]:
    """`formats`, each followed by the others of its family. The two encodings of B3 are a family."""
    formats = tuple(formats)
    order: dict[Format, None] = {}
    for codec in codecs_of(formats):
        order[codec.format] = None
        for other in CODECS:
            if codec.family and other.family == codec.family and other.format not in formats:
                order[other.format] = None
    return tuple(order)
