"""What formats, families, losses and reasons are called in sentences. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_FORMATS: Final = {
    "tracecontext": "W3C",
    "b3": "B3",
    "b3multi": "B3 multi",
    "jaeger": "Jaeger",
    "grpc-trace-bin": "gRPC binary",
    "datadog": "Datadog",
    "xray": "X-Ray",
    "gcp": "Google Cloud",
    "sentry": "Sentry",
    "opentracing": "OpenTracing",
    "skywalking": "SkyWalking",
    "instana": "Instana",
    "none": "no trace header",
}
_LOSSES: Final = {
    "defer": "“no decision”",
    "debug": "the debug flag",
    "width": "the 64-bit width of the trace id",
    "parent": "the parent span id",
    "tracestate": "tracestate",
    "tracestate-cut": "a part of tracestate",
    "random": "the random-trace-id flag",
    "bare": "the span that a bare decision has no id for",
    "baggage-cut": "a part of baggage",
}
_REASONS: Final = {
    "duplicate": "there is more than one where exactly one is allowed",
    "shape": "it does not follow the format's grammar",
    "version": "its version is not supported",
    "zero-id": "an id is all zeros",
    "missing-id": "a trace id or a span id is missing",
    "decision": "its sampling decision is not one of the known words",
    "parent-id": "its parent span id is wrong",
    "tracestate": "its tracestate is wrong",
    "no-traceparent": "a tracestate came without a traceparent",
    "empty": "it is empty",
    "too-long": "it is too long",
    "characters": "it holds illegal characters",
}


def format_name(format: str) -> str:
    """`W3C`, `B3 multi`."""
    return _FORMATS.get(format, format)


def loss_name(loss: str) -> str:
    """What got lost, as the object of a sentence."""
    return _LOSSES.get(loss, loss)


def reason(word: str) -> str:
    """Why a header is malformed, as a clause."""
    return _REASONS.get(word, word)


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    found: Sequence[str] = list(words)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {last} {found[-1]}"


def formats(names: Iterable[str], last: str = "and") -> str:
    """Several formats in words."""
    return listed((format_name(name) for name in names), last)
