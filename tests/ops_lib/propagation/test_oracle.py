"""The stock OpenTelemetry propagators as an oracle, on the inputs where they are right (see docs/formats.md)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ops_lib.propagation import NOTHING, Format, Propagator, Sampling, TraceContext, fields

THEIRS: dict[Format, TextMapPropagator] = {
    Format.TRACECONTEXT: TraceContextTextMapPropagator(),
    Format.B3: B3SingleFormat(),
    Format.B3MULTI: B3MultiFormat(),
    Format.JAEGER: JaegerPropagator(),
}
ORACLE = settings(max_examples=100, deadline=None, derandomize=True)


def ids(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length).filter(lambda text: text.strip("0"))


# They know neither DEFER nor DEBUG, and read a 64-bit id only as a number.
CONTEXTS = st.tuples(ids(32), ids(16), st.sampled_from([Sampling.DENY, Sampling.ACCEPT])).map(
    lambda three: TraceContext(*three)
)


@pytest.mark.slow
@ORACLE
@given(context=CONTEXTS, format=st.sampled_from(list(THEIRS)))
def test_they_read_what_we_write(context: TraceContext, format: Format) -> None:
    headers = dict(Propagator(inject=(format,)).inject(NOTHING, context=context).headers)
    carrier = headers | {name.lower(): value for name, value in headers.items()}  # theirs miss a dict's X-B3-TraceId
    span = trace.get_current_span(THEIRS[format].extract(carrier, Context())).get_span_context()
    assert f"{span.trace_id:032x}" == context.trace_id
    assert f"{span.span_id:016x}" == context.span_id
    assert bool(span.trace_flags & 1) == context.sampling.is_sampled


@pytest.mark.slow
@ORACLE
@given(context=CONTEXTS, format=st.sampled_from(list(THEIRS)))
def test_we_read_what_they_write(context: TraceContext, format: Format) -> None:
    span = trace.SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), True, trace.TraceFlags(context.sampling.is_sampled)
    )
    carrier: dict[str, str] = {}
    THEIRS[format].inject(carrier, trace.set_span_in_context(trace.NonRecordingSpan(span), Context()))
    found = Propagator().extract(fields(carrier)).context
    assert found is not None
    assert (found.trace_id, found.span_id) == (context.trace_id, context.span_id)
    # Their Jaeger propagator writes every sampled trace as a debug trace.
    assert found.sampling.is_sampled == context.sampling.is_sampled


DAMAGED = st.tuples(CONTEXTS, st.integers(0, 54), st.characters(max_codepoint=126)).map(
    lambda of: (whole := f"00-{of[0].trace_id}-{of[0].span_id}-01")[: of[1]] + of[2] + whole[of[1] + 1 :]
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "values", [DAMAGED, st.text(st.characters(max_codepoint=126), max_size=70)], ids=["near", "far"]
)
def test_what_they_refuse_as_traceparent_we_refuse(values: st.SearchStrategy[str]) -> None:
    """Of values that are nearly right, some are refused and some are not: so this is never about nothing."""
    refused: set[bool] = set()

    @ORACLE
    @given(value=values)
    def compare(value: str) -> None:
        span = trace.get_current_span(THEIRS[Format.TRACECONTEXT].extract({"traceparent": value}, Context()))
        is_refused = not span.get_span_context().is_valid
        refused.add(is_refused)
        if is_refused:
            assert Propagator(extract=(Format.TRACECONTEXT,)).extract(fields({"traceparent": value})).context is None

    compare()
    assert True in refused
    assert values is not DAMAGED or False in refused
