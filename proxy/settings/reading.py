"""Reads the settings: file < environment < flags. The only reader of files and environment variables in the sidecar.

May know the layers, the models and the checks. Must not know what the settings are for.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from proxy.errors import SettingsError, SettingsProblem
from proxy.settings.checks import check
from proxy.settings.config_file import read_file
from proxy.settings.layers import (
    VARIABLE,
    Flag,
    Layer,
    env_layer,
    file_layer,
    flag_layer,
    propagator_layer,
)
from proxy.settings.models import Settings
from proxy.settings.otel_variables import otel_layer
from proxy.settings.problems import as_shown, describe, not_settings, shown, source_of, without_item
from proxy.settings.sections.process import LogSettings
from proxy.settings.surplus import without_surplus
from proxy.settings.watch import Signature, signature
from proxy.settings.words import CONFIG_VARIABLE
from proxy.settings.yaml_file import Path, cut_off

_PATIENCE_S = 5.0  # with the writer of a pipe, at a reload
MOST_PROBLEMS = 100  # listed one by one


@dataclass(frozen=True, slots=True)
class Loaded:
    """Valid settings, the file that they came from (if any), and the source of every path that somebody set."""

    settings: Settings
    file: FilePath | None
    sources: Mapping[Path, str]
    read: Mapping[FilePath, Signature | None]  # every relevant file, and its state on disk before reading
    text: str = ""  # of the file


def with_level(loaded: Loaded, level: str, source: str) -> Loaded:
    """`loaded` with another log level, which comes from `source`."""
    log = loaded.settings.log.merge(LogSettings.model_validate({"level": level}))
    settings = loaded.settings.model_copy(update={"log": log})
    return replace(loaded, settings=settings, sources={**loaded.sources, ("log", "level"): source})


def load(
    file: FilePath | None = None,
    *,
    environ: Mapping[str, str],
    flags: Sequence[Flag] = (),
    wrong: Sequence[SettingsProblem] = (),
    before: Loaded | None = None,
) -> Loaded:
    """The settings from `file` (else the file in OPS_SIDECAR_CONFIG, else none), `environ` and `flags`.

    `wrong`: problems already found on the command line, to be reported with the rest.
    `before`: the settings in force, for a reload; then a file that looks half written is a problem.
    Raises SettingsError with every problem found.
    """
    named_by = "--config"
    if file is None and environ.get(CONFIG_VARIABLE):
        file, named_by = FilePath(environ[CONFIG_VARIABLE]), f"{VARIABLE} {CONFIG_VARIABLE}"
    read: dict[FilePath, Signature | None] = {}
    text = ""
    try:
        if file is not None:
            text, read[file] = read_file(file, named_by, None if before is None else _PATIENCE_S)
        from_file = file_layer(text, str(file))
        if file is not None and (other := not_settings(text, from_file)):
            from_file = Layer(problems=[SettingsProblem("config", str(file), named_by, other)])
        if before is not None and (half := cut_off(text, before.text)):
            from_file.problems.append(SettingsProblem("config", str(file), named_by, half))
    except SettingsError as error:
        from_file = Layer(problems=list(error.problems))
    from_env = env_layer(environ, from_file)
    layers = [
        flag_layer(flags, from_env, from_file),
        from_env,
        from_file,
        propagator_layer(environ),
        otel_layer(environ),
    ]
    settings = _validate(layers, wrong, file_is_known=bool(from_file.data) or not from_file.problems)
    read |= {path: signature(path) for path in sorted(set(_certificates(settings)))}
    return Loaded(settings, file, _sources(layers), read, text)


def _certificates(section: BaseModel) -> Iterator[FilePath]:
    """The files of every section about TLS."""
    for name, value in section:
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, BaseModel):
                yield from _certificates(part)
            elif name.endswith("_file") and part is not None:
                yield FilePath(part)


def _sources(layers: Sequence[Layer]) -> dict[Path, str]:
    """The source of every path, from the strongest layer that sets it."""
    merged: dict[Path, str] = {}
    for layer in reversed(layers):
        for path in layer.sources:
            for known in [known for known in merged if known[: len(path)] == path and len(known) > len(path)]:
                if not isinstance(_at(layer.data, path), dict):  # a list or a value replaces everything below it
                    del merged[known]
        merged.update(layer.sources)
    return merged


def _at(data: Any, path: Path) -> Any:
    for step in path:
        if isinstance(data, list):
            data = data[int(step)] if step.isdecimal() and int(step) < len(data) else None
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return data


def _validate(layers: Sequence[Layer], found: Sequence[SettingsProblem], *, file_is_known: bool) -> Settings:
    """The settings of these layers; `found` are earlier problems.
    If the file could not be read, only values wrong by themselves
    are problems: it may have the upstream that others change.
    """
    problems = [*found, *(problem for layer in layers for problem in layer.problems)]
    sources = _sources(layers)
    surplus = [without_surplus(layer.data, MOST_PROBLEMS) for layer in layers]
    data = [kept for kept, _ in surplus]
    more = sum(taken for _, taken in surplus)
    wrong: set[Path] = {tuple(problem.key.split(".")) for problem in problems}
    settings: Settings | None = None
    valid: Settings | None
    try:
        settings = valid = Settings.from_layers(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems += describe(details[:MOST_PROBLEMS], sources)
        more += len(details[MOST_PROBLEMS:])
        wrong |= {without_item(tuple(str(step) for step in detail["loc"])) for detail in details}
        valid = _the_rest(data, wrong)
    if not file_is_known:
        valid = None
        problems = [problem for problem in problems if problem.key.split(".")[0] != "upstreams"]
    for finding in check(valid) if valid is not None else ():
        if not any(_touches(path, bad) for path in (finding.path, *finding.others) for bad in wrong):
            value, source = shown(finding.path, finding.value), source_of(finding.path, sources)
            if finding.path[:2] == ("export", "tls") and source.startswith(f"{VARIABLE} OTEL_"):
                continue  # set for all of a host's services: where the collector has no TLS, it does nothing
            problems.append(SettingsProblem(".".join(finding.path), value, source, finding.message))
    if problems or settings is None:
        told = tuple(dict.fromkeys(as_shown(problem) for problem in problems[:MOST_PROBLEMS]))
        raise SettingsError(told, more + len(problems[MOST_PROBLEMS:]))
    return settings


def _the_rest(data: Sequence[dict[str, Any]], wrong: set[Path]) -> Settings | None:
    """The settings without the keys that are wrong by themselves,
    so that the rest can be checked as well; None if it cannot.
    """
    rest = copy.deepcopy(list(data))
    for layer in rest:
        for path in wrong:
            parent = _at(layer, path[:-1])
            if isinstance(parent, dict):
                parent.pop(path[-1], None)
            elif isinstance(parent, list) and path[-1].isdecimal() and int(path[-1]) < len(parent):
                parent[int(path[-1])] = {}
        upstreams = layer.get("upstreams")
        for number, upstream in enumerate(upstreams if isinstance(upstreams, list) else ()):
            if isinstance(upstream, dict):
                upstream.setdefault("name", f"upstream-{number}")
    try:
        return Settings.from_layers(rest)
    except ValidationError:
        return None


def _touches(path: Path, wrong: Path) -> bool:
    return path[: len(wrong)] == wrong or wrong[: len(path)] == path
