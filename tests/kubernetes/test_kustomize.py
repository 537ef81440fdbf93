"""The kustomize component and the webhook's manifests, built by kubectl and held against the schemas and `inject`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.manifests import DEPLOYMENT, inject
from lab.schemas import check

KUBERNETES = Path(__file__).parents[2] / "config" / "kubernetes"
Run = Callable[..., str]


def built(kubectl: Run, folder: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(kubectl("kustomize", KUBERNETES / folder)))


def pod_of(document: dict[str, Any]) -> dict[str, Any] | None:
    spec = document["spec"]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    found: dict[str, Any] | None = spec.get("template")
    return found


@pytest.mark.parametrize("folder", ["examples", "webhook"])
def test_what_kubectl_builds_is_valid(kubectl: Run, folder: str) -> None:
    for document in built(kubectl, folder):
        check(document)


REDIRECTED = {
    "kubernetes.inbound": "redirect",
    "kubernetes.outbound": "redirect",
    "kubernetes.image": "registry.internal/ops-sidecar:0.1.0",
}


def init_containers_by_inject(port: int) -> list[dict[str, Any]]:
    """What `inject` puts in for an app at `port`, but for the workload's name, which a patch does not know."""
    wanted: list[dict[str, Any]] = inject(DEPLOYMENT.replace("8080", str(port)), REDIRECTED).pod["initContainers"]
    for container in wanted:
        container["env"] = [one for one in container.get("env", ()) if one["name"] != "OPS_SIDECAR_SERVICE__NAME"]
    return wanted


def as_the_kubelet_starts_them(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """The init containers with `$(APP_PORT)` expanded from the pod's annotation that `fieldRef` names."""
    (source,) = {one["valueFrom"]["fieldRef"]["fieldPath"] for each in pod["spec"]["initContainers"]
                 for one in each["env"] if one["name"] == "APP_PORT"}  # fmt: skip
    assert source == "metadata.annotations['ops-sidecar/app-port']"
    port = pod["metadata"]["annotations"]["ops-sidecar/app-port"]
    found = []
    for container in pod["spec"]["initContainers"]:
        assert (
            container["env"][0]["name"] == "APP_PORT"
        )  # what stands behind it may name it, what stands before may not
        env = [{**one, "value": one["value"].replace("$(APP_PORT)", port)} for one in container["env"][1:]]
        args = [one.replace("$(APP_PORT)", port) for one in container["args"]]
        found.append({**container, "env": env, "args": args})
    return found


def test_the_component_puts_in_what_inject_does(kubectl: Run) -> None:
    found = [pod for document in built(kubectl, "examples") if (pod := pod_of(document)) is not None]
    assert len(found) == 3
    for pod in found:
        assert as_the_kubelet_starts_them(pod) == init_containers_by_inject(8080)
        assert pod["metadata"]["labels"]["ops-sidecar/injected"] == "true"


def test_the_component_takes_a_port_and_settings_as_its_first_lines_say(kubectl: Run, tmp_path: Path) -> None:
    """The patch that config/kubernetes/component/kustomization.yaml shows, as it stands there."""
    text = (KUBERNETES / "component" / "kustomization.yaml").read_text(encoding="utf-8")
    shown = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    patches = "\n".join(shown[shown.index("patches:") :])
    for name in ("kustomization.yaml", "pod-template.yaml", "cronjob.yaml"):
        (tmp_path / "component").mkdir(exist_ok=True)
        (tmp_path / "component" / name).write_text((KUBERNETES / "component" / name).read_text(encoding="utf-8"))
    manifest = DEPLOYMENT.replace(
        "metadata: {name: orders}", "metadata: {name: orders, labels: {ops-sidecar/inject: enabled}}"
    )
    (tmp_path / "orders.yaml").write_text(manifest.replace("8080", "3000"), encoding="utf-8")
    images = "images: [{name: ops-sidecar, newName: registry.internal/ops-sidecar, newTag: 0.1.0}]"
    own = f"resources: [orders.yaml]\ncomponents: [component]\n{images}\n{patches}\n"
    (tmp_path / "kustomization.yaml").write_text(own, encoding="utf-8")
    (document,) = yaml.safe_load_all(kubectl("kustomize", tmp_path))
    check(document)
    pod = pod_of(document)
    assert pod is not None
    redirect, sidecar = as_the_kubelet_starts_them(pod)
    assert sidecar["env"].pop() == {"name": "OPS_SIDECAR_INBOUND__PROPAGATION__INJECT", "value": "b3multi"}
    assert [redirect, sidecar] == init_containers_by_inject(3000)
    assert "3000:9080" in redirect["args"]


STAND_IN = """\
#!{python}
import runpy, sys
assert sys.argv[1] == "run" and sys.argv[-1] == "ops-sidecar-inject:local", sys.argv
sys.argv = ["ops-sidecar", "inject"]
runpy.run_module("proxy", run_name="__main__")
"""


def test_kubectl_calls_the_function(kubectl: Run, tmp_path: Path) -> None:
    """config/kubernetes/function/example by kubectl, whose docker is this environment's own inject.

    In its image it runs in tests/compose/image.py.
    """
    (tmp_path / "docker").write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
    (tmp_path / "docker").chmod(0o755)
    example = KUBERNETES / "function" / "example"
    text = kubectl("kustomize", "--enable-alpha-plugins", example, first_in_path=tmp_path)
    documents = {one["kind"]: one for one in yaml.safe_load_all(text)}
    assert set(documents) == {"Deployment", "Service"}
    for document in documents.values():
        check(document)
        assert not [name for name in document["metadata"].get("annotations", ()) if "kubernetes.io" in name]
    settings = yaml.safe_load((example / "sidecar.yaml").read_text(encoding="utf-8"))["data"]
    wanted = inject((example / "catalog.yaml").read_text(encoding="utf-8"), settings)
    assert {one["kind"]: one for one in wanted.documents} == documents
    assert documents["Service"]["spec"]["ports"][0]["targetPort"] == 9080
    assert wanted.variables["INBOUND__APP"] == "http://127.0.0.1:3000"


def test_the_webhook_is_opt_in_and_fails_open(kubectl: Run) -> None:
    documents = built(kubectl, "webhook")
    (configuration,) = (one for one in documents if one["kind"] == "MutatingWebhookConfiguration")
    by_pod, by_namespace = configuration["webhooks"]
    for webhook in (by_pod, by_namespace):
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["sideEffects"] == "None"
        assert webhook["reinvocationPolicy"] == "IfNeeded"
        assert webhook["rules"][0]["operations"] == ["CREATE"]
        left_alone = webhook["namespaceSelector"]["matchExpressions"][0]
        assert left_alone["operator"] == "NotIn"
        assert {"kube-system", "ops-sidecar"} <= set(left_alone["values"])
    assert by_pod["objectSelector"]["matchLabels"] == {"ops-sidecar/inject": "enabled"}
    assert by_namespace["namespaceSelector"]["matchLabels"] == {"ops-sidecar/inject": "enabled"}


def test_its_rules_are_the_least(kubectl: Run) -> None:
    """That they are enough, tests/proxy/kubernetes/webhook/test_keeper.py shows: the API server there knows them."""
    rules = [rule for one in built(kubectl, "webhook") if one["kind"].endswith("Role") for rule in one["rules"]]
    assert all(
        set(rule["verbs"]) <= {"get", "patch"} and rule["resourceNames"] for rule in rules if rule["verbs"] != ["list"]
    )
    assert [rule["resources"] for rule in rules if rule["verbs"] == ["list"]] == [["pods", "namespaces"]]


def test_set_image_on_an_injected_manifest(kubectl: Run) -> None:
    """What works without a server works on what `inject` writes: a newer sidecar, for example."""
    example = (KUBERNETES / "examples" / "deployment.yaml").read_text(encoding="utf-8").partition("---")[0]
    image = "registry.internal/ops-sidecar:0.2.0"
    arguments = ("--local", "--filename", "-", "--output", "yaml", f"ops-sidecar={image}")
    text = kubectl("set", "image", *arguments, text=inject(example).text)
    spec = yaml.safe_load(text)["spec"]["template"]["spec"]
    assert spec["initContainers"][0]["image"] == image
    assert spec["initContainers"][0]["restartPolicy"] == "Always"
