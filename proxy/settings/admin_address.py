"""The address of the admin listener, for a health check that runs every second: as from `load`, but without pydantic.

Knows one key and its usual places: the flags of a container's first process, the environment, the file.
In unusual cases, `load` reads the settings and reports problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from proxy.settings.words import CONFIG_VARIABLE, OFF_WORDS

DEFAULT = "127.0.0.1:9082"  # as in `models`
_ADDRESS = re.compile(r"unix:/.+|[^\s:/]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}")


class _Key(NamedTuple):
    """Where the address of a listener may be set."""

    section: str
    flag: str
    default: str


_KEYS = {"run": _Key("admin", "--admin", DEFAULT), "console": _Key("console", "--listen", "127.0.0.1:9083")}


def first_process(path: str = "/proc/1/cmdline") -> list[str]:
    """The arguments of process 1 behind `ops-sidecar`, if it is `run` or `console`: in a container. Else empty.

    An init process in front of it (`docker run --init`) has them among its own.
    """
    try:
        with open(path, "rb") as opened:  # noqa: PTH123 - for speed: no import of pathlib
            words = opened.read().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []
    for at, word in enumerate(words[:-1]):
        if word.rpartition("/")[2] == "ops-sidecar" and words[at + 1] in _KEYS:
            return words[at + 1 :]
    return []


def admin_address(environ: Mapping[str, str], arguments: Sequence[str] = ()) -> str:
    """The admin listener's address of a sidecar that was started in `environ` with `arguments`; empty if it is off.

    For `console` it is that of the page, which answers /healthz as well.
    Raises SettingsError if the settings are wrong.
    """
    key = _KEYS[arguments[0]] if arguments else _KEYS["run"]
    address, file = _from_flags(arguments[1:], key)
    if address is not None:
        read = _read(address)
        return address if read is None else read
    if file:
        environ = {**environ, CONFIG_VARIABLE: file}
    found = _from_usual_places(environ, key)
    if found is None:
        from proxy.settings.reading import load

        listen = getattr(load(environ=environ).settings, key.section).listen
        found = str(listen) if listen is not None else ""
    # A console that is run alone has an address in any case.
    return found or (key.default if key.section == "console" else "")


def _from_flags(flags: Sequence[str], key: _Key) -> tuple[str | None, str]:
    """The address and the file that flags name: None and empty without such flags. `--set` wins, as there."""
    quick, by_set, file = None, None, ""
    at = 0
    while at < len(flags):
        name, equals, value = flags[at].partition("=")
        if not equals:
            at += 1
            value = flags[at] if at < len(flags) else ""
        if name == key.flag:
            quick = value
        elif name == "--config":
            file = value
        elif name == "--set" and value.partition("=")[0].strip() == f"{key.section}.listen":
            by_set = value.partition("=")[2]
        at += 1
    return (by_set if by_set is not None else quick), file


def _from_usual_places(environ: Mapping[str, str], key: _Key) -> str | None:
    """None: look closer."""
    name = f"OPS_SIDECAR_{key.section.upper()}"
    variable = environ.get(f"{name}__LISTEN")
    if variable:
        return _read(variable)
    if environ.get(name):  # the section as text
        return None
    file = environ.get(CONFIG_VARIABLE)
    if not file:
        return key.default
    from proxy.settings.yaml_file import read_yaml

    try:
        with open(file, encoding="utf-8-sig") as opened:  # noqa: PTH123 - for speed: no import of pathlib
            read = read_yaml(opened.read(), file)
    except (OSError, UnicodeDecodeError):
        return None
    section = read.data.get(key.section)
    if read.problems or not isinstance(section, dict | None):
        return None
    return _read(section["listen"]) if section and "listen" in section else key.default


def _read(value: object) -> str | None:
    if value is None or value is False:
        return ""
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() in OFF_WORDS:
        return ""
    return text if _ADDRESS.fullmatch(text) else None
