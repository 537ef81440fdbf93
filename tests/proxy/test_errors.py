"""What messages say of the system's errors."""

from __future__ import annotations

import pytest

from proxy.errors import SettingsError, SettingsProblem, reason_of


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "/gone"), "/gone: No such file or directory"),
        (TimeoutError("timed out"), "timed out"),
        (ValueError("not a port"), "not a port"),
        (OSError(), ""),
    ],
)
def test_reasons_are_in_the_systems_words_without_a_number(error: Exception, told: str) -> None:
    assert reason_of(error) == told


def test_settings_are_told_of_all_their_problems() -> None:
    problems = (
        SettingsProblem("a.b", "x", "env", "expected a number"),
        SettingsProblem("c", "", "file", "it is unknown"),
    )
    error = SettingsError(problems)
    assert str(error) == "a.b = x (from env): expected a number\nc (from file): it is unknown"
    assert (error.problems, error.more) == (problems, 0)
    assert SettingsError(problems, 7).more == 7
