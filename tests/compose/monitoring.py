"""What config/compose/monitoring.yml promises (`engine` says how it is checked). It runs config/prometheus/Dockerfile.

Grafana is behind a profile: its image may not be at hand. What it would ask Prometheus is asked here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from engine import COMPOSE, get_json, output, run, until, url

CONFIG = Path(__file__).parents[2] / "config"
PANELS = json.loads((CONFIG / "grafana" / "ops-sidecar.json").read_text(encoding="utf-8"))["panels"]
WITH_FIGURES = {"Ready", "Requests / s", "With a trace", "The apps keep it", "Requests by upstream", "Formats read"}


def ask(path: str, **query: str) -> Any:
    """What Prometheus' API answers."""
    answer = get_json(f"{url('prometheus', 9090)}/api/v1/{path}?{urlencode(query)}")
    assert answer["status"] == "success", answer
    return answer["data"]


def value(expr: str) -> list[float]:
    """The values of an expression now."""
    return [float(one["value"][1]) for one in ask("query", query=expr)["result"]]


def sidecars_are_scraped() -> None:
    """Both, without an error."""

    def holds() -> bool:
        targets = ask("targets")["activeTargets"]
        assert len(targets) == 2, targets
        return all(target["health"] == "up" for target in targets)

    until("not all of them are up", holds)


def alert_rules_are_loaded_and_silent() -> None:
    """All groups are healthy; nothing fires while all is well. What was not up at first is pending for a moment."""
    rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) >= 14
    until(
        "a rule cannot be evaluated",
        lambda: all(rule["health"] == "ok" for group in ask("rules")["groups"] for rule in group["rules"]),
    )
    fired = []

    def are_silent() -> bool:
        alerts = ask("alerts")["alerts"]
        fired.extend(alert["labels"] for alert in alerts if alert["state"] == "firing")
        assert not alerts, [alert["labels"] for alert in alerts]
        return True

    until("alerts are not silent", are_silent)
    assert not fired, fired


def every_query_of_the_dashboard_is_answered() -> None:
    """As Grafana would ask, for all sidecars; those that must have figures have some."""

    def holds() -> bool:
        for panel in PANELS:
            for target in panel.get("targets", ()):
                expr = target["expr"].replace("$__rate_interval", "30s").replace("$instance", ".*")
                found = value(expr)
                assert found or panel["title"] not in WITH_FIGURES, f"{panel['title']} has no figure"
        return True

    until("panels are empty", holds)
    kept = next(panel for panel in PANELS if panel["title"] == "The apps keep it")["targets"][0]["expr"]
    assert value(kept.replace("$__rate_interval", "30s").replace("$instance", ".*")) == [1.0]


def a_sidecar_that_is_gone_is_told() -> None:
    """Its target is down, and the alert waits for its two minutes."""
    output(*COMPOSE, "stop", "orders-sidecar")
    until("no alert is pending", lambda: [alert["labels"]["alertname"] for alert in ask("alerts")["alerts"]])
    assert {alert["labels"]["instance"] for alert in ask("alerts")["alerts"]} == {"orders:9082"}


CHECKS = (
    sidecars_are_scraped,
    alert_rules_are_loaded_and_silent,
    every_query_of_the_dashboard_is_answered,
    a_sidecar_that_is_gone_is_told,
)

if __name__ == "__main__":
    raise SystemExit(run("monitoring", CHECKS))
