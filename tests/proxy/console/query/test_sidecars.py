"""How a sidecar is, from its last two reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet

from proxy.console.query.sidecars import _health, _percentile, sidecars

BEFORE = {"started": 1, "cpu_s": 10.0, "rss_bytes": 52_428_800}
S = 1_000_000_000
NOW = 5000 * S
PLAN = {
    "listeners": [{"name": "inbound", "addresses": ["0.0.0.0:8000", "unix:/a"]}, {"name": "idle"}],
    "upstreams": [
        {"name": "app", "listener": "inbound", "target": "http://127.0.0.1:8080", "inject": ["tracecontext"]},
        {"name": "billing", "listener": "outbound", "target": "http://b", "inject": ["b3"]},
        {"name": "other", "listener": "outbound", "target": "", "inject": []},
        {"name": "asked", "listener": "free", "target": ""},
    ],
}
EARLIER: dict[str, Any] = {
    "started": 7,
    "cpu_s": 1.5,
    "exchanges": [{"listener": "inbound", "upstream": "app", "counts": [5, 5]}],
}
HEALTH: dict[str, Any] = {
    "started": 7, "phase": "ready", "ready": True, "generation": 3, "rss_bytes": 1_572_864, "fds": 12, "cpu_s": 2.5,
    "buckets_s": [0.005, 0.01, 0.1],
    "exchanges": [
        {"listener": "inbound", "upstream": "app", "counts": [55, 55, 0, 0]},
        {"listener": "outbound", "upstream": "billing", "counts": [0, 0, 98, 2]},
        {"listener": "outbound", "upstream": "silent"},
    ],
    "listeners": [
        {"name": "inbound", "open": 1, "total": 2, "refused": 3},
        {"name": "outbound", "open": 4},
        {"name": "free"},
    ],
    "upstreams": [
        {"name": "app", "open": 1, "idle": 2, "limit": 3, "queued": 4, "connects": 1, "reused": 2, "failures": {}},
        {"name": "billing", "connects": 0, "reused": 0, "failures": {"connect-timeout": 2, "reset": 1}},
        {"name": "gone", "reused": 4},
        {"name": "new", "connects": 4},
    ],
    "exporters": [
        {"name": "spans", "sent": 5, "waiting_bytes": 6, "dropped": {"queue-full": 1, "refused": 2}},
        {"name": "metrics", "dropped": {}},
        {"name": "report"},
    ],
    "reloads": [
        {"at": 1.0, "ok": True, "message": "started", "generation": 1},
        {"at": 2.0, "ok": False, "message": "bad", "generation": 0},
    ],
}  # fmt: skip
NOTHING = {
    "ready": False, "phase": None, "started": None, "generation": None, "rss_mb": 0.0, "fds": None, "cpu_percent": None,
    "requests_per_s": None, "overhead_us": None, "p50_ms": None, "p99_ms": None, "listeners": [], "upstreams": [],
    "exporters": [], "reloads": [],
}  # fmt: skip


@pytest.fixture
def console() -> Iterator[Console]:
    with fleet() as (_, made):
        yield made


def add(console: Console, instance: str, **more: Any) -> None:
    row = {
        "instance": instance, "service": "shop", "name": instance, "host": "", "version": "1.2", "newer": 0,
        "seen": NOW, "health": "{}", "health_at": NOW, **more,
    }  # fmt: skip
    names = ", ".join(row)
    console.connection.execute(f"INSERT INTO sidecars ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()])


def test_a_sidecar_with_all_that_it_reports(console: Console) -> None:
    add(
        console, "i-1", name="shop-0", newer=1, exchanges='{"sent": 5}', plan=json.dumps(PLAN), rates="[1.0, 2.5]",
        health=json.dumps(HEALTH), earlier=json.dumps(EARLIER), earlier_at=NOW - 10 * S,
    )  # fmt: skip
    (said,) = sidecars(console.reader, NOW)
    assert said == {
        "service": "shop", "instance": "shop-0", "id": "i-1", "version": "1.2", "newer": True, "at": 5_000_000.0,
        "running": True, "silent": None, "farewell": False, "reports": {"sent": 5}, "rps": [1.0, 2.5], "ready": True,
        "phase": "ready", "started": 7, "generation": 3, "rss_mb": 1.5, "fds": 12, "cpu_percent": 10.0,
        "requests_per_s": 20.0, "overhead_us": 5000, "p50_ms": 10.0, "p99_ms": 100.0,
        "listeners": [
            {"name": "inbound", "address": "0.0.0.0:8000, unix:/a", "open": 1, "total": 2, "refused": 3,
             "to": "http://127.0.0.1:8080"},
            {"name": "outbound", "address": "", "open": 4, "total": None, "refused": None, "to": "by Host"},
            {"name": "free", "address": "", "open": None, "total": None, "refused": None, "to": "as requested"},
        ],
        "upstreams": [
            {"name": "app", "target": "http://127.0.0.1:8080", "inject": ["tracecontext"], "open": 1, "idle": 2,
             "max": 3, "queued": 4, "reused": 0.667, "failures": 0, "p99_ms": 10.0, "why": None},
            {"name": "billing", "target": "http://b", "inject": ["b3"], "open": None, "idle": None, "max": None,
             "queued": None, "reused": None, "failures": 3, "p99_ms": 100.0, "why": "connect-timeout × 2, reset × 1"},
            {"name": "gone", "target": "as requested", "inject": [], "open": None, "idle": None, "max": None,
             "queued": None, "reused": 1.0, "failures": 0, "p99_ms": None, "why": None},
            {"name": "new", "target": "as requested", "inject": [], "open": None, "idle": None, "max": None,
             "queued": None, "reused": 0.0, "failures": 0, "p99_ms": None, "why": None},
        ],
        "exporters": [
            {"name": "spans", "state": "warn", "sent": 5, "dropped": 3, "queued": 6,
             "note": "queue-full × 1, refused × 2"},
            {"name": "metrics", "state": "ok", "sent": None, "dropped": 0, "queued": None, "note": None},
            {"name": "report", "state": "ok", "sent": None, "dropped": 0, "queued": None, "note": None},
        ],
        "reloads": [
            {"at": 2.0, "ok": False, "message": "bad", "generation": None, "by": "reload"},
            {"at": 1.0, "ok": True, "message": "started", "generation": 1, "by": "start"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"host": "node-1"}, {"instance": "node-1-abcdef"}),
        ({}, {"instance": "abcdefgh"}),
        ({"name": "shop-0", "host": "node-1"}, {"instance": "shop-0"}),
        ({"seen": NOW - 60 * S}, {"silent": None}),
        ({"seen": NOW - 61 * S}, {"silent": "Nothing was heard of it for 1 min 1 s."}),
        ({"seen": NOW - 61 * S, "interval_ms": 21_000}, {"silent": None}),
        ({"seen": NOW - 61 * S, "ended": 1}, {"silent": None, "running": False, "farewell": True}),
        ({"ended": 2}, {"silent": None, "running": False, "farewell": False}),
    ],
)
def test_who_it_is_and_whether_it_is_heard(console: Console, more: dict[str, Any], told: dict[str, Any]) -> None:
    add(console, "abcdefgh", **more)
    (said,) = sidecars(console.reader, NOW)
    assert told.items() <= said.items()
    assert {key: said[key] for key in [*NOTHING, "reports", "rps"]} == NOTHING | {"reports": {}, "rps": []}


def test_one_that_has_ended_is_shown_for_ten_minutes_behind_those_that_run(console: Console) -> None:
    add(console, "a", ended=1, seen=NOW - 600 * S)
    add(console, "b", ended=1, seen=NOW - 599 * S)
    add(console, "c", service="web", seen=NOW - 900 * S)
    add(console, "d", service="web", seen=NOW - 800 * S)
    add(console, "e", health=None)
    add(console, "f")
    assert [one["id"] for one in sidecars(console.reader, NOW)] == ["f", "d", "c", "b"]


@pytest.mark.parametrize(("requests", "overhead_us"), [(99, None), (100, 1000)])
def test_what_a_request_costs_is_told_from_ten_a_second(requests: int, overhead_us: int | None) -> None:
    """Below, most of the CPU time is not that of requests."""
    exchanges = [{"listener": "in", "upstream": "app", "counts": [requests]}]
    said = _health({"cpu_s": 0.1, "exchanges": exchanges}, {}, 10.0, {})
    assert (said["overhead_us"], said["requests_per_s"]) == (overhead_us, requests / 10)


def test_what_a_sidecar_used_between_two_reports() -> None:
    said = _health({**BEFORE, "cpu_s": 12.5, "ready": True}, BEFORE, 10.0, {})
    assert (said["cpu_percent"], said["rss_mb"], said["requests_per_s"], said["ready"]) == (25.0, 50.0, 0.0, True)


def test_of_the_first_report_and_after_a_restart_nothing_is_known() -> None:
    for before, passed_s in (({}, 0.0), ({**BEFORE, "started": 0}, 10.0)):
        said = _health(BEFORE, before, passed_s, {})
        assert (said["cpu_percent"], said["requests_per_s"]) == (None, None)


def test_a_percentile_is_the_bound_of_its_bucket_and_of_nothing_there_is_none() -> None:
    bounds = (0.001, 0.01)
    for counts, want in (
        ([0, 0, 0], None),
        ([1, 0, 0], 1.0),
        ([99, 1, 0], 1.0),
        ([98, 2, 0], 10.0),
        ([0, 0, 1], 10.0),  # beyond the last bound
    ):
        assert _percentile(counts, bounds, 0.99) == want, counts
    assert _percentile([1], (), 0.99) is None


@pytest.mark.parametrize(("cpu_s", "overhead_us"), [(0.0, 0), (0.001, 10), (25.0, 250_000), (160.0, 1_600_000)])
def test_what_a_request_costs_is_told_in_whole_microseconds(cpu_s: float, overhead_us: int) -> None:
    """Of several cores together: 100 requests in 10 seconds."""
    exchanges = [{"listener": "in", "upstream": "app", "counts": [100]}]
    said = _health({"cpu_s": cpu_s, "exchanges": exchanges}, {}, 10.0, {})
    assert (said["overhead_us"], said["cpu_percent"]) == (overhead_us, round(10 * cpu_s, 1))
