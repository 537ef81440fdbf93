"""The shape of the settings for the console. May know pydantic, like `models`, which includes this section."""

from __future__ import annotations

from proxy.settings.sections.report import ReportSettings
from proxy.settings.sections.section import Section


class ConsoleSettings(Section):
    """The console, and what it is told."""

    report: ReportSettings = ReportSettings()
