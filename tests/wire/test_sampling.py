"""Which traces are sampled, by the settings of a listener or an upstream."""

from __future__ import annotations

from collections.abc import Callable

from lab.peers import Upstream
from lab.sidecar import LISTEN
from lab.spans import B3, request, value
from lab.wire import Wire


def traced(wire: Wire, count: int, fields: bytes = b"") -> list[bool]:
    """Whether each of `count` requests was passed on as sampled."""
    client = wire.client()
    return [value(wire.exchange(client, request(fields)), "traceparent")[-1] in "13" for _ in range(count)]


def test_a_ratio_of_traces(exporting: Callable[..., Wire]) -> None:
    assert traced(exporting(sampling={"root": "always_off"}), 5) == [False] * 5
    assert set(traced(exporting(sampling={"root": 0.5}), 60)) == {True, False}


def test_a_limit_of_traces_per_second(exporting: Callable[..., Wire]) -> None:
    assert sum(traced(exporting(sampling={"per_second": 0.001}), 5)) == 1


def test_a_callers_decision_can_be_passed_over(exporting: Callable[..., Wire]) -> None:
    off = {"root": "always_off"}
    assert traced(exporting(sampling=off), 1, B3) == [True]
    assert traced(exporting(sampling={**off, "parent_based": False}), 1, B3) == [False]


def test_each_upstream_samples_as_it_is_told(exporting: Callable[..., Wire], upstream: Upstream) -> None:
    quiet = {"name": "quiet", "match": ["quiet.internal"], "target": upstream.url, "sampling": {"root": "always_off"}}
    loud = {**quiet, "name": "loud", "match": ["loud"], "sampling": {}}
    wire = exporting(outbound={"listen": LISTEN}, upstreams=[quiet, loud])
    client = wire.client("outbound")
    sampled = {}
    for host in ("quiet.internal", "loud"):
        seen = wire.exchange(client, f"GET http://{host}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        sampled[host] = value(seen, "traceparent")[-1] in "13"
    assert sampled == {"quiet.internal": False, "loud": True}
