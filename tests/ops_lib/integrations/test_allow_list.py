"""The allow-list: the patterns of `tests/vectors/hosts`, as the library reads them."""

import pytest

import ops_lib as ops
from ops_lib.integrations.allow_list import AllowList
from tests.vectors.hosts.rows import Match, matches, refused


@pytest.mark.parametrize("row", matches(), ids=str)
def test_a_vector_is_allowed_or_not(row: Match) -> None:
    host, port = row.authority
    assert AllowList.parse([row.pattern]).allows(host, port or None) is row.expected


def test_any_pattern_is_enough_and_none_allows_nothing() -> None:
    assert AllowList.parse(["a.example", "b.example"]).allows("b.example", 80)
    assert AllowList.parse("a.example, b.example").allows("b.example", 80)
    assert not AllowList.parse([]).allows("a.example", 80)


@pytest.mark.parametrize(("pattern", "why"), refused(), ids=str)
def test_a_refused_vector_is_named(pattern: str, why: str) -> None:
    """A pattern that cannot be meant is an error which names it, never one that matches nothing."""
    with pytest.raises(ops.ConfigurationError, match="is not a host pattern") as problem:
        AllowList.parse([pattern])
    assert repr(pattern.strip()) in str(problem.value)
    assert why in str(problem.value)


def test_a_port_that_is_not_known_is_none_of_the_listed() -> None:
    listed = AllowList.parse(["a:1", "b"])
    assert [listed.allows("a", port) for port in (None, 0, 1, 2)] == [False, False, True, False]
    assert [listed.allows("b", port) for port in (None, 1)] == [True, True]
