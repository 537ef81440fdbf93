"""What is found in the calls of an app, one by one, without a sidecar around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops_lib.propagation import FORMATS, parse_formats
from proxy.listener.accounting import Accounted
from proxy.listener.app_calls.doctor import Doctor
from proxy.participation.entry import InFlight
from proxy.participation.in_flight import InFlightTable
from proxy.plan import PropagationPlan
from proxy.plan.participation import InFlightPlan
from proxy.semantics.request import Field
from proxy.telemetry.report.counts import FormatCounts
from proxy.translate import Translator
from proxy.translated import NOTHING, FullTranslation, Translation

T, S, U = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
OTHER = "c" * 32
STATE, BAGGAGE = (b"tracestate", b"a=1"), (b"baggage", b"k=v")
SESSION = (b"X-Mirascope-Session-Id", b"s-1")


def w3c(trace_id: str = T, span_id: str = S, flags: str = "01") -> Field:
    return b"traceparent", f"00-{trace_id}-{span_id}-{flags}".encode()


def b3(trace_id: str = T, span_id: str = S, flag: str = "1") -> Field:
    return b"b3", f"{trace_id}-{span_id}-{flag}".encode()


def translated(*headers: Field, inject: str = "tracecontext") -> Translation:
    return Translator(PropagationPlan(extract=FORMATS, inject=parse_formats(inject))).translate(list(headers))


class Case:
    """A doctor, its table, and a clock that a test moves."""

    def __init__(self, *, console: bool = False) -> None:
        self.now = 1000.0
        self.table = InFlightTable(InFlightPlan(100, 1 << 20, 60.0))
        self.counts: dict[str, int] = {}
        self.doctor = Doctor(self.table, self.counts, lambda: self.now)
        self.formats = FormatCounts()
        if console:
            self.doctor.tell(self.formats, lambda accounted: accounted.report_id)

    def begin(self, *given: Field, inject: str = "b3", trace_id: str = T, span_id: str = S) -> InFlight:
        source = translated(*given, inject=inject) if given else None
        entry = InFlight(trace_id.encode(), span_id.encode(), started=0.0, source=source)
        assert self.table.begin(entry)
        return entry

    def call(self, *sent: Field, unread: str = "", said: Translation | None = None) -> dict[str, int]:
        """What a call adds to the counts."""
        before = dict(self.counts)
        self.doctor.examine(translated(*sent) if said is None else said, list(sent), unread)
        return {key: value - before.get(key, 0) for key, value in self.counts.items() if value != before.get(key, 0)}


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([b3()], ["forwarded"]),
        ([b3(span_id=U)], ["re-parented"]),
        ([b3(flag="0")], ["forwarded", "decision-changed"]),
        ([(b"b3", f"{T}-{S}".encode())], ["forwarded"]),  # no decision is none that has changed
        ([w3c()], ["forwarded", "foreign-format"]),
        ([(b"x-b3-traceid", T.encode()), (b"x-b3-spanid", S.encode()), (b"x-b3-sampled", b"1")], ["forwarded"]),
        ([b3(OTHER)], ["another-trace"]),
        ([b3(), w3c(OTHER)], ["another-trace", "two-stories"]),
        ([b3(), w3c(span_id=U)], ["re-parented", "two-stories", "foreign-format"]),
        ([(b"b3", b"0")], []),
        ([(b"b3", b"x")], []),
        ([], []),
    ],
)
def test_what_a_call_shows(sent: list[Field], found: list[str]) -> None:
    case = Case()
    case.begin(w3c())
    assert case.call(*sent) == dict.fromkeys(found, 1)
    assert set(case.doctor.proofs()) == set(found)


def test_nothing_is_found_while_no_request_is_there() -> None:
    case = Case()
    assert case.call(b3(OTHER)) == {}
    linked = FullTranslation([], None, (), (), None, linked="single")
    assert case.call(said=linked) == {}
    assert case.doctor.proofs() == {}


def test_a_call_without_a_context_was_dropped_or_is_not_read() -> None:
    case = Case()
    case.begin(w3c())
    linked = FullTranslation([], None, (), (), None, linked="single")
    assert case.call(said=linked) == {"dropped": 1}
    assert case.call(said=linked, unread="b3?") == {"unread-format": 1}
    assert case.call(said=NOTHING, unread="b3?") == {"unread-format": 1}
    assert case.call(said=NOTHING) == {}
    beside = linked._replace(foreign=(("datadog", "passed"),))
    assert case.call(said=beside) == {"unread-format": 1}
    assert case.call(said=beside._replace(linked=None)) == {}


def test_another_trace_says_nothing_while_not_all_requests_are_remembered() -> None:
    case = Case()
    case.table.use(InFlightPlan(1, 1 << 20, 60.0))
    case.begin(w3c())
    case.table.begin(InFlight(OTHER.encode(), S.encode(), started=0.0))
    assert case.call(b3("d" * 32)) == {}


@pytest.mark.parametrize("flag", ["0", "1"])
def test_a_decision_is_compared_with_what_the_app_was_given(flag: str) -> None:
    case = Case()
    case.begin(w3c(flags="0" + flag))
    assert case.call(b3(flag=flag)) == {"forwarded": 1}
    assert case.call(b3(flag="d"))["forwarded"] == 1
    assert case.counts.get("decision-changed", 0) == (1 if flag == "0" else 0)
    undecided = Case()
    undecided.begin((b"b3", f"{T}-{S}".encode()), inject="b3")
    assert undecided.call(b3(flag="0"))["forwarded"] == 1


def test_a_request_without_a_source_is_not_compared() -> None:
    case = Case()
    case.begin()
    assert case.call(w3c(flags="00")) == {"forwarded": 1}


def test_a_proof_has_both_sides_and_its_time() -> None:
    case = Case()
    case.begin(w3c())
    case.now = 1234.5
    case.call(b3(span_id=U), (b"baggage", b"user=7"))
    proof = case.doctor.proofs()["re-parented"]
    assert (proof["at"], proof["given"]) == (1234.5, [("b3", f"{T}-{S}-1")])
    assert proof["sent"] == [("b3", f"{T}-{U}-1"), ("baggage", "user=***")]
    case.call(b3(OTHER))
    assert case.doctor.proofs()["another-trace"]["given"] == []


# --- while a console wants to know


def test_a_call_is_counted_with_what_it_should_have_brought_along() -> None:
    case = Case(console=True)
    case.begin(w3c(), STATE, BAGGAGE, SESSION, inject="tracecontext")
    assert case.call(w3c(), STATE, BAGGAGE, SESSION) == {"forwarded": 1}
    assert case.call(w3c(), (b"tracestate", b"b=1")) == {
        "forwarded": 1, "lost-tracestate": 1, "lost-baggage": 1, "lost-session": 1,
    }  # fmt: skip
    evidence = case.doctor.settled()
    assert evidence.calls == {
        "examined": 2, "forwarded": 2, "lost-tracestate": 1, "lost-baggage": 1, "lost-session": 1,
    }  # fmt: skip
    assert evidence.expected == {"decision": 2, "tracestate": 2, "baggage": 2, "session": 2}
    assert evidence.seen["forwarded"] == (1000.0, 1000.0)
    assert [row[:8] for row in case.formats.listed()] == [
        ["call", "", "", "app", "", "tracecontext", "tracecontext", 2],
    ]  # fmt: skip


def test_formats_that_an_app_speaks_stand_beside_all_that_it_was_given() -> None:
    case = Case(console=True)
    case.begin(w3c(), inject="b3,tracecontext")
    case.call(b3(span_id=U), w3c())
    assert [row[5:8] for row in case.formats.listed()] == [["tracecontext,b3", "b3,tracecontext", 1]]


def test_a_call_that_is_not_read_is_examined_as_well() -> None:
    case = Case(console=True)
    case.begin(w3c())
    case.call(said=NOTHING, unread="b3?")
    assert case.doctor.settled().calls == {"examined": 1, "unread-format": 1}


def test_when_a_finding_was_seen_first_and_last() -> None:
    case = Case(console=True)
    case.begin(w3c())
    for case.now in (1001.0, 1002.0, 1005.0):
        case.call(b3())
    assert case.doctor.settled().seen == {"forwarded": (1001.0, 1005.0)}


def test_a_console_that_begins_to_ask_hears_of_what_comes_from_then_on() -> None:
    case = Case()
    case.begin(w3c())
    case.call(b3())
    assert case.doctor.settled().calls == {"examined": 0}
    case.doctor.tell(case.formats, None)
    case.call(b3())
    assert case.doctor.settled().calls == {"examined": 1, "forwarded": 1}
    case.doctor.tell(case.formats, None)
    assert case.doctor.settled().calls == {"examined": 1, "forwarded": 1}
    case.doctor.tell(None, None)
    assert case.doctor.settled().calls == {"examined": 0}
    assert case.table.recent is None


@pytest.fixture
def stale() -> Iterator[Case]:
    case = Case(console=True)
    yield case


def requests(case: Case, number: int) -> None:
    """So many come one after the other, and a call of the same other trace while each is there."""
    for one in range(number):
        entry = case.begin(trace_id=f"{one + 1:032x}")
        case.call(b3(OTHER))
        case.table.end(entry)


def test_a_trace_that_three_requests_had_is_stale(stale: Case) -> None:
    requests(stale, 2)
    assert stale.counts == {"another-trace": 2}
    assert stale.doctor.settled().calls == {"examined": 2}  # it is not known yet
    requests(stale, 1)
    assert stale.counts == {"another-trace": 2, "stale": 1}
    assert stale.doctor.settled().calls == {"examined": 3, "stale": 3}


def test_what_was_not_stale_is_what_it_looked_like_a_minute_later(stale: Case) -> None:
    requests(stale, 2)
    stale.now += 60.0
    assert stale.doctor.settled().calls == {"examined": 2}
    stale.now += 0.1
    assert stale.doctor.settled().calls == {"examined": 2, "another-trace": 2}
    requests(stale, 1)
    assert stale.doctor.settled(is_final=True).calls == {"examined": 3, "stale": 1, "another-trace": 2}


def test_the_end_waits_for_nothing(stale: Case) -> None:
    requests(stale, 2)
    assert stale.doctor.settled(is_final=True).calls == {"examined": 2, "another-trace": 2}


def test_a_call_that_belongs_to_its_request_begins_anew(stale: Case) -> None:
    requests(stale, 2)
    entry = stale.begin(w3c())
    stale.call(b3())
    stale.table.end(entry)
    requests(stale, 2)
    assert stale.doctor.settled(is_final=True).calls == {"examined": 5, "another-trace": 4, "forwarded": 1}


def test_what_was_called_before_a_call_that_belongs_is_not_stale_with_what_comes_behind_it(stale: Case) -> None:
    requests(stale, 2)
    entry = stale.begin(w3c())
    stale.call(b3())
    stale.table.end(entry)
    requests(stale, 3)
    assert stale.doctor.settled().calls == {"examined": 6, "another-trace": 2, "forwarded": 1, "stale": 3}


def test_work_in_the_background_is_not_stale(stale: Case) -> None:
    """It calls while no request is there, too."""
    stale.call(b3(OTHER))
    requests(stale, 5)
    assert stale.counts == {"another-trace": 5}


def test_while_nobody_knows_what_was_at_the_app_before_a_call_may_be_late() -> None:
    """A console wants to know since a reload: a call of a request that was over by then is of no other trace."""
    case = Case()
    case.doctor.tell(None, None)
    case.begin(w3c())
    case.doctor.tell(case.formats, None)
    assert case.call(b3(OTHER)) == {}
    case.now += 59.9
    assert case.call(b3(OTHER)) == {}
    assert case.call(b3()) == {"forwarded": 1}
    over = case.begin(w3c(OTHER), trace_id=OTHER)
    case.table.end(over, True)
    assert case.call(b3(OTHER)) == {"late": 1}
    case.now += 0.1
    assert case.call(b3("9" * 32)) == {"another-trace": 1}


def test_a_trace_that_was_at_the_app_lately_is_late(stale: Case) -> None:
    entry = stale.begin(w3c())
    stale.table.end(entry)
    stale.begin(trace_id="d" * 32)
    assert stale.call(b3()) == {"late": 1}
    assert stale.doctor.settled(is_final=True).calls == {"examined": 1, "late": 1}


def test_another_trace_ends_the_count_of_the_one_before(stale: Case) -> None:
    stale.begin(trace_id="d" * 32)
    stale.call(b3(OTHER))
    stale.call(b3("e" * 32))
    assert stale.doctor.settled().calls == {"examined": 2, "another-trace": 1}


# --- what an exchange is told


def test_an_exchange_is_told_what_its_call_showed() -> None:
    case, asked = Case(console=True), Accounted()
    asked.report_id = b"r-1"
    entry = case.begin(w3c())
    entry.exchange = asked
    harmless = Accounted()
    case.call(b3())
    case.doctor.note(harmless)
    assert (harmless.findings, harmless.request_of) == ((), "")
    changed = Accounted()
    case.call(b3(flag="0"))
    case.doctor.note(changed)
    assert (changed.findings, changed.request_of) == (("decision-changed",), "r-1")
    other = Accounted()
    case.call(b3(OTHER))
    case.doctor.note(other)
    assert (other.findings, other.request_of) == (("another-trace",), "r-1")  # the only one at the app
    case.begin(trace_id="d" * 32)
    unknown = Accounted()
    case.call(b3(OTHER))
    case.doctor.note(unknown)
    assert (unknown.findings, unknown.request_of) == (("another-trace",), "")


def test_nobody_is_told_where_no_console_asks() -> None:
    case, one = Case(), Accounted()
    case.begin(w3c())
    case.call(b3(flag="0"))
    case.doctor.note(one)
    assert one.findings == ()
