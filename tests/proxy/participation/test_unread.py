"""Requests at the app that nobody has asked about: whoever asks finds what he would have found without them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.participation import entry as entry_module
from proxy.participation.carried import Carried
from proxy.participation.entry import AtApp, InFlight, Left
from proxy.participation.in_flight import InFlightTable
from proxy.participation.recent import RecentTraces
from proxy.plan.participation import InFlightPlan

pytestmark = pytest.mark.skipif(
    entry_module.__file__.endswith(".so"), reason="compiled classes have no subclass in Python"
)

TRACE, OTHER = b"a" * 32, b"b" * 32


class Exchange(AtApp):
    """Counts how often it is read."""

    def __init__(self, trace_id: bytes = TRACE, *, is_remembered: bool = True, size: int = 0) -> None:
        self.trace_id = trace_id
        self.is_remembered = is_remembered
        self.carried = Carried(tracestate="x" * size)
        self.in_flight: InFlight | None = None
        self.left: Left | None = None
        self.read = 0
        self.errors: list[Exception] = []

    def remembered(self, given: object, now: float) -> InFlight | None:
        self.read += 1
        if not self.is_remembered:
            return None
        self.in_flight = InFlight(self.trace_id, b"1" * 16, now, self.carried, (), given)
        self.in_flight.exchange = self
        self.in_flight.left = self.left
        return self.in_flight

    def unremembered(self, error: Exception) -> None:
        self.errors.append(error)


def table(limit: int = 10_000, limit_bytes: int = 1 << 24, at_app: Callable[[], int] | None = None) -> InFlightTable:
    return InFlightTable(InFlightPlan(limit, limit_bytes, 60.0, 10.0), at_app)


def over(of: InFlightTable, exchange: Exchange, *, is_answered: bool = True) -> None:
    """As a listener does it."""
    if exchange.in_flight is None:
        of.drop(exchange, is_over=is_answered or exchange.left is None)
    if exchange.in_flight is not None:
        of.end(exchange.in_flight, is_answered)


def test_one_that_is_over_before_anybody_asks_is_never_read() -> None:
    of = table()
    one = Exchange()
    of.add(one, "given", 1.0)
    assert (len(of), of.is_idle, of.size_bytes, one.read) == (1, False, 600, 0)
    over(of, one)
    of.settle()
    assert (len(of), of.is_idle, of.size_bytes, one.read) == (0, True, 0, 0)
    over(of, one)
    assert len(of) == 0


QUESTIONS: dict[str, Callable[[InFlightTable], object]] = {
    "of_trace": lambda of: of.of_trace(OTHER),
    "carried_of": lambda of: of.carried_of(OTHER),
    "only_with": lambda of: of.only_with("x", "1"),
    "only": lambda of: of.only(),
    "is_traced": lambda of: of.is_traced,
    "newest": lambda of: of.newest(1),
    "entries": lambda of: of.entries(),
    "missing": lambda of: of.missing,
    "is_whole": lambda of: of.is_whole,
    "find_evidence_by": lambda of: of.find_evidence_by(lambda _: ()),
    "sweep": lambda of: of.sweep(1.0),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_whoever_asks_has_each_read_once(question: str) -> None:
    of = table()
    one = Exchange()
    of.add(one, "given", 1.0)
    for _ in range(2):
        QUESTIONS[question](of)
    assert one.in_flight is not None
    assert (one.read, one.in_flight.source, one.in_flight.started, one.in_flight.exchange) == (1, "given", 1.0, one)
    assert (of.entries(), of.of_trace(TRACE), of.only()) == ((one.in_flight,), one.in_flight, one.in_flight)
    over(of, one)
    assert (len(of), of.size_bytes, of.of_trace(TRACE)) == (0, 0, None)


def test_they_are_in_the_order_in_which_they_began() -> None:
    of = table()
    first, second, third = Exchange(), Exchange(), Exchange()
    of.add(first, None, 1.0)
    of.settle()
    of.add(second, None, 2.0)
    of.add(third, None, 3.0)
    assert of.of_trace(TRACE) is third.in_flight
    assert of.entries() == (first.in_flight, second.in_flight, third.in_flight)
    assert of.newest(2) == [third.in_flight, second.in_flight]


def test_evidence_is_found_of_those_as_well() -> None:
    of = table()
    one, two = Exchange(), Exchange()
    of.add(one, None, 1.0)
    of.find_evidence_by(lambda entry: (("x", "1" if entry is one.in_flight else "2"),))
    of.add(two, None, 1.0)
    assert (of.only_with("x", "1"), of.only_with("x", "2")) == (one.in_flight, two.in_flight)


def test_one_whose_client_leaves_stays_for_a_while() -> None:
    of = table()
    one, two = Exchange(), Exchange(OTHER)
    of.add(one, None, 1.0)
    of.add(two, None, 1.0)
    one.left = Left(None, 0, shows_end=False)
    over(of, one, is_answered=False)
    assert (len(of), len(of.abandoned), of.is_idle) == (2, 1, False)
    assert (of.of_trace(TRACE), of.entries()) == (one.in_flight, (one.in_flight, two.in_flight))
    of.sweep(100.0)
    of.sweep(110.0)
    assert of.entries() == (two.in_flight,)


def test_one_that_failed_at_the_app_is_over() -> None:
    of = table()
    one = Exchange()
    of.add(one, None, 1.0)
    over(of, one, is_answered=False)
    assert (len(of), len(of.abandoned), one.read) == (0, 0, 0)


def test_what_was_at_the_app_is_told_to_who_asks_for_recent_traces() -> None:
    of = table()
    of.recent = RecentTraces()
    one = Exchange()
    of.add(one, None, 1.0)
    over(of, one)
    assert (TRACE in of.recent, len(of), one.read) == (True, 0, 1)


def test_so_many_are_left_unread_that_a_turn_is_short() -> None:
    of = table()
    many = [Exchange(b"%032x" % number) for number in range(1, 601)]
    for number, one in enumerate(many):
        of.add(one, None, float(number))
    assert [one.read for one in many] == [1] * 514 + [0] * 86
    assert [of.of_trace(one.trace_id) for one in many] == [one.in_flight for one in many]
    assert len(of) == 600


@pytest.mark.parametrize(("limit", "limit_bytes"), [(256, 1 << 24), (10_000, 257 * 16 * 1024 - 1)])
def test_without_room_for_certain_each_is_read_at_once(limit: int, limit_bytes: int) -> None:
    """So the limits mean what they say, and the bytes of all are known."""
    of = table(limit, limit_bytes)
    small, big = Exchange(), Exchange(size=1000)
    of.add(small, None, 1.0)
    of.add(big, None, 1.0)
    assert (small.read, big.read, of.size_bytes) == (1, 1, 2200)


def test_one_more_and_they_are_left() -> None:
    of = table(257, 257 * 16 * 1024)
    one, two = Exchange(), Exchange()
    of.add(one, None, 1.0)
    assert one.read == 0
    of.settle()  # and now there is less room
    of.add(two, None, 1.0)
    assert two.read == 1


def test_what_has_no_room_is_counted() -> None:
    of = table(limit=2)
    three = [Exchange() for _ in range(3)]
    for one in three:
        of.add(one, None, 1.0)
    assert (len(of), of.counts["no-room"], of.is_whole) == (2, 1, False)
    for one in three:
        over(of, one)
    assert (len(of), of.size_bytes, of.is_whole) == (0, 0, True)


def test_other_limits_count_from_then_on() -> None:
    of = table()
    of.add(Exchange(), None, 1.0)
    of.use(InFlightPlan(limit=2))
    last = Exchange()
    of.add(last, None, 1.0)
    assert (last.read, len(of)) == (1, 2)


def test_one_of_which_nothing_is_remembered_is_missing() -> None:
    at_app = 1
    of = table(at_app=lambda: at_app)
    one = Exchange(is_remembered=False)
    of.add(one, None, 1.0)
    assert (of.missing, of.is_whole, of.only(), len(of)) == (1, False, None, 0)
    over(of, one)
    at_app = 0
    assert (of.missing, of.is_idle) == (0, True)
    alone = table()
    alone.add(one, None, 1.0)
    assert alone.only() is None


def test_its_age_counts_from_when_it_was_read_at_the_latest() -> None:
    of = InFlightTable(InFlightPlan(1, 1 << 24, 10.0))
    old, new = Exchange(), Exchange(OTHER)
    of.add(old, None, 5.0)
    of.add(new, None, 15.0)
    assert of.entries() == (new.in_flight,)
    assert of.counts == {"no-room": 0, "too-old": 1}


def test_while_headers_are_evidence_none_is_left_unread() -> None:
    """To read the headers of many requests at once would make a turn long."""
    of = table()
    of.find_evidence_by(lambda _: ())
    one = Exchange()
    of.add(one, None, 1.0)
    assert one.read == 1
    of.find_evidence_by(None)
    two = Exchange()
    of.add(two, None, 1.0)
    assert two.read == 0


def test_a_bug_of_ours_is_told_and_costs_the_others_nothing() -> None:
    """And nobody is joined by a header that the request may have had as well."""
    of = table()
    first, second, third = Exchange(), Exchange(OTHER), Exchange()
    of.add(first, None, 1.0)
    of.add(second, None, 1.0)

    def evidence(entry: InFlight) -> tuple[tuple[str, str], ...]:
        if entry is third.in_flight:
            raise RuntimeError("on purpose")
        return (("x", "1"),) if entry is first.in_flight else ()

    of.find_evidence_by(evidence)
    assert of.only_with("x", "1") is first.in_flight
    of.add(third, None, 1.0)
    assert [str(error) for error in third.errors] == ["on purpose"]
    assert (first.errors, second.errors, of.only_with("x", "1")) == ([], [], None)
    for one in (first, second, third):
        over(of, one)
    assert (len(of), of.size_bytes, of.is_whole) == (0, 0, True)


_WHAT = ("add", "add", "over", "gone", "ask", "of", "carried", "only", "idle")
_STEPS = st.lists(st.tuples(st.sampled_from(_WHAT), st.integers(0, 5)), max_size=40)


@settings(max_examples=300)
@given(_STEPS, st.sampled_from((3, 10_000)))
def test_it_answers_as_one_that_reads_each_at_once(steps: list[tuple[str, int]], limit: int) -> None:
    """`eager` settles after each step; whoever asks hears the same of both, and both are empty in the end."""
    lazy, eager = table(limit), table(limit)
    open_: dict[int, tuple[Exchange, Exchange]] = {}
    names: dict[InFlight, int] = {}

    def name(entries: list[InFlight | None]) -> list[int | None]:
        for pair in open_.values():
            for one in pair:
                if one.in_flight is not None:
                    names.setdefault(one.in_flight, id(pair[0]))
        return [names[entry] if entry is not None else None for entry in entries]

    for number, (what, which) in enumerate(steps):
        trace_id = b"%032x" % (which % 3)
        if what == "add" and which not in open_:
            pair = Exchange(trace_id, size=which), Exchange(trace_id, size=which)
            open_[which] = pair
            for of, one in zip((lazy, eager), pair, strict=True):
                of.add(one, which, float(number))
        elif what in ("over", "gone") and which in open_:
            pair = open_[which]
            for of, one in zip((lazy, eager), pair, strict=True):
                if what == "gone":
                    one.left = Left(None, 0, shows_end=False)
                    if one.in_flight is not None:
                        one.in_flight.left = one.left
                over(of, one, is_answered=what == "over")
            name([])
            del open_[which]
        eager.settle()
        if what == "ask":
            assert name([*lazy.entries()]) == name([*eager.entries()])
        elif what == "of":
            assert name([lazy.of_trace(trace_id)]) == name([eager.of_trace(trace_id)])
        elif what == "carried":
            assert lazy.carried_of(trace_id) == eager.carried_of(trace_id)
        elif what == "only":
            assert name([lazy.only()]) == name([eager.only()])
        assert (len(lazy), lazy.is_idle, lazy.counts) == (len(eager), eager.is_idle, eager.counts)
    for lazily, eagerly in open_.values():
        over(lazy, lazily)
        over(eager, eagerly)
    for of in (lazy, eager):
        of.sweep(1000.0)
        of.sweep(2000.0)
        assert (len(of), of.size_bytes, of.is_idle) == (0, 0, True)
