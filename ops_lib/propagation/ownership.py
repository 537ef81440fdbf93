"""Which headers are read, and which are removed before others are written in their place. Only names, never values."""

from __future__ import annotations

from collections.abc import Iterable

from . import session
from .baggage import BAGGAGE, UBERCTX, BaggageMode
from .carrier import BAGGAGE_NAMES, known_names
from .codec import Codec


class Ownership:
    """The header names of one set of settings. Immutable.

    `read`: the names that are read, in lower case.
    `spelled`: all names that are read or written, in their usual spelling.
    `uberctx-*` comes in addition to both.
    """

    __slots__ = ("_baggage", "_owned", "_trace", "read", "spelled")

    def __init__(
        self,
        codecs: Iterable[Codec],
        *,
        session_inject: str,
        session_extract: Iterable[str],
        session_bridge: bool,
        baggage: BaggageMode,
    ) -> None:
        """`codecs`: of the formats that are read, written, or cleared by default.
        For the other arguments see Propagator.
        """
        codecs, session_extract = tuple(codecs), tuple(session_extract)
        headers = [name for codec in codecs for name in codec.headers]
        sessions = [session_inject] if session_inject else []
        self.spelled = tuple(dict.fromkeys([*headers, *sorted(BAGGAGE_NAMES), *sessions, *session_extract]))
        self.read = known_names(session_extract, codecs)
        owned = self.read.union(name.lower() for name in sessions)
        if session_inject or session_extract:  # otherwise a session under another usual name would be a second story
            owned = owned.union(name.lower() for name in session.EXTRACT_NAMES)
        if baggage == "pass":
            owned -= BAGGAGE_NAMES
            if session_bridge:
                owned |= {BAGGAGE}
        self._owned = frozenset(map(_with_hyphens, owned))
        self._trace = frozenset(_with_hyphens(name) for codec in codecs for name in codec.names)
        self._baggage = baggage

    def reads(self, name: str) -> bool:
        """Whether the header `name`, in any case, is read."""
        name = name.lower()
        return name in self.read or name.startswith(UBERCTX)

    def owns(self, name: str) -> bool:
        """Whether the header `name` is removed before injecting: any format's, in any case, or its underscore twin."""
        name = _with_hyphens(name.lower())
        return name in self._owned or (self._baggage != "pass" and name.startswith(UBERCTX))

    def owns_trace(self, name: str) -> bool:
        """As `owns`, but only for the formats' own headers: not session or baggage."""
        return _with_hyphens(name.lower()) in self._trace


def _with_hyphens(name: str) -> str:
    """CGI and WSGI servers cannot tell `_` from `-`."""
    return name.replace("_", "-")
