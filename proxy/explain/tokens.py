"""What came in a request, as tokens: a format and its fate. PURE.

`b3` is valid, `b3!shape` malformed with its reason, `b3~` of another trace than the winner's, `b3^` of another span.
`b3?` is known and was not asked for; `datadog+` passed beside, and `datadog-` was removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

VALID: Final = ""
MALFORMED: Final = "!"
OTHER_TRACE: Final = "~"
OTHER_SPAN: Final = "^"
UNREAD: Final = "?"
PASSED: Final = "+"
REMOVED: Final = "-"

_ENDS: Final = (OTHER_TRACE, OTHER_SPAN, UNREAD, PASSED, REMOVED)


class Token(NamedTuple):
    """A format, its fate, and why it is malformed."""

    format: str
    fate: str
    reason: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether it was read, and says something."""
        return self.fate in (VALID, OTHER_TRACE, OTHER_SPAN)


def read_token(text: str) -> Token:
    """One token; what is not one is a format that is valid."""
    format, mark, reason = text.partition(MALFORMED)
    if mark:
        return Token(format, MALFORMED, reason)
    if text and text[-1] in _ENDS:
        return Token(text[:-1], text[-1])
    return Token(text, VALID)


def read_tokens(texts: Iterable[str]) -> tuple[Token, ...]:
    """Each of them."""
    return tuple(read_token(text) for text in texts if text)


def alone(tokens: Iterable[Token]) -> str:
    """The format without which nothing would be known of the trace; empty if two tell it, or none does."""
    valid = [token for token in tokens if token.is_valid]
    told = [token.format for token in valid if token.fate != OTHER_TRACE]
    return told.pop() if len(told) == 1 else ""
