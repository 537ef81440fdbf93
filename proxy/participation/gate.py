"""What is kept back: of what a host may not see, and of what a peer is not believed. By headers' names, and by what
baggage holds. PURE.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from ops_lib.propagation import Cargo, Extraction, cargo_of, without_cargo
from proxy.plan import BaggageMode
from proxy.plan.participation import ALL_CARGO, CargoPlan, TrustPlan

RawHeaders = list[tuple[bytes, bytes]]

NOTHING_WITHHELD: Final[tuple[Cargo, ...]] = ()


class Gate:
    """Between peers that are believed so far, and hosts to which so much may go."""

    __slots__ = ("_allowed", "_is_open", "_session_names", "_trust", "splits_baggage")

    def __init__(self, trust: TrustPlan, allowed: CargoPlan, session_names: AbstractSet[str]) -> None:
        """`session_names`: headers, in lower case, that may hold a session beside the usual ones."""
        self._trust = trust
        self._allowed = allowed
        self._is_open = allowed == ALL_CARGO
        self._session_names = frozenset(name.lower().replace("_", "-") for name in session_names)
        self.splits_baggage = allowed.baggage and not (allowed.trace and allowed.session)
        """Whether baggage may go, but not what it holds of a trace or a session."""

    def mode(self, wanted: BaggageMode) -> BaggageMode:
        """What to do with baggage where `wanted` is set: what has to be weighed, or not to go on, has to be read."""
        trust = self._trust
        is_believed = trust.baggage and trust.session and trust.ids != "ignore"
        passes = is_believed and self._allowed.baggage and not self.splits_baggage
        return wanted if passes or wanted != "pass" else "translate"

    def bars(self, name: str) -> bool:
        """Whether a header of this name must not go on as it came."""
        cargo = cargo_of(name, self._session_names)
        if cargo == "session":
            return not (self._trust.session and self._allowed.session)
        if cargo == "baggage":
            return not (self._trust.baggage and self._allowed.baggage)
        return cargo == "trace" and not self._allowed.trace

    def leaving(self, extraction: Extraction) -> Extraction:
        """`extraction` without session and baggage that may not go, nor what baggage holds of a trace or a session."""
        if self._is_open:
            return extraction
        allowed, baggage = self._allowed, extraction.baggage
        if baggage is not None:
            baggage = without_cargo(baggage, trace=allowed.trace, session=allowed.session) if allowed.baggage else None
        return extraction._replace(session=extraction.session if allowed.session else None, baggage=baggage)

    def withhold(self, written: RawHeaders, *of: Extraction) -> tuple[RawHeaders, tuple[Cargo, ...]]:
        """Those of `written` that may go, and what was kept back, in all: `of` are what came, and its `leaving`."""
        if self._is_open:
            return written, NOTHING_WITHHELD
        kept = []
        withheld: dict[Cargo, None] = {}
        for header in written:
            cargo = cargo_of(header[0].decode("latin-1"), self._session_names)
            if cargo is None or self._lets(cargo):
                kept.append(header)
            else:
                withheld[cargo] = None
        if of and of[0].session != of[-1].session:
            withheld["session"] = None
        if of and of[0].baggage != of[-1].baggage:
            withheld["baggage"] = None
        return kept, tuple(withheld)

    def _lets(self, cargo: Cargo) -> bool:
        if cargo == "trace":
            return self._allowed.trace
        return self._allowed.session if cargo == "session" else self._allowed.baggage
