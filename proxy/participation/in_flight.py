"""The requests that are at the app now. They tell where a call of the app belongs, and what it has lost. PURE.

The clock is an argument.
Bounded in number and bytes: entries that do not fit are counted, not remembered.
Code that begins an entry ends it.
A request that is over before anybody asks costs next to nothing: it is read when somebody does (`settle`).
A request of hours is forgotten when its room is needed, an entry that never ends (a bug) when it is too old.
One whose client has left stays for a while (`abandoned`): the app may still be at it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final, TypeVar, final

from proxy.participation.abandoned import Abandoned
from proxy.participation.carried import NOTHING_CARRIED, Carried, agreed
from proxy.participation.entry import (
    ANSWERED,
    LEFT_BYTES,
    NOWHERE,
    OVERHEAD_BYTES,
    REMEMBERED,
    UNTRACKED,
    AtApp,
    InFlight,
)
from proxy.participation.recent import RecentTraces
from proxy.plan.participation import DEFAULT_IN_FLIGHT, InFlightPlan

_Key = TypeVar("_Key")

_MOST_OF_TRACE: Final = 64  # requests of one trace that are looked at for a call
_MOST_UNREAD: Final = 256  # requests that nobody has asked about; to read them all takes a third of a millisecond
_UNREAD_BYTES: Final = 16 * 1024  # that one of them may turn out to have; with less room, none is left unread


@final
class InFlightTable:
    """See the module."""

    __slots__ = (
        "_at_app",
        "_by_evidence",
        "_by_trace",
        "_doubted",
        "_entries",
        "_evidence",
        "_limit",
        "_limit_bytes",
        "_max_age_s",
        "_most_unread",
        "_now",
        "_size",
        "_traceless",
        "_unread",
        "_untracked",
        "abandoned",
        "counts",
        "recent",
    )

    def __init__(self, plan: InFlightPlan = DEFAULT_IN_FLIGHT, at_app: Callable[[], int] | None = None) -> None:
        """`at_app`: how many requests are at the app now, remembered or not. None: as many as were told of here."""
        self.abandoned = Abandoned(plan.abandoned_s)
        self._at_app = at_app
        self._entries: dict[InFlight, None] = {}  # in the order in which they began
        self._unread: dict[AtApp, object] = {}  # and those that have begun since, with what the app was given
        self._now = 0.0  # when the last of them began, in seconds
        # Dicts as ordered sets: however many requests share a key, to take one out costs the same.
        # Most traces have one request, which needs no dict.
        self._by_trace: dict[bytes, InFlight | dict[InFlight, None]] = {}
        self._by_evidence: dict[tuple[str, str], dict[InFlight, None]] = {}
        self._evidence: Callable[[InFlight], tuple[tuple[str, str], ...] | None] | None = None
        self._doubted: dict[InFlight, None] = {}  # those whose evidence nobody can tell
        self._size = 0
        self.use(plan)
        self._traceless = 0  # entries without a trace
        self._untracked = 0
        self.recent: RecentTraces | None = None  # of requests that are over, while somebody asks
        self.counts: dict[str, int] = {"no-room": 0, "too-old": 0}  # entries never remembered, or forgotten

    def __repr__(self) -> str:
        return f"<InFlightTable {len(self)} requests, {self.size_bytes} of {self._limit_bytes} bytes>"

    def __len__(self) -> int:
        """How many are remembered, those included that were abandoned."""
        return len(self._entries) + len(self._unread)

    @property
    def is_idle(self) -> bool:
        """Whether no request is in flight, as far as it is remembered."""
        return len(self) == len(self.abandoned)

    @property
    def size_bytes(self) -> int:
        """Roughly, the bytes held."""
        return self._size + len(self._unread) * OVERHEAD_BYTES

    def use(self, plan: InFlightPlan) -> None:
        """Keep to other limits from now on. What is remembered stays so until it ends, or is too old."""
        self._limit, self._limit_bytes, self._max_age_s = plan.limit, plan.limit_bytes, plan.max_age_s
        self.abandoned.stay_s = plan.abandoned_s
        self._reckon()

    def add(self, exchange: AtApp, given: object, now: float) -> None:
        """A request is given to the app, and `given` with it. Its `exchange` is asked for more once somebody asks."""
        self._unread[exchange] = given
        self._now = now
        if len(self._unread) > self._most_unread:
            self.settle()

    def drop(self, exchange: AtApp, *, is_over: bool) -> None:
        """The request is over. If nobody has asked about it, that is all; else, it has an entry, which is to be ended.

        `is_over`: the app is done with it as well.
        """
        if is_over and self.recent is None:
            self._unread.pop(exchange, None)
        elif exchange in self._unread:
            self.settle()

    def settle(self) -> None:
        """Read those that have begun since the last time: each has its entry now."""
        unread, self._unread = self._unread, {}
        for exchange, given in unread.items():
            try:
                entry = exchange.remembered(given, self._now)
                if entry is not None:
                    self.begin(entry)
            except Exception as error:  # a bug of ours: tracing fails open, for whoever asks and for the others
                exchange.unremembered(error)
        self._reckon()

    def _reckon(self) -> None:
        """How many may be left unread: those that have room for certain. None while headers are evidence.

        To read 256 requests with many headers would make a turn long.
        """
        if self._evidence is not None:
            self._most_unread = 0
            return
        room = min(self._limit - len(self._entries), (self._limit_bytes - self._size) // _UNREAD_BYTES)
        self._most_unread = _MOST_UNREAD if room > _MOST_UNREAD else 0

    def begin(self, entry: InFlight) -> bool:
        """A request is given to the app. False, and counted, if there is no room to remember it."""
        size = entry.size_bytes
        has_room = len(self._entries) < self._limit and self._size + size <= self._limit_bytes
        if not has_room and not self._make_room(entry):
            self.counts["no-room"] += 1
            self._untracked += 1
            entry.place = UNTRACKED
            return False
        self._entries[entry] = None
        entry.place = REMEMBERED
        self._size += size
        self._place(entry)
        if self._evidence is not None:
            self._find_evidence(entry)
        for item in entry.evidence:
            self._by_evidence.setdefault(item, {})[entry] = None
        return True

    def _make_room(self, entry: InFlight) -> bool:
        """Forget those that were abandoned or are too old, as long as there is no room. Whether there is now."""
        while self._forget_abandoned() or self._forget_old(entry.started):
            if len(self._entries) < self._limit and self._size + entry.size_bytes <= self._limit_bytes:
                return True
        return False

    def _place(self, entry: InFlight) -> None:
        """Let calls find it by its trace."""
        if not entry.trace_id:
            self._traceless += 1
            return
        of_trace = self._by_trace.get(entry.trace_id)
        if of_trace is None:
            self._by_trace[entry.trace_id] = entry
        elif isinstance(of_trace, InFlight):
            self._by_trace[entry.trace_id] = {of_trace: None, entry: None}
        else:
            of_trace[entry] = None

    def find_evidence_by(self, evidence: Callable[[InFlight], tuple[tuple[str, str], ...] | None] | None) -> None:
        """Find each request's evidence so from now on, those in flight included. It tells None where it cannot tell.

        Nobody looks for it until a call asks: most apps forward what they get.
        """
        if self._evidence == evidence:
            return
        self.settle()
        self._evidence = evidence
        self._reckon()
        self._doubted = {}
        if evidence is None:
            return
        for entry in self._entries:
            for item in entry.evidence:
                _remove(self._by_evidence, item, entry)
            self._find_evidence(entry)
            for item in entry.evidence:
                self._by_evidence.setdefault(item, {})[entry] = None

    def _find_evidence(self, entry: InFlight) -> None:
        assert self._evidence is not None
        before = entry.size_bytes
        self._doubted[entry] = None
        evidence = self._evidence(entry)
        if evidence is not None:
            del self._doubted[entry]
        entry.evidence = evidence or ()
        self._size += entry.size_bytes - before

    def end(self, entry: InFlight, is_answered: bool = False) -> None:
        """The app has answered, or the request is over otherwise."""
        if entry.place == REMEMBERED:
            if entry.left is not None and not is_answered and self.abandoned.stay_s:
                self.abandoned.add(entry)
                self._size += LEFT_BYTES
                entry.exchange = None
                return
            self._forget(entry)
        elif entry.place == UNTRACKED:
            self._untracked -= 1
            if entry.left is not None and not is_answered and self.abandoned.stay_s:
                self.abandoned.forgotten()
        self._over(entry, is_answered)

    def _over(self, entry: InFlight, is_answered: bool) -> None:
        if self.recent is not None and entry.trace_id:
            self.recent.add(entry.trace_id)
        entry.place = ANSWERED if is_answered else NOWHERE
        entry.exchange = None

    def _forget(self, entry: InFlight) -> None:
        del self._entries[entry]
        if self._doubted:
            self._doubted.pop(entry, None)
        self._size -= entry.size_bytes
        if entry.trace_id:
            self._forget_trace(entry)
        else:
            self._traceless -= 1
        for item in entry.evidence:
            _remove(self._by_evidence, item, entry)

    def done(self, entry: InFlight) -> None:
        """The app is done with a request that was abandoned."""
        if entry in self.abandoned:
            self.abandoned.discard(entry)
            self._size -= LEFT_BYTES
            self._forget(entry)
            self._over(entry, False)

    def _forget_abandoned(self) -> bool:
        """Forget the one that was abandoned first, though it may be whose call comes."""
        entry = self.abandoned.first()
        if entry is None:
            return False
        self.done(entry)
        self.abandoned.forgotten()
        return True

    def _forget_trace(self, entry: InFlight) -> None:
        of_trace = self._by_trace[entry.trace_id]
        if isinstance(of_trace, InFlight):
            del self._by_trace[entry.trace_id]
            return
        del of_trace[entry]
        if len(of_trace) == 1:
            self._by_trace[entry.trace_id] = next(iter(of_trace))

    def sweep(self, now: float) -> None:
        """Forget those that were abandoned a while ago. `now`: in seconds.

        And entries that are too old, if there are more of them than requests: some have never ended.
        """
        if self._unread:
            self.settle()
        for entry in self.abandoned.over(now):
            self.done(entry)
        while self.missing < 0 and self._forget_old(now):
            pass

    def _forget_old(self, now: float) -> bool:
        """Forget the oldest entry, if it is too old."""
        entry = next(iter(self._entries), None)
        if entry is None or entry.started > now - self._max_age_s:
            return False
        if entry in self.abandoned:
            self.done(entry)
            return True
        self._forget(entry)
        entry.place = UNTRACKED
        self._untracked += 1
        self.counts["too-old"] += 1
        return True

    # --- questions

    def of_trace(self, trace_id: bytes, *parent_ids: bytes | None) -> InFlight | None:
        """The request of exactly this trace; of several the one that gave the app one of `parent_ids`, else the newest.

        Of a trace with very many requests, the newest are looked at.
        """
        if self._unread:
            self.settle()
        entries = self._by_trace.get(trace_id)
        if entries is None or isinstance(entries, InFlight):
            return entries
        return _named(entries, parent_ids) or next(reversed(entries))

    def carried_of(self, trace_id: bytes, *parent_ids: bytes | None) -> Carried | None:
        """What requests of exactly this trace came with that the app may have lost; None if none is in flight.

        Of several requests the one that gave the app one of `parent_ids` counts; if none did, what all agree about.
        """
        if self._unread:
            self.settle()
        entries = self._by_trace.get(trace_id)
        if entries is None:
            return None
        if isinstance(entries, InFlight):
            return entries.carried
        named = _named(entries, parent_ids)
        if named is not None:
            return named.carried
        if len(entries) > _MOST_OF_TRACE:
            return NOTHING_CARRIED
        carried = next(iter(entries)).carried
        for entry in entries:
            carried = agreed(carried, entry.carried)
        return carried

    def only_with(self, name: str, value: str) -> InFlight | None:
        """The request that came with this header, if it is the only one in flight that did.

        None while there are requests that are not remembered, or not whole: any of them may have come with it.
        """
        if not self.is_whole or self._doubted:
            return None
        entries = self._by_evidence.get((name, value))
        return next(iter(entries)) if entries is not None and len(entries) == 1 else None

    def only(self) -> InFlight | None:
        """The request in flight, if it is the only one, and all are remembered."""
        if not self.is_whole or len(self._entries) != 1 or len(self.abandoned):
            return None
        return next(iter(self._entries))

    @property
    def is_traced(self) -> bool:
        """Whether every request at the app is remembered, and came with a trace: then so did the one behind a call."""
        return self.is_whole and not self._traceless

    def newest(self, most: int) -> list[InFlight]:
        """The requests in flight, the newest first; `most` of them."""
        found: list[InFlight] = []
        if self._unread:
            self.settle()
        for entry in reversed(self._entries):
            if len(found) >= most:
                break
            found.append(entry)
        return found

    def entries(self) -> tuple[InFlight, ...]:
        """All that are remembered, the oldest first; those included that were abandoned."""
        if self._unread:
            self.settle()
        return tuple(self._entries)

    @property
    def missing(self) -> int:
        """How many requests are at the app and not remembered: no room, too old, or nobody wanted to as they began."""
        if self._unread:
            self.settle()
        return self._untracked if self._at_app is None else self._at_app() - len(self._entries) + len(self.abandoned)

    @property
    def is_whole(self) -> bool:
        """Whether every request at the app is remembered, those included that were abandoned."""
        return self.missing == 0 and not self.abandoned.is_blind


def _named(entries: dict[InFlight, None], parent_ids: tuple[bytes | None, ...]) -> InFlight | None:
    for entry in islice(reversed(entries), _MOST_OF_TRACE):
        if entry.span_id in parent_ids:
            return entry
    return None


def _remove(index: dict[_Key, dict[InFlight, None]], key: _Key, entry: InFlight) -> None:
    entries = index[key]
    del entries[entry]
    if not entries:
        del index[key]
