"""The message of an exception, without secret values in its text, and without foreign code.

Pure.
Calls a `__str__` that an exception's author has written: Python prints that text, and every log shows it.
The `__str__` of Python's own exceptions calls that of the arguments, so it is only called if all of them are plain.
Otherwise the arguments are returned, to be rendered like other values (docs/decisions/005).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from ops_lib.capture.stored import declared, instance_dict, is_scalar

UNREADABLE: Final = "[unreadable]"
_MOST: Final = 20  # errors of a validation that are listed one by one
# Fields that the text of some of Python's exceptions uses, besides or instead of the arguments. All are fields in C.
_Fields: TypeAlias = tuple[tuple[type, tuple[str, ...]], ...]
_BESIDES: Final[_Fields] = ((OSError, ("filename", "filename2")),)
_INSTEAD: Final[_Fields] = ((SyntaxError, ("msg", "filename", "lineno")), (BaseExceptionGroup, ("message",)))
_args: Final = BaseException.__dict__["args"].__get__


def message_of(error: BaseException) -> str | tuple[object, ...]:
    """The message of `error`, unbounded and with its secrets; or its arguments, if foreign code would make the text.

    Raises nothing that the exception causes; KeyboardInterrupt and SystemExit pass.
    """
    kind = type(error)
    try:
        if (errors := _validation_errors(error, kind)) is not None:
            number = f"{len(errors)} validation error{'s' if len(errors) != 1 else ''}"
            return "\n".join([number, *_told(errors[:_MOST])])
        if _is_of_python(declared(kind, "__str__")):
            arguments = _parts(error, _args(error))
            if not all(part is None or is_scalar(type(part)) for part in arguments):
                return arguments
        text = str(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # the outermost edge: any code may make the text
        return UNREADABLE
    return str.__str__(text)


def _is_of_python(method: Any) -> bool:
    """Whether a `__str__` is written in C: that of BaseException, OSError, KeyError and so on."""
    return type(method) is type(BaseException.__str__)


def _parts(error: BaseException, arguments: tuple[object, ...]) -> tuple[object, ...]:
    """All parts of Python's own text for such an exception."""
    for kind, names in _BESIDES:
        if issubclass(type(error), kind):
            arguments = (*arguments, *_fields(error, kind, names))
    for kind, names in _INSTEAD:
        if issubclass(type(error), kind):
            arguments = tuple(_fields(error, kind, names))
    return arguments


def _fields(error: BaseException, kind: type, names: tuple[str, ...]) -> Iterator[object]:
    for name in names:
        if (found := kind.__dict__[name].__get__(error)) is not None:
            yield found


def _validation_errors(error: BaseException, kind: type) -> list[Any] | None:
    """The errors of pydantic's and FastAPI's exceptions, whose text shows the refused values."""
    core = sys.modules.get("pydantic_core")
    if core is not None and kind is core.ValidationError:
        found: list[Any] = error.errors(include_input=False, include_url=False, include_context=False)  # type: ignore[attr-defined]  # has them
        return found
    fastapi = sys.modules.get("fastapi.exceptions")
    if fastapi is not None and issubclass(kind, fastapi.ValidationException):
        errors = instance_dict(error).get("_errors")
        return list(errors) if type(errors) in (list, tuple) else []  # type: ignore[call-overload]  # one of the two
    return None


def _told(errors: Iterable[Any]) -> Iterable[str]:
    for said in errors:
        if type(said) is dict:
            place = said.get("loc", ())
            where = ".".join(str(part) for part in place if type(part) in (str, int)) if type(place) is tuple else ""
            what = [text for text in (said.get("msg"), said.get("type")) if type(text) is str]
            yield f"{', '.join(what)} at {where}"  # not `where: what`, which would be scrubbed as a secret's value
