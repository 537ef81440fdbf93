"""To which request a call of the app belongs, if the app forwarded nothing. By evidence, never by time alone. PURE.

In this order: a header whose value only one request in flight has; the process that holds both connections, if it
has one request in flight; the only request in flight. Without evidence the call begins a trace of its own, with links
to the requests that it may belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from proxy.participation.in_flight import InFlight, InFlightTable
from proxy.plan.participation import LinkingPlan

Method = Literal["header", "process", "single", "none"]

CONFIDENCE: Final[dict[Method, str]] = {"header": "high", "process": "high", "single": "medium", "none": "none"}
"""What stands on the span beside the method. `single`: work in the background could be taken for the request's."""

MAX_CANDIDATES: Final = 8  # links of a call that could not be joined


class Linked(NamedTuple):
    """The request that a call belongs to, and how that is known; or whom it may belong to."""

    entry: InFlight | None
    method: Method
    candidates: tuple[InFlight, ...] = ()


def link(
    plan: LinkingPlan,
    table: InFlightTable,
    evidence: Iterable[tuple[str, str]],
    processes: Mapping[InFlight, int] | None = None,
    process: int = 0,
) -> Linked:
    """Join a call to a request in flight.

    `evidence`: the call's own headers, as `evidence_of` gives them. `processes`: of requests in flight, the process
    that serves them, as far as it is known; `process`: the one that made the call, 0 for unknown.
    """
    for name, value in evidence:
        if name in plan.headers:
            entry = table.only_with(name, value)
            if entry is not None:
                return Linked(entry, "header")
    if plan.process and process and processes is not None and table.is_whole:
        entries = table.entries()
        # Of a request whose process is not known, nobody can say that it is not this one.
        of_process = [entry for entry in entries if processes.get(entry, process) == process]
        if len(of_process) == 1 and of_process[0] in processes:
            return Linked(of_process[0], "process")
    if plan.single:
        entry = table.only()
        if entry is not None:
            return Linked(entry, "single")
    return Linked(None, "none", tuple(table.newest(MAX_CANDIDATES)))
