"""The session id: a header of its own. Ours alone, in no specification.

    session-id = 1*256VCHAR      ; visible ASCII, %x21-7E

Only the id travels. What goes over the wire is dropped and counted where it is anything else; what the program itself
hands in is an error.
"""

from __future__ import annotations

import re

from .context import Fields, Malformed
from .errors import InvalidSessionError

INJECT_NAME = "X-Mirascope-Session-Id"
EXTRACT_NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")

MAX_LENGTH = 256

SESSION_ID = rf"[\x21-\x7e]{{1,{MAX_LENGTH}}}"
_match = re.compile(SESSION_ID).fullmatch
_find_stranger = re.compile(r"[^\x21-\x7e]").search


def is_session_id(value: str) -> bool:
    """Whether `value` may travel as a session id."""
    return _match(value) is not None


def check_session_id(value: str) -> str:
    """`value` itself. Raises InvalidSessionError, which names the limit and the value's problem."""
    if isinstance(value, str) and _match(value):
        return value
    limit = f"a session id is 1 to {MAX_LENGTH} visible ASCII characters"
    if not isinstance(value, str):  # programs without a type checker
        raise InvalidSessionError(f"{limit}; {value!r:.64} is {type(value).__name__}, not str")
    if not value:
        raise InvalidSessionError(f"{limit}; this one is empty")
    if stranger := _find_stranger(value):
        raise InvalidSessionError(f"{limit}; {value[:64]!r} has {stranger[0]!r} at position {stranger.start()}")
    raise InvalidSessionError(f"{limit}; this one has {len(value)}: {value[:32]!r}…")


def extract(fields: Fields, names: tuple[str, ...]) -> tuple[str | None, Malformed | None]:
    """The first valid id under `names` (lower case), in their order; and why the first refused one was refused."""
    refused: Malformed | None = None
    for name in names:
        values = fields.get(name)
        if values is None:
            continue
        value = values[0]
        if _match(value):
            return value, refused
        value = value.strip(" \t")
        if _match(value):
            return value, refused
        refused = refused or _why(value)
    return None, refused


def _why(value: str) -> Malformed:
    if not value:
        return Malformed.EMPTY
    return Malformed.CHARACTERS if _find_stranger(value) else Malformed.TOO_LONG
