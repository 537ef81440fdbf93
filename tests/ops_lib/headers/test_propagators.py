"""Between headers and the Context: which formats, which session, and for how long it is in force."""

from __future__ import annotations

import pytest
from lab.propagated import SPAN_ID, TRACE_ID, TRACEPARENT, ids, injected
from opentelemetry.context import Context

import ops_lib as ops
from ops_lib.context.current import EMPTY, current


def test_the_documented_example() -> None:
    with ops.session(id="demo-session"), ops.span("client_request") as span:
        headers: dict[str, str] = {}
        ops.inject_context(headers)
    assert headers == {
        "traceparent": f"00-{span.trace_id}-{span.span_id}-03",
        "X-Mirascope-Session-Id": "demo-session",
    }
    with ops.propagated_context(extract_from=headers):
        assert ops.current_session() == ops.SessionContext("demo-session")
        with ops.span("server") as server:
            assert server.trace_id == span.trace_id
    assert ops.current_session() is None
    assert current() == {}


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "header"),
        [
            ("tracecontext", "traceparent"),
            ("b3", "b3"),
            ("b3multi", "X-B3-TraceId"),
            ("jaeger", "uber-trace-id"),
            (" B3 ", "b3"),
        ],
    )
    def test_from_the_environment(self, monkeypatch: pytest.MonkeyPatch, name: str, header: str) -> None:
        monkeypatch.setenv("MIRASCOPE_PROPAGATOR", name)
        with ops.span("s") as span:
            headers: dict[str, str] = {}
            ops.inject_context(headers)
        assert header.lower() in {key.lower() for key in headers}
        assert "traceparent" not in headers or header == "traceparent"
        assert ids(ops.extract_context(headers)) == (span.trace_id, span.span_id)

    def test_composite_writes_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "composite")
        with ops.span("s"):
            headers: dict[str, str] = {}
            ops.inject_context(headers)
        assert {"traceparent", "b3", "x-b3-traceid", "uber-trace-id"} <= {name.lower() for name in headers}

    @pytest.mark.parametrize("variable", ["MIRASCOPE_PROPAGATOR", "OPS_PROPAGATION_EXTRACT", "OPS_PROPAGATION_INJECT"])
    @pytest.mark.parametrize("wrong", ["zipkin", "b3,zipkin", ","])
    def test_a_wrong_name_lists_the_right_ones(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, wrong: str
    ) -> None:
        monkeypatch.setenv(variable, wrong)
        with pytest.raises(
            ValueError, match=f"{variable}.*tracecontext, grpc-trace-bin, b3, b3multi, jaeger, composite"
        ) as caught:
            ops.inject_context({})
        assert isinstance(caught.value, ops.UnknownFormatError)
        with pytest.raises(ValueError, match="tracecontext"):
            ops.configure(exporter="none")

    @pytest.mark.parametrize("option", ["extract", "inject"])
    def test_a_wrong_option_lists_the_right_ones(self, option: str) -> None:
        with pytest.raises(ops.UnknownFormatError, match=f"{option}: unknown .*'x'.*composite"):
            ops.ContextPropagator(**{option: "x"})  # type: ignore[arg-type]  # a name

    def test_set_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPS_PROPAGATION_EXTRACT", "jaeger")
        monkeypatch.setenv("OPS_PROPAGATION_INJECT", "b3,tracecontext")
        monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "jaeger")
        assert ops.extract_context({"traceparent": TRACEPARENT}) == {}
        context = ops.extract_context({"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1"})
        headers: dict[str, str] = {}
        ops.inject_context(headers, context=context)
        assert set(headers) == {"b3", "traceparent"}

    def test_set_apart_by_argument(self) -> None:
        propagator = ops.ContextPropagator(extract=["b3"], inject="jaeger")
        context = propagator.extract_context({"b3": f"{TRACE_ID}-{SPAN_ID}-1", "traceparent": TRACEPARENT[:-1] + "0"})
        headers: dict[str, str] = {}
        propagator.inject_context(headers, context)
        assert headers == {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1"}

    def test_every_format_is_read_by_default_the_written_one_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "b3")
        other = "a" * 32
        assert ids(ops.extract_context({"traceparent": TRACEPARENT}))[0] == TRACE_ID
        both = {"traceparent": TRACEPARENT, "b3": f"{other}-{SPAN_ID}-1"}
        assert ids(ops.extract_context(both))[0] == other

    def test_get_set_and_reset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = ops.get_propagator()
        assert ops.get_propagator() is first
        mine = ops.ContextPropagator(inject="b3")
        ops.set_propagator(mine)
        assert ops.get_propagator() is mine
        monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "jaeger")
        ops.reset_propagator()
        assert [*ops.get_propagator().propagator.inject_formats] == ["jaeger"]

    def test_as_the_global_propagator_when_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from opentelemetry import propagate

        monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", propagate.get_global_textmap())
        ops.ContextPropagator(inject="b3", set_global=True)
        carrier: dict[str, str] = {}
        with ops.span("s") as span:
            propagate.inject(carrier)
        assert carrier == {"b3": f"{span.trace_id}-{span.span_id}-1"}


class TestSession:
    @pytest.mark.parametrize("name", ["X-Mirascope-Session-Id", "mirascope-session-id", "x-MIRASCOPE-session-ID"])
    def test_either_header_in_any_case(self, name: str) -> None:
        assert ops.extract_session_id({name: "s-1"}) == "s-1"
        assert ops.extract_session_id({name: ["s-1", "s-2"]}) == "s-1"

    @pytest.mark.parametrize("value", ["", "a\r\nEvil: 1", "x" * 257, "ä"])
    def test_a_malformed_one_is_dropped(self, value: str) -> None:
        assert ops.extract_session_id({"X-Mirascope-Session-Id": value}) is None
        with ops.propagated_context(extract_from={"X-Mirascope-Session-Id": value, "traceparent": TRACEPARENT}):
            assert ops.current_session() is None
            assert injected() == {"traceparent": TRACEPARENT}

    def test_an_inner_session_wins_over_the_callers(self) -> None:
        with ops.propagated_context(extract_from={"X-Mirascope-Session-Id": "theirs"}):
            assert injected() == {"X-Mirascope-Session-Id": "theirs"}
            with ops.session(id="ours"):
                assert injected() == {"X-Mirascope-Session-Id": "ours"}

    def test_of_the_context_that_is_given(self) -> None:
        context = ops.extract_context({"X-Mirascope-Session-Id": "given"})
        with ops.session(id="ambient"):
            assert injected(context) == {"X-Mirascope-Session-Id": "given"}
            assert injected(EMPTY) == {}


class TestPropagatedContext:
    def test_takes_exactly_one(self) -> None:
        for wrong in ({}, {"parent": Context(), "extract_from": {}}):
            with pytest.raises(ValueError, match="parent"):
                ops.propagated_context(**wrong)

    def test_parent_with_its_session(self) -> None:
        context = ops.extract_context({"traceparent": TRACEPARENT, "X-Mirascope-Session-Id": "s"})
        with ops.propagated_context(parent=context) as attached, ops.span("s") as span:
            assert attached is context
            assert span.trace_id == TRACE_ID
            assert ops.current_session() == ops.SessionContext("s")
        assert current() == {}

    def test_headers_for_a_parent_are_an_error(self) -> None:
        """They would be put in force as they are, and the trace be lost without a word."""
        with pytest.raises(TypeError, match="extract_from"):
            ops.propagated_context(parent={"traceparent": TRACEPARENT})  # type: ignore[arg-type]  # headers

    def test_an_empty_parent_clears(self) -> None:
        with ops.session(id="a"), ops.span("s"), ops.propagated_context(parent=Context()):
            assert current() == {}

    def test_headers_that_say_nothing_leave_what_is_in_force(self) -> None:
        with ops.session(id="a"), ops.span("s") as span, ops.propagated_context(extract_from={"Host": "x"}):
            assert ops.current_session() == ops.SessionContext("a")
            assert ops.current_span().span_id == span.span_id

    def test_a_session_alone_keeps_the_callers_trace_in_force(self) -> None:
        with (
            ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}-d"}),
            ops.propagated_context(extract_from={"X-Mirascope-Session-Id": "s"}),
        ):
            assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{SPAN_ID}-d", "X-Mirascope-Session-Id": "s"}

    def test_nests_and_is_taken_away_on_exceptions(self) -> None:
        with ops.propagated_context(extract_from={"traceparent": TRACEPARENT}):
            other = {"traceparent": f"00-{'a' * 32}-{SPAN_ID}-01"}
            with pytest.raises(KeyError), ops.propagated_context(extract_from=other):
                assert ids(current())[0] == "a" * 32
                raise KeyError
            assert ids(current())[0] == TRACE_ID
        assert current() == {}

    async def test_async_with(self) -> None:
        async with ops.propagated_context(extract_from={"traceparent": TRACEPARENT}):
            assert ids(current())[0] == TRACE_ID
        assert current() == {}

    def test_extract_context_takes_nothing_from_here(self) -> None:
        with ops.session(id="here"), ops.span("here"):
            assert ops.extract_context({}) == {}
            kept = ops.extract_context({}, context=current())
        assert ops.current_session() is None
        with ops.propagated_context(parent=kept):
            assert ops.current_session() == ops.SessionContext("here")


def test_no_headers_at_all_are_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Confluent's client gives None for the headers of a message that has none."""
    assert ops.extract_context(None) == {}
    assert ops.extract_session_id(None) is None
    with ops.session(id="s"):
        with ops.propagated_context(extract_from=None):
            session = ops.current_session()
            assert session is not None
            assert session.id == "s"
        with pytest.raises(ValueError, match="needs parent"):
            ops.propagated_context()
    assert caplog.records == []


def test_a_parent_is_given_or_read() -> None:
    with pytest.raises(ValueError, match=r"^propagated_context takes either parent or extract_from, not both$"):
        ops.propagated_context(parent=ops.extract_context({}), extract_from={})  # type: ignore[call-overload]  # this is the test
