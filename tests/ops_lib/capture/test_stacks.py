"""Stack traces: as Python prints them, but bounded, scrubbed, and without the values that an exception shows."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import fastapi.exceptions
import pydantic
import pytest

from ops_lib.capture.bounds import CaptureLimits, CaptureSettings
from ops_lib.capture.messages import UNREADABLE
from ops_lib.capture.render import said
from ops_lib.capture.stacks import stack_trace

DEFAULT = CaptureSettings()


def raised(raise_it: Callable[[], object]) -> BaseException:
    try:
        raise_it()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def plain() -> None:
    raise ValueError("no courier")


def caused() -> None:
    try:
        plain()
    except ValueError as error:
        raise KeyError("order") from error


def during() -> None:
    try:
        plain()
    except ValueError:
        raise KeyError("order")  # noqa: B904  # this is the test


def suppressed() -> None:
    try:
        plain()
    except ValueError:
        raise KeyError("order") from None


def without_text() -> None:
    raise ValueError


def noted() -> None:
    error = ValueError("no courier")
    error.add_note("while packing")
    raise error


@pytest.mark.parametrize("raise_it", [plain, caused, during, suppressed, without_text, noted])
def test_as_python_prints_it(raise_it: Callable[[], None]) -> None:
    """But for the marks under a line, which say where in it."""
    error = raised(raise_it)
    printed = "".join(traceback.format_exception(error)).splitlines()
    assert stack_trace(error, DEFAULT).splitlines() == [line for line in printed if line.strip(" ^~") or not line]


def test_a_long_stack_loses_its_middle() -> None:
    def fall(depth: int) -> None:
        if depth == 0:
            raise ValueError("bottom")
        (fall, fall)[depth % 2](depth - 1)

    def other(depth: int) -> None:
        fall(0) if depth == 0 else lines[depth % 3](depth - 1)

    lines: list[Any] = [lambda depth: other(depth), lambda depth: other(depth), other]
    text = stack_trace(raised(lambda: other(200)), CaptureSettings(limits=CaptureLimits(stack=100_000)))
    assert "more frames" in text
    assert "in raised" in text
    assert text.endswith("ValueError: bottom\n")
    short = stack_trace(raised(lambda: other(200)), CaptureSettings(limits=CaptureLimits(stack=1000)))
    assert len(short) <= 1010
    assert "…" in short
    assert short.startswith("Traceback (most recent call last):\n")
    assert short.endswith("ValueError: bottom\n")


def test_a_chain_and_a_group_are_bounded() -> None:
    error: BaseException = ValueError("0")
    for number in range(1, 100):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer
    text = stack_trace(error, DEFAULT)
    assert text.startswith("ValueError: 92\n")
    assert text.endswith("ValueError: 99\n")
    group = ExceptionGroup("many", [ValueError(str(number)) for number in range(100)])
    text = stack_trace(group, DEFAULT)
    assert "  | ValueError: 7\n" in text
    assert [line for line in text.splitlines() if line.startswith("  +")] == [
        f"  +---------------- {number} ----------------" for number in range(1, 9)
    ]
    assert "ValueError: 8" not in text
    assert "\n  and 92 more exceptions\n" in text
    deep = ExceptionGroup("0", [ExceptionGroup("1", [ExceptionGroup("2", [ExceptionGroup("3", [ValueError("4")])])])])
    assert "ExceptionGroup: 3" in stack_trace(deep, DEFAULT)
    assert "ValueError: 4" not in stack_trace(deep, DEFAULT)


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert stack_trace(first, DEFAULT).count("ValueError") == 2


def test_a_line_of_the_source_is_scrubbed() -> None:
    def login() -> None:
        raise ValueError("x", password="hush")  # type: ignore[call-arg]  # this is the test

    text = stack_trace(raised(login), DEFAULT)
    assert 'ValueError("x", password=[scrubbed]' in text


class Login(pydantic.BaseModel):
    user: str
    pin_code: int


def test_a_validation_error_does_not_show_its_input() -> None:
    """Neither by its name, nor within the text of another exception."""
    given = {"user": {"a": "hush"}, "pin_code": "hush"}
    error = raised(lambda: Login.model_validate(given))
    wanted = (
        "2 validation errors\n"
        "Input should be a valid string, string_type at user\n"
        "Input should be a valid integer, unable to parse string as an integer, int_parsing at pin_code"
    )
    assert said(error, DEFAULT) == wanted
    outer = RuntimeError(f"bad request: {error}")
    outer.__cause__ = error
    for text in (said(outer, DEFAULT), stack_trace(outer, DEFAULT)):
        assert "hush" not in text
        assert "Input should be a valid integer" in text


def test_nor_does_fastapis() -> None:
    errors = [{"loc": ("response", "user"), "msg": "Input should be a string", "type": "string_type", "input": "hush"}]
    for error in (
        fastapi.exceptions.ResponseValidationError(errors, body={"a": "hush"}),
        fastapi.exceptions.RequestValidationError(errors, body="hush"),
    ):
        assert said(error, DEFAULT) == "1 validation error\nInput should be a string, string_type at response.user"
        assert "hush" not in stack_trace(error, DEFAULT)


class Asked:
    def __repr__(self) -> str:
        raise AssertionError("asked")

    __str__ = __repr__


ASKED = f"<{__name__}.Asked>"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(), ""),
        (ValueError("a"), "a"),
        (ValueError(1), "1"),
        (ValueError("a", 1), "('a', 1)"),
        (KeyError("a"), "'a'"),
        (OSError(2, "No such file", "/a"), "[Errno 2] No such file: '/a'"),
        (ImportError("no a", name="a"), "no a"),
        (ImportError(Asked()), ASKED),
        (SyntaxError("invalid", ("a.py", 3, 1, "x")), "invalid (a.py, line 3)"),
        (SyntaxError(Asked()), ASKED),
        (OSError(2, "Not renamed", "/a", None, "/b"), "[Errno 2] Not renamed: '/a' -> '/b'"),
        (ExceptionGroup("g", [ValueError("a")]), "g (1 sub-exception)"),
        (ValueError(Asked()), ASKED),
        (ValueError("a", Asked()), f'["a", "{ASKED}"]'),
        (ValueError({"password": "hush", "a": 1}), '{"password": "[scrubbed]", "a": 1}'),
        (KeyError(Asked()), ASKED),
        (OSError(2, "No such file", Asked()), f'[2, "No such file", "{ASKED}"]'),
        (OSError(Asked()), ASKED),
        (type("OwnError", (Exception,), {"__str__": lambda self: "its own"})("a"), "its own"),
        (type("OwnError", (Exception,), {"__str__": lambda self: 1 / 0})("a"), UNREADABLE),
        (type("OwnError", (Exception,), {"__str__": lambda self: 5})("a"), UNREADABLE),
    ],
)
def test_messages(error: BaseException, text: str) -> None:
    assert said(error, DEFAULT) == text


def test_ten_megabytes_are_cut_before_they_are_looked_at() -> None:
    error = ValueError("password=hush " * 700_000)
    start = time.process_time()
    assert len(said(error, DEFAULT)) == 2049
    assert len(stack_trace(error, DEFAULT)) < 8300
    assert time.process_time() - start < 1


class Properties(Exception):
    __cause__ = __context__ = __traceback__ = args = property(lambda self: 1 / 0)  # type: ignore[assignment]  # this is the test


def test_what_a_class_puts_over_the_fields_is_not_asked() -> None:
    assert stack_trace(raised(lambda: (_ for _ in ()).throw(Properties("a"))), DEFAULT).endswith("Properties: a\n")
