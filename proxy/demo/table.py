"""Hops as lines of at most 80 columns: the headers, and what each service understood. Pure.

Knows only hops. The demo prints these lines, and a service answers curl with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from proxy.demo.dialects import Headers, is_trace_header
from proxy.demo.hops import Hop

WIDTH = 80

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "trace": "1;36", "span": "33", "session": "35"}
_LABEL = 4  # "sent", "wire", "saw"


@dataclass(frozen=True, slots=True)
class Style:
    """What the terminal can do, and the texts that have one colour everywhere (`kinds`: text -> kind)."""

    colour: bool = False
    unicode: bool = False
    kinds: Mapping[str, str] = field(default_factory=dict)

    def paint(self, text: str, kind: str) -> str:
        """`text` in the colour of its kind, or as it is."""
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self.colour and text else text

    def paint_known(self, text: str) -> str:
        """`text` with each of `kinds` that it holds in its colour."""
        known = [one for one in self.kinds if one]
        if not (self.colour and known):
            return text
        return re.sub("|".join(map(re.escape, known)), lambda found: self.paint(found[0], self.kinds[found[0]]), text)

    @property
    def arrow(self) -> str:
        """The line between caller and callee."""
        return "→" if self.unicode else "->"

    def mark(self, ok: bool) -> str:
        """The words for kept and lost."""
        good, bad = ("✔", "✘") if self.unicode else ("ok", "LOST")
        return self.paint(good, "green") if ok else self.paint(bad, "red")


def headers(label: str, pairs: Headers, style: Style) -> Iterator[str]:
    """One line per header, `label` before the first. A value that would pass column 80 gets a line of its own."""
    if not pairs:
        yield "    " + style.paint(f"{label:{_LABEL}}  nothing about a trace", "dim")
    for name, value in pairs:
        assert is_trace_header(name), name
        start = f"    {style.paint(f'{label:{_LABEL}}', 'dim')}  {name}:"
        if 6 + _LABEL + len(name) + 2 + len(value) <= WIDTH:
            yield f"{start} {style.paint_known(value)}"
        else:
            yield start
            yield f"{'':{6 + _LABEL + 2}}{style.paint_known(value)}"
        label = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """A row of the table: how one party understood its headers."""

    who: str
    trace_id: str
    called_from: str
    decision: str
    session: str

    @classmethod
    def of(cls, hop: Hop) -> Understood:
        """What the service of `hop` understood, by its own report."""
        span = hop.span
        if span is None:
            return cls(hop.service, "none", "", "", hop.session)
        return cls(hop.service, span.trace_id, span.span_id, span.sampling, hop.session)


def understood(rows: Iterable[Understood], style: Style) -> Iterator[str]:
    """The table. `rows` starts with the party whose session the others should keep."""
    first = ""
    yield style.paint(f"  {'':7}  {'trace':32}  {'called from span':16}  decision  session", "dim")
    for number, row in enumerate(rows):
        first = row.session if number == 0 else first
        kept = "kept" if row.session == first else "other"
        session = "sent" if number == 0 and row.session else kept if row.session else "none"
        yield "  ".join(
            (
                f"  {row.who:7}",
                style.paint(f"{row.trace_id:32}", "trace"),
                style.paint(f"{row.called_from:16}", "span"),
                f"{row.decision:8}",
                style.paint(session, "session"),
            )
        ).rstrip()


def answer(hops: Iterable[Hop], errors: Iterable[str], style: Style) -> str:
    """The answer of a service to curl: every hop from here on, the table, and failures."""
    hops = list(hops)
    lines = []
    for hop in hops:
        lines.append(f"{hop.service}{hop.path}  (understands {hop.speaks})")
        lines += headers("saw", hop.saw, style)
        if hop.sent:
            lines += headers("sent", hop.sent, style)
    lines += ["", *understood(map(Understood.of, hops), style)]
    lines += [f"  {style.mark(False)} {error}" for error in errors]
    return "\n".join(lines) + "\n"
