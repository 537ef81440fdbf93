"""A call with a span around it, as a plain Python function. Each traced function has its own.

It is a function, not a method of an object: before Python 3.12,
calling an object counts twice against the recursion limit.
It has the globals of the traced function, because frameworks resolve annotations by them.
So everything that it needs is in free variables.
These can be pickled by value: notebooks send their functions to Ray, Dask and Spark.
May know: spans, the Context, `subject`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span as OtelSpan

from ops_lib.context.current import SPAN_KEY, attach, current, detach, with_value
from ops_lib.decorator.result import Trace
from ops_lib.decorator.subject import ARGUMENTS, RESULT, Subject
from ops_lib.spans.attributes import Fit
from ops_lib.spans.configured import RUNTIME
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.span import Span, start_in
from ops_lib.spans.start import end_span, tracer_for
from ops_lib.spans.unrecorded import LightSpan, light_span

__all__ = [
    "SPAN_KEY",
    "LightSpan",
    "Recorder",
    "Span",
    "attach",
    "call_of",
    "call_wrapped",
    "current",
    "detach",
    "end_span",
    "is_call",
    "light_span",
    "named_as",
    "record_exception",
    "tracer_for",
    "with_value",
]
"""Its own globals, and names that a call finds here."""


class Recorder:
    """What is written on the span of a call."""

    __slots__ = ("subject",)

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def start(self, context: Context) -> OtelSpan:
        """A started span for a call."""
        return start_in(context, self.subject.name, self.attributes())

    def attributes(self) -> Fit:
        """The attributes at the start of the span."""
        subject = self.subject
        return subject.attributes if subject.fit_for is RUNTIME.capture else subject.fit()

    def record_arguments(self, span: OtelSpan | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Puts the arguments of a call on its span, if they are to be recorded."""
        if span is not None and span.is_recording():
            text = self.subject.arguments(args, kwargs, RUNTIME.capture)
            if text is not None:
                span.set_attribute(ARGUMENTS, text)

    def record_result(self, span: OtelSpan | None, value: object) -> None:
        """Puts the result of a call on its span, if it is to be recorded."""
        if span is None or not span.is_recording():
            return
        if (text := self.subject.result(value, RUNTIME.capture)) is not None:
            span.set_attribute(RESULT, text)


def call_of(fn: Callable[..., Any], recorder: Recorder, *, receives_span: bool) -> FunctionType:
    """The function that calls `fn` with a span around it. `receives_span`: whether `fn` is given the span."""
    call = (_receiving if receives_span else _plain)(sys.modules[__name__], fn, recorder)
    return FunctionType(call.__code__, getattr(fn, "__globals__", {}), call.__name__, None, call.__closure__)


def call_wrapped(fn: Callable[..., Any], recorder: Recorder, /, *args: Any, **kwargs: Any) -> Trace[Any]:
    """Calls `fn` with a span around it, and gives its result together with the span. Raises what `fn` raises."""
    context = current()
    span = recorder.start(context)
    attached = with_value(context, SPAN_KEY, span)
    own = Span(recorder.subject.name).adopt(span, attach(attached), attached)
    try:
        if args or kwargs:
            recorder.record_arguments(span, args, kwargs)
        result = fn(*recorder.subject.with_span(args, own), **kwargs)
        recorder.record_result(span, result)
        return Trace(result, own)
    except BaseException as error:
        record_exception(span, error)
        raise
    finally:
        own.__exit__(None, None, None)


def _plain(calls: ModuleType, fn: Callable[..., Any], recorder: Recorder) -> FunctionType:
    # `calls` is this module: its names are not separate free variables, since a ContextVar cannot be pickled.

    def traced_call(*args: Any, **kwargs: Any) -> Any:
        context = calls.current()
        if calls.tracer_for(context) is None:
            attached = calls.with_value(context, calls.SPAN_KEY, calls.light_span(context))
            token = calls.attach(attached)
            try:
                return fn(*args, **kwargs)
            finally:
                calls.detach(token, attached)
        span = recorder.start(context)
        attached = calls.with_value(context, calls.SPAN_KEY, span)
        token = calls.attach(attached)
        try:
            if args or kwargs:
                recorder.record_arguments(span, args, kwargs)
            result = fn(*args, **kwargs)
            if span.__class__ is not calls.LightSpan:
                recorder.record_result(span, result)
            return result
        except BaseException as error:
            calls.record_exception(span, error)
            raise
        finally:
            if span.__class__ is not calls.LightSpan:
                calls.end_span(span)
            calls.detach(token, attached)

    assert isinstance(traced_call, FunctionType)
    return traced_call


def _receiving(calls: ModuleType, fn: Callable[..., Any], recorder: Recorder) -> FunctionType:
    # As `call_wrapped`, inlined to save a call.

    def traced_call(*args: Any, **kwargs: Any) -> Any:
        context = calls.current()
        span = recorder.start(context)
        attached = calls.with_value(context, calls.SPAN_KEY, span)
        own = calls.Span(recorder.subject.name).adopt(span, calls.attach(attached), attached)
        try:
            if args or kwargs:
                recorder.record_arguments(span, args, kwargs)
            result = fn(*recorder.subject.with_span(args, own), **kwargs)
            recorder.record_result(span, result)
            return result
        except BaseException as error:
            calls.record_exception(span, error)
            raise
        finally:
            own.__exit__(None, None, None)

    assert isinstance(traced_call, FunctionType)
    return traced_call


def _code_of(make: Callable[..., FunctionType]) -> Any:
    return make(sys.modules[__name__], None, None).__code__


_PLAIN: Final = _code_of(_plain)
_RECEIVING: Final = _code_of(_receiving)


def is_call(fn: object, *, receives_span: bool = False) -> bool:
    """Whether `fn` is from `call_of`; with `receives_span`, whether its function gets the span."""
    return type(fn) is FunctionType and (fn.__code__ == _RECEIVING or (not receives_span and fn.__code__ == _PLAIN))


def named_as(call: FunctionType, subject: Subject, recorder: Recorder) -> FunctionType:
    """`call` with the name and signature of its function, and with `wrapped`."""
    functools.update_wrapper(call, subject.fn)
    call.__dict__["wrapped"] = functools.partial(call_wrapped, subject.fn, recorder)
    if subject.signature is not None:
        call.__dict__["__signature__"] = subject.signature
    return call
