"""Keys that the user set without effect, because narrower sections override them. Pure.

This is not an error: a file may set everything narrowly, and a fleet's environment something wide.
But a user who has just typed `--inject b3` wants to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proxy.settings.effective import LAYERED, OF_LISTENERS
from proxy.settings.models import Settings
from proxy.settings.problems import source_of
from proxy.settings.reading import Loaded
from proxy.settings.sections.section import Section
from proxy.settings.yaml_file import Path

_MOST = 4  # keys that a message names
_Level = tuple[Settings | Section, Path]


class Unused(NamedTuple):
    """A key without effect, its source, and why it has none."""

    key: str
    source: str
    why: str

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{self.key} (from {self.source}) has no effect: {self.why}"


def without_effect(loaded: Loaded) -> list[Unused]:
    """Every key of a wide section (top, outbound) that no listener and no upstream uses."""
    settings = loaded.settings
    root: _Level = (settings, ())
    outbound: _Level = (settings.outbound, ("outbound",))
    chains = [[(settings.inbound, ("inbound",)), root]] if settings.inbound.listen else []
    chains += [[outbound, root]] if settings.outbound.listen else []
    found = []
    for name in LAYERED:
        narrow = [
            [(upstream, ("upstreams", str(number))), outbound, root]
            for number, upstream in enumerate(settings.upstreams)
            if upstream.listen or name not in OF_LISTENERS
        ]
        counts: dict[Path, set[Path]] = {}  # a key that was set -> the keys that override it
        used: set[Path] = set()
        for chain in [*chains, *narrow]:
            sections = [(getattr(one, name), (*where, name)) for one, where in chain]
            _lay(sections, counts, used)
        for section, where in ((getattr(one, name), (*path, name)) for one, path in (root, outbound)):
            for key in _written(section, where):
                if key not in used:
                    source = source_of(key, loaded.sources)
                    found.append(Unused(".".join(key), source, _why(counts.get(key, set()))))
    return found


def _why(others: set[Path]) -> str:
    if not others:
        return "no listener uses it"
    names = sorted(".".join(path) for path in others)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more} counts instead"


def _lay(levels: Sequence[tuple[Section, Path]], counts: dict[Path, set[Path]], used: set[Path]) -> None:
    """Note which keys count and which are overridden, for one chain of the same section, narrowest first."""
    for key in type(levels[0][0]).model_fields:
        if isinstance(getattr(levels[0][0], key), Section):
            _lay([(getattr(section, key), (*path, key)) for section, path in levels], counts, used)
            continue
        written = [(*path, key) for section, path in levels if key in section.model_fields_set]
        used.update(written[:1])
        for path in written[1:]:
            counts.setdefault(path, set()).add(written[0])


def _written(section: Section, path: Path) -> Iterator[Path]:
    for key in sorted(section.model_fields_set):
        value = getattr(section, key)
        if isinstance(value, Section):
            yield from _written(value, (*path, key))
        else:
            yield (*path, key)
