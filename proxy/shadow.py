"""Shadow: a request translated as if other settings were in force, and what would differ. PURE: nothing goes out.

May know translators and translations. Must not know requests or sockets.
Both translations get the same random numbers, so that new span ids alone are no difference.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple
from urllib.parse import unquote

from ops_lib.propagation import KNOWN_FORMATS, Format, Propagator, TraceContext, cargo_of
from proxy.participation.gate import RawHeaders
from proxy.participation.linking import Linked
from proxy.semantics.request import Weighed
from proxy.translate import Translator
from proxy.translated import Translation

SAME: Final = "same"
HEADERS: Final = "headers"  # headers of other names
IDS: Final = "ids"
DECISION: Final = "decision"
TRACESTATE: Final = "tracestate"
SESSION: Final = "session"
BAGGAGE: Final = "baggage"
LOSSES: Final = "losses"  # more is lost
DIFFERENCES: Final = (SAME, HEADERS, IDS, DECISION, TRACESTATE, SESSION, BAGGAGE, LOSSES)

_RECEIVER: Final = Propagator(extract=[Format(name) for name in KNOWN_FORMATS])
_MOST_NUMBERS: Final = 64  # of one request; it needs three or four


class Tape:
    """Random numbers of one translation, for its shadow."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: list[tuple[int, int]] = []  # bits, number

    def clear(self) -> None:
        """Forget them."""
        self._numbers.clear()

    def record(self, bits: int) -> int:
        """A new number."""
        number = random.getrandbits(bits)
        if len(self._numbers) < _MOST_NUMBERS:
            self._numbers.append((bits, number))
        return number

    def replay(self, bits: int) -> int:
        """The next of the recorded numbers with so many bits; a new one if there is none."""
        for place, (size, number) in enumerate(self._numbers):
            if size == bits:
                del self._numbers[: place + 1]
                return number
        return random.getrandbits(bits)


class Example(NamedTuple):
    """One request, with its trace, session and baggage fields."""

    at: float  # seconds since the epoch
    came: RawHeaders
    goes: RawHeaders
    would_go: RawHeaders


class Found(NamedTuple):
    """What would differ, at least `same`, and what would go out."""

    differences: tuple[str, ...]
    goes: RawHeaders
    would_go: RawHeaders


class Shadow:
    """Of one route: a translator for each rule of trust, as the route has them."""

    __slots__ = ("_real", "_session_names", "_shadows", "_tape")

    def __init__(
        self,
        real: tuple[Translator, ...],
        shadows: tuple[Translator, ...],
        tape: Tape,
        session_names: AbstractSet[str] = frozenset(),
    ) -> None:
        """`tape`: gives `real` its random numbers, and `shadows` the same.
        `session_names`: headers that may hold a session, beside the usual ones.
        """
        self._session_names = frozenset(name.lower().replace("_", "-") for name in session_names)
        self._real = real
        self._shadows = shadows
        self._tape = tape

    def begin(self) -> None:
        """A request is about to be translated."""
        self._tape.clear()

    def compare(
        self,
        made: Translation,
        fields: RawHeaders,
        rest: Weighed,
        rule: int,
        linked: Linked | None = None,
    ) -> Found:
        """Compare `made` of a request with what it would be.

        `fields`: all that any translator owns; `rest`: the others.
        """
        shadow = self._shadows[rule]
        owned = [field for field in fields if shadow.owns(field[0])]
        if linked is not None:
            other: Translation = shadow.translate_linked(owned, rest, linked)
        else:
            other = shadow.translate(owned, rest)
        real = self._real[rule]
        goes = made.headers + [field for field in fields if not real.owns(field[0])]
        would_go = other.headers + [field for field in fields if not shadow.owns(field[0])]
        now, then = _folded(goes), _folded(would_go)
        if now == then and other.losses == made.losses:
            return Found((SAME,), goes, would_go)
        found = [HEADERS] if now.keys() != then.keys() else []
        found += _of_contexts(_said(now), _said(then))
        is_both = "traceparent" in now and "traceparent" in then
        found += [TRACESTATE] if is_both and now.get("tracestate") != then.get("tracestate") else []
        found += [SESSION] if self._sessions(now) != self._sessions(then) else []
        found += [BAGGAGE] if _members(now) != _members(then) else []
        found += [LOSSES] if not set(other.losses) <= set(made.losses) else []
        return Found(tuple(found) or (SAME,), goes, would_go)

    def _sessions(self, headers: dict[str, list[bytes]]) -> list[bytes]:
        """Without the names: the same session under another name is no other session."""
        names = [name for name in headers if cargo_of(name, self._session_names) == "session"]
        return sorted(value for name in names for value in headers[name])


def _of_contexts(made: TraceContext | None, other: TraceContext | None) -> Iterator[str]:
    if made is None or other is None:
        if made is not other:
            yield IDS
        return
    if (made.trace_id, made.span_id) != (other.trace_id, other.span_id):
        yield IDS
    if made.sampling is not other.sampling:
        yield DECISION


def _said(headers: dict[str, list[bytes]]) -> TraceContext | None:
    """What a receiver reads that knows every format, but not our member of tracestate."""
    fields = {name: [value.decode("latin-1") for value in values] for name, values in headers.items()}
    fields.pop("tracestate", None)
    return _RECEIVER.extract(fields).context


def _folded(headers: RawHeaders) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), []).append(value)
    return found


def _members(headers: dict[str, list[bytes]]) -> set[tuple[str, str]]:
    """The members of baggage, in W3C's form and in Jaeger's, as they mean the same."""
    found = set()
    for name, values in headers.items():
        for value in (value.decode("latin-1") for value in values):
            if name == "baggage":
                for member in value.split(","):
                    key, _, text = member.partition(";")[0].partition("=")
                    found.add((key.strip().lower(), unquote(text.strip())))
            elif name.startswith("uberctx-"):
                found.add((name.removeprefix("uberctx-"), unquote(value)))
    return found
