"""Headers as people paste them: arguments, or a transcript such as `curl -v` prints. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import BinaryIO

Header = tuple[str, str]
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110, 5.6.2
_HEADER = re.compile(rf"({_TOKEN})[ \t]*:[ \t]*(.*?)[ \t]*\Z", re.DOTALL)
_FIRST_LINE = re.compile(r"(?:[A-Z]+ \S+ HTTP/[0-9.]+|HTTP/[0-9.]+ [0-9]{3}.*)\Z")


class HeaderInputError(Exception):
    """A line that is not a header; the message shows it."""


def read_headers(lines: Iterable[str]) -> list[Header]:
    """Reads lines `name: value`, with or without a leading `>`. Raises HeaderInputError."""
    found = []
    for line in lines:
        match = _HEADER.match(line.removeprefix(">").strip())
        if match is None:
            raise HeaderInputError(f"{line[:60]!r} is not a header: expected 'name: value'")
        found.append((match[1], match[2]))
    return found


def read_transcript(text: str) -> list[Header]:
    """The headers of a pasted request, one per line.

    In a transcript of `curl -v`, only the request counts (`> ` lines). Empty lines and the request line are skipped.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    sent = [line for line in lines if line.startswith(">")]
    chosen = [line.removeprefix(">").strip() for line in sent or lines]
    return read_headers(line for line in chosen if line and not _FIRST_LINE.match(line))


INPUT_LIMIT_BYTES = 1_000_000


def from_input(lines: Iterable[str], file: BinaryIO | None) -> list[Header]:
    """Those of `lines`, or of the transcript in `file`. Raises HeaderInputError.

    A file that is too long is an error, since a part of it would give a wrong answer.
    """
    if file is None:
        return read_headers(lines)
    text = file.read(INPUT_LIMIT_BYTES + 1)
    if len(text) > INPUT_LIMIT_BYTES:
        raise HeaderInputError(f"standard input has more than {INPUT_LIMIT_BYTES:,} bytes")
    return read_transcript(text.decode("latin-1"))
