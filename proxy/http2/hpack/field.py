"""A header field, as both tables hold it and as messages carry it. PURE.

For speed: a field is judged once, when it comes as a literal.
Later blocks refer to the same object by its index.
The object also remembers where the encoder of the next hop has it.
"""

from __future__ import annotations

from typing import Final, final

OVERHEAD_BYTES: Final = 32  # what a field counts beside its name and value (RFC 7541, 4.1)


@final
class Holder:
    """Stands for one encoder's table, where fields remember it. It holds nothing, so it keeps nothing alive."""

    __slots__ = ()


@final
class HeaderField:
    """A name and a value, which never change, and what is known about them."""

    __slots__ = ("holder", "is_literal", "kind", "name", "never", "number", "size", "static", "value")

    def __init__(self, name: bytes, value: bytes, kind: int = 0, never: bool = False, is_literal: bool = False) -> None:
        """`never`: no hop may put it into a table (6.2.3). `is_literal`: its sender has not put it there (6.2.2)."""
        self.name = name
        self.value = value
        self.kind = kind  # by a Judge
        self.never = never
        self.is_literal = is_literal
        self.size = len(name) + len(value) + OVERHEAD_BYTES
        self.static = 0  # its index in the static table, once known
        self.holder: Holder | None = None  # the encoder that last had it in its table
        self.number = 0  # where: how many fields had come into that table, with this one

    def __repr__(self) -> str:
        return f"<HeaderField {self.name.decode('latin-1')}, {len(self.value)} bytes, kind {self.kind}>"


class Judge:
    """Says what a field means. This one says the same of each; see `engine.fields`."""

    __slots__ = ()

    def kind_of(self, name: bytes, value: bytes) -> int:
        """A small integer that is kept with the field."""
        return 0
