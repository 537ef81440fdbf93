"""One reading of the settings, as the lifecycle needs it, and its differences from the previous one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from proxy.plan import Plan

_MOST_CHANGES = 20  # shown in a line of the log


class Watch(Protocol):
    """What the lifecycle needs of `proxy.settings.watch.FileWatch`."""

    def changed(self) -> bool: ...


class Generation(NamedTuple):
    """One reading of the settings, compiled."""

    plan: Plan
    watch: Watch | None  # watches the files whose change causes the next reading
    interval_s: float  # between two looks at them
    apply: Callable[[], None]  # applies what else changes with it, such as the log level
    values: Mapping[str, str]  # every key for display, without secrets


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The keys whose values differ, each with both values, in one line; `nothing` for none."""
    found = [
        f"{key}: {old.get(key, 'none')} -> {new.get(key, 'none')}"
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    ]
    more = len(found) - _MOST_CHANGES
    return ", ".join(found[:_MOST_CHANGES] + ([f"and {more} more"] if more > 0 else [])) or "nothing"
