"""Where settings come from: one layer each for flags, environment, file and MIRASCOPE_PROPAGATOR.

May know how names map to keys. Must not know which keys exist, nor read anything: texts and mappings come in as
arguments.
A layer is nested values plus, for every path that it sets, the source to name when the value is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.errors import SettingsProblem
from proxy.settings.values import read_formats
from proxy.settings.yaml_file import Path, read_yaml

ENV_PREFIX = "OPS_SIDECAR_"
CONFIG_VARIABLE = "OPS_SIDECAR_CONFIG"
PROPAGATOR_VARIABLE = "MIRASCOPE_PROPAGATOR"

# Kubernetes puts these into every container when a Service is called `ops-sidecar`; they are no settings.
_SERVICE_LINK = re.compile(
    r"OPS_SIDECAR_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)\Z"
)


@dataclass(frozen=True, slots=True)
class Flag:
    """One setting from the command line: where it goes, its text, and how the user wrote it."""

    path: Path
    value: str
    label: str  # such as `--inject` or `--set inbound.app=...`


@dataclass(slots=True)
class Layer:
    """Values from one place, and the source of each path."""

    data: dict[str, Any] = field(default_factory=dict)
    sources: dict[Path, str] = field(default_factory=dict)
    problems: list[SettingsProblem] = field(default_factory=list)


def file_layer(text: str, name: str) -> Layer:
    """The settings file; sources are `name:line`."""
    read = read_yaml(text, name)
    sources = {path: f"{name}:{line}" for path, line in read.lines.items()}
    return Layer(read.data, sources, read.problems)


def propagator_layer(environ: Mapping[str, str]) -> Layer:
    """MIRASCOPE_PROPAGATOR, the weakest layer: what is injected where the settings do not say."""
    value = environ.get(PROPAGATOR_VARIABLE, "").strip()
    path, source = ("propagation", "inject"), f"environment variable {PROPAGATOR_VARIABLE}"
    if not value:
        return Layer()
    try:
        formats = read_formats(value.split(","))
    except ValueError as error:  # wrong even where a stronger layer says otherwise: whoever set it expects its effect
        return Layer(problems=[SettingsProblem(".".join(path), value, source, str(error))])
    return Layer({"propagation": {"inject": list(formats)}}, {path: source})


def env_layer(environ: Mapping[str, str], below: Layer) -> Layer:
    """Every OPS_SIDECAR_ variable; `__` goes one level down. An empty one counts as not set.

    `below` is the file's layer: where a variable sets a part of an upstream (by number or name), the others are taken
    from there.
    """
    flags = [
        Flag(tuple(name.removeprefix(ENV_PREFIX).lower().split("__")), value, f"environment variable {name}")
        for name, value in sorted(environ.items())
        if name.startswith(ENV_PREFIX) and name != CONFIG_VARIABLE and value != "" and not _SERVICE_LINK.match(name)
    ]
    return _layer(flags, below)


def flag_layer(flags: Iterable[Flag], *below: Layer) -> Layer:
    """The command line. A later flag wins over an earlier one. `below` as in `env_layer`, the strongest first."""
    lists = next((layer for layer in below if "upstreams" in layer.data), Layer())
    return _layer(flags, lists)


def _layer(flags: Iterable[Flag], below: Layer) -> Layer:
    layer = Layer()
    for flag in flags:
        path = flag.path
        if path[0] == "upstreams" and len(path) > 1:
            path = _into_list(layer, path, below)
        _put(layer, path, flag)
    return layer


def _into_list(layer: Layer, path: Path, below: Layer) -> Path:
    """The path with the upstream's number, after the upstreams of `below` were copied so that one of them can be
    changed.
    """
    if not isinstance(layer.data.get("upstreams"), list):
        known = below.data.get("upstreams")
        layer.data["upstreams"] = (
            [dict(item) if isinstance(item, dict) else item for item in known or []] if isinstance(known, list) else []
        )
        layer.sources.update((where, source) for where, source in below.sources.items() if where[0] == "upstreams")
    upstreams: list[Any] = layer.data["upstreams"]
    if path[1].isdecimal():
        number = int(path[1])
    else:
        names = [_same_name(item.get("name")) if isinstance(item, dict) else None for item in upstreams]
        number = names.index(_same_name(path[1])) if _same_name(path[1]) in names else -1
    if 0 <= number < len(upstreams):
        return ("upstreams", str(number), *path[2:])
    if number == len(upstreams):
        upstreams.append({})
        return ("upstreams", str(number), *path[2:])
    return path


def _same_name(name: object) -> str:
    """Names as the environment can write them: case, `-` and `.` do not count."""
    return re.sub(r"[-.]", "_", str(name).lower())


def _put(layer: Layer, path: Path, flag: Flag) -> None:
    here: Any = layer.data
    for depth, step in enumerate(path[:-1], 1):
        if isinstance(here, list):
            if not step.isdecimal() or int(step) >= len(here):
                names = ", ".join(str(item.get("name")) for item in here if isinstance(item, dict)) or "none so far"
                message = f"no such upstream: expected its name or number ({names}; the next number is {len(here)})"
                layer.problems.append(SettingsProblem(".".join(path[: depth - 1]), step, flag.label, message))
                return
            here[int(step)] = below = dict(here[int(step)]) if isinstance(here[int(step)], dict) else {}
        else:
            below = here.get(step)
            if not isinstance(below, (dict, list)):
                below = {}
            elif isinstance(below, dict):
                below = dict(below)
            here[step] = below
        here = below
    if isinstance(here, list):
        message = "expected upstreams.NAME.key or upstreams.0.key"
        layer.problems.append(SettingsProblem(".".join(path), flag.value, flag.label, message))
        return
    here[path[-1]] = flag.value
    for known in [known for known in layer.sources if known[: len(path)] == path]:
        del layer.sources[known]
    layer.sources[path] = flag.label
