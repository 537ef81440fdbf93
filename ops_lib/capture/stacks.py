"""The stack trace of an exception as text: bounded and scrubbed, exception messages included.

May know: the message of an exception (`render.said`), and the sources of the frames.
Laid out as Python's own, with the causes first.
Long stacks lose their middle: people look for the entry and the failure.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from ops_lib.capture.bounds import CaptureSettings, bounded
from ops_lib.capture.render import said
from ops_lib.capture.stored import name_of

_OUTER: Final = 16  # frames kept of a long stack, at its entry
_INNER: Final = 48  # and at its end
_CHAIN: Final = 8  # exceptions shown of a chain of causes
_GROUPED: Final = 8  # exceptions shown of a group
_DEPTH: Final = 3  # groups within groups
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
_HEADING: Final = "Traceback (most recent call last):\n"


def stack_trace(error: BaseException, settings: CaptureSettings) -> str:
    """The stack trace of `error` and its causes, within the limit `stack` of `settings`. Raises nothing."""
    try:
        text = "".join(_chain(error, settings, 0))
    except Exception:  # the outermost edge: sources may be unreadable, line numbers made up
        text = title(error, settings)
    return bounded(text, settings.limits.stack, settings, keep_end=True)


def title(error: BaseException, settings: CaptureSettings) -> str:
    """The last line that Python prints: class and message."""
    message = said(error, settings)
    name = name_of(type(error))
    return f"{name}: {message}" if message else name


def _chain(error: BaseException, settings: CaptureSettings, depth: int) -> Iterator[str]:
    """The pieces of text: causes first, `error` last."""
    links = [(error, "")]
    seen = {id(error)}
    while len(links) < _CHAIN:
        last = links[-1][0]
        # The fields themselves, in C: a subclass may override them with properties.
        cause, context = _field(last, "__cause__"), _field(last, "__context__")
        before = cause if cause is not None else None if _field(last, "__suppress_context__") else context
        if not issubclass(type(before), BaseException) or id(before) in seen:
            break
        seen.add(id(before))
        links.append((before, _CAUSE if cause is not None else _DURING))  # type: ignore[arg-type]  # an exception, as issubclass says
    for link, joint in reversed(links):
        yield from _one(link, settings, depth)
        yield joint


def _one(error: BaseException, settings: CaptureSettings, depth: int) -> Iterator[str]:
    trace = _field(error, "__traceback__")
    if isinstance(trace, TracebackType):
        yield _HEADING
        yield from _frames(trace)
    yield title(error, settings) + "\n"
    notes = _field(error, "__dict__").get("__notes__")  # type: ignore[attr-defined]  # a dict
    for note in notes[: settings.limits.items] if type(notes) is list else ():
        if type(note) is str:
            yield bounded(note, settings.limits.total, settings) + "\n"
    if issubclass(type(error), BaseExceptionGroup) and depth < _DEPTH:
        grouped = BaseExceptionGroup.__dict__["exceptions"].__get__(error)
        for number, within in enumerate(grouped[:_GROUPED], 1):
            yield f"  +---------------- {number} ----------------\n"
            text = "".join(_chain(within, settings, depth + 1))
            yield "".join(f"  | {line}" for line in text.splitlines(keepends=True))
        if len(grouped) > _GROUPED:
            yield f"  and {len(grouped) - _GROUPED} more exceptions\n"


def _field(error: BaseException, name: str) -> object:
    return BaseException.__dict__[name].__get__(error)


def _frames(trace: TracebackType | None) -> Iterator[str]:
    found = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    if len(found) > _OUTER + _INNER:
        yield from traceback.StackSummary.extract(iter(found[:_OUTER])).format()
        yield f"  … {len(found) - _OUTER - _INNER} more frames\n"
        found = found[-_INNER:]
    yield from traceback.StackSummary.extract(iter(found)).format()
