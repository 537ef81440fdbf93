"""What messages say of the system's errors."""

from __future__ import annotations

import pytest

from proxy.errors import reason_of


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
