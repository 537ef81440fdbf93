"""Between headers and the Context: every carrier, every format, nothing made up, nothing lost."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from opentelemetry import baggage
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import ops_lib as ops
from ops_lib.context.current import EMPTY, current
from ops_lib.propagation import TraceContext, new_context
from ops_lib.testing import SpanCapture, capture_spans

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def ids(context: Context) -> tuple[str, str]:
    found = otel_trace.get_current_span(context).get_span_context()
    return f"{found.trace_id:032x}", f"{found.span_id:016x}"


def injected(context: Context | None = None, **options: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    ops.ContextPropagator(**options).inject_context(headers, context)
    return headers


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


class TestCarriersIn:
    @pytest.mark.parametrize(
        "carrier",
        [
            {"traceparent": TRACEPARENT},
            {"Traceparent": TRACEPARENT},
            {"TRACEPARENT": [TRACEPARENT]},
            {b"traceparent": TRACEPARENT.encode()},
            {"traceparent": (TRACEPARENT.encode(),)},
            [(b"host", b"x"), (b"traceparent", TRACEPARENT.encode())],
            [("TraceParent", TRACEPARENT)],
            (("traceparent", TRACEPARENT),),
            types.MappingProxyType({"traceparent": TRACEPARENT}),
            CIMultiDict({"TraceParent": TRACEPARENT}),
            {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, "X-B3-Sampled": "1"},
            {"x-b3-traceid": [TRACE_ID], "X-B3-SPANID": SPAN_ID},
            {"b3": f"{TRACE_ID}-{SPAN_ID}-1"},
            {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1"},
        ],
    )
    def test_all_that_hold_headers(self, carrier: Any) -> None:
        assert ids(ops.extract_context(carrier)) == (TRACE_ID, SPAN_ID)

    @pytest.mark.parametrize(
        "carrier",
        [
            {},
            [],
            {"traceparent": "rubbish"},
            {"traceparent": None},
            {"traceparent": 5},
            {None: TRACEPARENT},
            {"traceparent": []},
            {"traceparent": [None]},
            {"traceparent": {"a": 1}},
            [("traceparent",)],
            [None, 5, ("a", "b", "c")],
            [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)],
            {"b3": "x", "uber-trace-id": "::::", "x-b3-traceid": "0" * 32},
            {"traceparent": "00-" + "0" * 32 + f"-{SPAN_ID}-01"},
            {"traceparent": "\ud800"},
        ],
    )
    def test_malformed_ones_give_nothing(self, carrier: Any) -> None:
        context = ops.extract_context(carrier)
        assert not otel_trace.get_current_span(context).get_span_context().is_valid
        with ops.propagated_context(extract_from=carrier), ops.span("s") as span:
            assert span.trace_id not in (None, TRACE_ID)

    @pytest.mark.parametrize("carrier", [5, object()])
    def test_what_is_no_carrier_is_logged(self, carrier: Any, caplog: pytest.LogCaptureFixture) -> None:
        assert ops.extract_context(carrier) == {}
        assert "could not read headers" in caplog.text

    def test_a_carrier_that_raises_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(Mapping[str, str]):
            def __getitem__(self, key: str) -> str:
                raise RuntimeError

            def __iter__(self) -> Iterator[str]:
                raise RuntimeError

            def __len__(self) -> int:
                return 1

        assert ops.extract_context(Broken()) == {}
        assert "could not read headers" in caplog.text

    @pytest.mark.slow
    @given(st.dictionaries(st.sampled_from(["traceparent", "b3", "uber-trace-id", "baggage"]), st.text() | st.binary()))
    def test_never_raises(self, carrier: dict[str, str | bytes]) -> None:
        ops.extract_context(carrier)


class TestCarriersOut:
    @pytest.fixture(autouse=True)
    def in_a_trace(self) -> Iterator[None]:
        with ops.propagated_context(extract_from={"traceparent": TRACEPARENT, "mirascope-session-id": "s"}):
            yield

    @pytest.mark.parametrize(
        "make",
        [
            dict,
            lambda: {"Traceparent": "old", "x-mirascope-session-id": "old"},
            lambda: CIMultiDict([("Traceparent", "old"), ("traceparent", "older")]),
            lambda: {"b3": "stale", "X-B3-TraceId": "stale", "uber-trace-id": "stale"},
        ],
    )
    def test_mappings(self, make: Callable[[], MutableMapping[str, str]]) -> None:
        carrier = make()
        ops.inject_context(carrier)
        assert {name.lower(): value for name, value in carrier.items()} == {
            "traceparent": TRACEPARENT,
            "x-mirascope-session-id": "s",
        }
        assert len(carrier) == 2

    def test_pairs(self) -> None:
        raw = [(b"host", b"x"), (b"Traceparent", b"old")]
        ops.inject_context(raw)
        assert raw == [
            (b"host", b"x"),
            (b"traceparent", TRACEPARENT.encode()),
            (b"x-mirascope-session-id", b"s"),
        ]

    def test_other_headers_stay(self) -> None:
        headers = {"Accept": "*/*", "baggage": "mine=1", "Authorization": "x"}
        ops.inject_context(headers)
        assert {"Accept": "*/*", "baggage": "mine=1", "Authorization": "x"}.items() <= headers.items()

    @pytest.mark.parametrize("carrier", [types.MappingProxyType({"a": "b"}), (("a", "b"),), 5, None])
    def test_what_cannot_be_written_is_logged(self, carrier: Any, caplog: pytest.LogCaptureFixture) -> None:
        ops.inject_context(carrier)
        assert "could not write headers" in caplog.text

    def test_a_carrier_that_will_not_tell_its_class_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        class Gone:
            def __getattribute__(self, name: str) -> object:
                raise RuntimeError(name)

        ops.inject_context(Gone())  # type: ignore[arg-type]  # a proxy that leads nowhere any more
        assert "could not write headers" in caplog.text


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


class TestWhatSurvives:
    @pytest.mark.parametrize(
        "value",
        [
            f"{TRACE_ID}-{SPAN_ID}-d",
            f"{TRACE_ID}-{SPAN_ID}",
            f"{SPAN_ID}-{SPAN_ID}-1",
            f"{TRACE_ID}-{SPAN_ID}-0",
            "0",
            "d",
        ],
    )
    def test_b3_through_the_process_and_w3c_and_back(self, value: str) -> None:
        """Untouched in this process: what came in goes out, whatever the format in between."""
        first = injected(ops.extract_context({"b3": value}), inject="tracecontext")
        assert injected(ops.extract_context(first), inject="b3") == {"b3": value}

    def test_debug_and_width_travel_with_spans_of_our_own(self, ops_spans: SpanCapture) -> None:
        with ops.propagated_context(extract_from={"b3": f"{SPAN_ID}-{SPAN_ID}-d"}), ops.span("s") as span:
            assert injected(inject="b3") == {"b3": f"{SPAN_ID}-{span.span_id}-d"}

    def test_debug_travels_unconfigured(self) -> None:
        with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}-d"}), ops.span("s") as span:
            assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}-d"}

    def test_undecided_travels_unconfigured_and_is_decided_by_a_sampler(self) -> None:
        with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}"}):
            with ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}"}
            with capture_spans(), ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}-1"}

    def test_tracestate_travels(self, ops_spans: SpanCapture) -> None:
        headers = {"traceparent": TRACEPARENT, "tracestate": "congo=t61,rojo=00f0"}
        with ops.propagated_context(extract_from=headers):
            assert injected()["tracestate"] == "congo=t61,rojo=00f0"
            with ops.span("s"), ops.span("t"):
                assert injected()["tracestate"] == "congo=t61,rojo=00f0"

    def test_tracestate_of_others_without_our_own_stale_member(self) -> None:
        context = TraceContextTextMapPropagator().extract(
            {"traceparent": TRACEPARENT, "tracestate": "ops=s:d,congo=t61"}, Context()
        )
        assert injected(context)["tracestate"] == "congo=t61"

    def test_tracestate_changed_by_a_sampler_or_application(self) -> None:
        context = ops.extract_context({"traceparent": TRACEPARENT, "tracestate": "a=1"})
        ids_in = otel_trace.get_current_span(context).get_span_context()
        state = ids_in.trace_state.add("b", "2").update("a", "3").delete("zz")
        assert list(ids_in.trace_state.items()) == [("a", "1")]
        assert (len(ids_in.trace_state), "a" in ids_in.trace_state, list(ids_in.trace_state)) == (1, True, ["a"])
        assert (list(ids_in.trace_state.keys()), list(ids_in.trace_state.values())) == (["a"], ["1"])
        assert "a" in repr(ids_in.trace_state)
        changed = otel_trace.SpanContext(ids_in.trace_id, 5, False, ids_in.trace_flags, state)
        context = otel_trace.set_span_in_context(otel_trace.NonRecordingSpan(changed), context)
        assert injected(context)["tracestate"] == "a=3,b=2"

    def test_parent_id_of_b3_goes_through_and_not_past_a_span_of_our_own(self) -> None:
        value = f"{TRACE_ID}-{SPAN_ID}-1-{'5' * 16}"
        with ops.propagated_context(extract_from={"b3": value}):
            assert injected(inject="b3") == {"b3": value}
            with ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}-1"}

    def test_nothing_in_nothing_out(self) -> None:
        assert injected() == {}
        assert injected(ops.extract_context({})) == {}

    def test_a_bare_deny_is_obeyed_and_passed_on(self, ops_spans: SpanCapture) -> None:
        with ops.propagated_context(extract_from={"b3": "0"}):
            assert injected(inject="b3") == {"b3": "0"}
            with ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{span.trace_id}-{span.span_id}-0"}
        assert ops_spans.spans == []

    def test_a_conflict_becomes_a_link(self, ops_spans: SpanCapture) -> None:
        headers = {"traceparent": TRACEPARENT, "b3": f"{'a' * 32}-{'b' * 16}-1"}
        with ops.propagated_context(extract_from=headers), ops.span("outer"), ops.span("inner"):
            pass
        (link,) = ops_spans.one("outer").links
        assert link.context.trace_id == int("a" * 32, 16)
        assert dict(link.attributes or {}) == {"ops.link.reason": "conflict", "ops.link.format": "b3"}
        assert ops_spans.one("inner").links == ()

    def test_a_conflict_is_linked_beside_the_links_of_the_user(self, ops_spans: SpanCapture) -> None:
        headers = {"traceparent": TRACEPARENT, "b3": f"{'a' * 32}-{'b' * 16}-1"}
        cause = otel_trace.SpanContext(0xC, 0xD, is_remote=True)
        with ops.propagated_context(extract_from=headers), ops.span("outer").link(cause):
            pass
        linked = [link.context.trace_id for link in ops_spans.one("outer").links]
        assert linked == [0xC, int("a" * 32, 16)]

    @pytest.mark.parametrize("flags", [0, 1])
    def test_another_sdk_decides_inside_a_trace_that_came_undecided(self, flags: int) -> None:
        """Its span has decided, whatever the caller left open."""
        context = ops.extract_context({"b3": f"{TRACE_ID}-{SPAN_ID}"})
        assert injected(context, inject="b3") == {"b3": f"{TRACE_ID}-{SPAN_ID}"}
        theirs = otel_trace.SpanContext(
            int(TRACE_ID, 16), 0xE, is_remote=False, trace_flags=otel_trace.TraceFlags(flags)
        )
        inside = otel_trace.set_span_in_context(otel_trace.NonRecordingSpan(theirs), context)
        assert injected(inside, inject="b3") == {"b3": f"{TRACE_ID}-{0xE:016x}-{flags}"}

    def test_a_cleared_span_takes_the_callers_trace_with_it(self) -> None:
        context = ops.extract_context({"traceparent": TRACEPARENT, "X-Mirascope-Session-Id": "s"})
        cleared = Context({key: value for key, value in context.items() if "span" not in key})
        assert injected(cleared) == {"X-Mirascope-Session-Id": "s"}
        invalid = otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, context)
        assert injected(invalid) == {"X-Mirascope-Session-Id": "s"}


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


class TestBaggage:
    def test_in_and_out_with_properties(self) -> None:
        context = ops.extract_context({"baggage": "user=a%20b;p=1,plan=pro", "traceparent": TRACEPARENT})
        assert dict(baggage.get_all(context)) == {"user": "a b", "plan": "pro"}
        assert injected(context)["baggage"] == "user=a%20b;p=1,plan=pro"

    def test_changed_by_the_application(self) -> None:
        context = ops.extract_context({"baggage": "a=1;p=1,b=2"})
        context = baggage.set_baggage("b", "x y", baggage.set_baggage("ä", 1, context))
        assert injected(context)["baggage"] == "a=1;p=1,b=x%20y"
        assert "baggage" not in injected(baggage.clear(context))

    def test_into_jaegers(self) -> None:
        context = ops.extract_context({"baggage": "a=1", "traceparent": TRACEPARENT})
        assert injected(context, inject="jaeger")["uberctx-a"] == "1"

    def test_made_here(self) -> None:
        assert injected(baggage.set_baggage("k", "v")) == {"baggage": "k=v"}


def test_all_pairs_of_formats_tell_the_same_ids() -> None:
    context = TraceContext(TRACE_ID, SPAN_ID)
    assert new_context().trace_id != context.trace_id
    for written in ("tracecontext", "b3", "b3multi", "jaeger", "composite"):
        with ops.span("s") as span:
            headers = injected(inject=written)
        assert ids(ops.extract_context(headers)) == (span.trace_id, span.span_id)


def test_extracted_by_opentelemetry_injected_by_us() -> None:
    context = TraceContextTextMapPropagator().extract({"traceparent": TRACEPARENT}, Context())
    assert injected(context) == {"traceparent": TRACEPARENT}
    assert injected(context, inject="b3") == {"b3": f"{TRACE_ID}-{SPAN_ID}-1"}


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
