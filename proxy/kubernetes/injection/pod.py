"""One pod: puts the sidecar in, takes it out. Pure: works on a draft, and records its edits.

May know the containers and the names that are ours. Must not know Services or other documents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from proxy.kubernetes.injection.container import Fit, needs_redirect, outbound_port, redirect, sidecar, volume
from proxy.kubernetes.injection.edits import Draft, Path
from proxy.kubernetes.injection.names import BEFORE, INJECTED, REDIRECT, SIDECAR, VOLUME
from proxy.kubernetes.injection.wanted import Wanted

_CONTAINERS: Final = ("initContainers", "containers")
_OURS: Final = frozenset((SIDECAR, REDIRECT))
_DEFAULT_GRACE_S: Final = 30  # Kubernetes' own
_MARGIN_S: Final = 2
_PROXY_VARIABLES: Final = ("HTTP_PROXY", "http_proxy")  # curl reads the small one alone
_NO_PROXY_VARIABLES: Final = ("NO_PROXY", "no_proxy")
# Not through a proxy: the pod itself, and the places where clouds give credentials (proxy.destinations denies them).
_NO_PROXY: Final = "localhost,127.0.0.1,::1,169.254.169.254,fd00:ec2::254,metadata.google.internal"


def is_injected(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has the sidecar, whole or in part."""
    spec = pod.get("spec") or {}
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return BEFORE in annotations or any(
        container.get("name") in _OURS for key in _CONTAINERS for container in spec.get(key) or ()
    )


def put_in(draft: Draft, wanted: Wanted, fit: Fit, *, keeps_grace: bool = False) -> list[str]:
    """Put the sidecar into the pod of `draft`, which has none. Returns notes.

    `keeps_grace`: leave the time to stop as it is.
    """
    notes: list[str] = []
    before: dict[str, Any] = {"env": {}, "made": [key for key in _MADE if draft.get(*key.split(".")) is None]}
    if wanted.kubernetes.outbound == "proxy" and outbound_port(wanted):
        for index, container in enumerate(draft.get("spec", "containers") or ()):
            _point_at_proxy(draft, ("spec", "containers", index), container, wanted, before["env"], notes)
    inits = [redirect(wanted, fit)] if needs_redirect(wanted, fit) else []
    if wanted.kubernetes.mode == "native":  # first, so that other init containers have it
        for index, container in enumerate([*inits, sidecar(wanted, fit)]):
            draft.insert(("spec", "initContainers"), container, index)
    else:  # rules come last, since nobody is there yet to take what they redirect
        for container in inits:
            draft.insert(("spec", "initContainers"), container)
        draft.insert(("spec", "containers"), sidecar(wanted, fit))
    if wanted.config_map:
        draft.insert(("spec", "volumes"), volume(wanted))
    if not keeps_grace:
        before["grace"] = draft.get("spec", "terminationGracePeriodSeconds")
        _give_time(draft, wanted)
    draft.put(("metadata", "labels", INJECTED), "true")
    draft.put(("metadata", "annotations", BEFORE), json.dumps(before, separators=(",", ":"), sort_keys=True))
    return notes


_MADE_ENV: Final = ""  # among the names of variables: the whole list is ours
_MADE: Final = ("metadata", "metadata.labels", "metadata.annotations", "spec.initContainers", "spec.volumes")


def take_out(draft: Draft) -> None:
    """Take the sidecar out of the pod of `draft`, and restore what was there before."""
    before = _before(draft)
    made = before.get("made", ())
    for key in _CONTAINERS:
        for index, container in _backwards(draft, ("spec", key)):
            if container.get("name") in _OURS:
                draft.remove(("spec", key, index))
    for index, one in _backwards(draft, ("spec", "volumes")):
        if one.get("name") == VOLUME:
            draft.remove(("spec", "volumes", index))
    for index, container in _backwards(draft, ("spec", "containers")):
        mine = (before.get("env") or {}).get(container.get("name"), ())
        for at, variable in _backwards(draft, ("spec", "containers", index, "env")):
            if variable.get("name") in mine:
                draft.remove(("spec", "containers", index, "env", at))
        if _MADE_ENV in mine:
            draft.remove_if_empty(("spec", "containers", index, "env"))
    if "grace" in before and draft.get("spec", "terminationGracePeriodSeconds") is not None:
        if before["grace"] is None:
            draft.remove(("spec", "terminationGracePeriodSeconds"))
        elif before["grace"] != draft.get("spec", "terminationGracePeriodSeconds"):
            draft.put(("spec", "terminationGracePeriodSeconds"), before["grace"])
    for path in (("metadata", "labels", INJECTED), ("metadata", "annotations", BEFORE)):
        if draft.get(*path) is not None:
            draft.remove(path)
    for key in reversed(_MADE):
        if key in made:
            draft.remove_if_empty(tuple(key.split(".")))


def _before(draft: Draft) -> dict[str, Any]:
    try:
        before = json.loads(draft.get("metadata", "annotations", BEFORE) or "{}")
    except ValueError:
        return {}
    return before if isinstance(before, dict) else {}


def _backwards(draft: Draft, path: Path) -> list[tuple[int, Mapping[str, Any]]]:
    """The items of a list, the last first, so that one can be removed."""
    items = draft.get(*path)
    found = enumerate(items if isinstance(items, list) else ())
    return [(index, item) for index, item in found if isinstance(item, Mapping)][::-1]


def _point_at_proxy(
    draft: Draft,
    path: Path,
    container: Mapping[str, Any],
    wanted: Wanted,
    before: dict[str, Any],
    notes: list[str],
) -> None:
    there = {str(one.get("name")) for one in container.get("env") or () if isinstance(one, Mapping)}
    name = str(container.get("name"))
    if there & set(_PROXY_VARIABLES):
        notes.append(f"container {name} has its own HTTP_PROXY, which stays: its calls do not pass the sidecar")
        return
    value = f"http://127.0.0.1:{outbound_port(wanted)}"
    values = dict.fromkeys(_PROXY_VARIABLES, value) | dict.fromkeys(_NO_PROXY_VARIABLES, _NO_PROXY)
    added = {key: text for key, text in values.items() if key not in there}
    before[name] = [*added, *([] if container.get("env") is not None else [_MADE_ENV])]
    for key, text in added.items():
        draft.insert((*path, "env"), {"name": key, "value": text})


def _give_time(draft: Draft, wanted: Wanted) -> None:
    """The pod's time to stop must be enough for the sidecar's.

    A plain one is told to stop with the app, a native one after it, when only spans are left to send.
    """
    settings = wanted.settings
    given = draft.get("spec", "terminationGracePeriodSeconds")
    known = _DEFAULT_GRACE_S if given is None else int(given)
    exports = settings.export.endpoint is not None or settings.export.traces_endpoint is not None
    flush_s = settings.export.flush_s if exports else 0.0
    drain_s = settings.drain.grace_s + settings.drain.timeout_s
    is_native = wanted.kubernetes.mode == "native"
    needed = math.ceil(known + flush_s if is_native else max(known, drain_s + flush_s + _MARGIN_S))
    if needed > known:
        draft.put(("spec", "terminationGracePeriodSeconds"), needed)
