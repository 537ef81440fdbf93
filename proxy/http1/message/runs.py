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
_NO_LINES: Final[list[Any]] = []


@final
class _Segment:
    """A run of unchanged lines with their CRLF, or the beginning of one line that varies."""

    __slots__ = ("begins", "kind", "lines", "name", "size", "special", "value_size", "varies")

    def __init__(self, begins: bytes, varies: bool, kind: int, name: bytes) -> None:
        self.begins = begins
        self.size = len(begins)
        self.varies = varies
        self.kind = kind
        self.name = name
        self.value_size = 0  # of the last value; the next one mostly has the same
        self.lines = _NO_LINES  # of a run: as in Sorted
        self.special = _NO_LINES


@final
class Runs:
    """The runs of one template. Valid for `kinds`."""

    __slots__ = ("_segments", "kinds")

    def __init__(self, template: Template) -> None:
        self.kinds: FieldKinds = template.kinds
        self._segments: list[_Segment] = []
        run: list[bytes] = []
        lines: list[bytes] = []
        special: list[Any] = []
        for place in range(template.count):
            line, varies = template.line(place)
            if not varies:
                field = template.field(place)
                run.append(line)
                if field is None:
                    lines.append(line)
                else:
                    special.append(field)
                continue
            self._end_run(run, lines, special)
            run, lines, special = [], [], []
            name, beginning, kind = template.name(place)
            self._segments.append(_Segment(beginning, True, kind, name))
        self._end_run(run, lines, special)

    def _end_run(self, run: list[bytes], lines: list[bytes], special: list[Any]) -> None:
        if run:
            segment = _Segment(_END.join(run) + _END, False, PLAIN, b"")
            segment.lines, segment.special = lines, special
            self._segments.append(segment)

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
            if not segment.varies:
                lines += segment.lines
                special += segment.special
                continue
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
            at = end + 2
            kind = segment.kind
            if kind == TRACE:
                special.append((kind, segment.name, value))
            elif kind == PLAIN or (kind == AUTHORIZATION and not binds_connection(value)):
                lines.append(body[begin:end])
            else:
                special.append((kind, segment.name, value))
        end = at + 2
        if end > size or body[at] != _CR or body[at + 1] != _LF or not line or len(line) + at > most_bytes:
            return None
        return line, (lines, special), body[end:]
