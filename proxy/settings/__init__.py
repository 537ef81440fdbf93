"""The settings: what the user may say, read from file, environment and flags into one checked value.

The only reader of files and environment variables in the sidecar. Knows nothing of what the settings are used for.
"""

from proxy.settings.layers import CONFIG_VARIABLE, Flag
from proxy.settings.load import Loaded, load
from proxy.settings.models import Settings

__all__ = ["CONFIG_VARIABLE", "Flag", "Loaded", "Settings", "load"]
