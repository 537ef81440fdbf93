"""The sidecar's containers, as values for a pod. Pure.

May know the settings, and what Kubernetes' containers have. Must not know the pod that they go into.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from proxy.kubernetes.injection.names import (
    PORT_HEALTH,
    PORT_INBOUND,
    REDIRECT,
    SETTINGS_FILE,
    SETTINGS_PATH,
    SIDECAR,
    VOLUME,
)
from proxy.kubernetes.injection.wanted import Wanted
from proxy.settings.layers import variable
from proxy.settings.words import CONFIG_VARIABLE


class Fit(NamedTuple):
    """What the sidecar must know of its pod."""

    app_port: int | None  # None: nobody calls the app
    service_name: str  # for spans; empty: unknown
    is_dual: bool  # IPv6 as well


def inbound_port(wanted: Wanted) -> int:
    """Where callers reach the sidecar."""
    listen = wanted.settings.inbound.listen
    return listen[0].port if listen else 0


def outbound_port(wanted: Wanted) -> int:
    """Where the app reaches the sidecar."""
    listen = wanted.settings.outbound.listen
    return listen[0].port if listen else 0


def sidecar(wanted: Wanted, fit: Fit) -> dict[str, Any]:
    """The container. A native one is an init container that goes on running (Kubernetes 1.29)."""
    kubernetes = wanted.kubernetes
    health = {"port": kubernetes.health_port}
    ports = [{"name": PORT_HEALTH, "containerPort": kubernetes.health_port, "protocol": "TCP"}]
    if fit.app_port is not None:
        ports.insert(0, {"name": PORT_INBOUND, "containerPort": inbound_port(wanted), "protocol": "TCP"})
    made: dict[str, Any] = {"name": SIDECAR, "image": wanted.image}
    if kubernetes.pull_policy:
        made["imagePullPolicy"] = kubernetes.pull_policy
    made["args"] = ["run"]
    if kubernetes.mode == "native":
        made["restartPolicy"] = "Always"
    made["env"] = [{"name": name, "value": value} for name, value in environment(wanted, fit).items()]
    made["ports"] = ports
    # None of these asks for the app: it starts after a native sidecar, and has probes of its own.
    made["startupProbe"] = {"httpGet": {"path": "/healthz", **health}, "periodSeconds": 1, "failureThreshold": 60}
    made["readinessProbe"] = {"httpGet": {"path": "/readyz", **health}, "periodSeconds": 5}
    made["livenessProbe"] = {"httpGet": {"path": "/healthz", **health}, "periodSeconds": 10, "timeoutSeconds": 3}
    made["resources"] = _resources(wanted)
    made["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": kubernetes.run_as_user,
        "runAsGroup": kubernetes.run_as_user,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if wanted.config_map:
        made["volumeMounts"] = [{"name": VOLUME, "mountPath": SETTINGS_PATH, "readOnly": True}]
    return made


def volume(wanted: Wanted) -> dict[str, Any]:
    """The settings file. The whole folder is mounted: only so does the kubelet bring changes into the pod."""
    return {"name": VOLUME, "configMap": {"name": wanted.config_map}}


def environment(wanted: Wanted, fit: Fit) -> dict[str, str]:
    """The sidecar's variables: what the pod makes necessary, and over it what the user said."""
    kubernetes, settings = wanted.kubernetes, wanted.settings
    everywhere = ("0.0.0.0:{0},[::]:{0}" if fit.is_dual else "0.0.0.0:{0}").format
    derived = {"admin.public_listen": everywhere(kubernetes.health_port)}
    if fit.app_port is None:
        derived["inbound.listen"] = "off"
    else:
        derived["inbound.app"] = f"http://127.0.0.1:{fit.app_port}"
        if fit.is_dual:
            derived["inbound.listen"] = everywhere(inbound_port(wanted))
    if kubernetes.outbound == "off":
        derived["outbound.listen"] = "off"
    elif kubernetes.outbound == "redirect":
        derived["outbound.transparent"] = "true"
        loopback = ("127.0.0.1:{0},[::1]:{0}" if fit.is_dual else "127.0.0.1:{0}").format
        derived["outbound.listen"] = loopback(outbound_port(wanted))
    if kubernetes.mode == "native":  # the app has gone before anybody tells the sidecar to stop
        derived["drain.grace_s"] = derived["drain.outbound_linger_s"] = "0"
    if fit.service_name and settings.service.name is None:
        derived["service.name"] = fit.service_name
    made = {CONFIG_VARIABLE: f"{SETTINGS_PATH}/{SETTINGS_FILE}"} if wanted.config_map else {}
    made |= {variable(key): value for key, value in derived.items() if not _is_written(wanted, key)}
    return made | dict(wanted.environment)


def _is_written(wanted: Wanted, key: str) -> bool:
    """The ports have been taken from the settings; what else they say of these keys is the user's."""
    return key in wanted.written and not key.endswith("listen")


def redirect(wanted: Wanted, fit: Fit) -> dict[str, Any]:
    """The init container that sets the rules. It alone may change the pod's network."""
    kubernetes = wanted.kubernetes
    args = ["redirect", "--uid", str(kubernetes.run_as_user)]
    if not fit.is_dual:  # a pod may have no ::1 to listen at, so IPv6 goes on as it did
        args += ["--family", "ipv4"]
    if kubernetes.inbound == "redirect" and fit.app_port is not None:
        args += ["--inbound", f"{fit.app_port}:{inbound_port(wanted)}"]
    if kubernetes.outbound == "redirect":
        args += ["--outbound", f"{','.join(map(str, kubernetes.redirect_ports))}:{outbound_port(wanted)}"]
    made: dict[str, Any] = {"name": REDIRECT, "image": wanted.image}
    if kubernetes.pull_policy:
        made["imagePullPolicy"] = kubernetes.pull_policy
    made["args"] = args
    made["resources"] = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
    made["securityContext"] = {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "runAsGroup": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return made


def needs_redirect(wanted: Wanted, fit: Fit) -> bool:
    """Whether any rule is needed."""
    kubernetes = wanted.kubernetes
    return kubernetes.outbound == "redirect" or (kubernetes.inbound == "redirect" and fit.app_port is not None)


def _resources(wanted: Wanted) -> dict[str, dict[str, str]]:
    kubernetes = wanted.kubernetes
    made = {
        "requests": {"cpu": kubernetes.cpu_request, "memory": kubernetes.memory_request},
        "limits": {"cpu": kubernetes.cpu_limit, "memory": kubernetes.memory_limit},
    }
    given = {name: {key: value for key, value in amounts.items() if value} for name, amounts in made.items()}
    return {name: amounts for name, amounts in given.items() if amounts}
