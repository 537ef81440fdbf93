"""The session id, in a separate header. Ours alone; no specification has it.

    session-id = 1*256VCHAR      ; visible ASCII, %x21-7E

Only the id travels. An invalid id from the wire is dropped and counted; from the program itself it is an error.

The header may come several times, or joined into a list on the way (RFC 9110 §5.3): the first valid id counts.
An id may also contain a comma.
So a comma separates only beside white space, or between equal parts.
`s1, s2` is a list, `s1,s1` is `s1` twice, and `s1,s2` is one id.
"""

from __future__ import annotations

import re

from .context import Fields, Malformed
from .errors import InvalidSessionError

INJECT_NAME = "X-Mirascope-Session-Id"
EXTRACT_NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")

MAX_LENGTH = 256
MAX_JOINED = 16 * MAX_LENGTH  # characters of joined values that are read; far more than a duplicate or two

SESSION_ID = rf"[\x21-\x2b\x2d-\x7e]{{1,{MAX_LENGTH}}}"
"""An id without a comma: needs no splitting."""
_match = re.compile(rf"[\x21-\x7e]{{1,{MAX_LENGTH}}}").fullmatch
_separate = re.compile(r"[ \t],|,[ \t]").split
_find_stranger = re.compile(r"[^\x21-\x7e]").search


def is_session_id(value: str) -> bool:
    """Whether `value` may travel as a session id."""
    return _match(value) is not None


def check_session_id(value: str) -> str:
    """Returns `value`. Raises InvalidSessionError, which names the limit and the value's problem."""
    if isinstance(value, str) and _match(value):
        return value
    limit = f"a session id is 1 to {MAX_LENGTH} visible ASCII characters"
    if not isinstance(value, str):  # for programs without a type checker
        raise InvalidSessionError(f"{limit}; {value!r:.64} is {type(value).__name__}, not str")
    if not value:
        raise InvalidSessionError(f"{limit}; this one is empty")
    if stranger := _find_stranger(value):
        raise InvalidSessionError(f"{limit}; {value[:64]!r} has {stranger[0]!r} at position {stranger.start()}")
    raise InvalidSessionError(f"{limit}; this one has {len(value)}: {value[:32]!r}…")


def extract(fields: Fields, names: tuple[str, ...]) -> tuple[str | None, Malformed | None]:
    """The first valid id under `names` (lower case), in their order; and why the first invalid one was refused."""
    refused: Malformed | None = None
    room = MAX_JOINED
    for name in names:
        for value in fields.get(name, ()):
            if len(value) > room:
                refused = refused or Malformed.TOO_LONG
                continue
            room -= len(value)
            for each in _ids(value):
                if _match(each):
                    return each, refused
                refused = refused or _why(each)
    return None, refused


def _ids(value: str) -> list[str]:
    """The ids in one header, which may have been joined."""
    value = value.strip(" \t")
    if "," not in value:
        return [value]
    each, *others = value.split(",")
    each = each.strip(" \t")
    if each and all(other.strip(" \t") == each for other in others):
        return [each]
    return [part.strip(" \t") for part in _separate(value)]


def _why(value: str) -> Malformed:
    if not value:
        return Malformed.EMPTY
    return Malformed.CHARACTERS if _find_stranger(value) else Malformed.TOO_LONG
