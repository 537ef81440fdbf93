"""Carriers: every kind that the library takes, in and out."""

from collections.abc import Iterator, MutableMapping
from email.message import Message
from typing import Any
from wsgiref.headers import Headers as WsgiHeaders

import pytest
from multidict import CIMultiDict
from werkzeug.datastructures import Headers as WerkzeugHeaders

from ops_lib.propagation import FORMATS, NOTHING, Propagator, Sampling, TraceContext, fields, inject_into

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
CONTEXT = TraceContext(TRACE_ID, SPAN_ID, Sampling.ACCEPT)
WANT = {"x-b3-traceid": [TRACE_ID], "x-b3-spanid": [SPAN_ID], "x-b3-sampled": ["1"]}


def message() -> Message:
    """The header object of http.client and urllib."""
    headers = Message()
    for name, value in (("X-B3-TraceId", TRACE_ID), ("X-B3-SpanId", SPAN_ID), ("X-B3-Sampled", "1")):
        headers[name] = value
    return headers


CARRIERS = {
    "dict": {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, "X-B3-Sampled": "1", "Accept": "*/*"},
    "lower": {"x-b3-traceid": TRACE_ID, "x-b3-spanid": SPAN_ID, "x-b3-sampled": "1"},
    "upper": {"X-B3-TRACEID": TRACE_ID, "X-B3-SPANID": SPAN_ID, "X-B3-SAMPLED": "1"},
    "lists": {"X-B3-TraceId": [TRACE_ID], "X-B3-SpanId": [SPAN_ID], "X-B3-Sampled": ["1"]},
    "tuples": {"X-B3-TraceId": (TRACE_ID,), "X-B3-SpanId": (SPAN_ID,), "X-B3-Sampled": ("1",)},
    "bytes values": {"X-B3-TraceId": TRACE_ID.encode(), "X-B3-SpanId": [SPAN_ID.encode()], "X-B3-Sampled": b"1"},
    "bytes": {b"X-B3-TraceId": TRACE_ID.encode(), b"X-B3-SpanId": SPAN_ID.encode(), b"X-B3-Sampled": b"1"},
    "multidict": CIMultiDict([("X-B3-TraceId", TRACE_ID), ("X-B3-SpanId", SPAN_ID), ("X-B3-Sampled", "1")]),
    "pairs": [("X-B3-TraceId", TRACE_ID), ("X-B3-SpanId", SPAN_ID), ("X-B3-Sampled", "1"), ("Host", "a")],
    "asgi": [(b"x-b3-traceid", TRACE_ID.encode()), (b"x-b3-spanid", SPAN_ID.encode()), (b"x-b3-sampled", b"1")],
    "lists as pairs": [["X-B3-TraceId", TRACE_ID], ["X-B3-SpanId", SPAN_ID], ["X-B3-Sampled", "1"]],
    "message": message(),
}


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_every_carrier_is_read(carrier: Any) -> None:
    assert fields(carrier) == WANT
    assert Propagator().extract(fields(carrier)).context == CONTEXT


def test_duplicates_keep_their_order() -> None:
    pairs = [("tracestate", "a=1"), ("TraceState", "b=2"), (b"TRACESTATE", b"c=3")]
    assert fields(pairs) == {"tracestate": ["a=1", "b=2", "c=3"]}
    assert fields(CIMultiDict([("tracestate", "a=1"), ("tracestate", "b=2")])) == {"tracestate": ["a=1", "b=2"]}


def test_what_is_no_header_is_passed_over() -> None:
    odd: list[Any] = [None, 1, "ab", ("a", "b", "c"), (None, "x"), (1, 2), ("b3", None), ("b3", [None, 1]), ("b3", "0")]
    assert fields(odd) == {"b3": ["0"]}
    assert fields({"b3": None, "traceparent": 7, None: "x"}) == {}


def test_bytes_are_read_as_latin_1() -> None:
    assert fields({b"uberctx-\xe9": b"\xff"}) == {"uberctx-\xe9": ["\xff"]}


def test_other_headers_are_left_out() -> None:
    assert fields({"Host": "a", "Cookie": "b", "uberctx-user": "c"}) == {"uberctx-user": ["c"]}


def test_a_propagator_reads_its_own_session_names() -> None:
    assert Propagator(session_extract=("X-Sess",)).fields({"X-Sess": "a", "Mirascope-Session-Id": "b"}) == {
        "x-sess": ["a"]
    }


def test_what_is_no_carrier_is_the_callers_error() -> None:
    with pytest.raises(TypeError):
        fields(7)  # type: ignore[arg-type]


HEADERS = Propagator(inject=FORMATS).inject(NOTHING, context=CONTEXT).headers


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACEPARENT"])
def test_an_entry_of_another_case_is_replaced(name: str) -> None:
    carrier = {name: "stale", "Accept": "*/*"}
    inject_into(carrier, [("traceparent", "new")])
    assert carrier == {"Accept": "*/*", "traceparent": "new"}


def test_pairs_are_replaced_in_place() -> None:
    carrier = [("TraceParent", "stale"), ("Accept", "*/*"), ("traceparent", "staler")]
    alias = carrier
    inject_into(carrier, [("traceparent", "new")])
    assert alias == [("Accept", "*/*"), ("traceparent", "new")]


def test_bytes_stay_bytes() -> None:
    pairs: list[tuple[bytes, bytes]] = [(b"host", b"a"), (b"X-B3-TraceId", b"stale")]
    inject_into(pairs, [("X-B3-TraceId", TRACE_ID)])
    assert pairs == [(b"host", b"a"), (b"x-b3-traceid", TRACE_ID.encode())]
    mapping = {b"Host": b"a", b"B3": b"stale"}
    inject_into(mapping, [("b3", "0")])
    assert mapping == {b"Host": b"a", b"b3": b"0"}


def test_empty_carriers_take_text() -> None:
    pairs: list[tuple[str, str]] = []
    inject_into(pairs, [("b3", "0")])
    assert pairs == [("b3", "0")]


def test_multidicts_lose_every_stale_copy() -> None:
    carrier = CIMultiDict([("b3", "a"), ("B3", "b"), ("Accept", "*/*")])
    inject_into(carrier, [("b3", "0")])
    assert list(carrier.items()) == [("Accept", "*/*"), ("b3", "0")]


class OneCase(MutableMapping[str, str]):
    """A mapping that ignores case, as requests' and httpx' do."""

    def __init__(self) -> None:
        self.store: dict[str, tuple[str, str]] = {}

    def __getitem__(self, name: str) -> str:
        return self.store[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        self.store[name.lower()] = (name, value)

    def __delitem__(self, name: str) -> None:
        del self.store[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.store.values())

    def __len__(self) -> int:
        return len(self.store)


@pytest.mark.parametrize("kind", [WerkzeugHeaders, WsgiHeaders])
def test_headers_that_give_no_names_when_iterated(kind: Any) -> None:
    """werkzeug's (Flask) give pairs; those of wsgiref are read by number."""
    carrier = kind([("TRACEPARENT", "a"), ("traceparent", "b"), ("B3", "0"), ("Accept", "*/*")])
    inject_into(carrier, [("traceparent", "new"), ("x", "y")], owns=Propagator().owns)
    assert sorted(carrier.items()) == [("Accept", "*/*"), ("traceparent", "new"), ("x", "y")]


def test_mappings_that_ignore_case() -> None:
    carrier = OneCase()
    carrier["TRACEPARENT"] = "stale"
    inject_into(carrier, HEADERS)
    assert dict(carrier.items()) == dict(HEADERS)


@pytest.mark.parametrize("twin", ["X_B3_TraceId", "uber-trace-id", "uberctx-a", "Mirascope-Session-Id", "tracestate"])
def test_with_owns_every_other_header_of_ours_goes(twin: str) -> None:
    owns = Propagator().owns
    mapping = {twin: "stale", "Accept": "*/*"}
    inject_into(mapping, [("traceparent", "new")], owns=owns)
    assert mapping == {"Accept": "*/*", "traceparent": "new"}
    pairs = [(twin.encode(), b"stale"), (b"accept", b"*/*")]
    inject_into(pairs, [("traceparent", "new")], owns=owns)
    assert pairs == [(b"accept", b"*/*"), (b"traceparent", b"new")]


def test_without_owns_other_formats_stay() -> None:
    carrier = {"b3": "0"}
    inject_into(carrier, [("traceparent", "new")])
    assert carrier == {"b3": "0", "traceparent": "new"}


def test_an_empty_dict_takes_all_headers() -> None:
    carrier: dict[str, str] = {}
    inject_into(carrier, iter(HEADERS), owns=Propagator().owns)
    assert list(carrier.items()) == list(HEADERS)


def test_pairs_are_read_the_same_when_names_are_remembered() -> None:
    """A list of pairs goes a shorter way once its names are known; what it finds does not change."""
    raw = [
        (b"Host", b"x"),
        (b"X-B3-TraceId", b"a"),
        (b"x-b3-traceid", b"b"),
        ("baggage", "k=v"),
        (b"uberctx-k", b"v"),
        (b"TRACEPARENT", b"t"),
    ]
    odd: list[object] = [*raw, (b"traceparent", None), ("a", "b", "c"), None, ([], "x"), "ab"]
    propagator = Propagator()
    for pairs in (raw, odd, raw[:4]):
        for _ in range(2):
            assert propagator.fields(pairs) == fields(pairs)  # type: ignore[arg-type]  # odd ones too
