"""Which spans and logs are rejected, and with which words: each part at its edge."""

from __future__ import annotations

from typing import Any

import pytest
from lab.consoles import sent, span

from proxy.console.intake.decode import read_traces

IDS = "a span without a trace id of 16 bytes and a span id of 8 bytes, not all zero"
PARENT = "a span with a parent id that has not 8 bytes"


def batch(**parts: Any) -> Any:
    request = sent(span(1))
    one = request.resource_spans[0].scope_spans[0].spans[0]
    for name, value in parts.items():
        setattr(one, name, value)
    return read_traces(request)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"trace_id": bytes(16)}, IDS), ({"trace_id": b"\x01" * 15}, IDS), ({"trace_id": b"\x01" * 17}, IDS),
        ({"trace_id": b""}, IDS), ({"span_id": bytes(8)}, IDS), ({"span_id": b"\x01" * 7}, IDS),
        ({"span_id": b"\x01" * 9}, IDS), ({"span_id": b""}, IDS), ({"parent_span_id": b"\x01"}, PARENT),
        ({"parent_span_id": b"\x01" * 7}, PARENT), ({"parent_span_id": b"\x01" * 9}, PARENT),
    ],
)  # fmt: skip
def test_wrong_ids(parts: dict[str, bytes], reason: str) -> None:
    found = batch(**parts)
    assert (found.rejected, found.accepted, found.reason, list(found.spans)) == (1, 0, reason, [])


@pytest.mark.parametrize(
    ("parts", "parent"),
    [
        ({"trace_id": bytes(15) + b"\x01"}, b""), ({"span_id": b"\x01" + bytes(7)}, b""),
        ({"parent_span_id": b""}, b""), ({"parent_span_id": bytes(8)}, b""),
        ({"parent_span_id": bytes(7) + b"\x01"}, bytes(7) + b"\x01"),
    ],
)  # fmt: skip
def test_right_ids(parts: dict[str, bytes], parent: bytes) -> None:
    found = batch(**parts)
    assert (found.rejected, found.accepted, found.spans[0].parent) == (0, 1, parent)


@pytest.mark.parametrize("more", [0, 1])
def test_a_span_has_a_mebibyte(more: int) -> None:
    request = sent(span(1))
    one = request.resource_spans[0].scope_spans[0].spans[0]
    one.name = "x" * 1_000_000
    one.trace_state = "y" * 20_000
    one.trace_state += "y" * (1024 * 1024 + more - one.ByteSize())
    assert one.ByteSize() == 1024 * 1024 + more
    found = read_traces(request)
    assert (found.rejected, found.reason) == ((1, "a span of more than 1,048,576 bytes") if more else (0, ""))


def test_texts_are_cut_at_256_characters() -> None:
    made = span(1, name="n" * 257, attributes={"session.id": "s" * 257})
    (one,) = read_traces(sent(made, service="v" * 257, scope="c" * 257)).spans
    assert (one.name, one.session, one.source.service) == ("n" * 256, "s" * 256, "v" * 256)
    assert len(one.scope) == 256
    (nobody,) = read_traces(sent(span(1), service="")).spans
    assert nobody.source.service == "unknown_service"


@pytest.mark.parametrize(("code", "is_error"), [(0, False), (1, False), (2, True)])
def test_a_status(code: int, is_error: bool) -> None:
    request = sent(span(1))
    request.resource_spans[0].scope_spans[0].spans[0].status.code = code  # type: ignore[assignment]  # a number
    assert read_traces(request).spans[0].is_error is is_error


def test_a_span_that_ends_before_it_starts_ends_when_it_starts() -> None:
    found = batch(start_time_unix_nano=100, end_time_unix_nano=50).spans[0]
    assert (found.started, found.ended) == (100, 100)


@pytest.mark.parametrize(("scope", "parent", "is_described"), [
    ("app", 0, True), ("app", 7, False), ("ops-sidecar", 7, True), ("ops-sidecar", 0, True),
])  # fmt: skip
def test_roots_and_a_sidecars_spans_are_described(scope: str, parent: int, is_described: bool) -> None:
    made = span(2, parent=parent, attributes={"a": 1, "session.id": "s-1"})
    (one,) = read_traces(sent(made, scope=scope)).spans
    assert dict(one.attributes) == ({"a": 1, "session.id": "s-1"} if is_described else {})
    assert one.session == "s-1"
