"""What the list of traces says of one trace, grown span by span. PURE."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.console.intake.decode import SIDECAR_SCOPE
from proxy.console.intake.records import Span

GAP: Final = "gap"  # the note of a trace that lacks the parent of a span; a caller outside is none (`query.gaps`)
_CALLED: Final = (2, 5)  # kinds of a span that a caller is above: server, consumer
_MOST_FORMATS: Final = 16
_LONGEST: Final = 300  # characters of a title
_MOST_SERVICES: Final = 100  # of one trace, in its row
_NOTES: Final = {"ops.malformed": "malformed", "ops.link.method": "linked", "ops.carried_over": "carry-over"}

Columns = tuple[Any, ...]
COLUMNS: Final = (
    "key, trace, started, ended, spans, items, errors, root_at, root_service, root_name, title, caller, session, "
    "services, names, formats, notes, words"
)


@dataclass(slots=True)
class Summary:
    """One row of the table `traces`."""

    key: int
    trace: bytes
    started: int = 0
    ended: int = 0
    spans: int = 0
    items: int = 0  # spans and logs: the next number
    errors: int = 0
    root_at: int | None = None
    root_service: str = ""
    root_name: str = ""
    title: str = ""
    caller: str | None = None
    session: str | None = None
    services: dict[str, int] = field(default_factory=dict)
    formats: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)  # of its spans
    wanted: dict[bytes, bool] = field(default_factory=dict)  # parents that have not come: whether as callers alone
    counted: int = 0  # how many of `ids` the writer has counted

    def add(self, span: Span) -> None:
        """One more span."""
        if not self.spans or span.started < self.started:
            self.started = span.started
        self.ended = max(self.ended, span.ended)
        self.spans += 1
        self.errors += span.is_error
        self.join(span.span, span.parent, span.kind)
        service = span.source.service
        if service in self.services or len(self.services) < _MOST_SERVICES:
            self.services[service] = self.services.get(service, 0) + 1
        if self.session is None:
            self.session = span.session
        is_root = not span.parent
        is_better = self.root_at is None or span.started < self.root_at
        if self.spans == 1 or (is_root and is_better) or (self.root_at is None and span.started <= self.started):
            self._take_root(span, is_root)
        if span.scope == SIDECAR_SCOPE:
            self._take_hop(span)

    def join(self, span: bytes, parent: bytes, kind: int) -> None:
        """One more span has come; who wants which parent."""
        self.ids.add(span)
        self.wanted.pop(span, None)
        if parent and parent not in self.ids:
            self.wanted[parent] = self.wanted.get(parent, True) and kind in _CALLED

    def _take_root(self, span: Span, is_root: bool) -> None:
        described = span.attributes
        self.root_at = span.started if is_root else None
        self.root_service = span.source.service
        self.root_name = span.name
        path = described.get("http.route") or described.get("url.path")
        self.title = (f"{span.name} {path}" if path and " " not in span.name else span.name)[:_LONGEST]
        agent = described.get("user_agent.original")
        address = described.get("client.address")
        self.caller = str(agent).partition("/")[0][:100] if agent else str(address)[:100] if address else None

    def _take_hop(self, span: Span) -> None:
        described = span.attributes
        for key in ("ops.formats.read", "ops.formats.written"):
            for format in format_names(described.get(key)):
                if len(self.formats) < _MOST_FORMATS:
                    self.formats[format] = None
        for key, note in _NOTES.items():
            if key in described:
                self.notes[note] = None
        if "conflict" in span.links:
            self.notes["conflict"] = None

    def columns(self) -> Columns:
        """As `COLUMNS` has them."""
        return (
            self.key,
            self.trace,
            self.started,
            self.ended,
            self.spans,
            self.items,
            self.errors,
            self.root_at,
            self.root_service,
            self.root_name,
            self.title,
            self.caller,
            self.session,
            json.dumps(list(self.services.items()), ensure_ascii=False),
            "\n".join(self.services).lower(),
            as_list(self.formats),
            as_list(self._all_notes()),
            self._words(),
        )

    def _all_notes(self) -> list[str]:
        return [*self.notes, *([GAP] if self._has_gap() else [])]

    def _has_gap(self) -> bool:
        """One parent may be a caller outside, where the trace has no root of its own."""
        if self.root_at is None and len(self.wanted) == 1:
            return not all(self.wanted.values())
        return bool(self.wanted)

    def _words(self) -> str:
        """What a bare word is looked for in."""
        parts = (
            self.trace.hex(),
            self.root_name,
            self.title,
            self.caller,
            self.session,
            *self.services,
            *self._all_notes(),
        )
        return "\n".join(dict.fromkeys(part for part in parts if part)).lower()


def read_summary(row: Columns) -> Summary:
    """The other way round, without the ids of its spans."""
    *plain, services, _, formats, notes, _ = row
    summary = Summary(*plain)
    summary.services = dict(json.loads(services))
    summary.formats = dict.fromkeys(formats.split())
    summary.notes = dict.fromkeys(note for note in notes.split() if note != GAP)
    return summary


def format_names(value: object) -> list[str]:
    """The formats in an attribute; whatever else is in it is left out."""
    found = [one[:40] for one in value if isinstance(one, str)] if isinstance(value, list) else []
    return [one for one in found[:_MOST_FORMATS] if one and not any(letter.isspace() for letter in one)]


def as_list(items: Any) -> str:
    """A list as the tables have it."""
    return f" {' '.join(items)} " if items else ""
