"""Values of single settings: text or number in, a checked value out. Pure.

May know the grammar of durations, sizes and lists of formats.
Must not know any key, file or environment.
Every parser raises ValueError with a message that says what would be right.
The caller names the value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Literal

from ops_lib.propagation import FAMILIES, check_session_header, parse_families
from proxy.path_templates import check_template

_LARGEST = 1e300  # larger numbers may not fit into a float, and infinity fits into no int
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\Z")
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_seconds(value: object) -> float:
    """A number of seconds, or text with a unit: `250ms`, `10s`, `5m`, `1h`."""
    return float(_quantity(value, _SECONDS, "expected seconds as a number, or text such as 250ms, 10s, 5m, 1h"))


def parse_bytes(value: object) -> int:
    """A number of bytes, or text with a unit: `64KiB`, `1MiB`, `10MB`."""
    number = _quantity(value, _BYTES, "expected bytes as a whole number, or text such as 512B, 64KiB, 10MB")
    if number != int(number):
        raise ValueError("expected a whole number of bytes")
    return int(number)


def parse_count(value: object) -> int:
    """A whole number."""
    number = _quantity(value, {"": 1}, "expected a whole number")
    if number != int(number):
        raise ValueError("expected a whole number")
    return int(number)


def parse_number(value: object, form: str) -> float:
    """A number that is not negative, as such or as text; `form`: what to say if it is not one."""
    return _quantity(value, {"": 1}, form)


METHOD = re.compile(r"[A-Z][A-Z-]{0,31}\Z")

_ON = frozenset(("true", "on", "yes", "1"))
_OFF = frozenset(("false", "off", "no", "0"))


def parse_switch(value: object) -> Literal["auto"] | bool:
    """`true`, `false`, or `auto`: the best choice for this kind of listener."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word == "auto":
        return "auto"
    if word in _ON or word in _OFF:
        return word in _ON
    raise ValueError("expected true, false or auto")


OnDefer = Literal["accept", "deny"] | float


def parse_on_defer(value: object) -> OnDefer:
    """`accept`, `deny`, or the ratio of traces to accept, from 0 to 1."""
    form = "expected accept, deny, or the ratio of traces to accept, from 0 to 1"
    word = value.strip().lower() if isinstance(value, str) else ""
    if word == "accept":
        return "accept"
    if word == "deny":
        return "deny"
    ratio = _quantity(value, {"": 1}, form)
    if ratio > 1:
        raise ValueError(form)
    return ratio


def ratio_of(on_defer: OnDefer) -> float:
    """The ratio of traces that `on_defer` accepts, from 0 to 1."""
    return {"accept": 1.0, "deny": 0.0}[on_defer] if isinstance(on_defer, str) else on_defer


def _quantity(value: object, units: dict[str, int] | dict[str, float], form: str) -> float:
    if isinstance(value, bool):
        raise ValueError(form)
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"{form}; it cannot be negative")
        if not value < _LARGEST:  # nor any comparison with NaN
            raise ValueError(form)
        return value
    if isinstance(value, str) and value.strip().startswith("-"):
        raise ValueError(f"{form}; it cannot be negative")
    match = _QUANTITY.match(value.strip()) if isinstance(value, str) else None
    unit = units.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(form)
    number = float(match[1]) * unit
    if not number < _LARGEST:
        raise ValueError(form)
    return number


def read_families(names: Iterable[str]) -> tuple[str, ...]:
    """Families of trace headers that we do not translate.
    The message for an unknown one suggests the one that was meant.
    """
    names = list(names)
    try:
        return parse_families(names)
    except ValueError as error:
        wrong = next(name for name in names if name.strip().lower() not in FAMILIES)
        close = difflib.get_close_matches(wrong.strip().lower(), list(FAMILIES), n=1, cutoff=0.5)
        raise ValueError(f"{error}; did you mean {close[0]}?" if close else str(error)) from None


def parse_response_header(value: object) -> str:
    """A response header that may tell the trace: the same names as may carry the session; none for no header."""
    if value is None or value in ("", "none"):
        return ""
    if not isinstance(value, str):
        raise ValueError("expected a header name, such as Server-Timing, or none")
    try:
        return check_session_header(value)
    except ValueError:
        raise ValueError(
            f"{value!r} cannot carry the trace: expected a header name without another meaning, such as Server-Timing"
        ) from None


def parse_path_template(value: object) -> str:
    """A template of paths (`proxy.path_templates`)."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        check_template(text)
    except ValueError as error:
        raise ValueError(f"expected a path such as /orders/{{id}} or /files/*: {error}") from None
    return text


def parse_session_header(value: object) -> str:
    """A header that may carry the session (`ops_lib.propagation.session_header`)."""
    return check_session_header(value if isinstance(value, str) else "")
