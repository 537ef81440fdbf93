"""What is wrong with a malformed header, in words: of every vector that the heart refuses for its shape."""

from __future__ import annotations

import pytest

from ops_lib.propagation import KNOWN_FORMATS, Format, Propagator
from proxy.explain.diagnosis import diagnose
from tests.vectors.rows import load

TOLD = {"shape", "zero-id", "decision", "parent-id", "missing-id"}
PARTS = ("trace id", "span id", "flags", "version", "parent", "decision", "X-B3-", "parts")
REFUSED = [
    (row, Format(format))
    for row in load()
    for format, reason in row.expect.get("malformed", ())
    if reason in TOLD and not (format == "tracecontext" and "tracestate" in row.name)
]


@pytest.mark.parametrize(("row", "format"), REFUSED, ids=[f"{row.name}-{format}" for row, format in REFUSED])
def test_the_part_of_every_refused_vector_is_named(row: object, format: Format) -> None:
    told = diagnose(format, Propagator(extract=KNOWN_FORMATS).fields(row.headers))  # type: ignore[attr-defined]  # a Row
    assert any(part in told for part in PARTS), told


@pytest.mark.parametrize(
    ("format", "headers", "told"),
    [
        ("tracecontext", {"traceparent": f"00-{'a' * 31}-{'b' * 16}-01"}, "the trace id has 31 digits, expected 32"),
        ("tracecontext", {"traceparent": f"00-{'A' * 32}-{'b' * 16}-01"}, "the trace id has the upper-case letter 'A'"),
        ("tracecontext", {"traceparent": f"00-{'a' * 32}-{'0' * 16}-01"}, "the span id is all zeros"),
        ("tracecontext", {"traceparent": f"00-{'a' * 32}"}, "it has 2 of the 4 parts version-traceid-spanid-flags"),
        (
            "tracecontext",
            {"traceparent": f"00-{'a' * 31}g-{'b' * 15}-1"},
            "the trace id has 'g' at its position 32, which is not a hexadecimal digit; "
            "the span id has 15 digits, expected 16; the flags field has 1 digit, expected 2",
        ),
        ("b3", {"b3": f"{'a' * 24}-{'b' * 16}-1"}, "the trace id has 24 digits, expected 16 or 32"),
        ("b3", {"b3": f"{'a' * 32}-{'b' * 16}-yes"}, "the decision is 'yes', expected 0, 1 or d"),
        ("b3", {"b3": "true"}, "'true' is not a decision (0, 1 or d)"),
        ("b3multi", {"x-b3-traceid": "a" * 16}, "there is no X-B3-SpanId"),
        ("b3multi", {"x-b3-parentspanid": "a" * 16}, "there is no X-B3-TraceId; there is no X-B3-SpanId"),
        ("jaeger", {"uber-trace-id": f"{'a' * 33}:1:0:1"}, "the trace id has 33 digits, expected 1 to 32"),
        ("jaeger", {"uber-trace-id": "1%3A2:0"}, "it has 3 of the 4 parts traceid:spanid:parentid:flags"),
        ("grpc-trace-bin", {"grpc-trace-bin": "AAAA"}, "the trace id has 1 byte, expected 16; there is no span id"),
        ("tracecontext", {"tracestate": "a=1"}, ""),
        ("tracecontext", {"traceparent": ""}, ""),
        ("another", {"x": ""}, ""),
    ],
)
def test_what_is_wrong_is_said_in_words(format: str, headers: dict[str, str], told: str) -> None:
    assert diagnose(Format(format), {name: [value] for name, value in headers.items()}) == told
