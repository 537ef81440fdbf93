"""A plan's own defaults, which tests and tools use, are those of the settings, which users read about."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from lab.sidecar import plan_of

from proxy.plan import Clients, DrainPlan, Limits, PoolPlan, Timeouts
from proxy.plan.export import ExportPlan
from proxy.plan.participation import InFlightPlan, TrustPlan
from proxy.plan.report import ReportPlan

PLAN = plan_of({}, 1)
INBOUND = PLAN.listeners[0]
APP = next(iter(INBOUND.router.upstreams()))
TOLD = plan_of({"console": {"report": {"endpoint": "http://127.0.0.1:4318"}}}, 1)


@pytest.mark.parametrize(
    ("made", "default"),
    [
        (INBOUND.limits, Limits()),
        (INBOUND.timeouts, Timeouts()),
        (INBOUND.clients, Clients()),
        (APP.pool, PoolPlan()),
        (PLAN.drain, DrainPlan()),
        (PLAN.export, ExportPlan()),
        (PLAN.in_flight, InFlightPlan()),
        (TOLD.report, ReportPlan()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_numbers_are_those_of_the_settings(made: Any, default: Any) -> None:
    numbers = [
        field.name for field in dataclasses.fields(default) if isinstance(getattr(default, field.name), float | int)
    ]
    assert numbers
    assert {name: getattr(made, name) for name in numbers} == {name: getattr(default, name) for name in numbers}


def test_a_rule_of_trust_takes_nothing_away_that_it_does_not_name() -> None:
    plan = plan_of({"trust": [{"name": "mesh", "peers": ["10.0.0.0/8"]}, {"name": "edge", "session": False}]}, 1)
    assert [rule.trust for rule in plan.listeners[0].trust] == [TrustPlan(), TrustPlan(session=False)]


def test_what_no_setting_changes() -> None:
    """Reports are for people who watch: a minute old, one says nothing new; and the end waits 2 s for them."""
    for plan in (ReportPlan(), TOLD.report):
        assert (plan.give_up_s, plan.flush_s) == (60, 2)


def test_limits_of_a_rule_are_those_that_docs_settings_names() -> None:
    assert Limits() == Limits(
        request_line_bytes=8192, header_bytes=65_536, header_count=100, body_bytes=0, gather_bytes=16_384,
        connections=10_000, streams=100, buffer_bytes=65_536,
    )  # fmt: skip
    assert Timeouts() == Timeouts(10, 60, 75, 5, 60, 60, 0, 60, 300, 3600, 5)
    assert (InFlightPlan().limit, InFlightPlan().limit_bytes, InFlightPlan().max_age_s) == (10_000, 16_777_216, 3600)
    assert DrainPlan() == DrainPlan(0, 30, 30)
    assert (PoolPlan().max_idle, PoolPlan().idle_s, PoolPlan().max_queue, PoolPlan().streams) == (64, 30, 1024, 100)
    assert (PoolPlan().max_connections, PoolPlan().dns_refresh_s, PoolPlan().ping_s) == (0, 30, 300)
    assert (Clients().send_bytes_per_s, Clients().read_bytes_per_s, Clients().resets, Clients().resets_per_s) == (
        240, 240, 100, 30,
    )  # fmt: skip
    export = ExportPlan()
    assert (export.batch_spans, export.delay_s, export.queue_bytes, export.queue_spans) == (512, 5, 16_777_216, 0)
    assert (export.give_up_s, export.flush_s, export.metrics_interval_s) == (300, 5, 60)
    report = ReportPlan()
    assert (report.interval_s, report.exchanges_per_second, report.queue_bytes) == (10, 100, 4_194_304)
