"""What is left of a context by what a peer is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.hosts import parse_pattern
from ops_lib.propagation import Extraction, Propagator, Sampling
from proxy.participation.trust import TrustRules, believe, is_named
from proxy.plan.participation import TrustPlan, TrustRulePlan

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DEBUG: dict[str, list[str]] = {
    "b3": [f"{TRACE}-{SPAN}-d"],
    "baggage": ["k=v"],
    "x-mirascope-session-id": ["s-1"],
}
PLANS = st.builds(
    TrustPlan, st.sampled_from(("continue", "restart", "ignore")), st.booleans(), st.booleans(), st.booleans()
)


def said(fields: dict[str, list[str]]) -> Extraction:
    return Propagator().extract(fields)


def test_who_is_believed_whole_loses_nothing() -> None:
    extraction = said(DEBUG)
    assert believe(extraction, TrustPlan()) == (extraction, None, ())


def test_a_restart_links_to_what_came_and_keeps_its_decision() -> None:
    kept, link, _ = believe(said(DEBUG), TrustPlan(ids="restart"))
    assert link is not None
    assert (link.trace_id, link.span_id) == (TRACE, SPAN)
    assert (kept.context, kept.decision) == (None, Sampling.DEBUG)
    assert (kept.session, kept.baggage) == ("s-1", said(DEBUG).baggage)


def test_a_restart_whose_decision_is_not_believed_decides_nothing() -> None:
    kept, link, _ = believe(said(DEBUG), TrustPlan(ids="restart", decision=False))
    assert kept.decision is None
    assert link is not None


def test_who_is_ignored_leaves_no_trace() -> None:
    kept, link, _ = believe(said(DEBUG), TrustPlan(ids="ignore"))
    assert (kept.context, kept.decision, link) == (None, None, None)
    assert kept.session == "s-1"


@pytest.mark.parametrize("header", [f"{TRACE}-{SPAN}-d", f"{TRACE}-{SPAN}-0", f"{TRACE}-{SPAN}-1"])
def test_a_decision_that_is_not_believed_is_open(header: str) -> None:
    kept, _, _ = believe(said({"b3": [header]}), TrustPlan(decision=False))
    assert kept.context is not None
    assert (kept.context.sampling, kept.context.trace_id) == (Sampling.DEFER, TRACE)


@pytest.mark.parametrize("decision", ["0", "1", "d"])
def test_a_bare_decision_that_is_not_believed_is_none(decision: str) -> None:
    assert believe(said({"b3": [decision]}), TrustPlan(decision=False)).extraction.decision is None


def test_baggage_and_session_are_refused_apart_from_the_ids() -> None:
    kept, _, _ = believe(said(DEBUG), TrustPlan(baggage=False))
    assert (kept.baggage, kept.session, kept.context) == (None, "s-1", said(DEBUG).context)
    kept, _, _ = believe(said(DEBUG), TrustPlan(session=False))
    assert (kept.baggage, kept.session) == (said(DEBUG).baggage, None)


@given(PLANS, st.sampled_from([DEBUG, {"b3": ["0"]}, {}, {**DEBUG, "traceparent": [f"00-{TRACE[::-1]}-{SPAN}-01"]}]))
def test_nothing_goes_out_that_is_not_believed(plan: TrustPlan, fields: dict[str, Any]) -> None:
    propagator = Propagator(inject=Propagator().extract_formats)
    kept, _, _ = believe(propagator.extract(fields), plan)
    out = str(propagator.inject(kept).headers)
    if plan.ids != "continue":
        assert TRACE not in out
        assert TRACE[::-1] not in out
        assert kept.conflicts == ()
    if not plan.session:
        assert "s-1" not in out
    if not plan.baggage:
        assert "k=v" not in out


def test_what_was_refused_is_told() -> None:
    refuses = TrustPlan("ignore", decision=True, baggage=False, session=False)
    assert believe(said(DEBUG), refuses).refused == ("ids", "decision", "baggage", "session")
    assert believe(said({}), refuses).refused == ()


def test_a_session_that_is_not_believed_does_not_come_by_baggage() -> None:
    kept = believe(said({"baggage": ["k=v,session.id=s-9"]}), TrustPlan(session=False))
    assert kept.extraction.baggage is not None
    assert [member.key for member in kept.extraction.baggage.members] == ["k"]
    assert kept.refused == ("baggage",)


def rules(*plans: TrustRulePlan) -> TrustRules:
    return TrustRules(plans)


def test_the_first_rule_that_is_about_a_peer_counts() -> None:
    found = rules(
        TrustRulePlan("a", TrustPlan(), peers=(parse_pattern("10.0.0.0/8"), parse_pattern("fd00::1"))),
        TrustRulePlan("b", TrustPlan(), names=("*.internal", "spiffe://a/b")),
        TrustRulePlan("c", TrustPlan(), peers=(parse_pattern("10.0.0.0/8"),), names=("never",)),
    )
    assert len(found) == 3
    assert found.rule_of("10.1.2.3", ()) == 1
    assert found.rule_of("::ffff:10.1.2.3", ()) == 1  # of a socket for both families
    assert found.rule_of("fd00::1", ("x.internal",)) == 1
    assert found.rule_of("192.0.2.1", ("x.internal",)) == 2
    assert found.rule_of("", ("spiffe://a/b",)) == 2
    assert found.rule_of("", ()) == 0  # a Unix socket has no address
    assert found.rule_of("192.0.2.1", ("internal", "never")) == 0
    assert rules(TrustRulePlan("all", TrustPlan())).rule_of("", ()) == 1


def test_a_rule_is_about_addresses_from_any_port() -> None:
    """A client's own port says nothing: a pattern that asks for one is about nobody."""
    found = rules(
        TrustRulePlan("a", TrustPlan(), peers=tuple(parse_pattern(f"10.0.0.{port}:{port}") for port in (1, 2))),
        TrustRulePlan("b", TrustPlan(), peers=(parse_pattern("10.0.0.0/8"),)),
    )
    assert [found.rule_of(address, ()) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3")] == [2, 2, 2]


def test_a_wildcard_stands_for_labels() -> None:
    assert is_named("a.b.internal", "*.internal")
    assert not is_named("internal", "*.internal")
    assert not is_named(".internal", "*.internal")
    assert not is_named("a.internal.evil", "*.internal")


@pytest.mark.parametrize(
    ("ids", "keys"), [("continue", ["k", "sentry-release"]), ("restart", ["k", "sentry-release"]), ("ignore", ["k"])]
)
def test_members_of_baggage_that_are_a_trace_are_believed_as_the_ids_are(ids: Any, keys: list[str]) -> None:
    came = said({**DEBUG, "baggage": ["k=v,sentry-release=1"]})
    kept, _, refused = believe(came, TrustPlan(ids=ids))
    assert kept.baggage is not None
    assert [member.key for member in kept.baggage.members] == keys
    assert ("baggage" in refused) is (ids == "ignore")
