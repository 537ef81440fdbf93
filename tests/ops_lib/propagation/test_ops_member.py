"""Our own member of tracestate beside those of others."""

from __future__ import annotations

import pytest

from ops_lib.propagation.ops_member import is_taken


@pytest.mark.parametrize(
    ("others", "taken"),
    [
        ("", False),
        ("ops=1", True),
        ("a=1,ops=1", True),
        ("a=1,xops=1", False),
        ("xops=1", False),
        ("a=ops=1", False),
        ("ops@a=1", False),
        ("ops", False),
    ],
)
def test_whether_another_has_our_key(others: str, taken: bool) -> None:
    assert is_taken(others) is taken
