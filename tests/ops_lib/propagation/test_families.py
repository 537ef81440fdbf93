"""Families that are not translated, known by their header names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.propagation import FAMILIES, Propagator, UnknownFamilyError, cargo_of, family_of, parse_families
from ops_lib.propagation.families import without_cargo

NAMES = [(family, name.replace("*", "trace-id")) for family, names in FAMILIES.items() for name in names]
SPELLINGS: list[Callable[[str], str]] = [str, str.upper, str.title, lambda name: name.replace("-", "_")]


@given(named=st.sampled_from(NAMES), spell=st.sampled_from(SPELLINGS), upper=st.sets(st.integers(0, 30)))
def test_a_family_is_known_in_any_spelling(
    named: tuple[str, str], spell: Callable[[str], str], upper: set[int]
) -> None:
    family, name = named
    spelled = "".join(letter.upper() if at in upper else letter for at, letter in enumerate(spell(name)))
    assert family_of(spelled) == family


@pytest.mark.parametrize(
    "name", ["traceparent", "b3", "x-b3-traceid", "uberctx-a", "baggage", "sentry", "sw8a", "x-amzn-requestid", "", "x"]
)
def test_other_names_belong_to_none(name: str) -> None:
    assert family_of(name) is None


def test_no_name_is_ours_and_of_a_family() -> None:
    assert not any(Propagator().owns(name) for _, name in NAMES)


def test_families_are_named() -> None:
    assert parse_families([" Datadog", "xray", "DATADOG"]) == ("datadog", "xray")
    assert parse_families([]) == ()
    with pytest.raises(UnknownFamilyError, match="unknown family of trace headers 'b3'; known are: datadog, xray"):
        parse_families(["b3"])


@pytest.mark.parametrize(
    ("name", "cargo"),
    [
        ("X-Mirascope-Session-Id", "session"), ("x_mirascope_session_id", "session"), ("X-Sess", "session"),
        ("baggage", "baggage"), ("Jaeger_Baggage", "baggage"), ("uberctx-A", "baggage"), ("ot-baggage-a", "baggage"),
        ("SW8-Correlation", "baggage"), ("Traceparent", "trace"), ("X_B3_TraceId", "trace"), ("sw8", "trace"),
        ("grpc-trace-bin", "trace"), ("x-datadog-trace-id", "trace"), ("ot-tracer-traceid", "trace"),
        ("accept", None), ("sentry", None), ("", None),
    ],
)  # fmt: skip
def test_what_a_header_carries(name: str, cargo: str | None) -> None:
    assert cargo_of(name, frozenset({"x-sess"})) == cargo


@pytest.mark.parametrize(
    ("trace", "session", "left"),
    [
        (True, True, ["a", "Session.Id", "sentry-release"]),
        (False, True, ["a", "Session.Id"]),
        (True, False, ["a", "sentry-release"]),
        (False, False, ["a"]),
    ],
)
def test_members_that_are_a_trace_or_a_session_stay_behind(trace: bool, session: bool, left: list[str]) -> None:
    baggage = Propagator().read({"baggage": "a=1,Session.Id=s,sentry-release=2"}).baggage
    kept = without_cargo(baggage, trace=trace, session=session)
    assert kept is not None
    assert [member.key for member in kept.members] == left


def test_no_baggage_is_left_where_nothing_else_was_in_it() -> None:
    only = Propagator().read({"baggage": "session.id=s"}).baggage
    assert only is not None
    assert without_cargo(only, trace=True, session=False) is None
    assert without_cargo(None, trace=False, session=False) is None
