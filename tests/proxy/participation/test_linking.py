"""Calls are joined by evidence, in order, and never to a request that may be the wrong one."""

from __future__ import annotations

from proxy.participation.in_flight import InFlight, InFlightTable
from proxy.participation.linking import CONFIDENCE, MAX_CANDIDATES, link
from proxy.plan.participation import InFlightPlan, LinkingPlan

ALL = LinkingPlan(headers=("x-request-id", "x-order"))


def table(*entries: InFlight) -> InFlightTable:
    made = InFlightTable()
    for entry in entries:
        made.begin(entry)
    return made


def request(letter: str, *evidence: tuple[str, str]) -> InFlight:
    return InFlight(letter * 32, letter * 16, started=0.0, evidence=evidence)


def test_a_header_that_one_request_has_counts_first() -> None:
    one, two = request("a", ("x-request-id", "1")), request("b", ("x-request-id", "2"))
    found = link(ALL, table(one, two), [("x-request-id", "2")], {one: 7, two: 8}, 7)
    assert (found.entry, found.method) == (two, "header")


def test_the_next_header_counts_where_the_first_is_not_unique() -> None:
    one, two = request("a", ("x-request-id", "1"), ("x-order", "5")), request("b", ("x-request-id", "1"))
    assert link(ALL, table(one, two), [("x-request-id", "1"), ("x-order", "5")]).entry is one


def test_a_header_that_is_not_configured_is_no_evidence() -> None:
    one, two = request("a", ("x-else", "1")), request("b")
    assert link(ALL, table(one, two), [("x-else", "1")]).method == "none"


def test_a_process_with_one_request_in_flight() -> None:
    one, two, three = request("a"), request("b"), request("c")
    of = table(one, two, three)
    assert link(ALL, of, [], {one: 7, two: 8, three: 8}, 7) == (one, "process", ())
    assert link(ALL, of, [], {one: 7, two: 8, three: 8}, 8).method == "none"
    assert link(ALL, of, [], {one: 7, two: 8, three: 8}, 9).method == "none"
    assert link(ALL, of, [], {one: 7, two: 8, three: 8}, 0).method == "none"


def test_a_request_whose_process_is_unknown_could_be_this_one() -> None:
    one, two = request("a"), request("b")
    assert link(ALL, table(one, two), [], {one: 7}, 7).method == "none"


def test_while_a_request_is_not_remembered_no_process_is_known_to_have_just_one() -> None:
    one, two = request("a"), request("b")
    of = InFlightTable(InFlightPlan(limit=1))
    of.begin(one)
    of.begin(two)
    assert link(ALL, of, [], {one: 7}, 7).method == "none"


def test_the_only_request_in_flight() -> None:
    one = request("a")
    assert link(ALL, table(one), []) == (one, "single", ())


def test_each_method_can_be_switched_off() -> None:
    one = request("a", ("x-request-id", "1"))
    of, said, processes = table(one), [("x-request-id", "1")], {one: 7}
    assert link(LinkingPlan(), of, said, processes, 7).method == "process"
    assert link(LinkingPlan(process=False), of, said, processes, 7).method == "single"
    assert link(LinkingPlan(process=False, single=False), of, said, processes, 7).method == "none"


def test_without_evidence_there_are_candidates_and_no_parent() -> None:
    entries = [request(letter) for letter in "0123456789ab"]
    found = link(ALL, table(*entries), [])
    assert found.entry is None
    assert found.candidates == tuple(reversed(entries))[:MAX_CANDIDATES]
    assert link(ALL, table(), []) == (None, "none", ())


def test_every_method_has_its_confidence() -> None:
    assert CONFIDENCE == {"header": "high", "process": "high", "single": "medium", "none": "none"}
