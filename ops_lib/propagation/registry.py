"""The registry: for each format the functions that read and write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from . import b3, jaeger, tracecontext
from .context import Fields, Headers, Losses, Policy, Reading, Sampling, TraceContext
from .formats import Format

Extract = Callable[[Fields], Reading]
Inject = Callable[[TraceContext, Policy, Headers, Losses], None]


class Codec(NamedTuple):
    """One format. `extract` is only called where one of `names` is present."""

    names: frozenset[str]
    extract: Extract
    inject: Inject
    inject_decision: Callable[[Sampling, Headers], None] | None  # None: a bare decision needs ids


CODECS = {
    Format.TRACECONTEXT: Codec(tracecontext.NAMES, tracecontext.extract, tracecontext.inject, None),
    Format.B3: Codec(b3.NAMES, b3.extract, b3.inject, b3.inject_decision),
    Format.B3MULTI: Codec(b3.MULTI_NAMES, b3.extract_multi, b3.inject_multi, b3.inject_multi_decision),
    Format.JAEGER: Codec(jaeger.NAMES, jaeger.extract, jaeger.inject, None),
}

_SIBLING = {Format.B3: Format.B3MULTI, Format.B3MULTI: Format.B3}


def with_siblings(formats: Iterable[Format]) -> tuple[Format, ...]:
    """The two encodings of B3 are one family: asked for one, the other is read too, right after it."""
    formats = tuple(formats)
    order: dict[Format, None] = {}
    for format in formats:
        order[format] = None
        if (sibling := _SIBLING.get(format)) and sibling not in formats:
            order[sibling] = None
    return tuple(order)
