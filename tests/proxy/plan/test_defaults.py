"""A plan's own defaults, which tests and tools use, are those of the settings, which users read about."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from lab.sidecar import plan_of

from proxy.plan import Clients, DrainPlan, Limits, ListenerPlan, Plan, PoolPlan, PropagationPlan, Timeouts, UpstreamPlan
from proxy.plan.console import ConsolePlan, ForwardPlan
from proxy.plan.export import Endpoint, ExportPlan
from proxy.plan.participation import (
    CargoPlan,
    EgressPlan,
    InFlightPlan,
    LinkingPlan,
    SamplingPlan,
    TrustPlan,
    TrustRulePlan,
)
from proxy.plan.report import ReportPlan
from proxy.plan.upstream import SpansPlan, UpstreamTarget

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


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (ForwardPlan, {"url": "", "queue_bytes": 67_108_864, "timeout_s": 10, "give_up_s": 300, "ca_file": None,
                       "verify": True, "cert_file": None, "key_file": None}),
        (ConsolePlan, {"listen": "", "otlp": "", "token": "auto", "otlp_token": "", "hosts": (), "cors_origins": (),
                       "store": "", "store_bytes": 268_435_456, "max_age_s": 0, "log_level": "info",
                       "log_format": "text"}),
        (Endpoint, {"tls": None, "headers": (), "timeout_s": 10, "gzip": False}),
        (ListenerPlan, {"tls": None, "connect": False, "transparent": False, "via": True, "explain": False,
                        "x_forwarded": True, "details": True, "trust": (), "session_names": frozenset()}),
        (Plan, {"public": (), "reuse_port": False, "exit_with_app_s": 0, "console": None, "console_page": None}),
        (SamplingPlan, {"ratio": 1, "per_second": 0, "is_parent_based": True}),
        (TrustPlan, {"ids": "continue", "decision": True, "baggage": True, "session": True}),
        (TrustRulePlan, {"peers": (), "names": ()}),
        (CargoPlan, {"trace": True, "session": True, "baggage": True}),
        (EgressPlan, {"trace": None, "session": None, "baggage": None}),
        (LinkingPlan, {"headers": (), "process": True, "single": True}),
        (PropagationPlan, {
            "mode": "translate", "session_inject": "X-Mirascope-Session-Id",
            "session_extract": ("X-Mirascope-Session-Id", "Mirascope-Session-Id"), "session_bridge": False,
            "baggage": "translate", "on_defer": 1, "grpc_unsampled": "deny", "lossless": True, "clear": (),
            "response_header": "", "carry_over": True, "mirror": False, "shadow": None,
        }),
        (SpansPlan, {"routes": (), "query": False}),
        (UpstreamTarget, {"tls": None, "server_name": "", "tls_http1": None}),
        (UpstreamPlan, {"preserve_host": True, "leniency": frozenset()}),
        (Clients, {"half_close": "abandon", "max_connections": 0, "max_exchanges": 0, "proxies": ()}),
        (Limits, {"refused_methods": ("TRACE",)}),
        (PoolPlan, {"http2": "auto", "destinations": None, "tcp_keepalive_s": 60}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)  # fmt: skip
def test_what_a_plan_says_where_it_is_not_told(plan: Any, said: dict[str, Any]) -> None:
    found = {field.name: field.default for field in dataclasses.fields(plan)}
    assert {name: found[name] for name in said} == said
