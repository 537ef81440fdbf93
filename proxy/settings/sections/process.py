"""The sidecar as a process: its admin server, log, reload and end."""

from __future__ import annotations

from typing import Literal

from proxy.address import Address
from proxy.settings.kinds import Lines, Listen, Listens, Patterns, Seconds, SecondsOrAuto, SecondsOrZero, Switch
from proxy.settings.sections.section import Section


class AdminSettings(Section):
    """Health, metrics, and what changes the sidecar."""

    listen: Listen = Address("127.0.0.1", 9082)
    public_listen: Listens = ()  # health and metrics alone
    hosts: Patterns = ()
    changes: Switch = "auto"  # auto: by callers on this machine


class DrainSettings(Section):
    """What happens on SIGTERM. All in seconds."""

    grace_s: SecondsOrZero = 0.0
    timeout_s: SecondsOrZero = 30.0
    outbound_linger_s: SecondsOrAuto = "auto"  # timeout_s, if an inbound listener tells of the app


class LogSettings(Section):
    """The log, to standard error, and the access log, to standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    access: Literal["off", "text", "json"] = "off"
    queue_lines: Lines = 10_000


class RestartSettings(Section):
    """How the next process takes over."""

    reuse_port: bool = False


class ReloadSettings(Section):
    """When the settings are reloaded."""

    watch: bool = True
    interval_s: Seconds = 1.0
