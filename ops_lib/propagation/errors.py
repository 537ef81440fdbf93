"""What the heart raises: only for what our own caller handed in wrong, never for what came over the wire."""

from __future__ import annotations


class OpsError(Exception):
    """The base of every error that this library raises of its own."""


class ConfigurationError(OpsError, ValueError):
    """A wrong setting. The message names it, its value and what would be right."""


class UnknownFormatError(ConfigurationError):
    """A format name that is none of ours. The message lists the right ones."""


class InvalidSessionError(OpsError, ValueError):
    """A session id that may not travel. The message names the limit and what is wrong with the value."""


class UnknownFamilyError(ConfigurationError):
    """The name of a family of trace headers that we do not know. The message lists those that we know."""
