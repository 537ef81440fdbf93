"""Reads carriers quickly, by remembering header names: each spelling is examined once.

A process sees few header names, again and again. The reader remembers two things:

- Single names that are neither read nor cleared ("strangers").
- Whole sequences of names, as one carrier had them. Of each: which of ours are among them, and how to read them.

Each memory has a limit and is emptied when full, so senders cannot make it grow. It never holds values.
May know carriers and the fast path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, TypeVar

from .. import carrier
from ..context import Fields
from .path import Plain, TextFastPath
from .shapes import Shape

T = TypeVar("T")
_Places = tuple[Shape, tuple[int, ...]]
"""For a list of pairs: the shape of the headers that are ours, and their indices in the list."""

MAX_STRANGERS = 1024
MAX_STRANGER_LENGTH = 64
MAX_SETS = 256
MAX_SET_NAMES = 64  # in one
MAX_SET_LENGTH = 1024  # characters of all the names in one


class FastReader(Generic[T]):
    """Reads carriers for one propagator. Safe to share between threads: memories are only added to or emptied."""

    __slots__ = (
        "_dicts",
        "_fast_path",
        "_in_full",
        "_is_ours",
        "_lists",
        "_names",
        "_nothing",
        "_spellings",
        "strangers",
        "strangers_in_bytes",
    )

    def __init__(
        self,
        *,
        names: frozenset[str],
        spelled: Iterable[str],
        is_ours: Callable[[str], bool],
        fast_path: TextFastPath | None,
        in_full: Callable[[Fields], T],
        nothing: T,
    ) -> None:
        """What the propagator reads, and how.

        `names`: the headers that are read, in lower case (`carrier.known_names`).
        `spelled`: the same, in their usual spelling.
        `is_ours`: whether a name, in any case, is read or cleared.
        `path`: tried first; None if the fast path is off.
        `in_full` reads what the fast path does not.
        `nothing`: what `in_full` returns without fields.
        """
        self._names = names
        self._is_ours = is_ours
        self._in_full = in_full
        self._nothing = nothing
        self._fast_path = fast_path
        self._spellings: dict[str | bytes, str] = {s: name.lower() for name in spelled for s in (name, name.lower())}
        self._spellings |= {s.encode("latin-1"): name for s, name in self._spellings.items() if isinstance(s, str)}
        # Separate, because text and bytes with the same letters have the same hash and would collide.
        self.strangers: set[str] = set()
        self.strangers_in_bytes: set[bytes] = set()
        # From all names of a dict, in order, to the shape of ours;
        # None: only `in_full` can read it; False: none is ours.
        self._dicts: dict[tuple[Any, ...], Shape | Literal[False] | None] = {}
        self._lists: dict[tuple[Any, ...], _Places | Literal[False] | None] = {}  # lists of pairs

    def read(self, headers: carrier.Carrier) -> Plain[str] | T:
        """What `headers` say: a Plain if the fast path can read them, else what `in_full` gives.

        Raises TypeError if `headers` is not a carrier.
        """
        plain: Plain[str] | T | None = None
        path = self._fast_path
        if path is not None:
            try:
                if type(headers) is dict:
                    names = tuple(headers)
                    try:
                        shape = self._dicts[names]
                    except KeyError:
                        shape = self._learn_dict(names, path)
                    if shape is False:
                        return self._nothing
                    if shape is not None:
                        plain = path.read_shape(shape, headers)
                elif type(headers) is list and headers:
                    plain = self._read_pairs(headers, path)
            except (AttributeError, LookupError, TypeError, ValueError):  # not a pair, or a value that is not text
                pass
        return plain if plain is not None else self._in_full(self.fields(headers))

    def _learn_dict(self, names: tuple[Any, ...], path: TextFastPath) -> Shape | Literal[False] | None:
        self._learn(names)
        ours = frozenset(names) - self.strangers
        shape: Shape | Literal[False] | None = path.shape(ours) if ours else False
        if len(names) <= MAX_SET_NAMES and sum(map(len, names)) <= MAX_SET_LENGTH:
            if len(self._dicts) >= MAX_SETS:
                self._dicts.clear()
            self._dicts[names] = shape
        return shape

    def _read_pairs(self, headers: list[tuple[Any, Any]], path: TextFastPath) -> Plain[str] | T | None:
        names = tuple([name for name, _ in headers])
        try:
            known = self._lists[names]
        except KeyError:
            known = self._learn_list(names, path)
        if known is False:
            return self._nothing
        if known is None:
            return None
        shape, places = known
        if type(names[0]) is bytes:
            return path.read_shape(shape, [headers[place][1].decode("latin-1") for place in places])
        return path.read_shape(shape, [headers[place][1] for place in places])

    def _learn_list(self, names: tuple[Any, ...], path: TextFastPath) -> _Places | Literal[False] | None:
        self._learn(names)
        kind = type(names[0])
        strangers: set[Any] = self.strangers_in_bytes if kind is bytes else self.strangers
        ours = [(place, name) for place, name in enumerate(names) if name not in strangers]
        known: _Places | Literal[False] | None = False
        if ours:
            places, spelled = zip(*ours, strict=True)
            if kind is bytes:
                spelled = tuple(name.decode("latin-1") for name in spelled)
            shape = path.shape(spelled)
            known = (shape, places) if shape is not None else None
        if len(names) <= MAX_SET_NAMES and sum(map(len, names)) <= MAX_SET_LENGTH:
            if len(self._lists) >= MAX_SETS:
                self._lists.clear()
            self._lists[names] = known
        return known

    def has_ours(self, headers: dict[Any, Any]) -> bool:
        """Whether one of the names in `headers` is read or cleared."""
        if self.strangers.issuperset(headers):
            return False
        self._learn(headers)
        return not self.strangers.issuperset(headers)

    def fields(self, headers: carrier.Carrier) -> Fields:
        """The headers of `headers` that are read."""
        # The most common carriers. Others, and these with something odd in them, take longer.
        if type(headers) is dict:
            strangers = self.strangers
            return self._fields_of(headers, [name for name in headers if name not in strangers])
        spellings = self._spellings
        found: Fields = {}
        if type(headers) is list:
            try:
                known: set[Any] = self.strangers
                if headers and type(headers[0][0]) is bytes:
                    known = self.strangers_in_bytes
                for spelled, value in [(name, value) for name, value in headers if name not in known]:
                    name = spellings[spelled]
                    text = value.decode("latin-1") if type(value) is bytes else value
                    if type(text) is not str:
                        return carrier.fields(headers, self._names)
                    found.setdefault(name, []).append(text)
                return found
            except (LookupError, TypeError, ValueError):  # an unknown name, or not a pair of name and value
                self._learn(pair[0] for pair in headers if isinstance(pair, tuple) and pair)
        return carrier.fields(headers, self._names)

    def _fields_of(self, headers: Any, ours: list[Any]) -> Fields:
        """The fields of a dict. `ours`: those of its names that are not known to be strangers."""
        spellings = self._spellings
        found: Fields = {}
        for spelled in ours:
            name, value = spellings.get(spelled), headers[spelled]
            if name is None or name in found or type(value) is not str:
                self._learn(headers)
                return carrier.fields(headers, self._names)
            found[name] = [value]
        return found

    def _learn(self, names: Iterable[object]) -> None:
        """Remember which of `names` are strangers. Empties a full memory first."""
        for name in names:
            if not isinstance(name, str | bytes) or len(name) > MAX_STRANGER_LENGTH:
                continue
            known: set[Any] = self.strangers if isinstance(name, str) else self.strangers_in_bytes
            if name in known or self._is_ours(name if isinstance(name, str) else name.decode("latin-1")):
                continue
            if len(known) >= MAX_STRANGERS:
                known.clear()
            known.add(name)
