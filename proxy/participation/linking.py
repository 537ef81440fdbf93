"""Finds the request that a call of the app belongs to, if the app forwarded nothing.
By evidence, never by time alone.
PURE.

First comes a header whose value only one request in flight has.
Then the process that holds both connections, if it has one request in flight.
Last, the only request in flight.
Without evidence, the call begins a new trace, with links to the requests that it may belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from proxy.participation.entry import InFlight
from proxy.participation.in_flight import InFlightTable
from proxy.plan.participation import LinkingPlan

Method = Literal["header", "process", "single", "none"]

CONFIDENCE: Final[dict[Method, str]] = {"header": "high", "process": "high", "single": "medium", "none": "none"}
"""The evidence, as on the span. `single`: background work could be mistaken for the request's."""

MAX_CANDIDATES: Final = 8  # links of a call that cannot be joined


class Linked(NamedTuple):
    """The request that a call belongs to, and the evidence; or the requests that it may belong to."""

    entry: InFlight | None
    method: Method
    candidates: tuple[InFlight, ...] = ()


def link_by_header(plan: LinkingPlan, table: InFlightTable, evidence: Iterable[tuple[str, str]]) -> Linked | None:
    """Join a call to the only request in flight that came with one of its headers.

    `evidence`: the call's own headers, as `evidence_of` gives them.
    """
    for name, value in evidence:
        if name in plan.headers:
            entry = table.only_with(name, value)
            if entry is not None:
                return Linked(entry, "header")
    return None


def link(
    plan: LinkingPlan,
    entries: Sequence[InFlight],
    *,
    is_whole: bool,
    processes: Mapping[InFlight, int] | None = None,
    process: int = 0,
) -> Linked:
    """Join a call to one of `entries`, the requests that were in flight when it came, the oldest first.

    One whose client has left is among them, since the call may be its own: it may also be of no request at all.
    `is_whole`: whether these are all of them.
    `processes`: the process that serves each of them, if known, 0 if it is known that none does.
    `process`: the one that made the call, 0 for unknown.
    """
    processes = processes or {}
    if plan.process and process and is_whole:
        # A request with an unknown process may be this one.
        of_process = [entry for entry in entries if processes.get(entry, process) == process]
        if len(of_process) == 1 and of_process[0] in processes and of_process[0].left is None:
            return Linked(of_process[0], "process")
    if plan.single and is_whole and len(entries) == 1:
        (entry,) = entries
        if entry.left is None and (
            not process or processes.get(entry, process) == process
        ):  # else another process serves it
            return Linked(entry, "single")
    return Linked(None, "none", tuple(reversed(entries[-MAX_CANDIDATES:])))
