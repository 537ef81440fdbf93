"""One AdmissionReview and its answer: which patch a pod gets. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

May know injection. Must not know HTTP, TLS or the API server.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from proxy.errors import SettingsError
from proxy.kubernetes.injection.conflicts import check_conflicts
from proxy.kubernetes.injection.container import Fit
from proxy.kubernetes.injection.edits import Draft, Edit, as_json_patch, at
from proxy.kubernetes.injection.names import INJECT, SETTINGS, SIDECAR
from proxy.kubernetes.injection.pod import is_injected, put_in
from proxy.kubernetes.injection.ports import PortError
from proxy.kubernetes.injection.stream import annotation, app_port_of, refusal
from proxy.kubernetes.injection.wanted import Configure
from proxy.kubernetes.injection.workloads import Place

Result = Literal["injected", "restored", "unchanged", "skipped", "failed"]
RESULTS: Final[tuple[Result, ...]] = ("injected", "restored", "unchanged", "skipped", "failed")
_VERSION: Final = "admission.k8s.io/v1"
_MOST_WARNING: Final = 250  # characters: the API server cuts longer ones


class ReviewError(Exception):
    """This is not an AdmissionReview of version 1."""


class Verdict(NamedTuple):
    """What is done to one pod."""

    result: Result
    edits: tuple[Edit, ...] = ()
    warnings: tuple[str, ...] = ()  # for who creates the pod


def review(body: Any, configure: Configure, *, opted_in: bool) -> tuple[dict[str, Any], Verdict]:
    """The AdmissionReview that answers `body`. Raises ReviewError.

    `opted_in`: the pod's namespace has asked for the sidecar, and so the pod need not.
    """
    request = body.get("request") if isinstance(body, Mapping) else None
    if not isinstance(request, Mapping) or body.get("apiVersion") != _VERSION or not request.get("uid"):
        raise ReviewError(f"expected an AdmissionReview of {_VERSION}, with a request that has a uid")
    verdict = judge(request.get("object"), configure, opted_in=opted_in)
    response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    if verdict.edits:
        patch = json.dumps(as_json_patch(verdict.edits)).encode()
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode("ascii")}
    if verdict.warnings:
        response["warnings"] = [f"ops-sidecar: {text}"[:_MOST_WARNING] for text in verdict.warnings]
    return {"apiVersion": _VERSION, "kind": "AdmissionReview", "response": response}, verdict


def judge(pod: Any, configure: Configure, *, opted_in: bool) -> Verdict:
    """What is done to `pod`. Never raises for what somebody wrote into it."""
    if not isinstance(pod, Mapping) or not isinstance(pod.get("spec"), Mapping):
        return Verdict("skipped")
    labels = at(pod, ("metadata", "labels")) or {}
    if labels.get(INJECT) != "enabled" and not (opted_in and INJECT not in labels):
        return Verdict("skipped")
    if is_injected(pod):
        return _restored(pod)
    reason = refusal(Place(0, (), pod))
    if reason is not None:
        return Verdict("skipped", warnings=(reason,))
    try:
        return _injected(pod, configure)
    except SettingsError as error:
        return Verdict("failed", warnings=tuple(str(problem) for problem in error.problems))
    except PortError as error:
        return Verdict("failed", warnings=(str(error),))


def _injected(pod: Mapping[str, Any], configure: Configure) -> Verdict:
    wanted = configure(annotation(pod, SETTINGS))
    place = Place(0, (), {"apiVersion": "v1", "kind": "Pod", **pod})
    if wanted.kubernetes.mode == "plain" and place.runs_to_completion:
        raise PortError("a plain sidecar goes on running, so the pod would never complete; use kubernetes.mode=native")
    check_conflicts(pod, wanted)
    port = app_port_of(pod, wanted, ())
    draft = Draft(pod)
    # The API server has filled in the time to stop: to raise it would be to replace what may be the user's own.
    is_dual = wanted.kubernetes.ip_family in ("ipv6", "dual")
    notes = put_in(draft, wanted, Fit(port, _service_name(pod), is_dual), keeps_grace=True)
    return Verdict("injected", tuple(draft.edits), tuple(notes))


def _restored(pod: Mapping[str, Any]) -> Verdict:
    """A later webhook that was built on an older API has dropped what it does not know.

    Without its restart policy a native sidecar is an init container that never ends, and the pod never starts.
    """
    draft = Draft(pod)
    for index, container in enumerate(at(pod, ("spec", "initContainers")) or ()):
        if container.get("name") == SIDECAR and container.get("restartPolicy") != "Always":
            draft.put(("spec", "initContainers", index, "restartPolicy"), "Always")
    if not draft.edits:
        return Verdict("unchanged")
    text = "another webhook dropped restartPolicy from the native sidecar; it was built on an API older than 1.28"
    return Verdict("restored", tuple(draft.edits), (text,))


def _service_name(pod: Mapping[str, Any]) -> str:
    """What the pod's owner calls the service: its labels, else its owner's name, without the parts that are made."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    for label in ("app.kubernetes.io/name", "app"):
        if labels.get(label):
            return str(labels[label])
    owners = metadata.get("ownerReferences") or ()
    name = str(owners[0].get("name")) if owners else str(metadata.get("name") or metadata.get("generateName") or "")
    return name.rstrip("-").removesuffix(f"-{labels.get('pod-template-hash')}")
