"""Any value as OpenTelemetry takes it for an attribute of a span.

May know: capture, and from `configured` what it is to do. Must not know spans. Nothing here raises to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ops_lib.capture.render import UNREADABLE, encodable, number_of, render
from ops_lib.spans.configured import RUNTIME

_PLAIN: Final = frozenset({str, bool, int, float})
# By the scalar's own method, whatever the class has made of it.
_BARE: Final[tuple[tuple[type, Callable[[Any], object]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)
_INT: Final = 1 << 63  # OpenTelemetry specification, "Attribute": integers are signed and have 64 bits


def attribute(value: object) -> str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[float]:
    """`value` as OpenTelemetry takes it for an attribute: scalars and lists of one kind stay, all else becomes JSON
    text.

    Bounded, scrubbed and harmless as all that `capture` writes. OpenTelemetry specification, "Attribute".
    """
    value = _scalar(value)
    if _is_plain(value):
        return value  # type: ignore[return-value]  # a scalar
    kind = type(value)
    if kind is str:
        return encodable(value)  # type: ignore[arg-type]  # a string
    if (kind is list or kind is tuple) and value:
        first = type(_scalar(value[0]))  # type: ignore[index]  # a list or tuple
        if first in _PLAIN:
            items = [_scalar(item) for item in value]  # type: ignore[attr-defined]  # the same
            if all(type(item) is first for item in items):
                if all(map(_is_plain, items)):
                    return items  # type: ignore[return-value]  # of one kind
                if first is str:
                    return [encodable(item) for item in items]  # type: ignore[arg-type]  # the same
    return render(value, RUNTIME.capture)


def _is_plain(value: object) -> bool:
    """Whether `value` is a scalar that goes out as it is. In the order of how often they come."""
    kind = type(value)  # not `__class__`, which may be a property and raise
    if kind is str:
        return str.isascii(value)  # type: ignore[arg-type]  # a string
    if kind is int:
        return -_INT <= value < _INT  # type: ignore[operator]  # a number
    return kind is bool or kind is float


def _scalar(value: object) -> object:
    """`value`, without its class where that is a scalar's with something added (an enum's member) or numpy's."""
    kind = type(value)
    if kind not in _PLAIN:
        for scalar, bare in _BARE:
            if issubclass(kind, scalar):
                return bare(value)
        return number_of(value)
    return value


def attributes_of(values: Mapping[str, object]) -> dict[str, object]:
    """`values` with each as `attribute` gives it."""
    return {
        name: value if _is_plain(value) else attribute(value)  # spares a call in the common case
        for name, value in values.items()
    }


def text_of(value: object) -> str:
    """`value`, which should be a text, as one that goes out; whatever its `__str__` does."""
    try:
        return encodable(str(value))
    except Exception:  # the outermost edge: callers pass exceptions, and more
        return UNREADABLE
