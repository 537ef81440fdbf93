"""A stream of documents: puts the sidecar into its pods, and moves its Services' ports. Pure.

May know pods, ports and Services. Must not know text or files: documents come as values, and edits go out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from proxy.errors import SettingsError
from proxy.kubernetes.injection.conflicts import check_conflicts
from proxy.kubernetes.injection.container import Fit, inbound_port
from proxy.kubernetes.injection.edits import Draft, Edit, Path, at
from proxy.kubernetes.injection.names import INJECT, SETTINGS
from proxy.kubernetes.injection.pod import is_injected, put_in, take_out
from proxy.kubernetes.injection.ports import PortError, ServicePort, app_port, container_ports, service_ports
from proxy.kubernetes.injection.wanted import Configure, Wanted
from proxy.kubernetes.injection.workloads import Place, objects, selects

TARGETS: Final = "ops-sidecar/target-ports"  # annotation of a Service: what its targetPorts were


class InjectionError(Exception):
    """Some of the documents cannot be injected. Has every problem found."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Injected(NamedTuple):
    """What is to be done to each document, and what people should know."""

    edits: Mapping[int, Sequence[Edit]]  # by the document's place in the stream
    notes: Sequence[str]


def inject(documents: Sequence[Any], configure: Configure) -> Injected:
    """Put the sidecar into every pod of `documents`, anew if it is there. Raises InjectionError.

    `configure`: the settings, with the lines of a pod's annotation.
    """
    found = list(objects(documents))
    services = [place for place in found if place.is_service]
    drafts: dict[tuple[int, Path], Draft] = {}
    moved: dict[tuple[int, Path], dict[str, int]] = {}
    notes: list[str] = []
    problems: list[str] = []
    for place in found:
        if place.template is None:
            continue
        reason = refusal(place)
        if reason is not None:
            notes.append(f"{place.name}: {reason}")
            if is_injected(place.pod):
                drafts[place.document, place.path] = _without(place)
            continue
        try:
            wanted = configure(annotation(place.pod, SETTINGS))
            ports = [port for one in services if selects(one, place) for port in _ports(one, place)]
            draft, told = _with(place, wanted, ports)
        except PortError as error:
            problems.append(f"{place.name}: {error}")
            continue
        except SettingsError as error:
            problems += [f"{place.name}: {problem}" for problem in error.problems]
            continue
        drafts[place.document, place.path] = draft
        notes += [f"{place.name}: {note}" for note in told]
        if wanted.kubernetes.inbound == "service":
            _move(ports, app_port_of(place.pod, wanted, ports), inbound_port(wanted), moved)
    if problems:
        raise InjectionError(problems)
    for service in services:
        drafts[service.document, service.path] = _moved(service, moved.get((service.document, service.path), {}))
    return Injected(_edits(documents, drafts), notes)


def uninject(documents: Sequence[Any]) -> Injected:
    """Take the sidecar out of every pod of `documents`, and give Services their ports back."""
    drafts = {}
    for place in objects(documents):
        if place.is_service:
            drafts[place.document, place.path] = _moved(place, {})
        elif place.template is not None and is_injected(place.pod):
            drafts[place.document, place.path] = _without(place)
    return Injected(_edits(documents, drafts), [])


def refusal(place: Place) -> str | None:
    """Why the pod of `place` is left alone; None: it is not."""
    pod = place.pod
    spec = pod.get("spec")
    if not isinstance(spec, Mapping) or not spec.get("containers"):
        return "has no containers; left as it is"
    marks = [at(of, ("metadata", kind, INJECT)) for of in (pod, place.object) for kind in ("labels", "annotations")]
    if "disabled" in marks:
        return f"{INJECT} is disabled; left as it is"
    if spec.get("hostNetwork") is True:
        return "is in the node's network (hostNetwork), where the sidecar's ports are everybody's; left as it is"
    if at(spec, ("os", "name")) == "windows":
        return "runs on Windows; left as it is"
    return None


def annotation(pod: Mapping[str, Any], name: str) -> str:
    """An annotation of the pod; empty if there is none."""
    return str(at(pod, ("metadata", "annotations", name)) or "")


def app_port_of(pod: Mapping[str, Any], wanted: Wanted, ports: Sequence[ServicePort]) -> int | None:
    """The app's port: as the settings say, else as the Services or the containers do. Raises PortError."""
    if wanted.kubernetes.inbound == "off" or not wanted.settings.inbound.listen:
        return None
    if "inbound.app" in wanted.written:
        return wanted.settings.inbound.app.endpoint.port or None
    return app_port(ports, container_ports(pod["spec"]))


def _with(place: Place, wanted: Wanted, ports: Sequence[ServicePort]) -> tuple[Draft, list[str]]:
    """The object with the sidecar in its pod. Raises PortError."""
    draft = _without(place)
    pod = draft.get(*(place.template or ())) if place.template else draft.document
    if wanted.kubernetes.mode == "plain" and place.runs_to_completion:
        text = "a plain sidecar goes on running, so a Job would never complete; use kubernetes.mode=native"
        raise PortError(text)
    check_conflicts(pod, wanted)
    port = app_port_of(pod, wanted, ports)
    inner = Draft(pod, (*place.path, *(place.template or ())))
    notes = put_in(inner, wanted, Fit(port, place.own_name, _is_dual(wanted, ports)))
    notes += _advice(wanted, port, ports)
    draft.extend(inner)
    return draft, notes


def _advice(wanted: Wanted, port: int | None, ports: Sequence[ServicePort]) -> list[str]:
    if wanted.kubernetes.inbound != "service" or not wanted.settings.inbound.listen:
        return []
    if port is None:
        return ["declares no port, so nothing is inbound"]
    own = inbound_port(wanted)
    if not ports:
        return [f"no Service in the input leads to it; set the targetPort of its Service to {own}"]
    headless = {one.service.own_name for one in ports if at(one.service.object, ("spec", "clusterIP")) == "None"}
    return [
        f"Service {name} is headless: callers that connect to a pod's own port {port} go past the sidecar; "
        "kubernetes.inbound=redirect catches them"
        for name in sorted(headless)
    ]


def _without(place: Place) -> Draft:
    """The object without the sidecar in its pod."""
    draft = Draft(place.object, place.path)
    inner = Draft(place.pod, (*place.path, *(place.template or ())))
    take_out(inner)
    draft.extend(inner)
    return draft


def _is_dual(wanted: Wanted, ports: Sequence[ServicePort]) -> bool:
    """Whether callers may come by IPv6."""
    family = wanted.kubernetes.ip_family
    if family != "auto":
        return family != "ipv4"
    for one in ports:
        spec = one.service.object["spec"]
        if "IPv6" in (spec.get("ipFamilies") or ()) or str(spec.get("ipFamilyPolicy") or "").endswith("DualStack"):
            return True
    return False


def _targets(service: Place) -> dict[str, Any]:
    """What the targetPorts of a Service were before, by the port's number."""
    try:
        kept = json.loads(at(service.object, ("metadata", "annotations", TARGETS)) or "{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _ports(service: Place, place: Place) -> list[ServicePort]:
    spec = place.pod.get("spec") or {}
    before = {key: int(key) if value is None else value for key, value in _targets(service).items()}
    return list(service_ports(service, container_ports(spec), before))


def _move(
    ports: Sequence[ServicePort], port: int | None, to: int, moved: dict[tuple[int, Path], dict[str, int]]
) -> None:
    """Note which ports of Services lead to the app's port, and so to the sidecar's instead."""
    for one in ports:
        if port is not None and one.number == port:
            moved.setdefault((one.service.document, one.service.path), {})[str(one.port.get("port"))] = to


def _moved(service: Place, moved: Mapping[str, int]) -> Draft:
    """The Service with the ports `moved`, and the others as they were."""
    draft = Draft(service.object, service.path)
    before = _targets(service)
    kept = {}
    for index, port in enumerate(draft.get("spec", "ports") or ()):
        key = str(port.get("port"))
        original = before.get(key, port.get("targetPort"))
        wanted = moved.get(key, original)
        if key in moved:
            kept[key] = original
        if wanted is None:
            if "targetPort" in port:
                draft.remove(("spec", "ports", index, "targetPort"))
        elif port.get("targetPort") != wanted:
            draft.put(("spec", "ports", index, "targetPort"), wanted)
    text = json.dumps(kept, separators=(",", ":"), sort_keys=True)
    if kept:
        if kept != before:
            draft.put(("metadata", "annotations", TARGETS), text)
    elif before:
        draft.remove(("metadata", "annotations", TARGETS))
        draft.remove_if_empty(("metadata", "annotations"))
    return draft


def _edits(documents: Sequence[Any], drafts: Mapping[tuple[int, Path], Draft]) -> dict[int, list[Edit]]:
    """The edits of each document; none where they come to nothing."""
    made: dict[int, list[Edit]] = {}
    for (number, path), draft in drafts.items():
        if draft.edits and draft.document != Draft(at(documents[number], path)).document:
            made.setdefault(number, []).extend(draft.edits)
    return made
