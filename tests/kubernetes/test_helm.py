"""The charts, by helm itself: linted, rendered, held against the schemas, and against what `inject` does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.manifests import inject
from lab.schemas import check

from proxy.kubernetes.webhook.counts import Counts

CONFIG = Path(__file__).parents[2] / "config"
CHARTS = CONFIG / "helm"
OPERATOR = ("PodMonitor", "PrometheusRule")  # of the Prometheus operator: the schemas have none of these
Run = Callable[..., str]
IMAGE = "registry.internal/ops-sidecar:0.1.0"


@pytest.fixture(scope="session")
def example(helm: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with the library in its place."""
    copied = tmp_path_factory.mktemp("helm") / "charts"
    shutil.copytree(CHARTS, copied)
    helm("dependency", "build", copied / "example")
    return copied / "example"


def rendered(helm: Run, chart: Path, values: dict[str, Any] | None = None, *flags: str) -> list[dict[str, Any]]:
    text = helm("template", "orders", chart, "--namespace", "x", "--values", "-", *flags, text=json.dumps(values or {}))
    return [one for one in yaml.safe_load_all(text) if one]


EVERYTHING = {name: {"enabled": True} for name in ("podMonitor", "alerts", "dashboard")}


def test_all_charts_pass_the_linter(helm: Run, example: Path) -> None:
    helm("lint", "--strict", example, CHARTS / "ops-sidecar-lib")
    helm("lint", "--strict", CHARTS / "ops-sidecar", "--values", "-", text=json.dumps(EVERYTHING))


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec:
      containers:
      - {name: orders, image: "registry.internal/orders:1.4.2", ports: [{name: http, containerPort: 8080}]}
"""

WAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "native": ({}, {}),
    "plain": ({"mode": "plain"}, {"kubernetes.mode": "plain"}),
    "redirect": (
        {"inbound": "redirect", "outbound": "redirect", "redirectPorts": [80, 3000]},
        {"kubernetes.inbound": "redirect", "kubernetes.outbound": "redirect", "kubernetes.redirect_ports": "80,3000"},
    ),
    "outbound alone": ({"inbound": "off"}, {"kubernetes.inbound": "off"}),
    "inbound alone": ({"outbound": "off"}, {"kubernetes.outbound": "off"}),
    "both families": ({"dualStack": True}, {"kubernetes.ip_family": "dual"}),
    "settings": (
        {
            "configMap": "settings",
            "pullPolicy": "Always",
            "runAsUser": 1000,
            "settings": {"timeouts.connect_s": 2},
            "serviceName": "shop",
        },
        {
            "kubernetes.config_map": "settings",
            "kubernetes.pull_policy": "Always",
            "kubernetes.run_as_user": "1000",
            "timeouts.connect_s": "2",
            "service.name": "shop",
        },
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_library_puts_in_what_inject_does(helm: Run, example: Path, way: str) -> None:
    values, settings = WAYS[way]
    own = dict.fromkeys(("inbound.propagation.inject", "outbound.propagation.inject"))  # None: not those of the example
    merged = {"image": IMAGE, **values, "settings": {**own, **values.get("settings", {})}}
    found = rendered(helm, example, {"opsSidecar": merged})
    for document in found:
        check(document)
    (pod,) = (one["spec"]["template"]["spec"] for one in found if one["kind"] == "Deployment")
    wanted = inject(DEPLOYMENT, {"kubernetes.image": IMAGE, **settings}).pod
    assert _by_name(pod) == _by_name(wanted)
    assert pod.get("volumes") or wanted.get("volumes", []) == []


def _by_name(pod: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Containers, with variables by name: their order is not the same, and does not count."""

    def plain(container: dict[str, Any]) -> dict[str, Any]:
        return {**container, "env": {one["name"]: one["value"] for one in container.get("env") or ()}}

    return [(key, [plain(one) for one in pod.get(key) or ()]) for key in ("initContainers", "containers")]


@pytest.mark.parametrize(
    ("value", "told"), [({"mode": "sidecar"}, "expected native or plain"), ({"inbound": "x"}, "service")]
)
def test_a_wrong_value_is_named(helm: Run, example: Path, value: dict[str, str], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        rendered(helm, example, {"opsSidecar": value})


def test_the_application_is_the_webhook_of_the_manifests(helm: Run) -> None:
    """The same objects as config/kubernetes/webhook, by what they do; labels and the namespace are the release's."""
    charted = {(one["kind"], one["metadata"]["name"]): one for one in rendered(helm, CHARTS / "ops-sidecar")}
    manifests = [
        one
        for file in ("webhook.yaml", "rbac.yaml")
        for one in yaml.safe_load_all((CONFIG / "kubernetes" / "webhook" / file).read_text(encoding="utf-8"))
        if one["kind"] != "Namespace"
    ]
    assert set(charted) == {(one["kind"], one["metadata"]["name"]) for one in manifests}
    for manifest in manifests:
        found = charted[manifest["kind"], manifest["metadata"]["name"]]
        check(found)
        assert _plain(found) == _plain(manifest)


def _plain(value: Any) -> Any:
    """Without labels, and with one namespace."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in ("labels", "selector", "matchLabels")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return "x" if value == "ops-sidecar" else value


def test_with_certificates_of_somebody_else_it_may_do_less(helm: Run) -> None:
    found = rendered(helm, CHARTS / "ops-sidecar", {"webhook": {"certificateSecret": "by-cert-manager"}})
    for document in found:
        check(document)
    assert not {"Role", "Secret"} & {one["kind"] for one in found}
    assert [one["rules"] for one in found if one["kind"] == "ClusterRole"] == [
        [{"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list"]}]
    ]


def test_what_watches_over_the_sidecars_is_shared_with_compose(helm: Run) -> None:
    found = rendered(helm, CHARTS / "ops-sidecar", EVERYTHING)
    by_kind = {one["kind"]: one for one in found if one["kind"] in (*OPERATOR, "ConfigMap")}
    alerts = yaml.safe_load((CONFIG / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    groups = by_kind["PrometheusRule"]["spec"]["groups"]
    assert groups[: len(alerts["groups"])] == alerts["groups"]
    assert groups[-1]["name"] == "ops-sidecar-webhook"
    dashboard = json.loads((CONFIG / "grafana" / "ops-sidecar.json").read_text(encoding="utf-8"))
    assert json.loads(by_kind["ConfigMap"]["data"]["ops-sidecar.json"]) == dashboard
    for document in found:
        if document["kind"] not in OPERATOR:
            check(document)


def test_without_the_chart_there_is_the_same_pod_monitor(helm: Run) -> None:
    found = rendered(helm, CHARTS / "ops-sidecar", EVERYTHING)
    (charted,) = (one for one in found if (one["kind"], one["metadata"]["name"]) == ("PodMonitor", "ops-sidecar"))
    manifest = yaml.safe_load((CONFIG / "kubernetes" / "monitoring" / "podmonitor.yaml").read_text(encoding="utf-8"))
    assert (manifest["apiVersion"], manifest["spec"]) == (charted["apiVersion"], charted["spec"])


def test_a_pod_monitor_finds_every_pod_that_inject_has_been_at(helm: Run) -> None:
    found = rendered(helm, CHARTS / "ops-sidecar", EVERYTHING)
    monitor = next(one for one in found if one["kind"] == "PodMonitor" and one["metadata"]["name"] == "ops-sidecar")
    done = inject(DEPLOYMENT)
    labels = done.documents[0]["spec"]["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in [one["name"] for one in done.sidecar["ports"]]
    alerts = (CONFIG / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    assert f'job="{endpoint["relabelings"][0]["replacement"]}"' in alerts


def test_promtool_reads_the_webhooks_alerts() -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    file = CHARTS / "ops-sidecar" / "files" / "webhook-alerts.yml"
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_of_the_webhook_name_metrics_that_it_has() -> None:
    counts = Counts()
    counts.missed, counts.expires_s = 0, 1.0
    known = {family.name for family in counts.families()}
    text = (CHARTS / "ops-sidecar" / "files" / "webhook-alerts.yml").read_text(encoding="utf-8")
    used = {name for line in text.splitlines() if "expr:" in line for name in re.findall(r"ops_sidecar_\w+", line)}
    assert used
    assert used <= known


def test_inject_is_a_post_renderer_of_helm(helm: Run, tmp_path: Path) -> None:
    """Of Helm 4, by the plugin."""
    if not helm("version", "--short").startswith("v4"):
        pytest.skip("this helm is older than 4, and runs the command itself")
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: orders\nversion: 0.1.0\n", encoding="utf-8")
    shutil.copy(CONFIG / "kubernetes" / "examples" / "deployment.yaml", chart / "templates")
    helm("plugin", "install", CHARTS / "post-renderer")
    arguments = ("--post-renderer", "ops-sidecar", "--post-renderer-args", f"--image={IMAGE}")
    documents = [one for one in yaml.safe_load_all(helm("template", "orders", chart, *arguments)) if one]
    for document in documents:
        check(document)
    by_kind = {one["kind"]: one for one in documents}
    assert by_kind["Deployment"]["spec"]["template"]["spec"]["initContainers"][0]["image"] == IMAGE
    assert by_kind["Service"]["spec"]["ports"][0]["targetPort"] == 9080
