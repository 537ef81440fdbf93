"""Sessions: an id that groups the work of several traces, and travels with them.

The session lives in the OpenTelemetry Context.
Only its id goes over the wire (X-Mirascope-Session-Id, docs/formats.md "Session"); its attributes stay in the process.
May know: the Context, the heart's rule for session ids.
Must not know spans or headers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextvars import Token
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from opentelemetry.context import Context

from ops_lib.context.current import SESSION_KEY, attach, current, leave, with_value
from ops_lib.propagation import SESSION_INJECT_NAME, ConfigurationError, check_session_id, is_session_id

SESSION_HEADER_NAME: Final = SESSION_INJECT_NAME
"""The header that carries the session id; `Mirascope-Session-Id` is read as well (docs/formats.md, "Session")."""


_NO_ATTRIBUTES: Final[Mapping[str, object]] = MappingProxyType({})


def _new_id() -> str:
    return str(uuid.uuid4())


def _no_attributes() -> Mapping[str, object]:
    return _NO_ATTRIBUTES


@dataclass(frozen=True, slots=True)
class SessionContext:
    """A session: its id, and further attributes within this process.

    Takes:

    - `id`: 1 to 256 visible ASCII characters; default: a fresh UUID version 4 (RFC 9562).
    - `attributes`: a mapping of names to JSON-like values; default: none, as in a session that came over the wire.
      It is copied and cannot be changed afterwards.

    Gives: an immutable value, fit to be handed to threads.
    Raises: ValueError (InvalidSessionError) when the id may not travel in a header:
    empty, too long, or holding spaces, control characters (CR, LF) or anything beyond
    ASCII. Specification: docs/formats.md "Session"; RFC 9110 section 5.5 (field values).
    """

    id: str = field(default_factory=_new_id)
    attributes: Mapping[str, object] = field(default_factory=_no_attributes, hash=False)

    def __post_init__(self) -> None:
        check_session_id(self.id)
        if self.attributes is not _NO_ATTRIBUTES:
            object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes or {})))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled by value: a mapping proxy cannot be."""
        return SessionContext, (self.id, dict(self.attributes))


class _Session:
    """What `session()` gives: a block in which a session is in force."""

    __slots__ = ("_attached", "_session", "_tokens")

    def __init__(self, session: SessionContext) -> None:
        self._session = session
        self._tokens: list[tuple[Token[Context], Context]] = []

    def __enter__(self) -> SessionContext:
        context = with_value(current(), SESSION_KEY, self._session)
        self._tokens.append((attach(context), context))
        return self._session

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._tokens:
            leave(*self._tokens.pop(), kind)

    async def __aenter__(self) -> SessionContext:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.__exit__(kind, *error)


def session(
    *,
    id: str | None = None,
    attributes: Mapping[str, object] | None = None,
    on_invalid: Literal["raise", "new"] = "raise",
) -> _Session:
    """Put a session in force for a `with` or `async with` block.

    Takes:

    - `id`: 1 to 256 visible ASCII characters; default: a fresh UUID.
    - `attributes`: a mapping of names to JSON-like values, which stay in this process.
    - `on_invalid`: what becomes of an id that may not travel: "raise", or "new" for a fresh id in its place.

    Use "new" for an id from a client, so that clients cannot cause errors.
    Blocks nest; the inner session is in force until its block ends.
    Gives: a context manager whose value is the SessionContext.
    Spans made within carry `session.id`, and `inject_context` writes SESSION_HEADER_NAME. Raises: ValueError
    (InvalidSessionError) when the id is empty, longer than 256 characters, or holds anything but visible ASCII, and
    `on_invalid` is "raise"; ValueError for another `on_invalid`.
    Specification: docs/formats.md "Session"; OpenTelemetry semantic conventions, `session.id`.
    """
    given = _NO_ATTRIBUTES if attributes is None else attributes
    if on_invalid == "new":
        if not isinstance(id, str) or not is_session_id(id):
            id = None
    elif on_invalid != "raise":
        raise ConfigurationError(f'on_invalid is "raise" or "new", not {on_invalid!r}')
    return _Session(SessionContext(attributes=given) if id is None else SessionContext(id, given))


def session_of(context: Context) -> SessionContext | None:
    """The session in force in `context`, or None."""
    found = context.get(SESSION_KEY)
    if found.__class__ is str:  # a session from headers is a plain id, until more is asked for
        return SessionContext(found)
    return found if isinstance(found, SessionContext) else None


def session_id_of(context: Context) -> str | None:
    """The id of the session in force in `context`, or None."""
    found = context.get(SESSION_KEY)
    if found.__class__ is str:
        return found
    return found.id if isinstance(found, SessionContext) else None


def current_session() -> SessionContext | None:
    """The session in force here.

    Takes: nothing.
    Gives: the SessionContext of the innermost `session` block or of the request that `propagated_context` has put in
    force; None if there is none.
    Raises: nothing.
    Specification: docs/formats.md "Session"; OpenTelemetry Context API (the session is a value in it).
    """
    return session_of(current())
