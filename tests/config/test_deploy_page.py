"""docs/deploy.md has every port, signal, probe and alert that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from proxy.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """What stands under a heading of the second level."""
    return re.split(r"^## ", PAGE.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def listens() -> set[str]:
    """Where the commands listen by default: the sidecar by its settings, the others by their help."""
    settings = Settings()
    found = {str(address) for one in (settings.inbound, settings.outbound) for address in one.listen}
    found |= {str(settings.admin.listen), f"0.0.0.0:{settings.kubernetes.health_port}"}
    for command in ("console", "webhook"):
        source = (ROOT / "proxy" / "cli" / f"{command}.py").read_text(encoding="utf-8")
        named = re.findall(r"\(default ([\d.]+:\d+)\)", source) + re.findall(r"help=\"default ([\d.]+:\d+)", source)
        assert len(named) == 2
        found |= set(named)
    return found


@pytest.mark.parametrize("address", sorted(listens()))
def test_every_port(address: str) -> None:
    assert f"`{address}`" in section("Ports")


def test_every_signal() -> None:
    source = (ROOT / "proxy" / "lifecycle" / "lifecycle.py").read_text(encoding="utf-8")
    (handled,) = re.findall(r"for number in \((.*)\):", source)
    told = re.findall(r"^\| (SIG[A-Z]+)", section("Signals and exit codes"), re.MULTILINE)
    assert {f"signal.{name}" for name in told} == set(handled.split(", "))


def test_every_probe() -> None:
    source = (ROOT / "proxy" / "admin" / "application.py").read_text(encoding="utf-8")
    probes = set(re.findall(r"\"(/[a-z]+z)\"", source))
    assert probes == {"/healthz", "/readyz"}
    assert all(f"`{probe}`" in section("Probes") for probe in probes)


def test_every_alert_with_its_severity() -> None:
    groups = yaml.safe_load((ROOT / "config" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    there = {(rule["alert"], rule["labels"]["severity"]) for group in groups for rule in group["rules"]}
    rows = re.findall(r"^\| (`OpsSidecar.*?) \| (\w+) \|", section("Metrics and alerts"), re.MULTILINE)
    assert {(name, severity) for names, severity in rows for name in re.findall(r"`(\w+)`", names)} == there
