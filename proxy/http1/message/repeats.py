"""What the next head on a connection will look like, as learnt from those before it. PURE: bytes in, values out.

A client repeats most of its field lines in each request, a server in each response, and in the same order. A line that
is what it was the last time needs no second look; of one whose name alone is the same, only the value does. Who looks
at a head for the first time is `heads`.
"""

from __future__ import annotations

import re
from typing import Any, Final, final

from proxy.semantics.fields import PLAIN, TRACE, TRANSFER_ENCODING, FieldKinds, Special

Sorted = tuple[list[bytes], list[Special]]
"""A field section, sorted: the lines that are forwarded as they came, without CRLF, and what means something to a
proxy; both in their order. (A NamedTuple would cost 0.1 µs, and compiled 0.2.)"""

is_text: Final = re.compile(rb"[\t -~]*").fullmatch  # of a field value: printable ASCII, and HTAB

# An idle connection remembers no more than this of its last head, and mostly a fifth of it. Its names are short: only
# those that `FieldKinds` remembers have a template.
_MAX_LINES: Final = 32
_MAX_LINE_BYTES: Final = 256
_MAX_LINES_BYTES: Final = 2048


@final
class Template:
    """The field lines of one connection's last heads, line by line; holds for `kinds`, and for `count` lines."""

    __slots__ = ("_beginnings", "_fields", "_kinds", "_known", "_names", "_room_bytes", "count", "kinds")

    def __init__(self, kinds: FieldKinds) -> None:
        self.kinds = kinds
        self.count = 0
        self._names: list[bytes] = []
        self._beginnings: list[bytes] = []  # the name, and what stands between it and the value
        self._kinds: list[int] = []
        self._known: list[bytes] = []  # the line that came last; empty, which no line is: not remembered
        self._fields: list[Any] = []  # the same as Special; None: of a plain field
        self._room_bytes = _MAX_LINES_BYTES  # for more of `_known`

    def sort(self, section: list[bytes]) -> Sorted | None:
        """The fields of `section`, which has `count` lines; None if it looks different."""
        lines: list[bytes] = []
        special: list[Any] = []  # of Special, which compiled code would take apart and put together again
        for line, known, field in zip(section, self._known, self._fields):  # noqa: B905 - strict is not compiled
            if line == known:
                if field is None:
                    lines.append(line)
                else:
                    special.append(field)
                continue
            place = len(lines) + len(special)
            beginning = self._beginnings[place]
            if not line.startswith(beginning):
                return None
            value = line[len(beginning) :]
            if not value.isalnum():  # as ids and numbers are: nothing to strip, nothing to refuse
                value = value.strip(b" \t")
                if is_text(value) is None:
                    return None
            kind = self._kinds[place]
            if kind == TRACE:  # new each time
                special.append((TRACE, self._names[place], value))
                continue
            told: Any = None
            if kind == PLAIN:
                lines.append(line)
            else:
                told = (kind, self._names[place], value)
                special.append(told)
            size = len(line)
            if size <= _MAX_LINE_BYTES and size - len(known) <= self._room_bytes:
                self._room_bytes -= size - len(known)
                self._known[place] = line
                self._fields[place] = told
        return lines, special

    def learn(self, section: list[bytes]) -> bool:
        """Take the names and their order from a head that was found good; False if that cannot be done.

        Not if a Transfer-Encoding is among them: such a head is judged as a whole each time.
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
        self.count = len(section)
        return True
