"""Headers of the families that are not translated, beside those that are. PURE.

They come out as they came, unless the settings remove them, the peer is not believed, or they may not leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from ops_lib.propagation import family_of
from proxy.participation.gate import Gate, RawHeaders

Foreign = tuple[tuple[str, str], ...]
"""The untranslated families in the request, and whether their headers were passed or removed."""


class ForeignHeaders:
    """Those of one translator."""

    __slots__ = ("_clear", "_gate", "_owns", "_spellings")

    def __init__(
        self, clear: AbstractSet[str], gate: Gate, owns: Callable[[str], bool], spellings: Mapping[bytes, str]
    ) -> None:
        """`clear`: families that are removed. `owns`: whether a name is translated; `spellings`: some that are."""
        self._clear = clear
        self._gate = gate
        self._owns = owns
        self._spellings = spellings

    def find(self, headers: RawHeaders) -> dict[bytes, str]:
        """The names in `headers` that are not ours, with their families."""
        found = {}
        for name, _ in headers:
            if name not in self._spellings:
                text = name.decode("latin-1")
                family = family_of(text)
                if family is not None and not self._owns(text):
                    found[name] = family
        return found

    def passing(self, foreign: Mapping[bytes, str], headers: RawHeaders) -> tuple[RawHeaders, Foreign]:
        """Of the `headers` whose names are in `foreign`, those that go on; and what is told of all of them."""
        bars = self._gate.bars
        removed = {name for name, family in foreign.items() if family in self._clear or bars(name.decode("latin-1"))}
        passed = [header for header in headers if header[0] in foreign and header[0] not in removed]
        told = ((family, "removed" if name in removed else "passed") for name, family in foreign.items())
        return passed, tuple(dict.fromkeys(told))
