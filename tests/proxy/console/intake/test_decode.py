"""Whatever comes: a batch, or an error that says what is wrong; and what was read can be written and shown."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.consoles import hop, pairs, sent, span
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValueList

from proxy.console.intake.decode import MOST_RESOURCE_BYTES, OtlpError, read_traces
from proxy.console.query.requests import requests
from proxy.console.query.trace import trace
from proxy.console.query.traces import traces
from proxy.console.server.intake import RefusalError, read_body
from proxy.console.store.open import Place, open_store
from proxy.console.store.reader import Reader
from proxy.console.store.writer import Writer

GOOD = sent(hop(1), span(2, parent=1)).SerializeToString()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "traceId", "spanId", "name", "attributes", "resource",
                         "key", "value", "links", "events", "startTimeUnixNano", "resourceMetrics", "gauge"]),
        inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.sampled_from(["traces", "logs", "metrics"]), st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes(signal: str, body: bytes, is_packed: bool, is_json: bool) -> None:
    with contextlib.suppress(OtlpError, RefusalError):
        read_body(signal, body, is_packed, is_json)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_wrong_byte(where: int, byte: int) -> None:
    with contextlib.suppress(OtlpError, RefusalError):
        read_body("traces", GOOD[:where] + bytes((byte,)) + GOOD[where + 1 :], False, False)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.sampled_from(["traces", "logs", "metrics"]), JSON)
def test_any_json(signal: str, said: Any) -> None:
    with contextlib.suppress(OtlpError, RefusalError):
        read_body(signal, json.dumps(said).encode(), False, True)


HOSTILE = (
    {"http.request.resend_count": "many", "http.response.status_code": "no", "url.path": 7, "ops.formats.read": "b3"},
    {"ops.formats.read": ["b 3", "", "x" * 5000, "b3"], "url.path": "/" * 100_000, "session.id": "s" * 100_000},
    {"http.request.method": "\x00\x1b[31m", "client.address": "\u202e", "user_agent.original": "a" * 100_000},
    {"http.response.status_code": -(1 << 62), "error.type": ["list"], "ops.upstream": True},
)


@pytest.mark.parametrize("attributes", HOSTILE)
def test_what_a_stranger_calls_a_sidecars_span_is_kept_and_shown(attributes: dict[str, Any]) -> None:
    place = Place(None, 1 << 28)
    connection = open_store(place)
    lock = threading.RLock()
    writer = Writer(connection, lock, limit_bytes=1 << 28)
    writer.start()
    made = span(1, kind=2, attributes=attributes)
    deep = AnyValue()
    for _ in range(30):
        deep = AnyValue(kvlist_value=KeyValueList(values=[*pairs({}), type(pairs({"a": 1})[0])(key="a", value=deep)]))
    made.attributes.add(key="deep").value.CopyFrom(deep)
    done = threading.Event()
    assert writer.add(read_traces(sent(made, scope="ops-sidecar")), done=done)
    assert done.wait(10)
    assert writer.stop()
    assert not writer.counts.lost
    reader = Reader(place, connection, lock)
    row = requests(reader)["items"][0]
    assert len(json.dumps(row)) < 10_000
    assert len(json.dumps(traces(reader)["items"][0])) < 10_000
    assert trace(reader, f"{1:032x}") is not None
    connection.close()


@pytest.mark.parametrize("more", [0, 1])
def test_a_resource_has_a_limit(more: int) -> None:
    """64 KiB are taken."""
    request = sent(span(1))
    resource = request.resource_spans[0].resource
    resource.attributes.extend(pairs({"padding": "x" * 65_000}))
    resource.attributes[-1].value.string_value += "x" * (MOST_RESOURCE_BYTES + more - resource.ByteSize())
    batch = read_traces(request)
    assert (batch.rejected, len(batch.spans)) == (more, 1 - more)


@pytest.mark.parametrize(("start", "end", "is_kept"), [
    ((1 << 62) - 1, (1 << 62) - 1, True), (1 << 62, 1 << 62, False), (1, 1 << 62, False), (1 << 62, 1, False),
])  # fmt: skip
def test_a_time_has_62_bits(start: int, end: int, is_kept: bool) -> None:
    """Nanoseconds up to the year 2116: SQLite's integers hold twice that, and sums of two."""
    request = sent(span(1))
    one = request.resource_spans[0].scope_spans[0].spans[0]
    one.start_time_unix_nano, one.end_time_unix_nano = start, end
    batch = read_traces(request)
    assert (len(batch.spans), batch.rejected) == ((1, 0) if is_kept else (0, 1))
    assert ("beyond the year 2116" in batch.reason) is not is_kept
