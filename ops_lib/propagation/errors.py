"""What the heart raises: only for what our own caller handed in wrong, never for what came over the wire."""

from __future__ import annotations


class UnknownFormatError(ValueError):
    """A format name that is none of ours. The message lists the right ones."""


class InvalidSessionError(ValueError):
    """A session id that may not travel. The message names the limit and what is wrong with the value."""
