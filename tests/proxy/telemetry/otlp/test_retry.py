"""When to send again: backoff with its chance, Retry-After in both forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry.otlp.retry import RETRYABLE, backoff_s, retry_after_s

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


def test_the_pause_doubles_to_half_a_minute_and_half_of_it_is_chance() -> None:
    assert [backoff_s(n, lambda: 1.0) for n in (1, 2, 3, 4, 5, 6, 7, 10_000)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [backoff_s(n, lambda: 0.0) for n in (1, 2, 6)] == [0.5, 1.0, 15.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 7 ", 7),
        ("0000000007", 7),
        ("300", 300),
        ("301", 300),
        ("9" * 400, 300),
        ("Fri, 15 Jan 2027 08:00:20 GMT", 20),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0),
        ("Fri, 15 Jan 2029 08:00:00 GMT", 300),
        ("1.5", None),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@given(st.text(max_size=60))
def test_whatever_a_collector_writes_there(value: str) -> None:
    found = retry_after_s(value, NOW)
    assert found is None or 0 <= found <= 300


def test_the_codes_that_the_specification_names() -> None:
    assert sorted(RETRYABLE) == [429, 502, 503, 504]
