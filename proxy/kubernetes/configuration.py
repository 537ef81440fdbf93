"""The settings of injected sidecars: read once, and anew for each pod that has an annotation of its own.

May know the settings. Reads no environment: that of the command's user is not that of a pod.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from proxy.errors import SettingsError, SettingsProblem
from proxy.kubernetes.injection.names import SETTINGS
from proxy.kubernetes.injection.wanted import Configure, Wanted, read_lines, wanted
from proxy.settings import Flag, load

_REMEMBERED, _LONGEST = 256, 4096  # pods' own lines; longer ones are read each time
_NEEDS_CONFIG_MAP = (
    "pods read a settings file from a ConfigMap, and none is named: "
    "`kubectl create configmap NAME --from-file=sidecar.yaml=FILE`, and --set kubernetes.config_map=NAME"
)


def configuration(
    file: Path | None, flags: Sequence[Flag], wrong: Sequence[SettingsProblem] = (), *, defaults: Sequence[Flag] = ()
) -> Configure:
    """The settings of `file` and `flags`, as a function of a pod's own lines. Raises SettingsError.

    `defaults`: for keys that nobody sets.
    """

    def read(lines: str) -> Wanted:
        own, not_lines = read_lines(lines, f"annotation {SETTINGS}")
        if not_lines:
            raise SettingsError(
                tuple(
                    SettingsProblem(SETTINGS, line, "annotation", "expected lines KEY=VALUE, as for --set")
                    for line in not_lines
                )
            )
        every = [*flags, *own]
        loaded = load(file, environ={}, flags=every)
        unset = [flag for flag in defaults if flag.path not in loaded.sources]
        if unset:
            loaded = load(file, environ={}, flags=[*unset, *every])
        made = wanted(loaded, every)
        if file is not None and not made.config_map:
            raise SettingsError((SettingsProblem("kubernetes.config_map", "", str(file), _NEEDS_CONFIG_MAP),))
        return made

    remembered = lru_cache(_REMEMBERED)(read)

    def configure(lines: str) -> Wanted:
        return remembered(lines) if len(lines) <= _LONGEST else read(lines)

    if wrong:
        raise SettingsError(tuple(wrong))
    configure("")
    return configure
