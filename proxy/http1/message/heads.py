"""Reads heads (start line and field lines) and trailer sections from a byte stream. PURE: bytes in, values out.

`grammar` matches the start line. llhttp judges field lines in its strict mode: no
obs-fold, space before the colon, bare CR or LF, CTL, broken or duplicate framing
field. llhttp gets exactly one field section at a time, after a start line of ours.
So it never sees a body, a second message or an unknown method.

For speed, it is not asked about lines that it would pass: a known
name with a printable ASCII value, or a line in the template.
`request` and `response` refuse well-formed fields that contradict each other (two Content-Length).
docs/decisions/006-cost-per-request.md has the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httptools

from proxy.http1.message.head import Head
from proxy.http1.message.repeats import Template, is_text
from proxy.http1.message.runs import Runs
from proxy.http1.message.section import SectionScanner
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import PLAIN, TRACE, TRANSFER_ENCODING, FieldKinds

_START_LINE = b"GET / HTTP/1.1"


class HeadLimits(NamedTuple):
    """The limits of a head, and the fault for exceeding each."""

    line_bytes: int
    field_bytes: int
    field_count: int
    line_fault: Fault
    field_fault: Fault
    bad_fault: Fault
    empty_lines: int = 4  # before a request line (RFC 9112, 2.2 asks for at least one); more are a flood


class _Validator:
    """Learns from llhttp that a field section is complete.
    No callback per field, for speed: the lines are split here.
    """

    __slots__ = ("complete",)

    def __init__(self) -> None:
        self.complete = False

    def on_headers_complete(self) -> None:
        self.complete = True


def sort_fields(section: list[bytes], kinds: FieldKinds, fault: Fault) -> Head:
    """The fields of `section`, its lines without CRLF, sorted by kind. llhttp is only asked if it might refuse.

    Raises Refusal with `fault` if the section is malformed.
    """
    lines: list[bytes] = []
    special: list[Any] = []  # not Special: compiled code would unpack and rebuild it
    trace: list[Any] = []
    known = kinds.known
    for line in section:
        name, colon, value = line.partition(b": ")
        kind = known.get(name, TRANSFER_ENCODING)  # llhttp judges new names, and Transfer-Encoding
        if kind == TRANSFER_ENCODING or not colon:
            return check_fields(b"\r\n".join(section), kinds, fault)
        if not value.isalnum():  # such as ids and numbers: nothing to strip or refuse
            value = value.strip(b" \t")
            if is_text(value) is None:
                return check_fields(b"\r\n".join(section), kinds, fault)
        if kind == PLAIN:
            lines.append(line)
        elif kind == TRACE:
            trace.append((name, value))
        else:
            special.append((kind, name, value))
    return Head(b"", lines, special, trace, b"")


def check_fields(section: bytes, kinds: FieldKinds, fault: Fault) -> Head:
    """As `sort_fields`, for a section in one piece, lines joined by CRLF. llhttp judges all of it, framing included."""
    validator = _Validator()
    try:
        httptools.HttpRequestParser(validator).feed_data(b"%b\r\n%b\r\n\r\n" % (_START_LINE, section))
    except httptools.HttpParserUpgrade:
        pass  # raised after the whole section was read; we decide about upgrades
    except httptools.HttpParserError as error:
        raise Refusal(fault, f"malformed header section: {error}") from None
    if not validator.complete:
        raise Refusal(fault, "malformed header section")
    # llhttp has found every line well-formed: a name, a colon, a value without CR or LF.
    lines: list[bytes] = []
    special: list[Any] = []
    trace: list[Any] = []
    for line in section.split(b"\r\n") if section else ():
        name, _, value = line.partition(b":")
        kind = kinds.known.get(name, -1)
        if kind < 0:
            kind = kinds.classify(name)
        if kind == PLAIN:
            lines.append(line)
        elif kind == TRACE:
            trace.append((name, value.strip(b" \t")))
        else:
            special.append((kind, name, value.strip(b" \t")))
    return Head(b"", lines, special, trace, b"")


class HeadReader:
    """Reads one head after another. `feed` takes bytes as they come, in pieces of any size."""

    __slots__ = (
        "_check_line",
        "_checked",
        "_empty_lines",
        "_limits",
        "_runs",
        "_scanner",
        "_template",
        "_unlike",
        "_usual_bytes",
    )

    def __init__(self, limits: HeadLimits, check_line: Callable[[bytes], object]) -> None:
        """`check_line` raises Refusal on a bad start line. It is called as soon as an incomplete head has one."""
        self._limits = limits
        self._usual_bytes = min(limits.line_bytes, limits.field_bytes)
        self._check_line = check_line
        self._scanner: SectionScanner | None = None  # for a head in pieces
        self._checked = False  # its start line, as returned by `check_line`
        self._empty_lines = 0
        self._template: Template | None = None
        self._runs: Runs | None = None  # of the template, once it is steady
        self._unlike = 0  # unmatched heads in a row

    @property
    def is_started(self) -> bool:
        """Whether bytes of an incomplete head are held."""
        return self._scanner is not None

    def feed(self, data: bytes, kinds: FieldKinds) -> Head | None:
        """The head, and the bytes after it; None if it is incomplete. Raises Refusal."""
        scanner = self._scanner
        if scanner is not None:
            whole = scanner.feed(data)
            if whole is None:
                self._check_incomplete(scanner)
                return None
            self._scanner = None
            data = whole
        runs = self._runs
        if runs is not None and runs.kinds is kinds:
            found = runs.read(data, self._usual_bytes)
            if found is not None:
                self._unlike = self._empty_lines = 0
                return found
        # The common case without runs: a head of usual size in one piece.
        head, blank, rest = data.partition(b"\r\n\r\n")
        if blank and head and len(head) <= self._usual_bytes and head[0] != 0x0D:
            return self._sorted(head.split(b"\r\n"), kinds, rest)
        return self._feed_unusual(data, kinds)

    def _sorted(self, head: list[bytes], kinds: FieldKinds, rest: bytes) -> Head:
        line = head.pop(0)
        fields = self._sort(head, kinds)
        fields.line, fields.rest = line, rest
        return fields

    def _sort(self, section: list[bytes], kinds: FieldKinds) -> Head:
        limits = self._limits
        if len(section) > limits.field_count:
            raise Refusal(limits.field_fault, f"more than {limits.field_count} header fields")
        self._empty_lines = 0
        template = self._template
        if template is not None and template.count == len(section) and template.kinds is kinds:
            fields = template.sort(section)
            if fields is not None:
                self._unlike = 0
                # At most once for each line that begins to vary.
                self._runs = Runs(template) if template.is_steady else None
                return fields
        fields = sort_fields(section, kinds, limits.bad_fault)
        # Learn at the 2nd, 4th, 8th… unmatched head in a row: a client that never repeats costs ever less.
        self._unlike += 1
        if self._unlike > 1 and not self._unlike & (self._unlike - 1):
            template = Template(kinds)
            self._runs = None
            self._template = template if template.learn(section) else None
        return fields

    def _feed_unusual(self, data: bytes, kinds: FieldKinds) -> Head | None:
        """Read a head that is incomplete, comes after empty lines, or may be over a limit."""
        line_end = data.find(b"\r\n")
        while line_end == 0:
            self._empty_lines += 1
            if self._empty_lines > self._limits.empty_lines:
                raise Refusal(self._limits.bad_fault, "too many empty lines before the message")
            data = data[2:]
            line_end = data.find(b"\r\n")
        end = data.find(b"\r\n\r\n", line_end) if line_end >= 0 else -1
        if end < 0:
            self._hold(data)
            return None
        limits = self._limits
        if line_end > limits.line_bytes:
            raise Refusal(limits.line_fault, f"the start line is longer than {limits.line_bytes} bytes")
        if end - line_end > limits.field_bytes:
            raise Refusal(limits.field_fault, f"the header section is longer than {limits.field_bytes} bytes")
        return self._sorted(data[:end].split(b"\r\n"), kinds, data[end + 4 :])

    def _hold(self, data: bytes) -> None:
        """Keep the beginning of a head that has no empty line yet."""
        if data:
            scanner = self._scanner = SectionScanner(self._limits.bad_fault, "head")
            self._checked = False
            scanner.feed(data)
            self._check_incomplete(scanner)

    def _check_incomplete(self, scanner: SectionScanner) -> None:
        """Refuse at once what can no longer become a valid head, instead of waiting for the rest."""
        limits, line_end = self._limits, scanner.line_end
        # A possible beginning of CRLF, or of the empty line, does not count yet.
        if (line_end if line_end >= 0 else scanner.size - 1) > limits.line_bytes:
            raise Refusal(limits.line_fault, f"the start line is longer than {limits.line_bytes} bytes")
        if line_end < 0:
            return
        if scanner.size - 3 - line_end > limits.field_bytes:
            raise Refusal(limits.field_fault, f"the header section is longer than {limits.field_bytes} bytes")
        if not self._checked:
            self._checked = True
            self._check_line(scanner.first_line())
