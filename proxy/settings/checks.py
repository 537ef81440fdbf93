"""What must hold between keys: no address twice, no pattern twice, no way round in a circle, files that can be read."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.errors import SettingsProblem
from proxy.settings.models import Settings
from proxy.settings.yaml_file import Path


def check(settings: Settings, sources: Mapping[Path, str]) -> list[SettingsProblem]:
    """Every problem between keys that are each valid alone."""
    return []
