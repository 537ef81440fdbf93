"""What is recorded of arguments and results: bounded in size and depth, with secrets scrubbed by name.

Pure: values in, text out. Which values are secrets is for `scrubbing` to say. Must not know spans. Nothing here raises
to its caller, whatever a `__repr__`, a property or an iterator of the recorded value does; KeyboardInterrupt and
SystemExit alone pass, because they are not the value's.
The text is JSON (RFC 8259) as long as nothing had to be cut.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Callable, Collection, ItemsView, Iterable, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from math import isfinite
from typing import Any, Final

from ops_lib.capture.scrubbing import (
    LONGEST_NAME,
    SCRUBBED,
    decoded,
    is_option_of_a_secret,
    names_a_secret,
    role,
    scrubbed,
    tell_of_a_secret,
)

UNREADABLE: Final = "[unreadable]"
_CUT: Final = "…"
_LOOKED_AT: Final = 64  # entries of a mapping beyond those recorded in which a name is looked for

_LISTS: Final = (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """How much of arguments and results is recorded.

    Takes: `text`, characters of one string; `items`, entries of one container; `depth`, containers within containers;
    `total`, characters of everything recorded for one call's arguments, or for its result.
    Gives: an immutable value for `configure(capture_limits=...)`. Raises: ValueError when a limit is below 1.
    Specification: none outside; OpenTelemetry's own attribute limits apply after these.
    """

    text: int = 256
    items: int = 20
    depth: int = 4
    total: int = 2048

    def __post_init__(self) -> None:
        for name in ("text", "items", "depth", "total"):
            if getattr(self, name) < 1:
                raise ValueError(f"CaptureLimits.{name} must be at least 1, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Whether and how values are recorded. `scrub` holds further secret names, in lower case without separators."""

    arguments: bool = True
    result: bool = True
    scrub: frozenset[str] = frozenset()
    limits: CaptureLimits = CaptureLimits()


class _Writer:
    """Builds plain values for JSON from anything, within limits. One per recorded value."""

    __slots__ = ("_extra", "_left", "_limits")

    def __init__(self, settings: CaptureSettings) -> None:
        self._limits = settings.limits
        self._extra = settings.scrub
        self._left = settings.limits.total

    def plain(self, value: object, depth: int) -> object:
        kind = type(value)  # not `__class__`, which may be a property and raise
        if value is None or kind is bool or kind is int or kind is float:
            self._left -= 8
            if isinstance(value, int) and value.bit_length() > 256:
                return f"[int of {value.bit_length()} bits]"
            if isinstance(value, float) and not isfinite(value):
                return repr(value)  # JSON has no such numbers
            return value
        try:
            if kind is str:
                return self._text(str(value))
            return self._other(value, kind, depth)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # the outermost edge: a recorded value may raise anything
            return UNREADABLE

    def _other(self, value: Any, kind: type, depth: int) -> object:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"[{len(value)} bytes]"
        if isinstance(value, Mapping):
            return self._fitting(depth, value, lambda: self.pairs(value.items(), depth))
        if (fields := _fields(value, kind)) is not None:
            return self._fitting(depth, value, lambda: self.pairs(fields, depth))
        if isinstance(value, _LISTS):
            return self._fitting(depth, value, lambda: self._items(value, depth))
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):  # an enum's member, say: the number without its class
            return self.plain(int(value), depth)
        if isinstance(value, float):
            return self.plain(float(value), depth)
        if (number := number_of(value)) is not value:
            return self.plain(number, depth)
        if getattr(kind, "__repr__", None) is object.__repr__:
            return f"<{kind.__module__}.{kind.__qualname__}>"
        return self._text(repr(value))

    def _fitting(self, depth: int, value: Any, write: Callable[[], object]) -> object:
        """What `write` gives, or what `value` is where it lies too deep."""
        self._left -= 2
        return write() if depth < self._limits.depth else f"[{value.__class__.__name__}]"

    def pairs(self, pairs: Iterable[tuple[object, object]], depth: int) -> object:
        written: dict[str, object] = {}
        holding: list[str] = []  # entries such as `value`, which are secret by what another entry, such as `name`, says
        is_told = False
        entries = iter(pairs)
        for count, entry in enumerate(entries):
            if self._left <= 0 or count >= self._limits.items:
                written[_CUT] = _CUT
                if holding and not is_told:
                    is_told = tell_of_a_secret(chain([entry], islice(entries, _LOOKED_AT)), self._extra)
                break
            key, value = entry
            text = decoded(key)
            name = str(self.plain(key, self._limits.depth)) if text is None else text
            shown = name[: self._limits.text]
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

    def _items(self, values: Collection[Any], depth: int) -> object:
        # A pair whose first half is a secret's name, as in a list of headers (ASGI: pairs of bytes; HPACK: a third).
        is_pair = len(values) == 2 if isinstance(values, list) else isinstance(values, tuple) and 2 <= len(values) <= 3
        if is_pair and names_a_secret(values[0], self._extra):  # type: ignore[index]  # a list or a tuple
            return [self.plain(decoded(values[0]), depth + 1), *[SCRUBBED] * (len(values) - 1)]  # type: ignore[index]  # the same
        written: list[object] = []
        is_told = False  # by the word before, as in the words of a command
        for value in islice(values, self._limits.items):
            if self._left <= 0:
                break
            written.append(SCRUBBED if is_told else self.plain(value, depth + 1))
            is_told = is_option_of_a_secret(value, self._extra)
        if len(written) < len(values):
            written.append(f"{_CUT} {len(values) - len(written)} more")
        return written

    def _text(self, text: str) -> str:
        """`text` cut, without the secrets that are found in it."""
        limit = max(0, min(self._limits.text, self._left))
        kept = scrubbed(text[: 2 * self._limits.text], self._extra)
        cut = len(kept) > limit or len(text) > 2 * self._limits.text
        self._left -= min(len(kept), limit) + 2
        return kept[:limit] + _CUT if cut else kept


def _fields(value: object, kind: type) -> Iterable[tuple[object, object]] | None:
    """Name and value of what a class declares as its fields: dataclasses, named tuples, pydantic and attrs; else None.

    Read through the declaration and not through `repr`, so that each field is scrubbed by its name. A field that its
    declaration keeps out of `repr` is left out here as well.
    """
    names: Iterable[str] | None = None
    if dataclasses.is_dataclass(value):
        names = (field.name for field in dataclasses.fields(value) if field.repr)
    elif isinstance(value, tuple):
        names = getattr(kind, "_fields", None)
    elif isinstance(declared := getattr(kind, "model_fields", None), dict):
        names = [name for name, field in declared.items() if getattr(field, "repr", True)]
    elif isinstance(attributes := getattr(kind, "__attrs_attrs__", None), tuple):
        names = (attribute.name for attribute in attributes if getattr(attribute, "repr", True))
    elif kind.__name__ == "SimpleNamespace":
        names = vars(value)
    return None if names is None else ((name, _field(value, name)) for name in names)


def _field(value: object, name: str) -> object:
    try:
        return getattr(value, name, None)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # the outermost edge: a field may be a descriptor that raises anything
        return UNREADABLE


def number_of(value: Any) -> object:
    """A number or truth value of numpy's as Python's own; all else, numpy's dates too, as it is. Raises nothing."""
    numpy = sys.modules.get("numpy")  # not imported for this: without it, no value can be one of numpy's
    try:
        if numpy is not None and issubclass(type(value), numpy.generic) and value.dtype.kind in "biuf":
            number = value.item()
            return number if type(number) in (bool, int, float) else value  # a longdouble is none of Python's
    except Exception:  # the outermost edge: a class made from numpy's may do anything
        return value
    return value


@cache
def _encoder() -> Callable[[object], str]:
    """Plain values to JSON text. Made when something is recorded first; `json` is not needed before."""
    import json

    return json.JSONEncoder(ensure_ascii=False, default=str).encode


def encodable(text: str) -> str:
    """`text` as UTF-8 can say it. For a lone surrogate, the OTLP exporter drops the attribute, or the whole batch."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _as_json(plain: object, total: int) -> str:
    """The JSON text of a plain value, cut at `total` characters, and encodable."""
    text = encodable(_encoder()(plain))
    return text if len(text) <= total + 64 else text[:total] + _CUT


def render(value: object, settings: CaptureSettings) -> str:
    """One value as JSON text within the limits of `settings`. Raises nothing of the value's making."""
    try:
        return _as_json(_Writer(settings).plain(value, 0), settings.limits.total)
    except Exception:  # the outermost edge: recording never raises into the caller
        return f'"{UNREADABLE}"'


def render_arguments(names: Iterable[tuple[str, object]], settings: CaptureSettings) -> str:
    """Named values as one JSON object, secret names scrubbed. Raises nothing of the values' making."""
    try:
        return _as_json(_Writer(settings).pairs(names, 0), settings.limits.total)
    except Exception:  # the outermost edge: recording never raises into the caller
        return f'"{UNREADABLE}"'
