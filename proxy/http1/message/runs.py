"""Reads a head whose lines mostly stayed the same, in runs. PURE: bytes in, values out.

For speed: consecutive lines that did not change are one run, compared as a whole.
Only lines that vary are looked at one by one.
Built from a template (`repeats`), which has seen which lines vary; `heads` checks each line for the first time.
A head that differs anywhere else is not read here.
"""

from __future__ import annotations

from typing import Any, Final, final

from proxy.http1.message.repeats import Sorted, Template, is_text
from proxy.semantics.fields import AUTHORIZATION, PLAIN, TRACE, FieldKinds, binds_connection

_CR: Final = 0x0D
_LF: Final = 0x0A
_END: Final = b"\r\n"


@final
class _Segment:
    """Unchanged lines, if there are any, with their CRLF, and the beginning of one line that varies."""

    __slots__ = ("begins", "kind", "line_size", "lines", "name", "size", "special", "value_size")

    def __init__(self, run: bytes, fields: Sorted, begins: bytes, kind: int, name: bytes) -> None:
        """`run`: the unchanged lines, which are `fields`; `begins`: of the one that varies, up to its value."""
        self.begins = run + begins
        self.size = len(self.begins)
        self.line_size = len(begins)
        self.kind = kind
        self.name = name
        self.value_size = 0  # of the last value; the next one mostly has the same
        self.lines, self.special = fields


@final
class Runs:
    """The runs of one template. Valid for `kinds`."""

    __slots__ = ("_ends", "_lines", "_segments", "_size", "_special", "kinds")

    def __init__(self, template: Template) -> None:
        self.kinds: FieldKinds = template.kinds
        self._segments: list[_Segment] = []
        run = b""
        fields: Sorted = [], []
        for place in range(template.count):
            line, varies = template.line(place)
            if varies:
                name, beginning, kind = template.name(place)
                self._segments.append(_Segment(run, fields, beginning, kind, name))
                run, fields = b"", ([], [])
                continue
            run += line + _END
            field = template.field(place)
            if field is None:
                fields[0].append(line)
            else:
                fields[1].append(field)
        self._ends = run + _END  # the last lines, if they do not vary, and the end of the head
        self._size = len(self._ends)
        self._lines, self._special = fields

    def read(self, data: bytes, most_bytes: int) -> tuple[bytes, Sorted, bytes] | None:
        """Start line, fields, and the bytes after the head; None if `data` does not begin with such a head.

        `most_bytes`: the longest head, without the CRLF of its last line and of the empty one.
        """
        line, _, body = data.partition(_END)
        lines: list[bytes] = []
        special: list[Any] = []
        size = len(body)
        at = 0
        for segment in self._segments:
            begin = at
            at += segment.size
            if body[begin:at] != segment.begins:
                return None
            lines += segment.lines
            special += segment.special
            end = at + segment.value_size
            if end + 1 >= size or body[end] != _CR or body[end + 1] != _LF:
                end = body.find(_END, at)
                if end < 0:
                    return None
                segment.value_size = end - at
            value = body[at:end]
            if not value.isalnum():  # such as ids and numbers: nothing to strip or refuse
                value = value.strip(b" \t")
                if is_text(value) is None:  # among others, if this was not the end of the line
                    segment.value_size = 0
                    return None
            kind = segment.kind
            if kind == TRACE:
                special.append((kind, segment.name, value))
            elif kind == PLAIN or (kind == AUTHORIZATION and not binds_connection(value)):
                lines.append(body[at - segment.line_size : end])
            else:
                special.append((kind, segment.name, value))
            at = end + 2
        end = at + self._size
        if body[at:end] != self._ends or not line or len(line) + end - 2 > most_bytes:
            return None
        lines += self._lines
        special += self._special
        return line, (lines, special), body[end:]
