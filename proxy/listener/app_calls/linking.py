"""Finds the request at the app that a call without a context belongs to.

May know requests in flight, both sides, and threads: the processes behind connections are looked up in one.
Must not know translations: what becomes of what it finds is for the caller.
The rules of evidence are in `participation.linking`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, cast

from proxy.listener.accounting import Accounted
from proxy.listener.sides import Asker, Receiver
from proxy.participation.entry import InFlight, evidence_of
from proxy.participation.in_flight import InFlightTable
from proxy.participation.linking import Linked, link, link_by_header
from proxy.plan.participation import LinkingPlan
from proxy.semantics.request import Request
from proxy.translated import NO_HEADERS
from proxy.transport.processes import GONE, NOBODY, UNKNOWN, Ends

log = logging.getLogger(__name__)

_MOST_ENTRIES: Final = 256  # requests in flight whose processes are looked up for a call
_MOST_SEARCHES: Final = 256  # calls that wait for a look-up

Owners = Callable[[Iterable[Ends]], dict[Ends, int]]


class Search:
    """A call that waits until it is known which process made it."""

    def __init__(self, linker: Linker, asker: Asker, entries: Sequence[InFlight], is_whole: bool) -> None:
        self._linker = linker
        self._asker = asker
        self._entries = entries
        self._is_whole = is_whole
        self._on_found: Callable[[Linked], None] | None = None
        self._exchanges = [entry.exchange for entry in entries]  # an entry that ends lets go of its own

    def begin(self, on_found: Callable[[Linked], None]) -> None:
        """Find it, and tell, once, in a later turn of the loop."""
        self._on_found = on_found
        self._linker.wait(self)

    def give_up(self) -> None:
        """Nobody waits for the process any more: conclude without."""
        self.conclude({})

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        self._on_found = None

    @property
    def is_waiting(self) -> bool:
        """Whether somebody wants to know."""
        return self._on_found is not None

    def wanted(self) -> set[Ends]:
        """The connections whose processes have to be known."""
        ends = {self._asker.ends() if self._asker.process == UNKNOWN else None}
        for entry, exchange in zip(self._entries, self._exchanges, strict=True):
            if entry.left is not None:
                ends.add(cast("Ends | None", entry.left.connection))
            elif exchange is not None:
                answerer = cast(Receiver, exchange).answerer
                if answerer is not None and answerer.process == UNKNOWN:
                    ends.add(answerer.ends())
        return {each for each in ends if each is not None}

    def conclude(self, found: dict[Ends, int]) -> None:
        """Tell what is evident; `found`: the processes that were looked up."""
        on_found, self._on_found = self._on_found, None
        if on_found is None:
            return
        try:
            linked = self._judge(found)
        except Exception as error:  # a bug of ours: the call goes on all the same
            log.error("a call was not joined, it went on", exc_info=error)
            linked = Linked(None, "none")
        on_found(linked)

    def _judge(self, found: dict[Ends, int]) -> Linked:
        asker = self._asker
        if asker.process == UNKNOWN:
            ends = asker.ends()
            asker.process = max(found.get(ends, NOBODY), NOBODY) if ends is not None and found else NOBODY
        processes = {}
        entries = []
        for entry, exchange in zip(self._entries, self._exchanges, strict=True):
            process = self._process_of(entry, exchange, found)
            if process == GONE:
                self._linker.done(entry)
                continue
            entries.append(entry)
            if process >= NOBODY:
                processes[entry] = process
        return link(
            self._linker.plan,
            entries,
            is_whole=self._is_whole,
            processes=processes,
            process=asker.process,
        )

    @staticmethod
    def _process_of(entry: InFlight, exchange: object, found: dict[Ends, int]) -> int:
        if entry.is_answered:
            return NOBODY  # the app was done with it
        left = entry.left
        if left is not None:
            process = found.get(cast(Ends, left.connection), UNKNOWN)
            return process if process >= NOBODY or (process == GONE and left.shows_end) else left.process
        if exchange is None:
            return UNKNOWN  # over, and who knows how
        answerer = cast(Receiver, exchange).answerer
        if answerer is None:
            return NOBODY if entry.exchange is not None else UNKNOWN  # not sent yet; or over, and who knows how
        if answerer.process == UNKNOWN:
            ends = answerer.ends()
            process = found.get(ends, UNKNOWN) if ends is not None else UNKNOWN
            if process <= NOBODY:
                return max(process, UNKNOWN)  # not accepted yet: no process has begun with it
            answerer.process = process
        return answerer.process


class Linker:
    """One per data plane."""

    def __init__(self, table: InFlightTable, plan: LinkingPlan, find_owners: Owners) -> None:
        self._table = table
        self._owners = find_owners
        self._threads: ThreadPoolExecutor | None = None
        self._waiting: list[Search] = []
        self._looking: asyncio.Future[dict[Ends, int]] | None = None
        self.use(plan)

    def use(self, plan: LinkingPlan, *, reads_trace: bool = False) -> None:
        """Go by `plan` from now on. `reads_trace`: trace fields may be evidence, which requests kept no longer."""
        self.plan = plan
        self._reads_trace = reads_trace
        self._names = frozenset(name.encode("latin-1") for name in plan.headers)
        self._table.find_evidence_by(None)

    def find(self, asker: Asker, request: Request) -> Linked | Search:
        """The request that a call belongs to; or a Search, if the process has to be looked up first."""
        plan, table = self.plan, self._table
        if table.is_idle:
            return Linked(None, "none")
        if plan.headers:
            table.find_evidence_by(self._evidence_of)
            found = link_by_header(plan, table, self._evidence(request))
            if found is not None:
                return found
        entries, is_whole = table.entries(), table.is_whole
        if (
            not plan.process
            or not is_whole
            or len(entries) > _MOST_ENTRIES
            or len(self._waiting) >= _MOST_SEARCHES
            or (asker.process == NOBODY and not table.abandoned)
        ):
            return link(plan, entries, is_whole=is_whole)
        return Search(self, asker, entries, is_whole)

    def done(self, entry: InFlight) -> None:
        """The app is done with a request that was abandoned."""
        self._table.done(entry)

    def _evidence_of(self, entry: InFlight) -> tuple[tuple[str, str], ...] | None:
        """Of a request at the app; None if nobody can tell, since its trace fields are forgotten."""
        if entry.exchange is None:
            return () if entry.left is None else None
        request = cast(Accounted, entry.exchange).request
        if self._reads_trace and request.trace is NO_HEADERS:
            return None
        return self._evidence(request)

    def _evidence(self, request: Request) -> tuple[tuple[str, str], ...]:
        names = self._names
        headers: dict[str, list[str]] = {}
        for name, value in [*request.fields(), *request.trace]:
            lowered = name.lower()
            if lowered in names:
                headers.setdefault(lowered.decode("latin-1"), []).append(value.decode("latin-1"))
        return evidence_of(self.plan.headers, headers)

    # --- look-ups: one at a time, each for all who wait

    def wait(self, search: Search) -> None:
        """Look up what `search` wants, together with what others want."""
        self._waiting.append(search)
        if self._looking is None:
            self._look()

    def _look(self) -> None:
        searches = [search for search in self._waiting if search.is_waiting]
        self._waiting = []
        if not searches:
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "ops-sidecar-processes")
        wanted: set[Ends] = set()
        with suppress(Exception):  # a bug of ours: then they go on without
            wanted = wanted.union(*(search.wanted() for search in searches))
        loop = asyncio.get_running_loop()
        self._looking = loop.run_in_executor(self._threads, self._owners, wanted)
        self._looking.add_done_callback(lambda future: self._looked(future, searches))

    def _looked(self, future: asyncio.Future[dict[Ends, int]], searches: list[Search]) -> None:
        self._looking = None
        found: dict[Ends, int] = {}
        if not future.cancelled():
            error = future.exception()
            if error is None:
                found = future.result()
            else:  # what a process may be, nobody knows then
                log.debug("processes cannot be looked up", exc_info=error)
        for search in searches:
            search.conclude(found)
        self._look()

    def stop(self) -> None:
        """Look up nothing more."""
        for search in self._waiting:
            search.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
