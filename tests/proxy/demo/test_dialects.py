"""Each demo service reads and writes its own format, and sees nothing in the others."""

from __future__ import annotations

import pytest

from proxy.demo.dialects import B3_MULTI, JAEGER, W3C, Dialect, Span, child, is_trace_header

TRACE, SPAN, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "1122334455667788"

ROWS: list[tuple[Dialect, dict[str, str], Span]] = [
    (W3C, {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=b"}, Span(TRACE, SPAN, "accept", "", "a=b")),
    (W3C, {"traceparent": f"00-{TRACE}-{SPAN}-00"}, Span(TRACE, SPAN, "deny")),
    (B3_MULTI, {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"}, Span(TRACE, SPAN, "accept")),
    (B3_MULTI, {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "0"}, Span(TRACE, SPAN, "deny")),
    (B3_MULTI, {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN}, Span(TRACE, SPAN, "defer")),
    (
        B3_MULTI,
        {"x-b3-traceid": TRACE[16:], "x-b3-spanid": SPAN, "x-b3-parentspanid": PARENT, "x-b3-flags": "1"},
        Span(TRACE[16:], SPAN, "debug", PARENT),
    ),
    (JAEGER, {"uber-trace-id": f"{TRACE}:{SPAN}:0:1"}, Span(TRACE, SPAN, "accept")),
    (JAEGER, {"uber-trace-id": f"{TRACE[16:]}:{SPAN}:0:3"}, Span(TRACE[16:], SPAN, "debug")),
    (JAEGER, {"uber-trace-id": f"{TRACE}:{SPAN}:0:0"}, Span(TRACE, SPAN, "deny")),
]


@pytest.mark.parametrize(("dialect", "headers", "span"), ROWS)
def test_reads_and_writes_its_own(dialect: Dialect, headers: dict[str, str], span: Span) -> None:
    assert dialect.read(headers) == span
    assert {name.lower(): value for name, value in dialect.write(span)} == headers


@pytest.mark.parametrize("reader", [W3C, B3_MULTI, JAEGER])
@pytest.mark.parametrize("writer", [W3C, B3_MULTI, JAEGER])
def test_understands_no_other(reader: Dialect, writer: Dialect) -> None:
    headers = {name.lower(): value for name, value in writer.write(Span(TRACE, SPAN, "accept"))}
    assert (reader.read(headers) is None) == (reader is not writer)
    assert reader.read({}) is None


def test_a_child_names_its_parent_and_keeps_the_rest() -> None:
    own = child(Span(TRACE, SPAN, "debug", PARENT, "a=b"))
    assert own.span_id != SPAN
    assert own == Span(TRACE, own.span_id, "debug", SPAN, "a=b")


@pytest.mark.parametrize(
    "name",
    [
        *("traceparent", "TraceState", "b3", "X-B3-Flags", "X_B3_TraceId", "uber-trace-id", "uberctx-k"),
        *("jaeger-debug-id", "baggage", "X-Mirascope-Session-Id", "Mirascope-Session-Id"),
    ],
)
def test_shows_whatever_is_about_a_trace(name: str) -> None:
    assert is_trace_header(name)


@pytest.mark.parametrize("name", ["Host", "b3x", "x-b30", "my-traceparent", "Content-Type"])
def test_shows_nothing_else(name: str) -> None:
    assert not is_trace_header(name)


@pytest.mark.parametrize(
    ("dialect", "headers"),
    [
        (B3_MULTI, {"x-b3-traceid": TRACE}),
        (B3_MULTI, {"x-b3-spanid": SPAN}),
        (W3C, {"traceparent": f"01-{TRACE}-{SPAN}-01"}),
        (W3C, {"traceparent": f"00-{TRACE}-{SPAN}-01-x"}),
        (JAEGER, {"uber-trace-id": f"{TRACE}0:{SPAN}:0:1"}),
        (JAEGER, {"uber-trace-id": f"{TRACE}:{SPAN}:0:123"}),
    ],
)
def test_half_a_context_is_none(dialect: Dialect, headers: dict[str, str]) -> None:
    assert dialect.read(headers) is None


@pytest.mark.parametrize(
    ("flags", "sampling"),
    [("0", "deny"), ("1", "accept"), ("2", "deny"), ("3", "debug"), ("7", "debug"), ("5", "accept")],
)
def test_flags_of_jaeger(flags: str, sampling: str) -> None:
    assert JAEGER.read({"uber-trace-id": f"1:2:0:{flags}"}) == Span("1", "2", sampling)


@pytest.mark.parametrize(
    ("dialect", "span", "headers"),
    [
        (W3C, Span(TRACE, SPAN, "debug"), (("traceparent", f"00-{TRACE}-{SPAN}-00"),)),
        (JAEGER, Span(TRACE, SPAN, "defer", PARENT), (("uber-trace-id", f"{TRACE}:{SPAN}:{PARENT}:0"),)),
        (B3_MULTI, Span(TRACE, SPAN, "defer"), (("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN))),
    ],
)
def test_what_a_format_cannot_say_is_left_out(dialect: Dialect, span: Span, headers: object) -> None:
    assert dialect.write(span) == headers
