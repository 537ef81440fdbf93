"""The one door to a span: names, attributes and texts, as OpenTelemetry takes them, bounded and scrubbed.

Everything that any function writes on a span passes here.
May know: capture, and its configured limits.
Must not know spans.
Nothing here raises to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from ops_lib.capture.bounds import CaptureSettings, bounded, remember
from ops_lib.capture.known import number_of
from ops_lib.capture.messages import UNREADABLE
from ops_lib.capture.render import Writer, as_json, render, said
from ops_lib.capture.scrubbing import LONGEST_NAME, role, tell_of_a_secret
from ops_lib.capture.shapes import SCRUBBED
from ops_lib.capture.stored import is_scalar
from ops_lib.spans.configured import RUNTIME

# By the scalar's own method, whatever the subclass overrides.
_BARE: Final[tuple[tuple[type, Callable[[Any], object]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)
_INT: Final = 1 << 63  # OpenTelemetry specification, "Attribute": integers are signed and have 64 bits

Attribute = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[float]


class Fit(dict[str, object]):
    """Attributes that have passed the door already."""


def attribute(value: object) -> Attribute:
    """`value` as OpenTelemetry accepts it: scalars and lists of one kind stay; other values become JSON text.

    Bounded and scrubbed, as everything from `capture`. OpenTelemetry specification, "Attribute".
    """
    value = _scalar(value)
    kind = type(value)  # not `__class__`, which may be a property that raises
    capture = RUNTIME.capture
    if kind is str:
        return bounded(value, capture.limits.total, capture)  # type: ignore[arg-type]  # a string
    if kind is bool or kind is float or (kind is int and -_INT <= value < _INT):  # type: ignore[operator]  # a number
        return value  # type: ignore[return-value]  # a scalar
    if (kind is list or kind is tuple) and value:
        return _list([_scalar(item) for item in islice(value, capture.limits.items)], len(value), kind, capture)  # type: ignore[call-overload, arg-type]  # one of the two
    return render(value, capture)


def _list(first: list[object], length: int, kind: type, capture: CaptureSettings) -> Attribute:
    """The items of a list, which begins with `first`; as JSON text if they are not of one kind."""
    items = Writer(capture).items(iter(first), length, kind, 0)
    one = type(items[0])
    is_list = is_scalar(one) and all(type(item) is one for item in items)
    if not is_list or (one is int and not all(-_INT <= item < _INT for item in items)):  # type: ignore[operator]  # numbers
        return as_json(items, capture.limits.total)
    return items  # type: ignore[return-value]  # of one kind


def _scalar(value: object) -> object:
    """`value`, without its class if that extends a scalar (an enum's member) or is numpy's."""
    kind = type(value)
    if not is_scalar(kind):
        for scalar, bare in _BARE:
            if issubclass(kind, scalar):
                return bare(value)
        return number_of(value)
    return value


def attributes_of(values: Mapping[str, object]) -> dict[str, object]:
    """`values`, each through `attribute`, and scrubbed if its name is secret."""
    if type(values) is Fit:
        return values
    capture = RUNTIME.capture
    names, texts = capture.harmless_names, capture.harmless
    written: dict[str, object] = {}
    holding: list[str] = []  # entries such as `value` that another entry, such as `name`, makes secret
    for name, value in values.items():
        kind = type(value)
        if type(name) is str and name in names:  # inlined for the common case, for speed
            plain = kind is float or kind is bool or (kind is str and value in texts)
            written[name] = value if plain else attribute(value)
            continue
        shown = name_of(name)
        what = role(shown[:LONGEST_NAME], capture.scrub)
        written[shown] = SCRUBBED if what == "secret" else attribute(value)
        if what == "holds":
            holding.append(shown)
        elif what != "secret" and shown == name:
            remember(shown, names)
    if holding and tell_of_a_secret(values.items(), capture.scrub):
        written.update(dict.fromkeys(holding, SCRUBBED))
    return written


def name_of(name: object) -> str:
    """The name of a span, an event or an attribute, or a tag: nearly always unchanged."""
    capture = RUNTIME.capture
    if type(name) is str and name in capture.harmless:
        return name
    return bounded(text_of(name), LONGEST_NAME, capture)


def tags_of(tags: Iterable[object]) -> list[str]:
    """Tags, each once."""
    return list(dict.fromkeys(name_of(tag) for tag in islice(tags, RUNTIME.capture.limits.items)))


def text_of(value: object) -> str:
    """`value`, which should be text, bounded and scrubbed: a message, or the reason of a status."""
    capture = RUNTIME.capture
    kind = type(value)
    try:
        if issubclass(kind, BaseException):
            return said(value, capture)  # type: ignore[arg-type]  # an exception
        scalar = _scalar(value)
        if type(scalar) is str:
            return bounded(scalar, capture.limits.total, capture)
        plain = Writer(capture).plain(scalar, 0)
        return plain if isinstance(plain, str) else as_json(plain, capture.limits.total)
    except Exception:  # the outermost edge: callers pass anything
        return UNREADABLE
