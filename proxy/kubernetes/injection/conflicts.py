"""What an app and its sidecar cannot both have: a port, and where rules tell them apart, a user. Pure.

May know pods and what is wanted. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.kubernetes.injection.container import inbound_port, outbound_port
from proxy.kubernetes.injection.edits import at
from proxy.kubernetes.injection.names import SIDECAR
from proxy.kubernetes.injection.ports import PortError, container_ports
from proxy.kubernetes.injection.wanted import Wanted


def check_conflicts(pod: Mapping[str, Any], wanted: Wanted) -> None:
    """Raises PortError if the app has what is the sidecar's."""
    _check_ports(pod, wanted)
    if wanted.kubernetes.outbound == "redirect":
        _check_users(pod["spec"], wanted.kubernetes.run_as_user)


def _check_ports(pod: Mapping[str, Any], wanted: Wanted) -> None:
    admin = wanted.settings.admin.listen
    own = {
        wanted.kubernetes.health_port: "kubernetes.health_port",
        outbound_port(wanted): "outbound.listen",
        inbound_port(wanted): "inbound.listen",
        admin.port if admin is not None else 0: "admin.listen",
    }
    for port in container_ports(pod["spec"]):
        if port.number in own:
            raise PortError(f"the app has port {port.number} itself; give the sidecar another: {own[port.number]}")


def _check_users(spec: Mapping[str, Any], own: int) -> None:
    """Connections of the sidecar's user are left alone. The user of an image cannot be seen here."""
    whole = at(spec, ("securityContext", "runAsUser"))
    for container in spec.get("containers") or ():
        user = at(container, ("securityContext", "runAsUser"))
        if container.get("name") != SIDECAR and (whole if user is None else user) == own:
            text = f"container {container.get('name')} runs as user {own}, by which rules know the sidecar; set "
            raise PortError(f"{text}kubernetes.run_as_user to another")
