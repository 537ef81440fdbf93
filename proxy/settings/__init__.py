"""The settings: read from file, environment and flags into one checked value.

The only reader of files and environment variables in the sidecar.
Must not know what the settings are used for.
Modules are imported on first use: a health check needs one address, and must not load pydantic each time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxy.settings.layers import Flag
    from proxy.settings.models import Settings
    from proxy.settings.reading import Loaded, load
    from proxy.settings.words import CONFIG_VARIABLE

__all__ = ["CONFIG_VARIABLE", "Flag", "Loaded", "Settings", "load"]

_MADE_IN = {"CONFIG_VARIABLE": "words", "Flag": "layers", "Settings": "models", "Loaded": "reading", "load": "reading"}


def __getattr__(name: str) -> Any:
    if name not in _MADE_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MADE_IN[name]}"), name)
    globals()[name] = value
    return value
