"""The table of requests at the app: bounded, exact, and empty when all is over."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ops_lib.propagation import Baggage
from proxy.participation.carried import Carried
from proxy.participation.entry import InFlight, Left, evidence_of
from proxy.participation.in_flight import InFlightTable
from proxy.participation.recent import RecentTraces
from proxy.plan.participation import InFlightPlan

TRACE, OTHER = b"a" * 32, b"b" * 32


def table(limit: int = 100, limit_bytes: int = 1 << 20, max_age_s: float = 60.0) -> InFlightTable:
    return InFlightTable(InFlightPlan(limit, limit_bytes, max_age_s))


def request(trace_id: bytes = TRACE, span_id: bytes = b"1" * 16, started: float = 0.0, **more: object) -> InFlight:
    return InFlight(trace_id, span_id, started=started, **more)  # type: ignore[arg-type]  # whatever a test sets


def test_a_request_is_found_by_its_trace_while_it_is_in_flight() -> None:
    of = table()
    one = request()
    assert of.begin(one)
    assert of.of_trace(TRACE) is one
    assert of.of_trace(OTHER) is None
    of.end(one)
    assert of.of_trace(TRACE) is None
    of.end(one)
    assert (len(of), of.size_bytes) == (0, 0)


def test_of_several_of_a_trace_the_one_that_the_call_names_else_the_newest() -> None:
    of = table()
    one, two = request(span_id=b"1" * 16), request(span_id=b"2" * 16)
    of.begin(one)
    of.begin(two)
    assert of.of_trace(TRACE, b"1" * 16) is one
    assert of.of_trace(TRACE, b"9" * 16) is two
    assert of.of_trace(TRACE) is two


def test_evidence_counts_while_one_request_alone_has_it() -> None:
    of = table()
    one, two = (request(trace, evidence=(("x-request-id", "r-1"),)) for trace in (TRACE, OTHER))
    of.begin(one)
    assert of.only_with("x-request-id", "r-1") is one
    of.begin(two)
    assert of.only_with("x-request-id", "r-1") is None
    of.end(one)
    assert of.only_with("x-request-id", "r-1") is two
    assert of.only_with("x-request-id", "r-2") is None


def test_evidence_is_found_anew_for_requests_in_flight() -> None:
    """What told them apart before does so no longer; and its bytes count."""
    of = table()
    one = request()
    of.begin(one)
    before = of.size_bytes
    of.find_evidence_by(lambda _: (("x-a", "1"),))
    assert of.only_with("x-a", "1") is one
    assert of.size_bytes == before + 4
    of.find_evidence_by(lambda _: (("x-b", "22"),))
    assert (of.only_with("x-a", "1"), of.only_with("x-b", "22")) == (None, one)
    assert of.size_bytes == before + 5
    of.find_evidence_by(None)
    of.end(one)
    assert (of.only_with("x-b", "22"), of.size_bytes) == (None, 0)


def test_the_only_one() -> None:
    of = table()
    assert of.only() is None
    one, two = request(), request(OTHER)
    of.begin(one)
    assert of.only() is one
    of.begin(two)
    assert of.only() is None
    assert of.newest(1) == [two]
    assert of.newest(9) == [two, one]


def test_what_has_no_room_is_not_remembered_and_counted() -> None:
    of = table(limit=2)
    assert [of.begin(request()) for _ in range(3)] == [True, True, False]
    assert of.counts["no-room"] == 1
    small = table(limit_bytes=2000)
    assert small.begin(request())
    assert not small.begin(request(carried=Carried(tracestate="x" * 1500)))
    assert small.size_bytes <= 2000


def test_what_is_too_old_makes_room_and_is_counted() -> None:
    of = table(limit=2, max_age_s=10)
    old, young, next_one, last = (request(started=at) for at in (0.0, 5.0, 9.9, 10.0))
    assert of.begin(old)
    assert of.begin(young)
    assert not of.begin(next_one)
    of.end(next_one)
    assert of.begin(last)
    assert of.entries() == (young, last)
    assert of.counts == {"no-room": 1, "too-old": 1}
    assert not of.is_whole
    of.end(old)  # its own end comes later
    assert len(of) == 2
    assert of.is_whole


def test_as_many_make_room_as_have_to() -> None:
    big = Carried(tracestate="x" * 1000)
    of = table(limit_bytes=3000, max_age_s=1)
    for at in range(4):
        assert of.begin(request(started=at / 10))
    assert of.begin(request(started=9.0, carried=big))
    assert (len(of), of.counts["too-old"]) == (3, 2)
    assert not of.begin(request(started=9.0, carried=Carried(tracestate="x" * 3000)))
    assert (len(of), of.counts["too-old"]) == (1, 4)


def test_what_never_ends_is_forgotten_when_it_is_too_old() -> None:
    """There are more entries than requests: some were not ended, by a bug."""
    at_app = 2
    of = InFlightTable(InFlightPlan(100, 1 << 20, 10.0), lambda: at_app)
    for at in (0.0, 5.0):
        of.begin(request(started=at))
    of.sweep(20.0)
    assert (len(of), of.is_whole) == (2, True)
    at_app = 1
    assert not of.is_whole
    of.sweep(9.9)
    assert len(of) == 2
    of.sweep(20.0)
    assert (len(of), of.missing, of.counts["too-old"]) == (1, 0, 1)


def test_it_is_whole_if_it_has_as_many_as_are_at_the_app() -> None:
    at_app = 1
    of = InFlightTable(InFlightPlan(1, 1 << 20, 10.0), lambda: at_app)
    one, two = request(evidence=(("h", "1"),)), request(OTHER)
    of.begin(one)
    assert (of.is_whole, of.missing, of.only(), of.only_with("h", "1")) == (True, 0, one, one)
    at_app = 3
    of.begin(two)  # for which there is no room
    assert (of.is_whole, of.missing, of.only(), of.only_with("h", "1")) == (False, 2, None, None)
    at_app = 2
    of.end(two)
    assert (of.is_whole, of.missing) == (False, 1)


def test_what_is_not_remembered_may_be_the_one() -> None:
    of = table(limit=1)
    one, two = request(evidence=(("h", "1"),)), request(OTHER, evidence=(("h", "1"),))
    of.begin(one)
    of.begin(two)
    assert (of.only(), of.only_with("h", "1")) == (None, None)
    of.end(two)
    assert (of.only(), of.only_with("h", "1")) == (one, one)


def test_evidence_is_what_can_tell_requests_apart() -> None:
    headers = {
        "x-request-id": ["r"],
        "x-twice": ["a", "b"],
        "x-empty": [""],
        "x-long": ["v" * 257],
        "x-just": ["v" * 256],
    }
    names = ("x-just", "x-request-id", "x-twice", "x-empty", "x-long", "x-missing")
    assert evidence_of(names, headers) == (("x-just", "v" * 256), ("x-request-id", "r"))


def test_what_is_carried_counts_in_bytes() -> None:
    baggage = Baggage(()).with_member("k", "v" * 1000)
    assert request(carried=Carried(baggage=baggage)).size_bytes > request().size_bytes + 1000
    assert request(carried=Carried(tracestate="x" * 500)).size_bytes == request().size_bytes + 500


@given(st.lists(st.tuples(st.sampled_from((b"a", b"b", b"c")), st.booleans(), st.sampled_from("xyz")), max_size=50))
def test_it_is_empty_when_all_is_over(steps: list[tuple[bytes, bool, str]]) -> None:
    of = table(limit=8)
    known: list[InFlight] = []
    for letter, is_end, value in steps:
        if is_end and known:
            of.end(known.pop(0))
        else:
            known.append(request(letter * 32, evidence=(("h", value),)))
            of.begin(known[-1])
        assert len(of) <= 8
    for entry in known:
        of.end(entry)
    assert (len(of), of.size_bytes, of.only()) == (0, 0, None)
    assert [of.of_trace(letter * 32) for letter in (b"a", b"b", b"c")] == [None] * 3
    assert [of.only_with("h", value) for value in "xyz"] == [None] * 3


def test_of_several_of_a_trace_only_what_they_agree_about_is_anyones() -> None:
    of = table()
    one = request(span_id=b"1" * 16, carried=Carried("a=1", session="s", is_debug=True, is_short=True))
    two = request(span_id=b"2" * 16, carried=Carried("b=2", session="s", is_debug=True))
    assert of.carried_of(TRACE) is None
    of.begin(one)
    assert of.carried_of(TRACE, b"9" * 16) == one.carried
    of.begin(two)
    assert of.carried_of(TRACE, b"9" * 16, b"1" * 16) == one.carried
    assert of.carried_of(TRACE, b"9" * 16, None) == Carried(session="s", is_debug=True)
    assert of.carried_of(OTHER) is None


def test_of_very_many_of_a_trace_only_the_newest_are_looked_at() -> None:
    of = table()
    entries = [request(span_id=b"%016x" % number, carried=Carried("a=1")) for number in range(1, 70)]
    for entry in entries:
        of.begin(entry)
    assert of.carried_of(TRACE, entries[-1].span_id) == Carried("a=1")
    assert of.carried_of(TRACE, entries[0].span_id) == Carried()


def test_other_limits_count_from_then_on() -> None:
    of = table(limit=1)
    assert of.begin(request())
    of.use(InFlightPlan(limit=2))
    assert of.begin(request())
    of.use(InFlightPlan(limit=2, max_age_s=1))
    assert of.begin(request(started=1.0))
    assert (len(of), of.counts["too-old"]) == (2, 1)


def test_requests_are_placed_when_a_call_asks() -> None:
    """Many apps make no calls, and then nobody needs their places. Each is placed once, and what is over never."""
    of = table()
    one, two, over = (request(digit * 32) for digit in (b"a", b"b", b"c"))
    for entry in (one, over, two):
        of.begin(entry)
    of.end(over)
    assert of.of_trace(TRACE) is one
    assert of.of_trace(OTHER) is two
    assert of.of_trace(b"c" * 32) is None
    of.recent = RecentTraces()
    of.begin(over)
    of.end(over)
    assert b"c" * 32 in of.recent


def test_a_request_without_ids_is_nobodys_trace() -> None:
    of = table()
    of.recent = RecentTraces()
    entry = InFlight(b"", b"", started=0.0)
    of.begin(entry)
    assert (of.of_trace(b""), of.only()) == (None, entry)
    of.end(entry)
    assert b"" not in of.recent


def test_of_many_requests_that_nobody_asked_about_each_has_its_place() -> None:
    """A turn is short all the same: they are placed 256 at a time."""
    of = table(limit=10_000)
    entries = [request(b"%032x" % number) for number in range(1, 1001)]
    for entry in entries:
        of.begin(entry)
    assert [of.of_trace(entry.trace_id) for entry in entries] == entries


def test_evidence_that_may_be_missing_joins_nothing() -> None:
    """A request whose headers are forgotten may have had the same value."""
    of = table()
    old, over, new = request(), request(), request(OTHER)
    for one in (old, over, new):
        of.begin(one)
    of.find_evidence_by(lambda entry: (("x-request-id", "r-1"),) if entry is new else None)
    late = request()
    of.begin(late)
    assert of.only_with("x-request-id", "r-1") is None
    for one in (over, late):
        of.end(one)
        assert of.only_with("x-request-id", "r-1") is None
    of.end(old)
    assert of.only_with("x-request-id", "r-1") is new
    of.begin(old)
    of.find_evidence_by(lambda _entry: (("x-request-id", "r-2"),))
    assert of.only_with("x-request-id", "r-2") is None
    of.end(new)
    assert of.only_with("x-request-id", "r-2") is old


@given(st.lists(st.tuples(st.sampled_from("be?"), st.integers(0, 5), st.sampled_from((TRACE, OTHER, b"")))))
def test_whenever_a_call_asks_it_finds_what_is_in_flight(steps: list[tuple[str, int, bytes]]) -> None:
    of, model, entries = table(), list[InFlight](), [request(span_id=b"%016x" % number) for number in range(6)]
    for what, number, trace_id in steps:
        entry = entries[number]
        if what == "b" and entry not in model:
            entry = entries[number] = request(trace_id, b"%016x" % number)
            of.begin(entry)
            model.append(entry)
        elif what == "e" and entry in model:
            of.end(entry)
            model.remove(entry)
        elif trace_id:
            of_trace = [one for one in model if one.trace_id == trace_id]
            assert of.of_trace(trace_id) is (of_trace[-1] if of_trace else None)
            named = [one for one in of_trace if one is entry]
            assert of.of_trace(trace_id, entry.span_id) is (named or of_trace or [None])[-1]
            assert (of.carried_of(trace_id) is None) is (not of_trace)


def test_all_came_with_a_trace_or_not() -> None:
    of = table()
    assert of.is_traced
    one, none, later = request(), request(trace_id=b""), request(trace_id=b"")
    of.begin(one)
    assert of.is_traced
    of.begin(none)
    assert not of.is_traced
    of.begin(later)
    of.end(none)
    assert not of.is_traced
    of.end(later)
    assert of.is_traced
    of.begin(none)
    of.end(none)  # before anybody asked
    assert of.is_traced
    full = table(limit=1)
    full.begin(one)
    full.begin(request())
    assert not full.is_traced


def leave(of: InFlightTable, entry: InFlight) -> None:
    entry.left = Left(None, 0, shows_end=False)
    of.end(entry)


def abandoning(limit: int = 100, stay_s: float = 10.0, at_app: Callable[[], int] | None = None) -> InFlightTable:
    return InFlightTable(InFlightPlan(limit, 1 << 20, 3600.0, stay_s), at_app)


def test_a_request_whose_client_has_left_stays_for_a_while() -> None:
    """The while begins with the first sweep that sees it."""
    of = abandoning()
    one, two = request(TRACE), request(OTHER)
    of.begin(one)
    of.begin(two)
    size = of.size_bytes
    leave(of, one)
    assert of.size_bytes > size
    assert (len(of), len(of.abandoned), of.is_idle, of.is_whole) == (2, 1, False, True)
    assert (of.of_trace(TRACE), of.only(), of.entries()) == (one, None, (one, two))
    of.sweep(100.0)
    of.sweep(109.9)
    assert of.only() is None
    of.sweep(110.0)
    assert (len(of), len(of.abandoned), of.of_trace(TRACE)) == (1, 0, None)
    assert of.only() is two
    assert of.size_bytes == size / 2
    of.end(two)
    assert (len(of), of.size_bytes, of.is_idle) == (0, 0, True)


def test_alone_it_is_not_the_only_request() -> None:
    of = abandoning()
    one = request()
    of.begin(one)
    leave(of, one)
    assert (of.is_idle, of.only()) == (True, None)
    assert (one.exchange, one.is_answered) == (None, False)


def test_what_the_app_has_answered_is_over_whoever_left() -> None:
    of = abandoning()
    one, two = request(), request()
    for entry in (one, two):
        of.begin(entry)
        entry.left = Left(None, 0, shows_end=False)
    of.end(one, is_answered=True)
    assert (len(of), len(of.abandoned), one.is_answered) == (1, 0, True)
    of.use(InFlightPlan(abandoned_s=0))
    of.end(two)
    assert (len(of), len(of.abandoned), of.size_bytes) == (0, 0, 0)


def test_the_app_may_be_done_with_it_earlier() -> None:
    of = abandoning()
    one, two = request(TRACE, evidence=(("x", "1"),)), request(OTHER)
    of.begin(one)
    of.begin(two)
    leave(of, one)
    of.done(two)  # which nobody has left
    assert len(of) == 2
    of.done(one)
    of.done(one)
    assert (len(of), len(of.abandoned), of.only()) == (1, 0, two)


def test_it_does_not_count_as_missing() -> None:
    at_app = [2]
    of = abandoning(at_app=lambda: at_app[0])
    one, two = request(TRACE), request(OTHER)
    of.begin(one)
    of.begin(two)
    at_app[0] = 1
    leave(of, one)
    assert (of.missing, of.is_whole) == (0, True)
    at_app[0] = 2
    assert (of.missing, of.is_whole) == (1, False)


def test_its_room_is_given_to_others_and_then_nothing_is_evident_for_as_long() -> None:
    """Whose client left first goes first; a call could be its own."""
    of = abandoning(limit=2)
    one, two, three = request(b"1" * 32), request(b"2" * 32), request(b"3" * 32)
    of.begin(one)
    of.begin(two)
    leave(of, two)
    leave(of, one)
    assert of.begin(three)
    assert (of.of_trace(b"2" * 32), of.of_trace(b"1" * 32)) == (None, one)
    assert of.begin(request(b"4" * 32))
    assert (len(of), len(of.abandoned), of.is_whole, of.counts["no-room"]) == (2, 0, False, 0)
    of.sweep(50.0)
    of.sweep(59.9)
    assert not of.is_whole
    of.sweep(60.0)
    assert of.is_whole


def test_one_that_was_never_remembered_is_not_forgotten_either() -> None:
    """Nothing is evident for a while, as where one had to go before its time."""
    of = abandoning(limit=1)
    one, two = request(TRACE), request(OTHER)
    assert of.begin(one)
    assert not of.begin(two)
    leave(of, two)
    assert (of.missing, of.is_whole, of.only()) == (0, False, None)
    of.sweep(0.0)
    of.sweep(10.0)
    assert of.only() is one
    answered = request(OTHER)
    assert not of.begin(answered)
    answered.left = Left(None, 0, shows_end=False)
    of.end(answered, is_answered=True)
    assert of.only() is one


def test_what_is_too_old_and_abandoned_is_not_counted_as_a_request() -> None:
    at_app = [0]
    of = InFlightTable(InFlightPlan(10, 1 << 20, 5.0, 3600.0), lambda: at_app[0])
    one, two = request(started=0.0), request(started=0.0)
    of.begin(one)
    of.begin(two)
    leave(of, one)  # and two never ends
    of.sweep(6.0)
    assert (len(of), len(of.abandoned), of.counts["too-old"]) == (0, 0, 1)


def test_a_while_that_a_reload_changes_holds_for_those_who_leave_then() -> None:
    of = abandoning(stay_s=10.0)
    one, two = request(TRACE), request(OTHER)
    of.begin(one)
    of.begin(two)
    leave(of, one)
    of.sweep(0.0)
    of.use(InFlightPlan(abandoned_s=1.0))
    leave(of, two)
    of.sweep(1.0)
    of.sweep(2.0)
    assert of.entries() == (one,)
    assert repr(of.abandoned) == "<Abandoned 1 requests, for 1 s>"
