"""Reads a head whose lines mostly stayed the same, in runs. PURE: bytes in, values out.

For speed: consecutive lines that did not change are one run, compared as a whole.
Only lines that vary are looked at one by one.
Built from a template (`repeats`), which has seen which lines vary; `heads` checks each line for the first time.
A head that differs anywhere else is not read here.
"""

from __future__ import annotations

from typing import Any, Final, final

from proxy.http1.message.head import Head
from proxy.http1.message.repeats import Template, is_text
from proxy.semantics.fields import AUTHORIZATION, PLAIN, TRACE, FieldKinds, binds_connection

_END: Final = b"\r\n"
_LINE_END: Final = ord("\n")


@final
class _Varying:
    """One line that varies, and what follows its value: the unchanged lines, and the beginning of the next one."""

    __slots__ = ("beginning", "fields", "follows", "kind", "name", "size", "value_size")

    def __init__(self, beginning: bytes, kind: int, name: bytes) -> None:
        """`beginning`: of the line, up to its value."""
        self.beginning = beginning
        self.kind = kind
        self.name = name
        self.value_size = 0  # of the last value; the next one mostly has the same
        self.follows = b""
        self.size = 0  # of what follows
        self.fields: Head | None = None  # the unchanged ones, sorted; None: there are none

    def end_with(self, follows: bytes, fields: Head) -> None:
        """It is followed by these bytes, which have these unchanged `fields`."""
        self.follows = follows
        self.size = len(follows)
        self.fields = fields if fields.lines or fields.special or fields.trace else None


@final
class Runs:
    """The runs of one template. Valid for `kinds`."""

    __slots__ = ("_begins", "_fields", "_line_size", "_size", "_varying", "kinds")

    def __init__(self, template: Template) -> None:
        self.kinds: FieldKinds = template.kinds
        self._line_size = 1  # of the last start line; the next one often has the same
        self._varying: list[_Varying] = []
        run = _END
        fields = _no_fields()
        for place in range(template.count):
            line, varies = template.line(place)
            if varies:
                name, beginning, kind = template.name(place)
                self._end_with(run + beginning, fields)
                self._varying.append(_Varying(beginning, kind, name))
                run, fields = _END, _no_fields()
                continue
            run += line + _END
            template.sort_into(fields, place)
        self._end_with(run + _END, fields)

    def __repr__(self) -> str:
        return f"<Runs {self.stretches}>"

    @property
    def stretches(self) -> list[bytes]:
        """What does not change: before the first value that varies, between two, and behind the last."""
        return [self._begins, *(one.follows for one in self._varying)]

    def _end_with(self, run: bytes, fields: Head) -> None:
        """`run` comes next, with these `fields`: behind the start line, or the last line that varies."""
        if self._varying:
            self._varying[-1].end_with(run, fields)
        else:
            self._begins = run
            self._size = len(run)
            self._fields = fields

    def read(self, data: bytes, most_bytes: int) -> Head | None:
        """The head, and the bytes after it; None if `data` does not begin with such a head.

        `most_bytes`: the longest head, without the CRLF of its last line and of the empty one.
        """
        first = self._line_size
        at = first + self._size
        line = data[:first]
        if data[first:at] != self._begins or _LINE_END in line:
            first = data.find(_END)
            if first <= 0:
                return None
            at = first + self._size
            if data[first:at] != self._begins:
                return None
            self._line_size = first
            line = data[:first]
        fields = self._fields
        lines = fields.lines.copy()
        special: list[Any] = fields.special.copy()  # not Special: compiled code would unpack and rebuild it
        trace: list[Any] = fields.trace.copy()
        for one in self._varying:
            end = at + one.value_size
            behind = end + one.size
            if data[end:behind] != one.follows:
                end = data.find(_END, at)
                behind = end + one.size
                if end < 0 or data[end:behind] != one.follows:
                    return None
                one.value_size = end - at
            value = data[at:end]
            if not value.isalnum():  # such as ids and numbers: nothing to strip or refuse
                value = value.strip(b" \t")
                if is_text(value) is None:  # among others, if this was not the end of the line
                    one.value_size = 0
                    return None
            kind = one.kind
            if kind == TRACE:
                trace.append((one.name, value))
            elif kind == PLAIN or (kind == AUTHORIZATION and not binds_connection(value)):
                lines.append(one.beginning + data[at:end])
            else:
                special.append((kind, one.name, value))
            unchanged = one.fields
            if unchanged is not None:
                lines += unchanged.lines
                special += unchanged.special
                trace += unchanged.trace
            at = behind
        if at - 4 > most_bytes:
            return None
        return Head(line, lines, special, trace, data[at:])


def _no_fields() -> Head:
    return Head(b"", [], [], [], b"")
