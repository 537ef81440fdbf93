"""What goes into manifests, line by line, for each way to inject: `manifests.txt` has what was reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.manifests import DEPLOYMENT, SERVICE, inject
from lab.texts import check_text

from proxy.errors import SettingsError
from proxy.kubernetes.injection import InjectionError

IMAGE = {"kubernetes.image": "registry.internal/ops-sidecar:1"}
WAYS: tuple[dict[str, str], ...] = (
    {},
    {"kubernetes.mode": "plain"},
    {"kubernetes.inbound": "redirect"},
    {"kubernetes.outbound": "redirect"},
    {"kubernetes.inbound": "redirect", "kubernetes.outbound": "redirect", "kubernetes.ip_family": "dual"},
    {"kubernetes.inbound": "redirect", "kubernetes.mode": "plain", "kubernetes.pull_policy": "Always"},
    {"kubernetes.outbound": "off"},
    {"kubernetes.inbound": "off"},
    {"kubernetes.config_map": "ops", "service.name": "shop", "drain.grace_s": "3"},
    {"kubernetes.cpu_limit": "1", "kubernetes.memory_limit": "", "kubernetes.cpu_request": ""},
    {"kubernetes.health_port": "9099", "kubernetes.run_as_user": "1234", "kubernetes.redirect_ports": "80,443"},
    {"inbound.listen": "0.0.0.0:7000", "outbound.listen": "127.0.0.1:7001", "admin.listen": "127.0.0.1:7002"},
    {"inbound.listen": "off"},
    {"outbound.listen": "off"},
    {"console.report.endpoint": "http://console:4318", "export.endpoint": "http://collector:4318"},
    {"propagation.inject": "b3", "log.level": "debug"},
)
OTHERS = {
    "a job": DEPLOYMENT.replace("apps/v1", "batch/v1").replace("Deployment", "Job"),
    "a pod": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a:1}]}\n",
    "a probe": DEPLOYMENT + "        livenessProbe: {httpGet: {path: /live, port: http}}\n",
    "variables": DEPLOYMENT + "        env: [{name: HTTP_PROXY, value: 'http://old'}, {name: NO_PROXY, value: a}]\n",
    "another namespace": DEPLOYMENT.replace("{name: orders}\nspec", "{name: orders, namespace: shop}\nspec"),
    "disabled": DEPLOYMENT.replace("orders}\n    spec", "orders, ops-sidecar/inject: disabled}\n    spec"),
    "nothing to inject": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
}


def _shown(text: str, settings: dict[str, str]) -> str:
    try:
        done = inject(text, IMAGE | settings)
    except (InjectionError, SettingsError) as error:
        return f"error: {error}\n"
    return "".join([done.text, *(f"note: {note}\n" for note in done.notes)])


@pytest.mark.slow
def test_what_goes_in_is_line_by_line_as_reviewed() -> None:
    parts = [f"# {settings}\n{_shown(DEPLOYMENT + SERVICE, settings)}" for settings in WAYS]
    for name, text in OTHERS.items():
        for way in ({}, {"kubernetes.outbound": "redirect", "kubernetes.inbound": "redirect"}):
            parts.append(f"# {name} {way}\n{_shown(text, way)}")
    check_text("\n".join(parts), Path(__file__).parent / "manifests.txt")
