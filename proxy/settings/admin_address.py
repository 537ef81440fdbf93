"""The address of the admin listener, for a health check that runs every second: as from `load`, but without pydantic.

Knows one key and its two usual places. In unusual cases, `load` reads the settings and reports problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from proxy.settings.words import CONFIG_VARIABLE, OFF_WORDS

DEFAULT = "127.0.0.1:9082"  # as in `models`
_ADDRESS = re.compile(r"unix:/.+|[^\s:/]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}")


def admin_address(environ: Mapping[str, str]) -> str:
    """The admin listener's address of a sidecar that was started in `environ`; empty if it is off.

    Raises SettingsError if the settings are wrong.
    """
    found = _from_usual_places(environ)
    if found is not None:
        return found
    from proxy.settings.reading import load

    listen = load(environ=environ).settings.admin.listen
    return str(listen) if listen is not None else ""


def _from_usual_places(environ: Mapping[str, str]) -> str | None:
    """None: look closer."""
    variable = environ.get("OPS_SIDECAR_ADMIN__LISTEN")
    if variable:
        return _read(variable)
    if environ.get("OPS_SIDECAR_ADMIN"):  # the section as text
        return None
    file = environ.get(CONFIG_VARIABLE)
    if not file:
        return DEFAULT
    from proxy.settings.yaml_file import read_yaml

    try:
        with open(file, encoding="utf-8-sig") as opened:  # noqa: PTH123 - for speed: no import of pathlib
            read = read_yaml(opened.read(), file)
    except (OSError, UnicodeDecodeError):
        return None
    admin = read.data.get("admin")
    if read.problems or not isinstance(admin, dict | None):
        return None
    return _read(admin["listen"]) if admin and "listen" in admin else DEFAULT


def _read(value: object) -> str | None:
    if value is None or value is False:
        return ""
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() in OFF_WORDS:
        return ""
    return text if _ADDRESS.fullmatch(text) else None
