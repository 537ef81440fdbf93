"""The heart's exceptions: only for wrong arguments of the calling program, never for what came over the wire."""

from __future__ import annotations


class OpsError(Exception):
    """The base class of every error that this library defines."""


class ConfigurationError(OpsError, ValueError):
    """A wrong setting. The message names the setting, its value, and what would be right."""


class UnknownFormatError(ConfigurationError):
    """An unknown format name. The message lists the known ones."""


class InvalidSessionError(OpsError, ValueError):
    """A session id that may not travel. The message names the limit and what is wrong with the value."""


class UnknownFamilyError(ConfigurationError):
    """An unknown name of a family of trace headers. The message lists the known ones."""
