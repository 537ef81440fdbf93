"""A head that was read, in parts: what readers of requests and responses get. PURE."""

from __future__ import annotations

from typing import final

from proxy.compiling import mypyc_attr
from proxy.semantics.fields import Special
from proxy.semantics.request import Field


@final
@mypyc_attr(free_list_len=1)
class Head:
    """Its fields are sorted by kind, each kind in wire order. A class, not a tuple: compiled, tuples are rebuilt."""

    __slots__ = ("line", "lines", "rest", "special", "trace")

    def __init__(
        self, line: bytes, lines: list[bytes], special: list[Special], trace: list[Field], rest: bytes
    ) -> None:
        self.line = line  # the first one; empty for trailers
        self.lines = lines  # the fields that are forwarded unchanged, without CRLF
        self.special = special  # those with a meaning for a proxy,
        self.trace = trace  # but these are for the translator
        self.rest = rest  # the bytes after the head

    def __repr__(self) -> str:
        return f"<Head {self.line!r}, {self.lines}, {self.special}, {self.trace}, {len(self.rest)} bytes behind it>"
