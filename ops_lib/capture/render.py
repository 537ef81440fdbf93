"""The recorded form of values: bounded in size and depth, with secrets scrubbed by name and by shape.

Pure: values in, text out.
`scrubbing` decides which values are secrets; `known` and `stored` decide which types are known.
Must not know spans.
Other values are shown by the name of their type: application code never runs (docs/decisions/005).
Nothing here raises to its caller; only KeyboardInterrupt and SystemExit pass.
The text is JSON (RFC 8259) if nothing was cut.
"""

from __future__ import annotations

import array
from collections import ChainMap, OrderedDict, UserDict, UserList, UserString, deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from gc import get_referents
from itertools import chain, islice
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from ops_lib.capture.bounds import CUT, CaptureSettings, bounded, encodable
from ops_lib.capture.known import known_text, number_of
from ops_lib.capture.messages import UNREADABLE, message_of
from ops_lib.capture.scrubbing import (
    LONGEST_NAME,
    decoded,
    is_option_of_a_secret,
    names_a_secret,
    role,
    tell_of_a_secret,
)
from ops_lib.capture.shapes import SCRUBBED
from ops_lib.capture.stored import fields_of, is_a, name_of, qualname_of, stored

_LOOKED_AT: Final = 64  # further entries of a mapping that are searched for a name

# Read with the base class's method, whatever the subclass overrides.
_LISTS: Final[tuple[Any, ...]] = (
    list, tuple, set, frozenset, deque, type({}.keys()), type({}.values()), type({}.items())
)  # fmt: skip
_BYTES: Final[tuple[Any, ...]] = (bytes, bytearray, memoryview, array.array)
_USER: Final[tuple[Any, ...]] = (UserDict, UserList, UserString)


class Writer:
    """Builds plain values for JSON from anything, within limits. One per recorded value."""

    __slots__ = ("_extra", "_left", "_limits", "_settings")

    def __init__(self, settings: CaptureSettings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._extra = settings.scrub
        self._left = settings.limits.total

    def plain(self, value: object, depth: int) -> object:
        """`value`, within `depth` containers, as a plain value. Raises nothing that it causes."""
        kind = type(value)  # not `__class__`, which may be a property that raises
        if value is None or kind is bool or kind is int or kind is float:
            self._left -= 8
            if isinstance(value, int) and value.bit_length() > 256:
                return f"[int of {value.bit_length()} bits]"
            if isinstance(value, float) and not isfinite(value):
                return repr(value)  # JSON has no such numbers
            return value
        try:
            if kind is str:
                return self._text(value)  # type: ignore[arg-type]  # a string
            return self._other(value, kind, depth)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # the outermost edge: another thread may change the value, or it may be endless
            return UNREADABLE

    def _other(self, value: Any, kind: type, depth: int) -> object:
        if kind is dict:  # the three most common types first, for speed
            return self._fitting(depth, kind, partial(self.pairs, value.items(), depth))
        if kind is list or kind is tuple:
            return self._fitting(depth, kind, partial(self._items_of, value, kind, depth))
        for base in _BYTES:
            if issubclass(kind, base):
                return f"[{base.__len__(value)} bytes]" if base is not array.array else f"[array of {len(value)}]"
        if (entries := _entries(value, kind)) is not None:
            return self._fitting(depth, kind, lambda: self.pairs(entries, depth))
        if kind is MappingProxyType:
            (within,) = get_referents(value)  # the mapping itself; the proxy may run its own code
            return self._other(within, type(within), depth)
        for base in _USER:
            if is_a(kind, base):
                return self.plain(stored(value, "data"), depth)
        for base in _LISTS:
            if issubclass(kind, base):
                return self._fitting(depth, kind, partial(self._items_of, value, base, depth))
        if issubclass(kind, BaseException):
            return self._text(f"{name_of(kind)}: {told(message_of(value), self)}")
        if issubclass(kind, str):
            return self._text(str.__str__(value))
        if issubclass(kind, int):  # such as an enum's member: the number without its class
            return self.plain(int.__int__(value), depth)
        if issubclass(kind, float):
            return self.plain(float.__float__(value), depth)
        if (number := number_of(value)) is not value:
            return self.plain(number, depth)
        text = known_text(value, kind)
        return self._text(f"<{name_of(kind)}>" if text is None else text)

    def _fitting(self, depth: int, kind: type, write: Callable[[], object]) -> object:
        """The result of `write`, or the kind of a value that is too deep."""
        self._left -= 2
        return write() if depth < self._limits.depth else f"[{qualname_of(kind).rpartition('.')[2]}]"

    def pairs(self, pairs: Iterable[tuple[object, object]], depth: int) -> dict[str, object]:
        """Named values as a dict, with secrets scrubbed."""
        written: dict[str, object] = {}
        holding: list[str] = []  # entries such as `value` that another entry, such as `name`, makes secret
        is_told = False
        entries = iter(pairs)
        for count, entry in enumerate(entries):
            if self._left <= 0 or count >= self._limits.items:
                written[CUT] = CUT
                if holding and not is_told:
                    is_told = tell_of_a_secret(chain([entry], islice(entries, _LOOKED_AT)), self._extra)
                break
            key, value = entry
            text = decoded(key)
            name = str(self.plain(key, self._limits.depth)) if text is None else text
            shown = bounded(name, self._limits.text, self._settings, mark="")
            self._left -= len(shown)
            what = role(name[:LONGEST_NAME], self._extra)
            if what == "secret":
                written[shown] = SCRUBBED
                continue
            written[shown] = self.plain(value, depth + 1)
            if what == "holds":
                holding.append(shown)
            elif what == "names" and not is_told:
                is_told = names_a_secret(value, self._extra)
        if is_told:
            written.update(dict.fromkeys(holding, SCRUBBED))
        return written

    def _items_of(self, value: object, base: Any, depth: int) -> list[object]:
        return self.items(base.__iter__(value), base.__len__(value), base, depth)

    def items(self, values: Iterator[object], length: int, kind: type, depth: int) -> list[object]:
        """Values as a list; a value is scrubbed if the one before makes it secret. `kind`: of their container."""
        found = list(islice(values, self._limits.items))
        # A pair whose first half is a secret's name, as in a list of headers (ASGI: pairs of bytes; HPACK: a third).
        is_pair = (length == 2 and kind in (list, tuple)) or (length == 3 and kind is tuple)
        if is_pair and names_a_secret(found[0], self._extra):
            return [self.plain(decoded(found[0]), depth + 1), *[SCRUBBED] * (length - 1)]
        written: list[object] = []
        is_told = False  # because of the word before, as in a command
        for value in found:
            if self._left <= 0:
                break
            written.append(SCRUBBED if is_told else self.plain(value, depth + 1))
            is_told = is_option_of_a_secret(value, self._extra)
        if len(written) < length:
            written.append(f"{CUT} {length - len(written)} more")
        return written

    def _text(self, text: str) -> str:
        """`text`, cut, without the secrets found in it."""
        kept = bounded(text, max(0, min(self._limits.text, self._left)), self._settings)
        self._left -= len(kept) + 2
        return kept


def _entries(value: Any, kind: type) -> Iterator[tuple[object, object]] | None:
    """The entries of a mapping or of an object with declared fields; None for anything else."""
    if issubclass(kind, OrderedDict):
        return iter(OrderedDict.items(value))
    if issubclass(kind, dict):
        return iter(dict.items(value))
    if is_a(kind, ChainMap):
        maps = stored(value, "maps")
        held = [held for held in (maps if type(maps) is list else ()) if issubclass(type(held), dict)]
        return chain.from_iterable(dict.items(held) for held in reversed(held))
    return fields_of(value)


def told(message: str | tuple[object, ...], writer: Writer) -> str:
    """The message of an exception as text: its own, or its rendered arguments."""
    if isinstance(message, str):
        return message[: 4 * writer._limits.total]
    rendered = [writer.plain(argument, 1) for argument in message[: writer._limits.items]]
    said = rendered.pop() if len(rendered) == 1 else rendered
    return said if isinstance(said, str) else _encoder()(said)


def said(error: BaseException, settings: CaptureSettings) -> str:
    """The message of an exception, bounded and scrubbed. Raises nothing that it causes."""
    return bounded(told(message_of(error), Writer(settings)), settings.limits.total, settings)


@cache
def _encoder() -> Callable[[object], str]:
    """Plain values to JSON text. Made on first use, for speed: `json` is not needed before."""
    import json

    return json.JSONEncoder(ensure_ascii=False).encode


def as_json(plain: object, total: int) -> str:
    """The JSON text of a plain value, cut at `total` characters, and encodable."""
    text = encodable(_encoder()(plain))
    return text if len(text) <= total + 64 else text[:total] + CUT


def render(value: object, settings: CaptureSettings) -> str:
    """One value as JSON text within the limits of `settings`. Raises nothing that the value causes."""
    try:
        return as_json(Writer(settings).plain(value, 0), settings.limits.total)
    except Exception:  # the outermost edge: recording never raises into the caller
        return f'"{UNREADABLE}"'


def render_arguments(names: Iterable[tuple[str, object]], settings: CaptureSettings) -> str:
    """Named values as one JSON object, with secret names scrubbed. Raises nothing that the values cause."""
    try:
        return as_json(Writer(settings).pairs(names, 0), settings.limits.total)
    except Exception:  # the outermost edge: recording never raises into the caller
        return f'"{UNREADABLE}"'
