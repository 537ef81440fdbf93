"""Manifests in, manifests out: what `inject` and `uninject` do, without the command line."""

from __future__ import annotations

from typing import Any

import yaml

from proxy.kubernetes import injection
from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.manifests import Manifests
from proxy.settings import Flag

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata:
      labels: {app: orders}
    spec:
      containers:
      - name: orders
        image: orders:1
        ports:
        - {name: http, containerPort: 8080}
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: orders}
spec:
  selector: {app: orders}
  ports:
  - {name: http, port: 80, targetPort: http}
"""


class Injected:
    """The text that came out, its documents, and what people are told."""

    def __init__(self, text: str, notes: list[str]) -> None:
        self.text = text
        self.notes = notes
        self.documents: list[Any] = list(yaml.safe_load_all(text))

    @property
    def pod(self) -> dict[str, Any]:
        """The spec of the first document's pod."""
        spec: dict[str, Any] = self.documents[0]["spec"]["template"]["spec"]
        return spec

    @property
    def sidecar(self) -> dict[str, Any]:
        """Its container, in the first document."""
        everything = [*self.pod.get("initContainers", ()), *self.pod["containers"]]
        return next(one for one in everything if one["name"] == "ops-sidecar")

    @property
    def variables(self) -> dict[str, str]:
        """The sidecar's, without the prefix."""
        return {one["name"].removeprefix("OPS_SIDECAR_"): one["value"] for one in self.sidecar["env"]}


def inject(text: str, settings: dict[str, str] | None = None) -> Injected:
    """`text` with the sidecar in it."""
    flags = [Flag(tuple(key.split(".")), value, f"flag --set {key}") for key, value in (settings or {}).items()]
    manifests = Manifests(text)
    done = injection.inject(manifests.values, configuration(None, flags))
    return Injected(manifests.with_edits(done.edits), list(done.notes))


def uninject(text: str) -> str:
    """`text` without the sidecar."""
    manifests = Manifests(text)
    return manifests.with_edits(injection.uninject(manifests.values).edits)
