"""Finds pods and Services in documents. Pure.

May know which kinds of objects have pods, and where. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proxy.kubernetes.injection.edits import Path, at

_TEMPLATE: Final[Path] = ("spec", "template")
_PODS: Final[Mapping[tuple[str, str], Path]] = {
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("", "ReplicationController"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "Pod"): (),
}
KINDS: Final = frozenset({*(kind for _, kind in _PODS), "Service", "List", "ResourceList"})
# kubectl's, and what kustomize gives to a function.
_RESOURCE_LIST: Final = ("config.kubernetes.io/v1", "ResourceList")
_LISTS: Final = frozenset((("v1", "List"), _RESOURCE_LIST))
_TO_COMPLETION: Final = frozenset(("Job", "CronJob"))


class Place(NamedTuple):
    """An object in a stream of documents."""

    document: int
    path: Path  # of the object in its document
    object: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Such as Deployment."""
        return str(self.object.get("kind"))

    @property
    def name(self) -> str:
        """As people write it: `deployment/orders`."""
        metadata = self.object.get("metadata") or {}
        return f"{self.kind.lower()}/{metadata.get('name') or metadata.get('generateName') or '?'}"

    @property
    def own_name(self) -> str:
        """Without the kind; empty if the server makes it."""
        return str((self.object.get("metadata") or {}).get("name") or "")

    @property
    def namespace(self) -> str:
        """Empty: that of the command that applies it."""
        return str((self.object.get("metadata") or {}).get("namespace") or "")

    @property
    def template(self) -> Path | None:
        """Where the pod's metadata and spec are in the object; None: it has no pod."""
        group, _, _ = str(self.object.get("apiVersion", "")).rpartition("/")
        return _PODS.get((group, self.kind))

    @property
    def pod(self) -> Mapping[str, Any]:
        """The pod's metadata and spec."""
        found = at(self.object, self.template or ())
        return found if isinstance(found, Mapping) else {}

    @property
    def runs_to_completion(self) -> bool:
        """Whether somebody waits for its containers to end."""
        policy = at(self.pod, ("spec", "restartPolicy"))
        return self.kind in _TO_COMPLETION or (self.kind == "Pod" and policy in ("Never", "OnFailure"))

    @property
    def is_service(self) -> bool:
        """Whether it is a Service with pods behind it."""
        return (
            self.object.get("apiVersion") == "v1"
            and self.kind == "Service"
            and isinstance(at(self.object, ("spec", "selector")), Mapping)
            and bool(at(self.object, ("spec", "selector")))
        )


def is_resource_list(document: object) -> bool:
    """Whether it is what kustomize gives to a function."""
    return isinstance(document, Mapping) and (document.get("apiVersion"), document.get("kind")) == _RESOURCE_LIST


def objects(documents: Sequence[Any]) -> Iterator[Place]:
    """Every object, those in lists included."""
    for number, document in enumerate(documents):
        yield from _inside(number, (), document)


def _inside(number: int, path: Path, document: Any) -> Iterator[Place]:
    if not isinstance(document, Mapping):
        return
    items = document.get("items")
    if (document.get("apiVersion"), document.get("kind")) in _LISTS and isinstance(items, list):
        for index, item in enumerate(items):
            yield from _inside(number, (*path, "items", index), item)
    elif "kind" in document:
        yield Place(number, path, document)


def selects(service: Place, workload: Place) -> bool:
    """Whether `service` leads to the pods of `workload`."""
    labels = at(workload.pod, ("metadata", "labels"))
    selector = at(service.object, ("spec", "selector"))
    return (
        service.namespace == workload.namespace
        and isinstance(labels, Mapping)
        and all(labels.get(key) == value for key, value in selector.items())
    )
