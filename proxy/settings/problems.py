"""Turns pydantic's errors into ours: key, value, source, and what would be right. Pure.

May know the models (to say which keys exist). Must not show secrets.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from proxy.errors import SettingsProblem
from proxy.settings.layers import FLAG, VARIABLE, Layer, variable
from proxy.settings.models import Settings
from proxy.settings.yaml_file import Path

_SECRET = r"password|passwd|secret|token|credential|api_?key|private"
_SECRET_KEY = re.compile(rf"{_SECRET}|\Aheaders\Z", re.IGNORECASE)
# `password: x`, `{"password":"x"}`, `?token=x`; but not a host such as token-service:8080.
_SECRET_PAIR = re.compile(rf"((?:{_SECRET})[\w.-]*(?:[\"']\s*:|:(?=\s)|\s*=)).*", re.IGNORECASE | re.DOTALL)
_NAMES = ("linking", "headers")  # names alone, without values
_GUESSES = {  # flat keys of other programs -> ours
    **dict.fromkeys(("port", "bind", "address", "host_port"), ("inbound.listen",)),
    **dict.fromkeys(("backend", "service", "app_url", "app_port", "proxy_pass", "upstream_url"), ("inbound.app",)),
    **dict.fromkeys(("propagator", "propagators", "format", "formats"), ("propagation.inject", "propagation.extract")),
    **dict.fromkeys(("loglevel", "verbosity", "debug"), ("log.level",)),
}
_DID_YOU_MEAN = "; did you mean "
_MOST_KEYS = 100  # lines of a file that show whether it has settings
_LONGEST = 2000  # characters that the patterns are tried on: hostile text may have a million
_CREDENTIALS = re.compile(r"((?:\w+:)?//).*@|[^\s/]+@", re.DOTALL)


def shown(path: Path, value: object, most: int = 80) -> str:
    """`value`, safe for a terminal: one line of at most `most` characters, without secrets."""
    if path and _SECRET_KEY.search(path[-1]) and path[:2] != _NAMES:
        return "(hidden)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = _one_line(_SECRET_PAIR.sub(r"\1 (hidden)", text[:_LONGEST]))
    return f"{text[:most]}..." if len(text) > most else text


def _one_line(text: str) -> str:
    """`text` without user names, passwords and terminal control characters."""
    text = _CREDENTIALS.sub(r"\1(hidden)@", text[:_LONGEST])
    return "".join(char if char.isprintable() else "?" for char in text)


def as_shown(problem: SettingsProblem) -> SettingsProblem:
    """`problem`, safe for a terminal; file names are shown whole."""
    value = shown(tuple(problem.key.split(".")), problem.value, most=400)
    return SettingsProblem(_one_line(problem.key), value, _one_line(problem.source), _one_line(problem.message))


def source_of(path: Path, sources: Mapping[Path, str]) -> str:
    """The source of `path`: its own, else that of the nearest section around it, else that of a key inside it."""
    for length in range(len(path), 0, -1):
        if path[:length] in sources:
            return sources[path[:length]]
    inside = [source for known, source in sources.items() if known[: len(path)] == path]
    return inside[0] if inside else "default"


def without_item(path: Path) -> Path:
    """The key of `path`, if it leads to one item of a list of plain values."""
    kept = 2 if path[:1] in (("upstreams",), ("trust",)) else 0
    number = next((place for place, step in enumerate(path) if place >= kept and step.isdecimal()), len(path))
    return path[:number]


def describe(details: Iterable[ErrorDetails], sources: Mapping[Path, str]) -> list[SettingsProblem]:
    """One problem per error of pydantic's."""
    return [_problem(detail, sources) for detail in details]


def not_settings(text: str, read: Layer) -> str | None:
    """Why the file with this `text`, which was `read`, is not one of settings; None if it may be.

    If the user names a wrong file, messages and logs must not show its lines, which may be secrets.
    """
    keys = list(Settings.model_fields)
    expected = f"expected keys such as {keys[0]}, {keys[1]} or {keys[2]} at the start of a line"
    if read.data:
        some = list(read.data)[:_MOST_KEYS]
        is_known = any(key in keys or _DID_YOU_MEAN in unknown_key((key,), by_variable=False) for key in some)
        return None if is_known else f"not a settings file: none of its keys is known; {expected}"
    if not read.problems or re.search(rf"^[\"']?(?:{'|'.join(keys)})[\"']?\s*:", text, re.MULTILINE):
        return None
    source = read.problems[0].source.rsplit(":", 2)
    place = ", column ".join(part for part in source[1:] if part.isdecimal())
    return f"not a settings file: line {place} is not valid YAML, or not a key with a value; {expected}"


def _problem(detail: ErrorDetails, sources: Mapping[Path, str]) -> SettingsProblem:
    path = tuple(str(step) for step in detail["loc"])
    value = detail["input"]
    kind = detail["type"]
    source = source_of(path, sources)
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "missing":
        return SettingsProblem(".".join(path), "(missing)", source, "this key is required")
    if kind == "extra_forbidden":
        is_in_a_file = not source.startswith((VARIABLE, FLAG))
        text = "" if is_in_a_file else shown(path, value)  # if a file is not ours, it may be anything
        message = unknown_key(path, by_variable=source.startswith(VARIABLE))
        return SettingsProblem(".".join(path), text, source, message)
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        *others, last = words
        message = f"expected {', '.join(others)}{' or ' if others else ''}{last}" + _meant(str(value), words)
    elif kind.startswith("bool"):
        message = "expected true or false"
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        message = f"expected a section with the keys {', '.join(keys_at(path))}"
    elif kind in ("tuple_type", "list_type"):
        message = "expected a list"
    elif kind == "string_type":
        message = "expected text"
    else:
        message = str(context.get("error", detail["msg"]))
    return SettingsProblem(".".join(path), shown(path, value), source, message)


def unknown_key(path: Path, *, by_variable: bool) -> str:
    """The message for a key that does not exist; `by_variable`: from an environment variable."""
    keys = all_keys()
    run_together = {dotted.replace(".", "_"): dotted for dotted in keys}.get("_".join(path))
    if run_together:  # `_` where `.` or `__` was meant
        return f"unknown key{_DID_YOU_MEAN}{variable(run_together) if by_variable else run_together}?"
    known = keys_at(path[:-1]) + (["config"] if by_variable and len(path) == 1 else [])
    everywhere = _GUESSES.get(path[-1]) or _shortest([key for key in keys if key.rsplit(".", 1)[-1] == path[-1]])
    # At the top level, the user more likely means a deeper key with this name than a similar section.
    is_flat = path[-1] in _GUESSES or (len(path) == 1 and everywhere)
    meant = "" if is_flat else _meant(path[-1], known)
    if meant and by_variable:
        close = (*path[:-1], meant.removeprefix(_DID_YOU_MEAN).removesuffix("?"))
        meant = f"{_DID_YOU_MEAN}{variable('.'.join(close))}{'__...' if model_at(close) else ''}?"
    if not meant and everywhere:
        meant = f"{_DID_YOU_MEAN}{' or '.join(map(variable, everywhere) if by_variable else everywhere)}?"
    where = f" in {'.'.join(path[:-1])}" if len(path) > 1 else ""
    return f"unknown key{meant}" if meant else f"unknown key; the keys{where} are {', '.join(known)}"


def _shortest(keys: list[str]) -> tuple[str, ...]:
    """The `keys` of the lowest depth: a flat key most likely means one of these."""
    depth = min((key.count(".") for key in keys), default=0)
    return tuple(key for key in keys if key.count(".") == depth)[:3]


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"{_DID_YOU_MEAN}{close[0]}?" if close else ""


def model_at(path: Path) -> type[BaseModel] | None:
    """The section that `path` leads to, or None if there is none."""
    model: type[BaseModel] = Settings
    for step in path:
        if step.isdecimal():
            continue
        known = model.model_fields.get(step)
        inner = _section(known.annotation) if known else None
        if inner is None:
            return None
        model = inner
    return model


def _section(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _section(part))), None)


def keys_at(path: Path) -> list[str]:
    """The keys of the section at `path`."""
    model = model_at(path)
    return list(model.model_fields) if model else []


@functools.cache
def all_keys() -> list[str]:
    """Every key, dotted; those of an upstream as `upstreams.N.key`, of a rule as `trust.N.key`."""
    found: list[str] = []

    def walk(model: type[BaseModel], prefix: str) -> None:
        for name, known in model.model_fields.items():
            inner = _section(known.annotation)
            if inner is None:
                found.append(prefix + name)
            else:
                walk(inner, f"{prefix}{name}.N." if name in ("upstreams", "trust") else f"{prefix}{name}.")

    walk(Settings, "")
    return found
