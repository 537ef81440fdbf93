"""Carriers: everything that holds headers is read and written, and what cannot be is logged."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.propagated import SPAN_ID, TRACE_ID, TRACEPARENT, ids
from multidict import CIMultiDict
from opentelemetry import trace as otel_trace

import ops_lib as ops


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
