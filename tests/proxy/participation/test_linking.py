"""Calls are joined by evidence, in order, and never to a request that may be the wrong one."""

from __future__ import annotations

from proxy.participation.entry import InFlight
from proxy.participation.in_flight import InFlightTable
from proxy.participation.linking import CONFIDENCE, MAX_CANDIDATES, Linked, link, link_by_header
from proxy.plan.participation import LinkingPlan

ALL = LinkingPlan(headers=("x-request-id", "x-order"))


def table(*entries: InFlight) -> InFlightTable:
    made = InFlightTable()
    for entry in entries:
        made.begin(entry)
    return made


def request(letter: str, *evidence: tuple[str, str]) -> InFlight:
    return InFlight(letter.encode() * 32, letter.encode() * 16, started=0.0, evidence=evidence)


def linked(*entries: InFlight, plan: LinkingPlan = ALL, of: dict[InFlight, int] | None = None, by: int = 0) -> Linked:
    return link(plan, entries, is_whole=True, processes=of, process=by)


def test_a_header_that_one_request_has() -> None:
    one, two = request("a", ("x-request-id", "1")), request("b", ("x-request-id", "2"))
    assert link_by_header(ALL, table(one, two), [("x-request-id", "2")]) == (two, "header", ())


def test_the_next_header_counts_if_the_first_is_not_unique() -> None:
    one, two = request("a", ("x-request-id", "1"), ("x-order", "5")), request("b", ("x-request-id", "1"))
    found = link_by_header(ALL, table(one, two), [("x-request-id", "1"), ("x-order", "5")])
    assert found == (one, "header", ())


def test_a_header_that_is_not_configured_is_no_evidence() -> None:
    one, two = request("a", ("x-else", "1")), request("b")
    assert link_by_header(ALL, table(one, two), [("x-else", "1")]) is None


def test_a_process_with_one_request_in_flight() -> None:
    one, two, three = request("a"), request("b"), request("c")
    of = {one: 7, two: 8, three: 8}
    assert linked(one, two, three, of=of, by=7) == (one, "process", ())
    assert linked(one, two, three, of=of, by=8).method == "none"
    assert linked(one, two, three, of=of, by=9).method == "none"
    assert linked(one, two, three, of=of, by=0).method == "none"


def test_a_request_that_no_process_has_begun_with_is_not_it() -> None:
    one, two = request("a"), request("b")
    assert linked(one, two, of={one: 7, two: 0}, by=7) == (one, "process", ())


def test_a_request_whose_process_is_unknown_could_be_this_one() -> None:
    one, two = request("a"), request("b")
    assert linked(one, two, of={one: 7}, by=7).method == "none"
    assert linked(one, two, of={}, by=7).method == "none"


def test_while_a_request_is_not_remembered_nothing_is_known_of_the_others() -> None:
    one = request("a")
    assert link(ALL, [one], is_whole=False, processes={one: 7}, process=7) == (None, "none", (one,))


def test_the_only_request_in_flight() -> None:
    one = request("a")
    assert linked(one) == (one, "single", ())
    assert linked(one, by=7) == (one, "single", ())


def test_the_only_request_is_not_it_if_another_process_called() -> None:
    one = request("a")
    assert linked(one, of={one: 7}, by=8) == (None, "none", (one,))


def test_a_call_is_of_an_unknown_process_unless_one_is_named() -> None:
    """It may belong to the only request, whatever process serves that; and to no process's request."""
    one, two = request("a"), request("b")
    assert link(ALL, [one], is_whole=True) == (one, "single", ())
    assert link(ALL, [one], is_whole=True, processes={one: 7}) == (one, "single", ())
    assert link(ALL, [one, two], is_whole=True, processes={one: 7, two: 0}).method == "none"


def test_each_method_can_be_switched_off() -> None:
    one = request("a", ("x-request-id", "1"))
    assert link_by_header(LinkingPlan(), table(one), [("x-request-id", "1")]) is None
    assert linked(one, plan=LinkingPlan(), of={one: 7}, by=7).method == "process"
    assert linked(one, plan=LinkingPlan(process=False), of={one: 7}, by=7).method == "single"
    assert linked(one, plan=LinkingPlan(process=False, single=False), of={one: 7}, by=7).method == "none"


def test_without_evidence_there_are_candidates_and_no_parent() -> None:
    entries = [request(letter) for letter in "0123456789ab"]
    found = linked(*entries)
    assert found.entry is None
    assert found.candidates == tuple(reversed(entries))[:MAX_CANDIDATES]
    assert linked() == (None, "none", ())


def test_every_method_has_its_confidence() -> None:
    assert CONFIDENCE == {"header": "high", "process": "high", "single": "medium", "none": "none"}
