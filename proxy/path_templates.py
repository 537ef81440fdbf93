"""Templates of paths, such as `/orders/{id}`: what spans and metrics call a request, instead of its path. PURE.

A segment in braces stands for any one segment that is not empty; `*` as the last segment stands for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, final

MAX_TEMPLATES: Final = 256
MAX_TEMPLATE_CHARACTERS: Final = 256

_SEGMENT: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_.-]*\}|[A-Za-z0-9._~!$&'()+,;=:@%-]*|\*")


def check_template(template: str) -> None:
    """Raises ValueError, which says what is wrong."""
    if not template.startswith("/"):
        raise ValueError("it does not begin with /")
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise ValueError(f"longer than {MAX_TEMPLATE_CHARACTERS} characters")
    segments = template[1:].split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise ValueError(f"the segment {segment!r} is neither text, nor {{name}}, nor * at the end")
    if "*" in segments[:-1]:
        raise ValueError("* may only be the last segment")


@final
class PathTemplates:
    """Several of them. The first that fits a path counts."""

    __slots__ = ("_match", "_templates")

    def __init__(self, templates: Iterable[str]) -> None:
        """`templates`: each as `check_template` wants it."""
        self._templates = [b"", *(template.encode("ascii") for template in templates)]
        self._match = re.compile("|".join(f"({_pattern(one.decode('ascii'))})" for one in self._templates[1:]).encode())

    def find(self, target: bytes) -> bytes:
        """The template of the path in `target` (which may have a query); empty for none."""
        found = self._match.fullmatch(target.partition(b"?")[0])
        return self._templates[found.lastindex or 0] if found is not None else b""


def _pattern(template: str) -> str:
    segments = template[1:].split("/")
    return "".join(
        "(?:/.*)?" if segment == "*" else "/[^/]+" if segment.startswith("{") else f"/{re.escape(segment)}"
        for segment in segments
    )
