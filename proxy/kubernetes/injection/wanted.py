"""What is to be injected: the sidecar's settings, as they reach it in a pod. A value.

May know the settings. Must not know pods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proxy.own_version import own_version
from proxy.settings import Flag, Loaded
from proxy.settings.layers import variable
from proxy.settings.models import Settings
from proxy.settings.sections.kubernetes import KubernetesSettings


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings for one pod."""

    settings: Settings
    written: frozenset[str]  # keys that somebody wrote; the others may be derived from the pod
    environment: Mapping[str, str] = field(default_factory=dict)  # what flags and annotations say
    config_map: str = ""  # which has the settings file; empty: none
    version: str = ""  # of the image, if the settings name none

    @property
    def kubernetes(self) -> KubernetesSettings:
        """How it stands in the pod."""
        return self.settings.kubernetes

    @property
    def image(self) -> str:
        """The sidecar's."""
        return self.settings.kubernetes.image or f"ops-sidecar:{self.version}"


# The settings with further lines KEY=VALUE, those of one pod's annotation. Raises SettingsError.
Configure = Callable[[str], Wanted]


def wanted(loaded: Loaded, flags: list[Flag]) -> Wanted:
    """What `loaded` and the `flags` that went into it say."""
    kubernetes = ("kubernetes", "webhook")  # the sidecar needs neither
    environment = {variable(".".join(flag.path)): flag.value for flag in flags if flag.path[0] not in kubernetes}
    written = frozenset(".".join(path) for path in loaded.sources)
    return Wanted(loaded.settings, written, environment, loaded.settings.kubernetes.config_map, own_version())


def read_lines(text: str, label: str) -> tuple[list[Flag], list[str]]:
    """The lines KEY=VALUE of an annotation as flags, and the lines that are none. `#` begins a comment."""
    flags, wrong = [], []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        steps = tuple(step.strip() for step in key.split("."))
        if equals and all(steps):
            flags.append(Flag(steps, value.strip(), f"{label} {key.strip()}"))
        else:
            wrong.append(line)
    return flags, wrong
