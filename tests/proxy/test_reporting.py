"""What a sidecar reports of itself beside exchanges: which documents, when, and what stands in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab.collectors import attributes
from lab.sidecar import merged
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs

from proxy.dataplane import DataPlane
from proxy.listener.app_calls.evidence import Evidence
from proxy.plan import Address
from proxy.plan.compile import compile_plan
from proxy.reporting import Reporting
from proxy.settings import load
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import Exporter
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.state import State

SETTINGS: dict[str, Any] = {
    "inbound": {"app": "http://127.0.0.1:8080", "listen": "127.0.0.1:15006"},
    "outbound": {"listen": "127.0.0.1:15001"},
    "console": {"report": {"endpoint": "http://127.0.0.1:4318"}},
    "log": {"level": "warning", "access": "off"},
}


class Case:
    """A reporting, with settings from a file, the environment and a flag; and a data plane that a test fills."""

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.evidence = Evidence()
        self.proofs: dict[str, Any] = {}
        self.examples: dict[Any, Any] = {}
        self.asked: list[bool] = []
        self.channel = Channel("1.2")
        self.reporting = Reporting(
            self.channel, metrics=Metrics(), state=State(), exporter=Exporter("1.2"), version="1.2",
            dropped_lines=lambda: {"log": 3}, metrics_now=lambda: [b"metric"],
        )  # fmt: skip
        self.use(settings or {})

    def use(self, settings: dict[str, Any]) -> None:
        file = self.folder / "sidecar.json"
        said = {key: value for key, value in merged(SETTINGS, settings).items() if value is not None}
        file.write_text(json.dumps(said))
        loaded = load(file, environ={"OPS_SIDECAR_DRAIN__TIMEOUT_S": "7"})
        self.reporting.use(compile_plan(loaded.settings, 2), loaded)

    def know(self) -> None:
        def evidence(*, is_final: bool) -> Evidence:
            self.asked.append(is_final)
            return self.evidence

        addresses = {"inbound": (Address("127.0.0.1", 15006), Address("", 0, "/run/in.sock"))}
        plane = SimpleNamespace(
            evidence=evidence, addresses=lambda: addresses, name="abc", app_proofs=lambda: self.proofs,
            shadow_examples=lambda: self.examples,
        )  # fmt: skip
        self.reporting.know(cast(DataPlane, plane))

    def told(self, *, is_new: bool = False, is_final: bool = False) -> dict[str, Any]:
        """The bodies of documents, by their names."""
        entries: Sequence[bytes] = self.reporting.documents(is_new=is_new, is_final=is_final)
        records = [ScopeLogs.FromString(entry).log_records[0] for entry in entries]
        assert len({one.time_unix_nano for one in records}) == bool(records)
        return {attributes(one)["event.name"]: json.loads(one.body.string_value) for one in records}


def test_nothing_is_told_before_there_is_a_data_plane(tmp_path: Path) -> None:
    case = Case(tmp_path)
    assert case.told() == {}
    assert case.reporting.metrics() == [b"metric"]
    case.know()
    assert list(case.told()) == ["ops.health", "ops.counts"]


def test_a_console_that_may_know_nothing_is_told_of_plan_and_settings(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.know()
    told = case.told(is_new=True)
    assert list(told) == ["ops.plan", "ops.settings", "ops.health", "ops.counts"]
    assert "/run/in.sock" in json.dumps(told["ops.plan"])
    case.proofs = {"stale": {"at": 1.0, "given": [], "sent": []}}
    assert "ops.proofs" in case.told(is_new=True)
    assert "ops.proofs" not in case.told()


@pytest.mark.parametrize(
    ("export", "spans"),
    [({"endpoint": "http://127.0.0.1:4399"}, ["spans to http://127.0.0.1:4399/v1/traces"]), ({}, [])],
)
def test_it_is_told_where_spans_and_reports_go(tmp_path: Path, export: dict[str, str], spans: list[str]) -> None:
    case = Case(tmp_path, {"export": export})
    case.know()
    told = case.told()["ops.health"]["exporters"]
    assert [one["name"] for one in told] == [*spans, "reports to http://127.0.0.1:4318/v1/logs", "log"]


def test_settings_are_told_with_who_set_them_and_when_they_count(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.know()
    said = {one["key"]: one for one in case.told(is_new=True)["ops.settings"]}
    assert [said[key]["source"] for key in ("log.level", "drain.timeout_s", "drain.grace_s")] == [
        "file", "env", "default",
    ]  # fmt: skip
    assert "sidecar.json" in json.dumps(said["log.level"])
    assert [said[key]["hot"] for key in ("log.access", "log.queue_lines", "log.level")] == [False, False, True]


def test_without_a_console_no_settings_are_kept_for_it(tmp_path: Path) -> None:
    case = Case(tmp_path, {"console": None})
    case.know()
    assert case.told(is_new=True)["ops.settings"] == []


def test_counts_are_numbered_and_say_where_this_process_serves(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.know()
    case.evidence.calls["stale"] = 4
    first, second = case.told()["ops.counts"], case.told(is_final=True)["ops.counts"]
    assert (first["seq"], second["seq"], case.asked) == (1, 2, [False, True])
    assert first["place"].endswith(" 127.0.0.1:15001 127.0.0.1:15006")
    assert (first["final"], second["final"]) == (False, True)
    assert '"stale"' in json.dumps(first)


def test_a_place_has_at_most_500_characters(tmp_path: Path) -> None:
    case = Case(tmp_path, {"inbound": {"listen": [f"127.0.0.{number}:15006" for number in range(1, 60)]}})
    case.know()
    assert len(case.told()["ops.counts"]["place"]) == 500


@pytest.mark.parametrize(("size", "is_whole"), [(100, True), (70_000, False)])
def test_shadows_are_told_without_examples_where_these_take_too_much(tmp_path: Path, size: int, is_whole: bool) -> None:
    case = Case(tmp_path, {"inbound": {"propagation": {"shadow": {"inject": ["b3"]}}}})
    case.know()
    case.examples = {("inbound", "app"): {"headers": "x" * size}}
    (told,) = case.told()["ops.shadow"]
    assert (told["listener"], told["upstream"], told["counts"]) == ("inbound", "app", {})
    assert told["examples"] == (case.examples["inbound", "app"] if is_whole else {})
