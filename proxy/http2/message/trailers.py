"""Trailers, between fields of HTTP/2 and the field lines that exchanges pass on. PURE.

Lines are what both protocols can read. Few trailers exist, so the fields of most lines are known already.
"""

from __future__ import annotations

from typing import Final, final

from proxy.http2.hpack.field import HeaderField
from proxy.semantics.fields import PLAIN, allowed_in_trailers

_MOST: Final = 256  # that are remembered
_LONGEST: Final = 64


@final
class Trailers:
    """Turns one into the other. One serves all connections."""

    __slots__ = ("_known", "_lines")

    def __init__(self) -> None:
        self._known: dict[bytes, HeaderField] = {}
        self._lines: dict[HeaderField, bytes] = {}  # of fields that came before: those in a table come again

    def lines(self, fields: list[HeaderField]) -> list[bytes]:
        """The lines of those that may go on."""
        lines: list[bytes] = []
        known = self._known
        for field in fields:
            known_line = self._lines.get(field)
            if known_line is not None and known_line in known:
                lines.append(known_line)
                continue
            if field.kind != PLAIN:
                continue
            line = field.name + b": " + field.value
            if field.never:
                lines.append(line)
                known[line] = field
                continue
            if line not in known:
                if not allowed_in_trailers(line):
                    continue
                self._remember(line, field)
            lines.append(line)
            if len(line) <= _LONGEST and not field.is_literal:
                if len(self._lines) >= _MOST:
                    self._lines.clear()
                self._lines[field] = line
        return lines

    def fields(self, lines: list[bytes]) -> list[HeaderField]:
        """The fields of lines, which may come from another protocol."""
        fields: list[HeaderField] = []
        for line in lines:
            field = self._known.get(line)
            if field is None:
                name, _, value = line.partition(b":")
                field = HeaderField(name.lower(), value.strip(b" \t"), is_literal=len(line) > _LONGEST)
                self._remember(line, field)
            elif field.never:
                del self._known[line]  # a secret: it is not kept
            fields.append(field)
        return fields

    def _remember(self, line: bytes, field: HeaderField) -> None:
        if len(line) <= _LONGEST:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[line] = field
