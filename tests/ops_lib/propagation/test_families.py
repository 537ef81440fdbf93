"""Families that are not translated, known by their header names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.propagation import FAMILIES, Propagator, UnknownFamilyError, family_of, parse_families

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
