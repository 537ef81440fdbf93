"""The kustomize component and the webhook's manifests, built by kubectl and held against the schemas and `inject`."""

from __future__ import annotations

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


def test_the_component_puts_in_what_inject_does(kubectl: Run) -> None:
    settings = {
        "kubernetes.inbound": "redirect",
        "kubernetes.outbound": "redirect",
        "kubernetes.image": "registry.internal/ops-sidecar:0.1.0",
    }
    wanted = inject(DEPLOYMENT, settings).pod["initContainers"]
    for container in wanted:  # a patch does not know the workload's name
        container["env"] = [one for one in container.get("env", ()) if one["name"] != "OPS_SIDECAR_SERVICE__NAME"]
    found = [pod for document in built(kubectl, "examples") if (pod := pod_of(document)) is not None]
    assert len(found) == 3
    for pod in found:
        assert [{"env": [], **one} for one in pod["spec"]["initContainers"]] == wanted
        assert pod["metadata"]["labels"]["ops-sidecar/injected"] == "true"


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
