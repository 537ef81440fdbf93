"""Patterns of hosts: the vectors that the library and the sidecar run as well, and the table's order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.hosts import HostPattern, HostTable, parse_pattern
from tests.vectors.hosts.rows import Match, matches, refused, shown


@pytest.mark.parametrize("row", matches(), ids=str)
def test_a_vector_matches_or_not(row: Match) -> None:
    table = HostTable([(parse_pattern(row.pattern), True)])
    assert (table.find(*row.authority) is not None) is row.expected


@pytest.mark.parametrize(("pattern", "text"), shown(), ids=str)
def test_a_pattern_has_one_form_which_is_read_again(pattern: str, text: str) -> None:
    parsed = parse_pattern(pattern)
    assert str(parsed) == text
    assert parse_pattern(text) == parsed


@pytest.mark.parametrize(("pattern", "why"), refused(), ids=str)
def test_a_wrong_pattern_says_what_is_right(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is not|wildcard|port|zone|write") as problem:
        parse_pattern(pattern)
    assert why in str(problem.value)


@given(st.text("ab1.*:/[]%-_x0 é", max_size=20))
def test_a_pattern_raises_nothing_but_value_error_and_is_shown_as_it_is_read(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except ValueError as error:
        assert str(error)
        return
    assert parse_pattern(str(pattern)) == pattern


def test_a_table_lists_what_it_holds() -> None:
    patterns = [HostPattern("cidr", "10.0.0.0/8"), HostPattern("wildcard", ".svc"), HostPattern("exact", "a")]
    assert HostTable((pattern, str(pattern)) for pattern in patterns).values() == ("a", "*.svc", "10.0.0.0/8")
