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
