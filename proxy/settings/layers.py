"""Where settings come from: one layer each for flags, environment, file and MIRASCOPE_PROPAGATOR.

May know how names map to keys.
Must not know which keys exist, or read anything: texts and mappings are arguments.
A layer is nested values and, for each path that it sets, the source to name if the value is wrong.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops_lib.propagation import parse_formats
from proxy.errors import SettingsProblem
from proxy.settings.words import CONFIG_VARIABLE
from proxy.settings.yaml_file import Path, read_value, read_yaml

ENV_PREFIX = "OPS_SIDECAR_"
PROPAGATOR_VARIABLE = "MIRASCOPE_PROPAGATOR"
VARIABLE = "environment variable"  # how the source of their settings begins
FLAG = "flag"  # the same for the command line

# Kubernetes puts these into every container if a Service is called
# `ops-sidecar` or `ops-sidecar-...`; they are not settings.
# Names that a user guessed, such as OPS_SIDECAR_PORT=8080, are not among them.
_SERVICE_LINK = re.compile(
    r"OPS_SIDECAR_(?:[A-Z0-9]+_)*"
    r"(?:SERVICE_HOST=|SERVICE_PORT(?:_\w+)?=|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?=|PORT=(?:tcp|udp|sctp)://)"
)


@dataclass(frozen=True, slots=True)
class Flag:
    """One setting from the command line: its path, its text, and how the user wrote it."""

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


def variable(key: str) -> str:
    """The environment variable that sets `key` (dotted)."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def propagator_layer(environ: Mapping[str, str]) -> Layer:
    """MIRASCOPE_PROPAGATOR, the weakest layer: what is injected if the settings do not say."""
    value = environ.get(PROPAGATOR_VARIABLE, "").strip()
    path, source = ("propagation", "inject"), f"{VARIABLE} {PROPAGATOR_VARIABLE}"
    if not value:
        return Layer()
    try:
        formats = parse_formats(value.split(","))
    except ValueError as error:  # wrong even if a stronger layer overrides it: the user expects an effect
        return Layer(problems=[SettingsProblem(".".join(path), value, source, str(error))])
    return Layer({"propagation": {"inject": list(formats)}}, {path: source})


def env_layer(environ: Mapping[str, str], below: Layer) -> Layer:
    """All OPS_SIDECAR_ variables; `__` goes one level down. An empty variable counts as not set.

    `below` is the file's layer: if a variable sets part of an
    upstream (by number or name), the other parts come from there.
    """
    flags = [
        Flag(tuple(name.removeprefix(ENV_PREFIX).lower().split("__")), value, f"{VARIABLE} {name}")
        for name, value in sorted(environ.items(), key=lambda item: _natural(item[0]))
        if _is_setting(name, value)
    ]
    return _layer(flags, below)


def _is_setting(name: str, value: str) -> bool:
    is_ours = name.startswith(ENV_PREFIX) and name != CONFIG_VARIABLE
    return is_ours and value != "" and not _SERVICE_LINK.match(f"{name}={value}")


def flag_layer(flags: Iterable[Flag], *below: Layer) -> Layer:
    """The command line. A later flag wins over an earlier one. `below` as in `env_layer`, the strongest first."""
    lists = next((layer for layer in below if "upstreams" in layer.data), Layer())
    return _layer(flags, lists)


def _layer(flags: Iterable[Flag], below: Layer) -> Layer:
    layer = Layer()
    for flag in flags:
        try:
            if len(flag.path) > _MAX_STEPS:
                raise _Misplaced(flag.path[:1], "...", f"a key with more than {_MAX_STEPS} steps")
            path = _numbered(layer, flag.path, below) if flag.path[0] == "upstreams" and flag.path[1:] else flag.path
            _put(layer, path, _value(path, flag.value), flag.label)
        except _Misplaced as error:
            layer.problems.append(SettingsProblem(".".join(error.path), error.value, flag.label, str(error)))
        except ValueError as error:
            layer.problems.append(SettingsProblem(".".join(flag.path), flag.value, flag.label, str(error)))
    return layer


_MAX_STEPS = 32  # of a path; the longest key has six


class _Misplaced(Exception):
    """A path that leads nowhere: its good beginning, and the first wrong step."""

    def __init__(self, path: Path, value: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.value = value


def _value(path: Path, text: str) -> object:
    """A section (or a list of sections) written as YAML, so that it is merged key by key; otherwise the text."""
    start = text.strip()[:1]
    return read_value(text) if start == "{" or (start == "[" and path in (("upstreams",), ("trust",))) else text


def _numbered(layer: Layer, path: Path, below: Layer) -> Path:
    """The path, with the upstream's name replaced by its number.

    The upstreams of `below` are copied first, so that one can be changed or added.
    """
    if "upstreams" not in layer.data:
        known = below.data.get("upstreams")
        layer.data["upstreams"] = copy.deepcopy(known) if isinstance(known, list) else []
        layer.sources.update((where, source) for where, source in below.sources.items() if where[0] == "upstreams")
    upstreams = layer.data["upstreams"]
    if not isinstance(upstreams, list):
        raise _Misplaced(path[:1], str(upstreams), "expected a list of upstreams")
    names = [str(item.get("name")) if isinstance(item, dict) else "" for item in upstreams]
    same = [_same_name(name) for name in names]
    if path[1].isdecimal():
        number = int(path[1])
    else:
        number = same.index(_same_name(path[1])) if _same_name(path[1]) in same else len(upstreams) + 1
    if number > len(upstreams):
        there = ", ".join(names) or "none so far"
        message = f"no such upstream: expected its name or number ({there}; the next number is {len(upstreams)})"
        raise _Misplaced(path[:1], path[1], message)
    if number == len(upstreams):
        upstreams.append({})
    return ("upstreams", str(number), *path[2:])


def _same_name(name: str) -> str:
    """Names in the spelling of environment variables: case, `-` and `.` do not count."""
    return re.sub(r"[-.]", "_", name.lower())


def _put(layer: Layer, path: Path, value: object, source: str) -> None:
    """Set one key, or merge one section, and note its source."""
    here: Any = layer.data
    for depth, step in enumerate(path[:-1]):
        inner = _step(here, step, path[:depth])
        if not isinstance(inner, dict | list):
            if inner is not None:
                layer.sources[path[: depth + 1]] = source  # a value becomes a section
            inner = {}
            here[int(step) if isinstance(here, list) else step] = inner
        here = inner
    old = _step(here, path[-1], path[:-1])
    if isinstance(value, dict) and isinstance(old, dict):
        for key, inner in value.items():
            _put(layer, (*path, str(key)), inner, source)
        return
    here[int(path[-1]) if isinstance(here, list) else path[-1]] = value
    for known in [known for known in layer.sources if known[: len(path)] == path]:
        del layer.sources[known]
    _note(layer, path, value, source)


def _step(here: Any, step: str, path: Path) -> object:
    """The value at `step`, or None."""
    if not isinstance(here, list):
        return here.get(step)
    if not step.isdecimal() or int(step) >= len(here):
        raise _Misplaced(path, step, "expected the whole list, or the number of one of its items")
    return here[int(step)]


def _note(layer: Layer, path: Path, value: object, source: str) -> None:
    layer.sources[path] = source
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        _note(layer, (*path, str(key)), item, source)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """The order of variables: a section before its keys, upstream 2 before upstream 10."""
    return tuple((0, int(step), "") if step.isdecimal() else (1, 0, step) for step in name.split("__"))
