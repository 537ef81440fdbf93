"""Trace headers of families that are not translated: they pass, are counted, and go where the settings say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.wire import Wire

from ops_lib.propagation import FAMILIES

TRACE, SPAN = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
B3MULTI = [f"X-B3-TraceId: {TRACE}", f"X-B3-SpanId: {SPAN}", "X-B3-Sampled: 1"]
THEIRS = [
    "x-datadog-trace-id: 1",
    "X-Datadog-Parent-Id: 2",
    "x-datadog-tags: a=b,c=d",
    "X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    "X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1",
    "sentry-trace: 771a43a4192642f0b136d5159a501700-1234567890123456-1",
    "ot-tracer-traceid: a",
    "ot-baggage-user: b",
    "sw8: 1-MQ==-Mg==-0-a-b-c-d",
    "X-INSTANA-T: 1",
    "grpc-trace-bin: AAA=",
]


def ask(wire: Wire, *headers: str) -> list[str]:
    """The field lines that the app sees, without those that every request gets."""
    head = "".join(f"{line}\r\n" for line in headers)
    seen = wire.passes(f"GET / HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode("latin-1"))
    lines = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in seen.head.fields]
    return [line for line in lines if not line.lower().startswith(("host:", "via:", "x-forwarded-"))]


def test_they_pass_as_they_came(wired: Callable[..., Wire]) -> None:
    assert sorted(ask(wired({}), *THEIRS)) == sorted(THEIRS)


def test_they_pass_beside_a_translation(wired: Callable[..., Wire]) -> None:
    seen = ask(wired({}), *B3MULTI, *THEIRS)
    assert sorted(seen) == sorted([f"traceparent: 00-{TRACE}-{SPAN}-01", *THEIRS])


def test_each_is_counted_once_a_request(wired: Callable[..., Wire]) -> None:
    wire = wired({"inbound": {"propagation": {"clear": ["sentry"]}}})
    ask(wire, *B3MULTI, *THEIRS)
    ask(wire, "X-Datadog-Trace-Id: 1", "X-Datadog-Trace-Id: 2", "x_datadog_trace_id: 3")
    ask(wire, *B3MULTI)
    translation = wire.sidecar.metrics.exchange("inbound", "app").translation
    once = {(family, "removed" if family == "sentry" else "passed"): 1 for family in FAMILIES}
    assert translation.foreign == {**once, ("datadog", "passed"): 2}
    assert translation.extracted == {"b3multi": 2}
    assert translation.untraced == 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("traced", [False, True], ids=["alone", "beside a trace"])
def test_a_cleared_family_goes_in_any_spelling(wired: Callable[..., Wire], family: str, traced: bool) -> None:
    """In any case, every duplicate, and the underscore twins; the others stay."""
    names = [name.replace("*", "trace-id") for name in FAMILIES[family]]
    spelled = [form for name in names for form in (name, name.upper(), name.title(), name.replace("-", "_"), name)]
    headers = [f"{name}: 1" for name in spelled] + ["X-Kept: 1", "x-datadog: 2"]
    wire = wired({"inbound": {"propagation": {"clear": [family]}}})
    seen = ask(wire, *(B3MULTI if traced else ()), *headers)
    assert seen == ["X-Kept: 1", "x-datadog: 2"] + [f"traceparent: 00-{TRACE}-{SPAN}-01"] * traced


def test_they_are_hop_by_hop_where_connection_says_so(wired: Callable[..., Wire]) -> None:
    assert ask(wired({}), "Connection: X-Datadog-Trace-Id", "x-datadog-trace-id: 1") == []


def test_an_upstream_has_its_own_list(wired: Callable[..., Wire]) -> None:
    wire = wired({"inbound": {"propagation": {"clear": []}}, "propagation": {"clear": ["datadog"]}})
    assert ask(wire, "x-datadog-trace-id: 1") == ["x-datadog-trace-id: 1"]
