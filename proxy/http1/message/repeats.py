"""A template of the next head on a connection, learnt from earlier ones. PURE: bytes in, values out.

For speed: clients and servers repeat most of their field lines, in the same order.
A line equal to the last one needs no check.
If only its name is equal, only its value is checked.
`heads` checks a head for the first time.
"""

from __future__ import annotations

import re
from typing import Any, Final, final

from proxy.http1.message.head import Head
from proxy.semantics.fields import (
    AUTHORIZATION,
    PLAIN,
    TRACE,
    TRANSFER_ENCODING,
    FieldKinds,
    binds_connection,
)

is_text: Final = re.compile(rb"[\t -~]*").fullmatch  # of a field value: printable ASCII, and HTAB

# An idle connection remembers at most this much of its last head, usually a fifth of it.
# Its names are short: only names that `FieldKinds` remembers have a template.
_MAX_LINES: Final = 32
_MAX_LINE_BYTES: Final = 256
_MAX_LINES_BYTES: Final = 2048
_MOST_VARYING: Final = 12


@final
class Template:
    """The field lines of one connection's last heads, line by line. Valid for `kinds`, and for `count` lines."""

    __slots__ = (
        "_beginnings",
        "_fields",
        "_kinds",
        "_known",
        "_names",
        "_room_bytes",
        "_varies",
        "count",
        "heads",
        "kinds",
    )

    def __init__(self, kinds: FieldKinds) -> None:
        self.kinds = kinds
        self.count = 0
        self.heads = 0  # that matched
        self._names: list[bytes] = []
        self._beginnings: list[bytes] = []  # the name, and the bytes between it and the value
        self._kinds: list[int] = []
        self._known: list[bytes] = []  # the last line; empty (which a line never is): not remembered
        self._fields: list[Any] = []  # the same as Special, or as Field if it is a trace field; None: a plain field
        self._varies: list[bool] = []  # whether the line has changed, or is not remembered
        self._room_bytes = _MAX_LINES_BYTES  # for more of `_known`

    def sort(self, section: list[bytes]) -> Head | None:
        """The fields of `section`, which has `count` lines; None if it does not match."""
        lines: list[bytes] = []
        special: list[Any] = []  # not Special: compiled code would unpack and rebuild it
        trace: list[Any] = []
        for line, known, field in zip(section, self._known, self._fields):  # noqa: B905 - strict is not compiled
            if line == known:
                if field is None:
                    lines.append(line)
                elif len(field) == 2:
                    trace.append(field)
                else:
                    special.append(field)
                continue
            place = len(lines) + len(special) + len(trace)
            beginning = self._beginnings[place]
            if not line.startswith(beginning):
                return None
            value = line[len(beginning) :]
            if not value.isalnum():  # such as ids and numbers: nothing to strip or refuse
                value = value.strip(b" \t")
                if is_text(value) is None:
                    return None
            kind = self._kinds[place]
            if kind == TRACE and len(value) > 1:  # ids are new each time; a decision in one digit mostly stays
                trace.append((self._names[place], value))
                self._varies[place] = True
                continue
            if known:
                self._varies[place] = True
            told: Any = None
            if kind == PLAIN or (kind == AUTHORIZATION and not binds_connection(value)):
                lines.append(line)
            elif kind == TRACE:
                told = (self._names[place], value)
                trace.append(told)
            else:
                told = (kind, self._names[place], value)
                special.append(told)
            size = len(line)
            if size <= _MAX_LINE_BYTES and size - len(known) <= self._room_bytes:
                self._room_bytes -= size - len(known)
                self._known[place] = line
                self._fields[place] = told
            else:
                self._varies[place] = True
        self.heads += 1
        return Head(b"", lines, special, trace, b"")

    @property
    def is_steady(self) -> bool:
        """Whether enough heads have matched, and enough of their lines stay the same, to compare those as a whole."""
        return self.heads > 1 and self._varies.count(True) <= _MOST_VARYING

    def line(self, place: int) -> tuple[bytes, bool]:
        """The last line there, and whether it varies."""
        return self._known[place], self._varies[place]

    def sort_into(self, head: Head, place: int) -> None:
        """Add the line there, which does not vary."""
        field: Any = self._fields[place]
        if field is None:
            head.lines.append(self._known[place])
        elif len(field) == 2:
            head.trace.append(field)
        else:
            head.special.append(field)

    def name(self, place: int) -> tuple[bytes, bytes, int]:
        """The name there; the same with the bytes up to the value; and its kind."""
        return self._names[place], self._beginnings[place], self._kinds[place]

    def learn(self, section: list[bytes]) -> bool:
        """Learn the names and their order from a valid head; False if that is not possible.

        A head with Transfer-Encoding is never learnt: it is judged as a whole each time.
        """
        if len(section) > _MAX_LINES:
            return False
        for line in section:
            name, colon, _ = line.partition(b": ")
            kind = self.kinds.known.get(name, TRANSFER_ENCODING)
            if kind == TRANSFER_ENCODING or not colon:
                return False
            self._names.append(name)
            self._beginnings.append(name + colon)
            self._kinds.append(kind)
            self._known.append(b"")
            self._fields.append(None)
            self._varies.append(False)
        self.count = len(section)
        return True
