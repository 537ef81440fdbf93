"""The settings as they take effect: every key with its value and source. Pure.

Keys that a listener or upstream does not set are shown with the wider section's value: global < outbound < upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from proxy.settings.models import Settings
from proxy.settings.otlp_values import CollectorUrl
from proxy.settings.problems import shown, source_of
from proxy.settings.reading import Loaded
from proxy.settings.sections.listeners import UpstreamSettings
from proxy.settings.sections.section import Section, TlsClientSettings
from proxy.settings.yaml_file import Path

DEFAULT = "default"
NEW_DEFAULTS: dict[Path, str] = {
    ("propagation", "on_defer"): "deny",
    ("propagation", "mode"): "translate",
    ("forwarding", "via"): "true",
    ("forwarding", "x_forwarded"): "true",
    ("limits", "refused_methods"): "none",
    ("drain", "outbound_linger_s"): "5",
    ("clients", "half_close"): "serve",
    ("clients", "send_bytes_per_s"): "0",
    ("clients", "read_bytes_per_s"): "0",
    ("pool", "max_connections"): "256",
}
"""Defaults of 0.1, by the end of the key, so that `check` can name changed defaults."""
LAYERED = ("propagation", "limits", "clients", "timeouts", "pool", "forwarding", "sampling", "spans")
OF_CONSOLES_ELSEWHERE = ("report",)
"""What counts where no console is beside the sidecar."""
OF_LISTENERS = ("limits", "clients", "forwarding")
"""Keys that only count for a listener, so for an upstream only if it has its own listener."""

_Level = tuple[Settings | Section, Path]


class Entry(NamedTuple):
    """One key as it takes effect."""

    key: str
    value: object  # text, number, bool, None, or a list of texts
    source: str
    changed: bool  # set to another value than the default, here or in a wider section
    default: object = None


def effective(loaded: Loaded) -> list[Entry]:
    """Every key, in the order of the models, without the other keys of a switched-off listener."""
    settings = loaded.settings
    entries: list[Entry] = []
    root: _Level = (settings, ())
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, Section):
            wider = [root] if name in ("inbound", "outbound") else []
            entries += _section(loaded, [(section, (name,)), *wider], name)
    outbound: _Level = (settings.outbound, ("outbound",))
    for number, upstream in enumerate(settings.upstreams):
        entries += _section(loaded, [(upstream, ("upstreams", str(number))), outbound, root], f"upstreams.{number}")
    for number, rule in enumerate(settings.trust):
        entries += _section(loaded, [(rule, ("trust", str(number)))], f"trust.{number}")
    return entries


def _section(loaded: Loaded, levels: Sequence[_Level], prefix: str) -> list[Entry]:
    """The keys of the first level's section.
    For a key that it does not set, the first other level that sets it counts.
    """
    section, path = levels[0]
    entries = []
    listens = bool(getattr(section, "listen", None))
    is_off = "listen" in type(section).model_fields and not listens and path[:1] != ("upstreams",)
    for name in type(section).model_fields:
        if is_off and name not in ("listen", *OF_CONSOLES_ELSEWHERE):
            continue  # off: its other keys have no effect
        value = getattr(section, name)
        if isinstance(value, Section):
            if _is_idle(section, name, value, listens=listens, is_upstream=path[:1] == ("upstreams",)):
                continue
            inner = [(getattr(one, name), (*where, name)) for one, where in levels if hasattr(one, name)]
            entries += _section(loaded, inner, f"{prefix}.{name}")
        else:
            same = [level for level in levels if type(level[0]) is type(section)]  # not outbound.listen to upstreams
            entry = _entry(loaded, same, name, f"{prefix}.{name}")
            entries.append(_host(section, entry) if isinstance(section, UpstreamSettings) and name == "host" else entry)
    return entries


def _is_idle(section: object, name: str, value: Section, *, listens: bool, is_upstream: bool) -> bool:
    """Whether `value` has no effect: TLS if nothing is https, limits of an upstream without its own listener."""
    if isinstance(value, TlsClientSettings):
        names = ("target",) if is_upstream else ("app", "endpoint", "traces_endpoint", "metrics_endpoint")
        return not any(getattr(getattr(section, name, None), "scheme", "") == "https" for name in names)
    return is_upstream and not listens and name in OF_LISTENERS


def _entry(loaded: Loaded, levels: Sequence[_Level], name: str, key: str) -> Entry:
    default = type(levels[0][0]).model_fields[name].default
    written = [(section, path) for section, path in levels if name in section.model_fields_set]
    changed = any(getattr(section, name) != default for section, _ in written)
    section, path = (written or levels)[0]
    where = (*path, name)
    source = source_of(where, loaded.sources) if written else _default(where)
    return Entry(key, _plain(where, getattr(section, name)), source, changed, _plain(where, default))


def _default(path: Path) -> str:
    before = NEW_DEFAULTS.get(path[-2:])
    return DEFAULT if before is None else f"{DEFAULT} (0.1 had {before})"


def _host(upstream: UpstreamSettings, entry: Entry) -> Entry:
    """The effective value of `auto`, if only one way leads to the upstream."""
    if upstream.host != "auto" or (upstream.listen and upstream.match):
        return entry
    return entry._replace(value="target" if upstream.listen else "preserve")


def _plain(path: Path, value: object) -> object:
    """`value` as JSON, without secrets."""
    if path[-1] == "listen" and isinstance(value, tuple) and len(value) < 2:
        value = value[0] if value else None
    if value is None:
        return "off" if path[-1] == "listen" else None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple) and not isinstance(value, CollectorUrl):
        return [shown(path, str(item)) for item in value]
    return shown(path, str(value))
