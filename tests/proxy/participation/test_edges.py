"""Numbers and words of participation at their edges: sizes, thresholds, what is carried, who may get what."""

from __future__ import annotations

import pytest

from ops_lib.hosts import parse_pattern
from ops_lib.propagation import IS_RANDOM, IS_SHORT, Baggage, Extraction, Format, Member, Sampling, TraceContext
from proxy.participation import ot_member
from proxy.participation.carried import Carried
from proxy.participation.carry_over import lacks, put_back
from proxy.participation.egress import Egress
from proxy.participation.entry import InFlight
from proxy.participation.foreign import ForeignHeaders
from proxy.participation.gate import Gate
from proxy.participation.in_flight import InFlightTable
from proxy.participation.mirror import Mirror
from proxy.participation.recent import RecentTraces
from proxy.participation.sampling import Sampler
from proxy.participation.sizes import NOTHING, Weight, has_room
from proxy.participation.trust import TrustRules, believe
from proxy.plan.participation import CargoPlan, EgressPlan, InFlightPlan, SamplingPlan, TrustPlan, TrustRulePlan

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
CONTEXT = TraceContext(T, S, Sampling.ACCEPT)
MEMBERS = Baggage((Member("k", "v"),))


@pytest.mark.parametrize(
    ("carried", "name", "said"),
    [
        (Carried(tracestate="a=1"), "tracestate", {"tracestate": "a=1"}),
        (Carried(is_debug=True), "debug", {"sampling": Sampling.DEBUG}),
        (Carried(is_short=True), "width", {"short": True}),
        (Carried(is_random=True), "random", {"random": True}),
    ],
)
def test_each_value_of_a_context_that_is_put_back(carried: Carried, name: str, said: dict[str, object]) -> None:
    made, names = put_back(Extraction(CONTEXT), carried, baggage=True)
    assert (names, made.context) == ((name,), CONTEXT._replace(**said))
    assert put_back(made, carried, baggage=True) == (made, ())


def test_values_beside_the_context_are_put_back_where_the_app_says_none() -> None:
    carried = Carried(session="s", baggage=MEMBERS)
    made, names = put_back(Extraction(CONTEXT), carried, baggage=True)
    assert (made.session, made.baggage, names) == ("s", MEMBERS, ("session", "baggage"))
    made, names = put_back(Extraction(CONTEXT), carried, baggage=False)
    assert (made.session, made.baggage, names) == ("s", None, ("session",))
    own = Extraction(CONTEXT, session="own", baggage=Baggage(()))
    assert put_back(own, carried, baggage=True) == (own, ())
    assert put_back(Extraction(None), carried, baggage=True) == (Extraction(None), ())
    denied = Extraction(CONTEXT._replace(sampling=Sampling.DENY))
    assert put_back(denied, Carried(is_debug=True), baggage=True) == (denied, ())


@pytest.mark.parametrize(
    ("carried", "change", "missing"),
    [
        (Carried(), {}, False),
        (Carried(session="s"), {}, True),
        (Carried(session="s"), {"session": b"own"}, False),
        (Carried(baggage=MEMBERS), {}, True),
        (Carried(baggage=MEMBERS), {"baggage": (b"k=w", {})}, False),
        (Carried(tracestate="a=1"), {}, True),
        (Carried(tracestate="a=1"), {"state": b"b=2"}, False),
        (Carried(is_debug=True), {}, True),
        (Carried(is_debug=True), {"flag": b"0"}, False),
        (Carried(is_short=True), {}, True),
        (Carried(is_short=True), {"traits": IS_SHORT}, False),
        (Carried(is_random=True), {}, True),
        (Carried(is_random=True), {"traits": IS_RANDOM}, False),
    ],
)
def test_whether_an_apps_call_lacks_something(carried: Carried, change: dict[str, object], missing: bool) -> None:
    said = {"flag": b"1", "state": b"", "session": None, "traits": 0, "baggage": None, **change}
    ids = (T.encode(), S.encode(), said["flag"])
    plain = (ids, said["state"], said["session"], Format("b3"), said["traits"], None, said["baggage"])
    assert lacks(plain, carried) is missing  # type: ignore[arg-type]  # as the heart makes them


# --- the table of requests in flight


def request(trace_id: str = T, span_id: str = S, **more: object) -> InFlight:
    return InFlight(trace_id.encode(), span_id.encode(), started=0.0, **more)  # type: ignore[arg-type]  # whatever a test sets


def test_what_a_request_takes_in_bytes() -> None:
    """120 for each member of baggage, beside its texts."""
    carried = Carried(tracestate="a=1", session="sess", baggage=Baggage((Member("key", "value"), Member("k", ""))))
    assert carried.size_bytes == 3 + 4 + (3 + 5 + 120) + (1 + 120)
    assert Carried().size_bytes == 0
    assert request(carried=carried).size_bytes == request().size_bytes + carried.size_bytes


def test_what_64_of_a_trace_agree_about_counts_and_of_more_nothing() -> None:
    of = InFlightTable(InFlightPlan(1000, 1 << 24, 60.0))
    requests = [request(span_id=f"{number:016x}", carried=Carried("a=1")) for number in range(1, 66)]
    for one in requests[:64]:
        of.begin(one)
    assert of.carried_of(T.encode(), b"f" * 16) == Carried("a=1")
    of.begin(requests[64])
    assert of.carried_of(T.encode(), b"f" * 16) == Carried()
    assert of.of_trace(T.encode(), requests[1].span_id) is requests[1]  # the 64th from the end
    assert of.of_trace(T.encode(), requests[0].span_id) is requests[64]
    assert of.of_trace(b"0" * 32) is None
    for one in requests:
        of.end(one)
    assert (of.carried_of(T.encode()), len(of), of.size_bytes) == (None, 0, 0)


def test_the_newest_of_those_in_flight() -> None:
    of = InFlightTable(InFlightPlan(1000, 1 << 24, 60.0))
    requests = [request(f"{number:032x}") for number in range(3)]
    for one in requests:
        of.begin(one)
    assert of.newest(0) == []
    assert of.newest(2) == [requests[2], requests[1]]
    assert of.newest(9) == requests[::-1]
    assert of.entries() == tuple(requests)


def test_4096_traces_are_recent_and_those_seen_again_longer() -> None:
    recent = RecentTraces()
    for number in range(4096):
        recent.add(b"%d" % number)
    assert b"0" in recent
    recent.add(b"0")
    recent.add(b"new")
    assert (b"0" in recent, b"1" in recent, b"2" in recent, b"new" in recent) == (True, False, True, True)


# --- OpenTelemetry's member of tracestate, and sampling


@pytest.mark.parametrize(
    ("threshold", "written"),
    [(0, "0"), (1, "00000000000001"), (1 << 55, "8"), (0xF0, "000000000000f"), ((1 << 56) - 1, "f" * 14)],
)
def test_thresholds_without_their_zeros(threshold: int, written: str) -> None:
    assert ot_member.write_threshold(threshold) == written
    assert ot_member.read_threshold(f"a=1,ot=rv:0;th:{written}") == threshold


@pytest.mark.parametrize(
    "text", ["", "ot=", "ot=th:", "ot=th:g", "ot=th:" + "0" * 15, "ot=tx:8", "xot=th:8", "ot=rv:8"]
)
def test_what_is_no_threshold(text: str) -> None:
    assert ot_member.read_threshold(text) is None


def test_sub_keys_of_others_stay() -> None:
    assert ot_member.with_threshold("", 1 << 55) == "ot=th:8"
    assert ot_member.with_threshold("a=1, ot=rv:1;th:4;x:y,b=2", 1 << 55) == "ot=th:8;rv:1;x:y,a=1,b=2"
    assert ot_member.with_threshold("a=1,ot=th:8", None) == "a=1"
    assert ot_member.with_threshold("a=1,ot=x:y;th:8", None) == "ot=x:y,a=1"
    assert ot_member.with_threshold("a=1, ,ot=th:8,b=2", 1 << 55) == "a=1, ,ot=th:8,b=2"
    assert ot_member.with_threshold("a=1,,b=2", 1 << 55) == "ot=th:8,a=1,b=2"
    longest = "x:" + "y" * 249  # with `th:8;` 256 characters
    assert ot_member.with_threshold(f"ot={longest}", 1 << 55) == f"ot=th:8;{longest}"
    assert ot_member.with_threshold(f"ot={longest}y", 1 << 55) == f"ot={longest}y"


def test_randomness_is_rv_or_the_end_of_the_id() -> None:
    assert ot_member.randomness_of(T, "") == int(T[-14:], 16)
    assert ot_member.randomness_of(T, "ot=rv:00000000000007") == 7
    assert ot_member.randomness_of(T, "ot=rv:0000000000007") == int(T[-14:], 16)


def edge(randomness: int) -> str:
    return "a" * 18 + f"{randomness:014x}"


def test_a_trace_is_sampled_from_the_threshold_on() -> None:
    half = Sampler(SamplingPlan(0.5, 0.0, True), lambda: 0.0)
    assert half.decide(edge(1 << 55), "") == (True, "ot=th:8")
    assert half.decide(edge((1 << 55) - 1), "a=1,ot=th:4") == (False, "a=1")
    assert half.heed(True, edge(1 << 55), "ot=th:8") == (True, "ot=th:8")
    assert half.heed(True, edge((1 << 55) - 1), "ot=th:8") == (True, "")
    assert half.heed(False, edge(1 << 55), "ot=th:8") == (False, "")
    assert half.heed(False, edge((1 << 55) - 1), "ot=th:8") == (False, "ot=th:8")
    own = Sampler(SamplingPlan(0.5, 0.0, False), lambda: 0.0)
    assert (half.is_parent_based, own.is_parent_based) == (True, False)
    assert own.heed(True, edge(0), "") == (False, "")
    always = Sampler(SamplingPlan(1.0, 0.0, True), lambda: 0.0)
    assert always.decide(edge(0), "") == (True, "")
    assert always.decide(edge(0), "a=1") == (True, "ot=th:0,a=1")


def test_a_limit_a_second_says_nothing_about_the_share() -> None:
    now = [100.0]
    limited = Sampler(SamplingPlan(1.0, 2.0, True), lambda: now[0])
    assert [limited.decide(edge(0), "a=1,ot=th:8") for _ in range(3)] == [(True, "a=1"), (True, "a=1"), (False, "a=1")]
    now[0] += 0.5
    assert [limited.decide(edge(0), "").is_sampled for _ in range(2)] == [True, False]
    now[0] += 99
    assert [limited.decide(edge(0), "").is_sampled for _ in range(3)] == [True, True, False]
    slow = Sampler(SamplingPlan(1.0, 0.1, True), lambda: now[0])
    assert [slow.decide(edge(0), "").is_sampled for _ in range(2)] == [True, False]
    now[0] += 9.9
    assert slow.decide(edge(0), "").is_sampled is False
    now[0] += 0.1
    assert slow.decide(edge(0), "").is_sampled is True


# --- room for baggage


def test_baggage_has_room_for_82_members_and_14_kib() -> None:
    """92 fields and 15,872 bytes, less 10 and 1536 for the trace; 4 bytes for each of text, 12 for each member."""
    for number, fits in ((82, True), (83, False)):
        members = {b"%d" % one: b"" for one in range(number)}
        assert has_room((b"", members), NOTHING) is fits
        assert has_room((b"", {}), Weight(number, 0)) is fits
    for size, fits in ((14_336, True), (14_337, False)):
        assert has_room((b"", {}), Weight(0, size)) is fits
        assert has_room((b"abc", {b"a": b"", b"b": b""}), Weight(0, size - 12 - 24)) is fits
    assert NOTHING.weigh() == (0, 0)


# --- whom to believe, and what may leave


def test_rules_of_trust_have_names_and_plans_from_one_on() -> None:
    part = TrustPlan(baggage=False)
    rules = TrustRules([TrustRulePlan("a", part), TrustRulePlan("b", TrustPlan())])
    assert (rules.names, rules.plans, len(rules)) == (("", "a", "b"), (TrustPlan(), part, TrustPlan()), 2)
    assert TrustRules([]).names == ("",)


@pytest.mark.parametrize("ids", ["continue", "restart", "ignore"])
@pytest.mark.parametrize("decision", [True, False])
def test_what_is_refused_of_a_context(ids: str, decision: bool) -> None:
    plan = TrustPlan(ids=ids, decision=decision)  # type: ignore[arg-type]
    believed = believe(Extraction(CONTEXT), plan)
    refused = [] if ids == "continue" else ["ids"]
    refused += [] if decision and ids != "ignore" else ["decision"]
    assert believed.refused == tuple(refused)
    assert (believed.link is not None) is (ids == "restart")


def test_what_may_leave_for_a_host() -> None:
    assert Egress(EgressPlan()).allowed("anywhere", 1) == CargoPlan(trace=True, session=True, baggage=True)
    plan = EgressPlan(
        trace=(parse_pattern("*.internal"), parse_pattern("localhost")),
        session=(parse_pattern("a.internal"),),
        baggage=(),
    )
    egress = Egress(plan)
    assert egress.allowed("a.internal", 80) == CargoPlan(trace=True, session=True, baggage=False)
    assert egress.allowed("B.internal", 80) == CargoPlan(trace=True, session=False, baggage=False)
    assert egress.allowed("example.com", 80) == CargoPlan(trace=False, session=False, baggage=False)
    assert egress.allowed("", 0) == CargoPlan(trace=True, session=False, baggage=False)


@pytest.mark.parametrize("may_leave", [True, False])
def test_headers_of_other_families_pass_or_are_removed_and_told(may_leave: bool) -> None:
    gate = Gate(TrustPlan(), CargoPlan(trace=may_leave, session=True, baggage=True), frozenset())
    spelled = {b"traceparent": "traceparent"}
    foreign = ForeignHeaders(frozenset(("datadog",)), gate, lambda name: name.lower() == "b3", spelled)
    headers = [
        (b"X-Datadog-Trace-Id", b"1"), (b"traceparent", b"2"), (b"b3", b"3"), (b"X-Amzn-Trace-Id", b"4"),
        (b"x-amzn-trace-id", b"5"), (b"sentry-trace", b"6"), (b"accept", b"7"),
    ]  # fmt: skip
    found = foreign.find(headers)
    assert set(found) == {b"X-Datadog-Trace-Id", b"X-Amzn-Trace-Id", b"x-amzn-trace-id", b"sentry-trace"}
    passed, told = foreign.passing(found, headers)
    aws, sentry, said = found[b"X-Amzn-Trace-Id"], found[b"sentry-trace"], "passed" if may_leave else "removed"
    assert told == (("datadog", "removed"), (aws, said), (sentry, said))
    assert passed == (headers[3:6] if may_leave else [])


def test_names_of_256_characters_are_remembered_in_a_mirror() -> None:
    mirror = Mirror()
    mirror.heard("10.0.0.1", ["A" * 256, "b" * 257, "*.wild", ""], "b3,tracecontext")
    assert len(mirror) == 2
    assert mirror.speaks("a" * 256) == mirror.speaks("10.0.0.1") is not None
    assert (mirror.speaks("b" * 257), mirror.speaks("*.wild"), mirror.app_speaks()) == (None, None, None)
    mirror.heard("10.0.0.2", [], "")
    mirror.heard_app("")
    assert (mirror.speaks("10.0.0.2"), mirror.app_speaks()) == (None, None)
    mirror.reached("Shop.example", "10.0.0.1")
    mirror.reached("10.0.0.1", "10.0.0.1")
    mirror.reached("", "10.0.0.1")
    mirror.reached("x", "")
    assert mirror.speaks("shop.EXAMPLE") == mirror.speaks("10.0.0.1")
    assert mirror.speaks("x") is None
