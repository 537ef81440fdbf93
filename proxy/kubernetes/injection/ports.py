"""Which port of a pod is the app's, and which Services lead to it. Pure.

May know workloads and their Services. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proxy.kubernetes.injection.edits import at
from proxy.kubernetes.injection.names import SIDECAR
from proxy.kubernetes.injection.workloads import Place

_WEB: Final = ("http", "web")  # how names of ports begin that speak HTTP


class PortError(Exception):
    """The app's port cannot be told; the message says how to name it."""


class ContainerPort(NamedTuple):
    """A port that a container of the app declares."""

    number: int
    name: str


def container_ports(spec: Mapping[str, Any]) -> list[ContainerPort]:
    """The TCP ports that the app's containers declare."""
    return [
        ContainerPort(int(port["containerPort"]), str(port.get("name") or ""))
        for container in spec.get("containers") or ()
        if container.get("name") != SIDECAR
        for port in container.get("ports") or ()
        if port.get("protocol") in (None, "TCP") and str(port.get("containerPort", "")).isdecimal()
    ]


class ServicePort(NamedTuple):
    """A port of a Service that leads to a pod."""

    service: Place
    port: Mapping[str, Any]  # as the Service has it
    number: int | None  # of the container; None: a name that no container has
    is_web: bool


def service_ports(
    service: Place, declared: Sequence[ContainerPort], before: Mapping[str, Any]
) -> Iterator[ServicePort]:
    """The TCP ports of `service`. `before`: the targets that an earlier injection moved, by the port's number."""
    for port in at(service.object, ("spec", "ports")) or ():
        if not isinstance(port, Mapping) or port.get("protocol") not in (None, "TCP"):
            continue
        target = before.get(str(port.get("port")), port.get("targetPort"))
        if target is None:
            target = port.get("port")
        named = [one for one in declared if str(target) in (one.name, str(one.number))]
        number = named[0].number if named else int(str(target)) if str(target).isdecimal() else None
        names = (port.get("name"), port.get("appProtocol"), *(one.name for one in named))
        yield ServicePort(service, port, number, any(_is_web(name) for name in names))


def app_port(ports: Sequence[ServicePort], declared: Sequence[ContainerPort]) -> int | None:
    """The port at which the app speaks HTTP; None if the pod has no port at all. Raises PortError."""
    offered = [(one.number, one.is_web) for one in ports if one.number is not None]
    offered = offered or [(one.number, _is_web(one.name)) for one in declared]
    numbers = sorted({number for number, _ in offered})
    if len(numbers) > 1:
        numbers = sorted({number for number, is_web in offered if is_web}) or numbers
    if len(numbers) > 1:
        raise PortError(f"ports {', '.join(map(str, numbers))}: which of them speaks HTTP? {HOW_TO_SAY}")
    return numbers[0] if numbers else None


HOW_TO_SAY: Final = (
    "Name that port http, or annotate the pod with ops-sidecar/settings: inbound.app=http://127.0.0.1:PORT"
)


def _is_web(name: object) -> bool:
    return str(name or "").lower().removeprefix("kubernetes.io/").startswith(_WEB)
