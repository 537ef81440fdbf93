"""What kustomize says to a function: the settings in the `functionConfig` of a ResourceList. Pure.

Its items are found as those of any list (`injection.workloads`). The format is that of KRM functions:
https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md
May know documents and flags. Must not know what the settings mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.errors import SettingsProblem
from proxy.kubernetes.injection.edits import at
from proxy.kubernetes.injection.workloads import is_resource_list
from proxy.settings import Flag

_EXPECTED = "expected a mapping of KEY: VALUE with text as values, as for --set"


def function_settings(documents: Sequence[object]) -> tuple[list[Flag], list[SettingsProblem]]:
    """The `data` of each `functionConfig` as flags, in order, and what is wrong with it."""
    flags, wrong = [], []
    for document in documents:
        data = at(document, ("functionConfig", "data")) if is_resource_list(document) else None
        if data is None:
            continue
        if not isinstance(data, Mapping):
            wrong.append(SettingsProblem("data", str(data), "functionConfig", _EXPECTED))
            continue
        for key, value in data.items():
            steps = tuple(step.strip() for step in str(key).split("."))
            if isinstance(value, str) and all(steps):
                flags.append(Flag(steps, value.strip(), f"functionConfig {key}"))
            else:
                wrong.append(SettingsProblem(str(key), str(value), "functionConfig", _EXPECTED))
    return flags, wrong
