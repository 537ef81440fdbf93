"""Each kind of object that has pods, by its group, and whether it runs to its end."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.kubernetes.injection.ports import ContainerPort, service_ports
from proxy.kubernetes.injection.workloads import KINDS, Place, is_resource_list, objects, selects

TEMPLATED = [
    ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"), ("batch/v1", "Job"),
]  # fmt: skip


def made(version: str, kind: str, spec: Any = None, **metadata: Any) -> Place:
    return Place(0, (), {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


@pytest.mark.parametrize(("version", "kind"), TEMPLATED)
def test_each_kind_with_a_template(version: str, kind: str) -> None:
    one = made(version, kind, {"template": {"metadata": {"labels": {"a": "b"}}}})
    assert one.template == ("spec", "template")
    assert one.pod == {"metadata": {"labels": {"a": "b"}}}
    assert one.runs_to_completion is (kind == "Job")
    assert kind in KINDS
    assert made("other/v1", kind).template is None
    assert made("other/v1", kind).pod == made("other/v1", kind).object


def test_a_pod_and_a_cron_job() -> None:
    assert made("v1", "Pod").template == ()
    cron = made("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"a": 1}}}}})
    assert (cron.pod, cron.runs_to_completion) == ({"spec": {"a": 1}}, True)
    assert {"Pod", "CronJob", "Service", "List", "ResourceList"} < KINDS
    assert made("v1", "ConfigMap").template is None
    assert "ConfigMap" not in KINDS


@pytest.mark.parametrize(("policy", "ends"), [("Never", True), ("OnFailure", True), ("Always", False), (None, False)])
def test_a_pod_ends_by_its_policy(policy: str | None, ends: bool) -> None:
    assert made("v1", "Pod", {"restartPolicy": policy}).runs_to_completion is ends
    assert made("apps/v1", "Deployment", {"template": {"spec": {"restartPolicy": policy}}}).runs_to_completion is False


def test_names() -> None:
    assert made("apps/v1", "Deployment", name="orders", namespace="shop").name == "deployment/orders"
    assert made("v1", "Pod", generateName="orders-").name == "pod/orders-"
    assert made("v1", "Pod").name == "pod/?"
    assert (made("v1", "Pod", name="a").own_name, made("v1", "Pod", generateName="a").own_name) == ("a", "")
    assert (made("v1", "Pod", namespace="b").namespace, made("v1", "Pod").namespace) == ("b", "")


@pytest.mark.parametrize(
    ("version", "kind", "selector", "is_one"),
    [
        ("v1", "Service", {"app": "a"}, True), ("v1", "Service", {}, False), ("v1", "Service", None, False),
        ("v1", "Service", "a", False), ("v2", "Service", {"app": "a"}, False), ("v1", "Pod", {"app": "a"}, False),
    ],
)  # fmt: skip
def test_a_service_has_a_selector(version: str, kind: str, selector: object, is_one: bool) -> None:
    assert made(version, kind, {"selector": selector}).is_service is is_one


@pytest.mark.parametrize(
    ("labels", "namespace", "yes"),
    [
        ({"a": "1", "b": "2"}, "shop", True), ({"a": "1", "b": "2", "c": "3"}, "shop", True),
        ({"a": "1"}, "shop", False), ({"a": "1", "b": "3"}, "shop", False), ({"a": "1", "b": "2"}, "other", False),
        (None, "shop", False),
    ],
)  # fmt: skip
def test_who_is_selected(labels: object, namespace: str, yes: bool) -> None:
    service = made("v1", "Service", {"selector": {"a": "1", "b": "2"}}, namespace="shop")
    workload = made("apps/v1", "Deployment", {"template": {"metadata": {"labels": labels}}}, namespace=namespace)
    assert selects(service, workload) is yes


def test_objects_are_found_in_lists_within_lists() -> None:
    one, resources = {"kind": "A"}, {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"}
    inner = {"apiVersion": "v1", "kind": "List", "items": [one, {}, None, {"kind": "B"}]}
    found = list(
        objects([one, {**resources, "items": [inner]}, 5, {"apiVersion": "v2", "kind": "List", "items": [one]}])
    )
    assert [(place.document, place.path, place.kind) for place in found] == [
        (0, (), "A"), (1, ("items", 0, "items", 0), "A"), (1, ("items", 0, "items", 3), "B"), (3, (), "List"),
    ]  # fmt: skip
    assert is_resource_list(resources)
    assert not is_resource_list(inner)
    assert not is_resource_list([])


@pytest.mark.parametrize(
    ("port", "number", "is_web"),
    [
        ({"port": 80}, 80, False),
        ({"port": 80, "targetPort": 8080}, 8080, False),
        ({"port": 80, "targetPort": "8080"}, 8080, True),
        ({"port": 80, "targetPort": "web"}, 8080, True),
        ({"port": 80, "targetPort": "gone"}, None, False),
        ({"port": 80, "name": "http"}, 80, True),
        ({"port": 80, "name": "http-api"}, 80, True),
        ({"port": 80, "name": "web"}, 80, True),
        ({"port": 80, "name": "grpc"}, 80, False),
        ({"port": 80, "appProtocol": "kubernetes.io/http"}, 80, True),
        ({"port": 80, "appProtocol": "HTTP"}, 80, True),
        ({"port": 80, "protocol": "TCP"}, 80, False),
        ({"port": 81, "targetPort": 9080}, 3000, False),
    ],
)
def test_a_services_port(port: dict[str, Any], number: int | None, is_web: bool) -> None:
    service = made("v1", "Service", {"ports": [None, {"port": 1, "protocol": "UDP"}, port]})
    declared = [ContainerPort(8080, "web")] if port.get("targetPort") != 8080 else []
    (found,) = service_ports(service, declared, {"81": 3000})
    assert (found.number, found.is_web, found.port) == (number, is_web, port)
