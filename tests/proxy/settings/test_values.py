"""Values of single settings: what is read, and what is refused with which words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.settings.values import (
    parse_bytes,
    parse_count,
    parse_on_defer,
    parse_seconds,
    parse_session_header,
    parse_switch,
    ratio_of,
)


@pytest.mark.parametrize(
    ("parse", "value", "number"),
    [
        (parse_seconds, 5, 5.0),
        (parse_seconds, "2.5", 2.5),
        (parse_seconds, "250ms", 0.25),
        (parse_seconds, "5m", 300.0),
        (parse_seconds, "1 h", 3600.0),
        (parse_bytes, 10, 10),
        (parse_bytes, "64KiB", 65536),
        (parse_bytes, "1.5kb", 1500),
        (parse_count, "7", 7),
    ],
)
def test_a_quantity_is_read(parse: Callable[[object], float], value: object, number: float) -> None:
    assert parse(value) == number


@pytest.mark.parametrize(
    ("parse", "unit", "size"),
    [
        *((parse_seconds, unit, size) for unit, size in zip(
            ("", "ms", "s", "m", "min", "h", "d"), (1, 0.001, 1, 60, 60, 3600, 86400), strict=True
        )),
        *((parse_bytes, unit, size) for unit, size in zip(
            ("", "b", "kb", "mb", "gb", "kib", "mib", "gib"),
            (1, 1, 1000, 1000**2, 1000**3, 1024, 1024**2, 1024**3),
            strict=True,
        )),
    ],
)  # fmt: skip
def test_each_unit_in_any_case(parse: Callable[[object], float], unit: str, size: float) -> None:
    assert parse(f"2{unit}") == parse(f" 2 {unit.upper()} ") == 2 * size


@pytest.mark.parametrize("value", [1e300, "1" + "0" * 300, f"{'1' + '0' * 299}m", "1" + "0" * 309])
def test_what_fits_into_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected seconds"):
        parse_seconds(value)
    assert parse_seconds(9.9e299) == 9.9e299
    assert parse_seconds("9" + "0" * 299) == 9e299


@pytest.mark.parametrize(
    ("value", "read", "ratio"),
    [("accept", "accept", 1), (" Deny", "deny", 0), ("0.25", 0.25, 0.25), (0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5)],
)
def test_on_defer_is_a_word_or_a_ratio(value: object, read: object, ratio: float) -> None:
    assert parse_on_defer(value) == read
    assert ratio_of(parse_on_defer(value)) == ratio


@pytest.mark.parametrize("value", [1.01, "2", "50%", "maybe"])
def test_on_defer_is_nothing_else(value: object) -> None:
    with pytest.raises(ValueError, match="expected accept, deny, or the ratio of traces to accept, from 0 to 1"):
        parse_on_defer(value)


@pytest.mark.parametrize("parse", [parse_seconds, parse_bytes, parse_count, parse_on_defer])
@pytest.mark.parametrize("value", [True, None, "", "x", "-1", -1, "5x", float("nan"), float("inf"), "1e3", [1], "٣"])
def test_a_wrong_quantity_is_refused(parse: Callable[[object], float], value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a b",
        "a:b",
        "traceparent",
        "X-B3-TraceId",
        "X_B3_TraceId",
        "uber_trace_id",
        "Host",
        "content-length",
        "ü",
        None,
    ],
)
def test_a_session_header_is_a_name_that_means_nothing_else(value: object) -> None:
    with pytest.raises(ValueError, match="header"):
        parse_session_header(value)


@given(st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.floats()))
def test_a_parser_raises_nothing_but_value_error(value: object) -> None:
    for parse in (parse_seconds, parse_bytes, parse_count, parse_on_defer, parse_session_header):
        try:
            parse(value)
        except ValueError as error:
            assert str(error)


SECONDS = "expected seconds as a number, or text such as 250ms, 10s, 5m, 1h"


@pytest.mark.parametrize(
    ("parse", "value", "said"),
    [
        (parse_bytes, 1.5, "expected a whole number of bytes"),
        (parse_bytes, "0.5KB", None),
        (parse_bytes, "0.0001KB", "expected a whole number of bytes"),
        (parse_bytes, "x", "expected bytes as a whole number, or text such as 512B, 64KiB, 10MB"),
        (parse_count, 1.5, "expected a whole number"),
        (parse_count, "1.0", None),
        (parse_count, "x", "expected a whole number"),
        (parse_seconds, 1.5, None),
        (parse_seconds, True, SECONDS),
        (parse_seconds, "x", SECONDS),
        (
            parse_seconds,
            "-x",
            "expected seconds as a number, or text such as 250ms, 10s, 5m, 1h; it cannot be negative",
        ),
        (parse_switch, "maybe", "expected true, false or auto"),
        (parse_switch, None, "expected true, false or auto"),
        (parse_switch, 1, "expected true, false or auto"),
        (parse_switch, "1", None),
    ],
)
def test_each_refusal_in_words(parse: Callable[[object], object], value: object, said: str | None) -> None:
    with contextlib.nullcontext() if said is None else pytest.raises(ValueError) as caught:
        parse(value)
    assert said is None or str(caught.value) == said


@pytest.mark.parametrize("value", ["-1", -1, -0.5, float("-inf")])
def test_what_is_below_zero_is_called_that(value: object) -> None:
    with pytest.raises(ValueError, match="it cannot be negative"):
        parse_seconds(value)


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (False, False), (" On", True), ("yes", True), ("off", False), ("No", False), ("Auto", "auto")],
)
def test_a_switch_may_be_left_to_the_listener(value: object, read: object) -> None:
    assert parse_switch(value) == read


@pytest.mark.parametrize("value", ["maybe", "", None, 2, "auto off"])
def test_a_switch_is_nothing_else(value: object) -> None:
    with pytest.raises(ValueError, match="expected true, false or auto"):
        parse_switch(value)
