"""Session ids."""

from typing import Any

import pytest

from ops_lib.propagation import InvalidSessionError, Malformed, check_session_id
from ops_lib.propagation.session import extract, is_session_id


@pytest.mark.parametrize("value", ["a", "!" * 256, "~", "550e8400-e29b-41d4-a716-446655440000", "a,b;c=d/%20"])
def test_good(value: str) -> None:
    assert check_session_id(value) is value
    assert is_session_id(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "empty"),
        ("a" * 257, "257"),
        ("a b", r"' ' at position 1"),
        ("a\r\nb", r"'\\r' at position 1"),
        ("café", "'é' at position 3"),
        ("\x7f", r"'\\x7f'"),
        ("a\n", r"'\\n' at position 1"),
    ],
)
def test_bad_names_the_limit_and_the_problem(value: str, problem: str) -> None:
    assert not is_session_id(value)
    with pytest.raises(InvalidSessionError, match=problem) as error:
        check_session_id(value)
    assert "1 to 256 visible ASCII" in str(error.value)
    assert isinstance(error.value, ValueError)


def test_names_count_in_their_order() -> None:
    found = {"b": ["2"], "a": ["1"]}
    assert extract(found, ("a", "b")) == ("1", None)
    assert extract(found, ("b", "a")) == ("2", None)
    assert extract(found, ("c",)) == (None, None)


@pytest.mark.parametrize("value", [3, None, b"demo", ["demo"]])
def test_what_is_no_text_is_a_value_error(value: Any) -> None:
    with pytest.raises(InvalidSessionError, match="not str"):
        check_session_id(value)


def test_joined_values_are_looked_into_up_to_a_length() -> None:
    """What comes behind a value that is too long is still read."""
    joined = ["s1, " * 1023 + "s1  ", "s1, " * 1024 + "s1"]
    assert extract({"a": [joined[0]]}, ("a",)) == ("s1", None)
    assert extract({"a": [joined[1]]}, ("a",)) == (None, Malformed.TOO_LONG)
    assert extract({"a": [joined[1], "s2"]}, ("a",)) == ("s2", Malformed.TOO_LONG)
    assert extract({"a": ["\x7f" * 2048] * 3 + ["s2"]}, ("a",)) == (None, Malformed.CHARACTERS)
