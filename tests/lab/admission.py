"""Admission as the API server does it: mutating webhooks in the order of their names, and once again where that is due.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any, NamedTuple

import kubernetes_validate

from lab.schemas import check

Pod = dict[str, Any]


class Webhook(NamedTuple):
    """One of a cluster's."""

    name: str
    call: Callable[[Pod], Pod]  # the pod that it makes of one
    is_reinvoked: bool  # reinvocationPolicy: IfNeeded


def admit(pod: Pod, webhooks: list[Webhook]) -> Pod:
    """What becomes of `pod`: a first pass, and a second for those after whom somebody else has changed it."""
    pod = copy.deepcopy(pod)
    webhooks = sorted(webhooks)
    called: set[str] = set()
    due: set[str] = set()
    for is_second in (False, True):
        for webhook in webhooks:
            if is_second and webhook.name not in due:
                continue
            due.discard(webhook.name)
            changed = webhook.call(copy.deepcopy(pod))
            if changed != pod:
                due |= called - {webhook.name}
            if webhook.is_reinvoked:
                called.add(webhook.name)
            pod = changed
    return pod


def patched(pod: Pod, answer: dict[str, Any]) -> Pod:
    """`pod` with the patch of an AdmissionReview (RFC 6902), which only adds."""
    response = answer["response"]
    assert response["allowed"] is True
    pod = copy.deepcopy(pod)
    for edit in json.loads(base64.b64decode(response.get("patch", base64.b64encode(b"[]")))):
        assert edit["op"] == "add", edit
        *steps, last = [part.replace("~1", "/").replace("~0", "~") for part in edit["path"].split("/")[1:]]
        parent: Any = pod
        for step in steps:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        if isinstance(parent, list):
            parent.insert(len(parent) if last == "-" else int(last), edit["value"])
        else:
            assert last not in parent, f"{edit['path']} would be replaced"
            parent[last] = edit["value"]
    return pod


def through_older_types(pod: Pod) -> Pod:
    """`pod` as a webhook gives it back that was built on the types of Kubernetes 1.25: they know no restartPolicy."""
    schemas = files(kubernetes_validate) / "kubernetes-json-schema" / "v1.25.0-local"
    definitions = json.loads((schemas / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    known = _known(pod, {"$ref": "#/$defs/io.k8s.api.core.v1.Pod"}, definitions)
    assert isinstance(known, dict)
    return known


def _known(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """What the schema has of `value`."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [_known(item, schema.get("items", {}), definitions) for item in value]
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        return {key: _known(item, properties[key], definitions) for key, item in value.items() if key in properties}
    return value


def check_pod(pod: Pod) -> None:
    """The API server would take it: the schema, and the rules beside it that concern init containers."""
    check({"apiVersion": "v1", "kind": "Pod", **pod}, ("1.34.0",))
    spec = pod["spec"]
    names = [one["name"] for key in ("initContainers", "containers") for one in spec.get(key, ())]
    assert len(names) == len(set(names))
    for container in spec.get("initContainers", ()):
        if container.get("restartPolicy") != "Always":
            probes = [key for key in container if key.endswith("Probe")]
            assert not probes, f"{container['name']}: {probes} may not be set without restartPolicy=Always"
