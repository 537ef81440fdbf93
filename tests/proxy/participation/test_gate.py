"""What is kept back: every combination of what is believed and what may go, header by header."""

from __future__ import annotations

import itertools

import pytest

from ops_lib.propagation import FORMATS, Propagator, cargo_of
from proxy.participation.gate import Gate, RawHeaders
from proxy.plan.participation import CargoPlan, TrustPlan

TRACE_ID, SPAN_ID = "1" * 32, "2" * 16
OF = {
    "trace": [
        "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled",
        "x-b3-flags", "uber-trace-id", "grpc-trace-bin", "x-datadog-trace-id", "x-datadog-tags", "x-amzn-trace-id",
        "x-cloud-trace-context", "sentry-trace", "ot-tracer-traceid", "sw8", "sw8-x", "x-instana-t",
    ],
    "session": ["x-mirascope-session-id", "mirascope-session-id", "x-sid"],
    "baggage": ["baggage", "jaeger-baggage", "uberctx-a", "ot-baggage-a", "sw8-correlation"],
    None: ["x-other", "cookie", "x-b3", "uberctx", "x-b3x-traceid", "xbaggage", "traceparents", "sw9"],
}  # fmt: skip
TRUSTS = [
    TrustPlan(ids, decision, baggage, session)
    for ids, decision, baggage, session in itertools.product(
        ("continue", "restart", "ignore"), (True, False), (True, False), (True, False)
    )
]
CARGOES = [CargoPlan(*which) for which in itertools.product((True, False), repeat=3)]
CAME = [
    ("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01"), ("x-sid", "s-1"),
    ("baggage", "a=1,session.id=s-1,sentry-trace_id=2,Session.ID=s-2,b=2"),
]  # fmt: skip


@pytest.mark.parametrize(("cargo", "name"), [(cargo, name) for cargo, names in OF.items() for name in names])
def test_what_each_header_carries(cargo: str | None, name: str) -> None:
    for spelled in (name, name.upper(), name.replace("-", "_")):
        assert cargo_of(spelled, frozenset({"x-sid"})) == cargo
    assert cargo_of("x-sid") is None


@pytest.mark.parametrize("allowed", CARGOES, ids=str)
def test_what_goes_on_as_it_came(allowed: CargoPlan) -> None:
    for trust in TRUSTS:
        gate = Gate(trust, allowed, {"X_Sid"})
        for cargo, names in OF.items():
            goes = {
                "trace": allowed.trace,
                "session": allowed.session and trust.session,
                "baggage": allowed.baggage and trust.baggage,
                None: True,
            }[cargo]
            assert [gate.bars(name) for name in names] == [not goes] * len(names)


@pytest.mark.parametrize("allowed", CARGOES, ids=str)
def test_baggage_is_read_where_it_has_to_be_weighed(allowed: CargoPlan) -> None:
    for trust in TRUSTS:
        gate = Gate(trust, allowed, ())  # type: ignore[arg-type]  # none
        is_whole = allowed == CargoPlan() and trust.baggage and trust.session and trust.ids != "ignore"
        is_gone = not allowed.baggage
        assert gate.splits_baggage is (allowed.baggage and not (allowed.trace and allowed.session))
        assert gate.mode("translate") == "translate"
        assert gate.mode("drop") == "drop"
        assert gate.mode("pass") == ("pass" if is_whole and not is_gone else "translate")


@pytest.mark.parametrize("allowed", CARGOES, ids=str)
def test_what_leaves_of_what_came(allowed: CargoPlan) -> None:
    propagator = Propagator(extract=FORMATS, session_extract=("x-sid",))
    extraction = propagator.extract(propagator.fields(CAME))
    left = Gate(TrustPlan(), allowed, {"x-sid"}).leaving(extraction)
    assert left.context == extraction.context
    assert left.session == ("s-1" if allowed.session else None)
    keys = ["a"]
    keys += ["session.id"] if allowed.session else []
    keys += ["sentry-trace_id"] if allowed.trace else []
    keys += ["Session.ID"] if allowed.session else []
    found = [key for key, _ in left.baggage.members] if left.baggage is not None else []
    assert found == ([*keys, "b"] if allowed.baggage else [])


def test_baggage_of_nothing_else_is_gone() -> None:
    propagator = Propagator(extract=FORMATS)
    extraction = propagator.extract(propagator.fields([("baggage", "session.id=s-1")]))
    assert Gate(TrustPlan(), CargoPlan(session=False), set()).leaving(extraction).baggage is None


@pytest.mark.parametrize("allowed", CARGOES, ids=str)
def test_what_is_withheld_is_named_once(allowed: CargoPlan) -> None:
    written: RawHeaders = [(name.encode(), b"1") for names in OF.values() for name in names]
    kept, withheld = Gate(TrustPlan(), allowed, {"x-sid"}).withhold(written)
    lets = {"trace": allowed.trace, "session": allowed.session, "baggage": allowed.baggage, None: True}
    assert [name.decode() for name, _ in kept] == [name for cargo, names in OF.items() if lets[cargo] for name in names]
    assert sorted(withheld) == sorted(cargo for cargo, goes in lets.items() if cargo and not goes)


def test_what_came_and_does_not_leave_is_withheld_as_well() -> None:
    """Where nothing of it was written."""
    propagator = Propagator(extract=FORMATS, session_extract=("x-sid",))
    came = propagator.extract(propagator.fields(CAME))
    for allowed, named in (
        (CargoPlan(session=False), ("session", "baggage")),
        (CargoPlan(baggage=False), ("baggage",)),
        (CargoPlan(trace=False), ("baggage",)),
        (CargoPlan(), ()),
    ):
        gate = Gate(TrustPlan(), allowed, {"x-sid"})
        assert gate.withhold([], came, gate.leaving(came)) == ([], named)
    bare = propagator.extract(propagator.fields(CAME[:1]))
    gate = Gate(TrustPlan(), CargoPlan(session=False, baggage=False), set())
    assert gate.withhold([], bare, gate.leaving(bare)) == ([], ())
