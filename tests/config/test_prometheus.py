"""config/prometheus and config/grafana: alerts fire for what they are about, and each query asks for what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
RULES, SCRAPE, DASHBOARD = "prometheus/alerts.yml", "prometheus/prometheus.yml", "grafana/ops-sidecar.json"
PROVISIONING = (
    "grafana/provisioning/datasources/prometheus.yaml",
    "grafana/provisioning/dashboards/ops-sidecar.yaml",
)
OF_PROMETHEUS = {"up"}
OF_ALL_SERIES = {"instance", "job", "le"}
METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool (Debian: prometheus)"
)


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONFIG / RULES).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONFIG / DASHBOARD).read_text(encoding="utf-8"))
    return found


def panel_queries() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


QUERIES = [(rule["alert"], rule["expr"]) for rule in alerts()] + list(panel_queries())


def promtool(*words: str) -> str:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_prometheus_finds_no_fault() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", str(CONFIG / RULES))
    promtool("check", "config", str(CONFIG / SCRAPE))


@needs_promtool
def test_each_alert_fires_for_what_it_is_about() -> None:
    promtool("test", "rules", str(Path(__file__).with_name("alerts.test.yml")))


def test_each_alert_has_a_test() -> None:
    tests = yaml.safe_load(Path(__file__).with_name("alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    assert [test["name"] for test in tests] == [rule["alert"] for rule in alerts()]


@needs_promtool
def test_each_query_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    """As rules, which promtool parses."""
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for number, (_, expr) in enumerate(panel_queries())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def names_in(expr: str) -> set[str]:
    """The metrics that an expression asks for."""
    return set(re.findall(r"\b((?:ops_sidecar|http|process)_[a-z0-9_]+|up)\{", expr))


@pytest.mark.parametrize(("name", "expr"), QUERIES, ids=[name for name, _ in QUERIES])
def test_each_query_asks_for_metrics_and_labels_that_there_are(name: str, expr: str) -> None:
    """As docs/metrics.md names them, which is held against what the sidecar renders."""
    asked = names_in(expr) | set(re.findall(r"\bops_sidecar_[a-z0-9_]+", expr))
    assert asked
    for metric in asked - OF_PROMETHEUS:
        assert f"`{re.sub('_(bucket|count|sum)$', '', metric)}`" in METRICS, metric
    labels = set(re.findall(r"[{,]\s*([a-z_]+)(?:=|!=|=~|!~)\"", expr))
    labels |= {label for by in re.findall(r"by \(([^)]*)\)", expr) for label in re.split(r",\s*", by)}
    for label in labels - OF_ALL_SERIES:
        assert f"`{label}`" in METRICS or f"`{label}=" in METRICS, label


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_says_where_to_read_on(rule: dict[str, Any]) -> None:
    """The section is there, by its heading."""
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert anchor in anchors
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_dashboard_is_whole() -> None:
    """No two panels at one place or with one id; each has a query and a unit, or is a row."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(panel["type"] == "row" or (panel["targets"] and panel["fieldConfig"]) for panel in panels)


def test_grafana_finds_the_datasource_and_the_dashboard() -> None:
    """What it reads at its start has the shape that it wants, and leads where the compose file mounts things."""
    datasources, dashboards = (yaml.safe_load((CONFIG / file).read_text(encoding="utf-8")) for file in PROVISIONING)
    (datasource,) = datasources["datasources"]
    assert (datasource["type"], datasource["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = dashboards["providers"]
    compose = (CONFIG / "compose" / "monitoring.yml").read_text(encoding="utf-8")
    assert f"../grafana/ops-sidecar.json:{provider['options']['path']}/ops-sidecar.json:ro" in compose
    assert "../grafana/provisioning:/etc/grafana/provisioning:ro" in compose
