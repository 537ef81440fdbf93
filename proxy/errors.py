"""Errors of our own settings and start-up. May know nothing else of the sidecar.

Errors on the wire (client's fault, upstream's fault) live in
`proxy.semantics.faults`, next to the table that maps them to a status.
"""

from __future__ import annotations

from typing import NamedTuple


def reason_of(error: Exception) -> str:
    """Why, in the system's words, without its number: `Connection refused`, `/gone: No such file or directory`."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


class SettingsProblem(NamedTuple):
    """One problem in the settings: the key, the value, its source, and what would be right."""

    key: str
    value: str
    source: str
    message: str

    def __str__(self) -> str:
        """One line for a terminal."""
        value = f" = {self.value}" if self.value else ""
        return f"{self.key}{value} (from {self.source}): {self.message}"


class SettingsError(Exception):
    """The settings cannot be used. Has every problem found, not only the first.

    `more`: how many further problems there are, if there are too many to list.
    """

    def __init__(self, problems: tuple[SettingsProblem, ...], more: int = 0) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.more = more


class StartError(Exception):
    """The sidecar cannot start although its settings are valid, for example because a port is taken."""
