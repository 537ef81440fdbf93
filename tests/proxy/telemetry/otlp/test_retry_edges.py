"""The first pause, the longest, and a date that cannot be one."""

from __future__ import annotations

from proxy.telemetry.otlp import request
from proxy.telemetry.otlp.retry import backoff_s, retry_after_s


def test_a_pause_is_half_chance() -> None:
    assert [backoff_s(number, lambda: 0.5) for number in (1, 2, 5, 6)] == [0.75, 1.5, 12.0, 22.5]
    assert retry_after_s("12345678901", 0.0) == 300.0
    assert retry_after_s("Thu, 01 Jan 1970 00:05:00 GMT", 0.0) == 300.0
    assert retry_after_s("Thu, 01 Jan 1970 00:04:59 GMT", 0.0) == 299.0


def test_a_request_byte_by_byte() -> None:
    made = request.resource({"a": "b"})
    assert made.hex() == "0a0a0a080a016112030a0162"
    assert request.scope("s", "1").hex() == "0a060a0173120131"
    pieces = request.export_request(made, request.scope("s", "1"), [b"xy", b"z"])
    assert pieces == [b"\x0a\x19" + made + b"\x12\x0b" + request.scope("s", "1"), b"xy", b"z"]


def test_what_an_answer_rejects() -> None:
    assert request.partial_success(bytes.fromhex("0a020801")) == (1, "")
    assert request.partial_success(bytes.fromhex("0a03120161")) == (0, "a")
    assert request.partial_success(bytes.fromhex("0a00")) is None
    assert request.partial_success(bytes.fromhex("0801")) is None
    assert request.partial_success(bytes.fromhex("120408011201")) is None
    assert request.partial_success(bytes.fromhex("0a0412020a61")) == (0, " a")
    assert request.partial_success(bytes.fromhex("0a041a020a61")) is None
