"""The message of an exception is Python's own text where all that makes it is plain, and else its parts."""

from __future__ import annotations

import pytest

from ops_lib.capture.messages import message_of


class Foreign:
    def __str__(self) -> str:
        raise AssertionError("asked")

    __repr__ = __str__


FOREIGN = Foreign()


def syntax_error(**fields: object) -> SyntaxError:
    error = SyntaxError("bad", ("file.py", 3, 4, "text"))
    for name, value in fields.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError(), ""),
        (ValueError("bad", 1), "('bad', 1)"),
        (KeyError("name"), "'name'"),
        (OSError(2, "missing", "a", None, "b"), "[Errno 2] missing: 'a' -> 'b'"),
        (syntax_error(), "bad (file.py, line 3)"),
        (ExceptionGroup("both", [ValueError(FOREIGN)]), "both (1 sub-exception)"),
    ],
)
def test_plain_parts_make_pythons_text(error: BaseException, message: str) -> None:
    assert message_of(error) == message


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (ValueError("bad", FOREIGN), ("bad", FOREIGN)),
        (OSError(2, "missing", FOREIGN), (2, "missing", FOREIGN)),
        (OSError(2, "missing", "a", None, FOREIGN), (2, "missing", "a", FOREIGN)),
        (syntax_error(msg=FOREIGN), (FOREIGN, "file.py", 3)),
        (syntax_error(filename=FOREIGN), ("bad", FOREIGN, 3)),
        (syntax_error(lineno=FOREIGN), ("bad", "file.py", FOREIGN)),
    ],
)
def test_a_part_that_is_not_plain_is_not_asked_for_its_text(error: BaseException, parts: tuple[object, ...]) -> None:
    """Neither are those that are in fields besides the arguments, or instead of them."""
    assert message_of(error) == parts


def test_a_text_that_cannot_be_made_says_so() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert message_of(Unprintable()) == "[unreadable]"
