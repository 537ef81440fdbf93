"""The names of the wire formats, and of what they cannot say. Nothing of their grammar."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from .errors import UnknownFormatError


class Format(enum.StrEnum):
    """A wire format, named as in the settings."""

    TRACECONTEXT = "tracecontext"
    B3 = "b3"
    B3MULTI = "b3multi"
    JAEGER = "jaeger"


FORMATS: tuple[Format, ...] = (Format.TRACECONTEXT, Format.B3, Format.B3MULTI, Format.JAEGER)
"""Every format, in the default order of extraction. `composite` stands for all of them."""

COMPOSITE = "composite"


class Loss(enum.StrEnum):
    """What of a context a format could not say. A closed set, fit for a metric label."""

    DEFER = "defer"  # "no decision" had to become `on_defer`
    DEBUG = "debug"  # DEBUG became ACCEPT
    WIDTH = "width"  # a 64-bit trace id became a padded one
    PARENT = "parent"  # the parent span id
    TRACESTATE = "tracestate"  # the other vendors' members
    TRACESTATE_CUT = "tracestate-cut"  # some of them, for length
    RANDOM = "random"  # the random-trace-id flag
    BARE = "bare"  # a bare accept or debug got made-up ids: its parent is a span that nobody reports
    BAGGAGE_CUT = "baggage-cut"  # members of baggage, for length, number, or another of the same header name


def parse_formats(names: str | Iterable[str]) -> tuple[Format, ...]:
    """Formats from `"b3,tracecontext"`, `["b3multi"]` or `"composite"`: case does not matter, equals count once.

    Nothing in gives nothing out. Raises UnknownFormatError, which names the wrong one and lists the right ones.
    """
    found: dict[Format, None] = {}
    for name in names.split(",") if isinstance(names, str) else names:
        key = name.strip().lower()
        if key == COMPOSITE:
            found.update(dict.fromkeys(FORMATS))
        elif key in Format.__members__.values():
            found[Format(key)] = None
        elif key or not isinstance(names, str):
            known = ", ".join([*FORMATS, COMPOSITE])
            raise UnknownFormatError(f"unknown propagation format {name!r}; known are: {known}")
    return tuple(found)
