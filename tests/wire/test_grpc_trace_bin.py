"""`grpc-trace-bin` through a sidecar, over HTTP/1.1; over HTTP/2 see tests/http2."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from lab.wire import Wire

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
SAMPLED, UNSAMPLED = (b64encode(bytes.fromhex(f"0000{T}01{S}02{flag}")).decode().rstrip("=") for flag in ("01", "00"))
READ: dict[str, Any] = {"extract": ["tracecontext", "grpc-trace-bin", "b3"]}


def ask(wired: Callable[..., Wire], propagation: dict[str, Any], *headers: str) -> list[str]:
    """The trace headers that the app sees."""
    wire = wired({"inbound": {"propagation": propagation}})
    head = "".join(f"{line}\r\n" for line in headers)
    seen = wire.passes(f"GET / HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode("latin-1"))
    lines = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in seen.head.fields]
    return [line for line in lines if line.lower().startswith(("trace", "b3", "grpc"))]


@pytest.mark.parametrize("value", [SAMPLED, SAMPLED + "=", f"{SAMPLED},{UNSAMPLED}"], ids=["bare", "padded", "several"])
def test_it_is_read(wired: Callable[..., Wire], value: str) -> None:
    assert ask(wired, READ, f"grpc-trace-bin: {value}") == [f"traceparent: 00-{T}-{S}-01"]


def test_it_is_written_without_padding(wired: Callable[..., Wire]) -> None:
    assert ask(wired, {"inject": ["grpc-trace-bin"]}, f"b3: {T}-{S}-1") == [f"grpc-trace-bin: {SAMPLED}"]


def test_not_sampled_is_a_decision(wired: Callable[..., Wire]) -> None:
    assert ask(wired, {**READ, "inject": ["b3"]}, f"grpc-trace-bin: {UNSAMPLED}") == [f"b3: {T}-{S}-0"]


def test_not_sampled_is_no_decision_by_setting(wired: Callable[..., Wire]) -> None:
    deferring = {**READ, "inject": ["b3"], "grpc_unsampled": "defer"}
    assert ask(wired, deferring, f"grpc-trace-bin: {UNSAMPLED}") == [f"b3: {T}-{S}"]
    assert ask(wired, deferring, f"grpc-trace-bin: {SAMPLED}") == [f"b3: {T}-{S}-1"]


def test_a_malformed_one_never_goes_on(wired: Callable[..., Wire]) -> None:
    assert ask(wired, READ, "Grpc-Trace-Bin: AAA=", f"b3: {T}-{S}-0") == [f"traceparent: 00-{T}-{S}-00"]
