"""For the fast path: the functions that write headers, one for each kind of plain context. Pure.

A function is made from what the formats themselves write, so each spelling exists once.
A format's `inject` writes a sample of the kind.
The sample's ids are cut out, and the rest is compiled with slots in their places.
A format that does not write its ids verbatim has no function: the propagator writes it in full.
Compiled as Python source for speed: docs/decisions/010-one-codec-per-format.md has the figures.
May know the registry and how sessions and baggage are written.
Must not know any one format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..baggage import BAGGAGE, UBERCTX
from ..context import ACCEPT, DENY, Headers, TraceContext, policy
from ..registry import codecs_of
from .shapes import FastSettings

# Traits: bits for what a request may have beside plain ids. Most requests have none.
HAS_STATE: Final = 1  # a tracestate
HAS_PARENT: Final = 2  # B3's parent span id
IS_RANDOM: Final = 4  # W3C level 2, random-trace-id flag
IS_SHORT: Final = 8  # a trace id of 64 bits
ALL_TRAITS: Final = 15

PADDING = "0" * 16

Form = Callable[..., Any]
"""Writes one kind: (trace id, span id, parent's span id, tracestate, session id, baggage).

Of pairs: returns a new list.
Of a mapping: takes it as the first argument and returns True.
Either returns None if the formats have no such form.
"""

_Pieces = list[str]
"""A header's value in pieces: texts at even places, names of slots at odd ones."""

_STATES = ("vendor=value", f"k={'v' * 126},l={'w' * 254},m={'x' * 124}", "a=1,b=2")  # the second is as long as may be
_SLOTS = ("trace_id", "span_id", "parent_id", "state")


def sample(traits: int, number: int = 0, *, is_sampled: bool = True) -> TraceContext:
    """A record of this kind. Each `number` (0 to 2) gives other values; those of 1 and 2 begin with zeros."""
    digits = "0123456789abcdef"
    starts = (1, 4, 7, 10)
    ids = ["0" * number + (digits[at + number :] + digits[: at + number])[number:] for at in starts]
    short = bool(traits & IS_SHORT)
    return TraceContext(
        (PADDING if short else ids[0]) + ids[1],
        ids[2],
        ACCEPT if is_sampled else DENY,
        short,
        bool(traits & IS_RANDOM),
        ids[3] if traits & HAS_PARENT else None,
        _STATES[number] if traits & HAS_STATE else "",
    )


def _values(context: TraceContext) -> dict[str, str]:
    """The values for the slots, for `context`."""
    trace_id = context.trace_id[16:] if context.short else context.trace_id
    values = dict(zip(_SLOTS, (trace_id, context.span_id, context.parent_id, context.tracestate), strict=True))
    return {slot: value for slot, value in values.items() if value}


def _written(settings: FastSettings, context: TraceContext) -> Headers:
    headers: Headers = []
    for codec in codecs_of(settings.inject):
        codec.inject(context, policy(1.0, settings.lossless), headers, [])
    return headers


def _pieces(settings: FastSettings, traits: int, *, is_sampled: bool) -> list[tuple[str, _Pieces]] | None:
    """The headers of this kind, by name; None if the samples do not share one form."""
    first = sample(traits, is_sampled=is_sampled)
    slots = {value: slot for slot, value in _values(first).items()}
    split = re.compile(f"({'|'.join(map(re.escape, slots))})").split
    forms = [(name, [slots.get(part, part) for part in split(value)]) for name, value in _written(settings, first)]
    for number in (1, 2):
        other = sample(traits, number, is_sampled=is_sampled)
        values = _values(other)
        filled = [
            (name, "".join(values[part] if at % 2 else part for at, part in enumerate(pieces)))
            for name, pieces in forms
        ]
        if filled != _written(settings, other):
            return None
    return forms


def _expression(kind: type, pieces: _Pieces) -> str:
    """Python source for a value: an f-string for text, a join for bytes; a lone slot is its variable."""
    if len(pieces) == 3 and not pieces[0] + pieces[2]:
        return pieces[1]
    if len(pieces) == 1:
        return repr(pieces[0] if kind is str else pieces[0].encode("latin-1"))
    if kind is str:
        text = "".join(
            "{" + part + "}" if at % 2 else part.replace("{", "{{").replace("}", "}}") for at, part in enumerate(pieces)
        )
        return f"f{text!r}"
    parts = [part if at % 2 else repr(part.encode("latin-1")) for at, part in enumerate(pieces) if part]
    return f"join(({', '.join(parts)}))"


def _lines(kind: type, settings: FastSettings, forms: list[tuple[str, _Pieces]], *, mapping: bool) -> Iterator[str]:
    """The source of one function. It has header names as literals, escaped by `repr`."""

    def literal(text: str) -> str:
        return repr(text if kind is str else text.encode("latin-1"))

    values = "trace_id, span_id, parent_id, state, session, baggage"
    # In a mapping, names are in lower case: other readers of B3 look for nothing else (docs/formats.md).
    headers = [(literal(name.lower() if mapping else name), _expression(kind, pieces)) for name, pieces in forms]
    if mapping:
        put = "headers[{}] = {}".format
        yield f"def write(headers, {values}):"
        yield from (f"    {put(name, value)}" for name, value in headers)
    else:
        put = "headers.append(({}, {}))".format
        yield f"def write({values}):"
        yield f"    headers = [{', '.join(f'({name}, {value})' for name, value in headers)}]"
    if settings.session_inject:
        yield "    if session is not None:"
        yield f"        {put(literal(settings.session_inject), 'session')}"
    if settings.writes_w3c_baggage or settings.writes_jaeger_baggage:
        yield "    if baggage is not None:"
    if settings.writes_w3c_baggage:
        yield f"        {put(literal(BAGGAGE), 'baggage[0]')}"
    if settings.writes_jaeger_baggage:
        yield "        for key, value in baggage[1].items():"
        crossed = f"value.replace({literal('+')}, {literal('%2B')})"  # enough for plain baggage; see `baggage`
        yield f"            {put(literal(UBERCTX) + ' + key', crossed)}"
    yield "    return True" if mapping else "    return headers"


def around(settings: FastSettings, traits: int, *, is_sampled: bool) -> tuple[bytes, bytes, bytes, bytes] | None:
    """Of contexts of this kind that go out as one header with trace id and span id, and nothing else.

    The header's name, and what stands before, between and behind the ids; None of other kinds.
    """
    forms = _pieces(settings, traits, is_sampled=is_sampled)
    if forms is None or len(forms) != 1 or forms[0][1][1::2] != ["trace_id", "span_id"]:
        return None
    name, pieces = forms[0]
    before, between, behind = (text.encode("latin-1") for text in pieces[::2])
    return name.encode("latin-1"), before, between, behind


def _cannot(*_: object) -> None:
    """The form of a kind for which the formats have no plain form."""


def compiled(kind: type, settings: FastSettings, traits: int, *, is_sampled: bool, mapping: bool = False) -> Form:
    """The function that writes contexts of this kind, as text or bytes, into pairs or into a mapping."""
    forms = _pieces(settings, traits, is_sampled=is_sampled)
    if forms is None:
        return _cannot
    namespace: dict[str, Any] = {"join": b"".join}
    exec("\n".join(_lines(kind, settings, forms, mapping=mapping)), namespace)
    form: Form = namespace["write"]
    return form
