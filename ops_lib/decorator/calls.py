"""A call with a span around it, as a plain Python function. Each traced function has one of its own.

A function and not a method of an object, because before Python 3.12 calling an object counts twice against the
recursion limit. What it needs are its free variables, so that its globals can be those of the function it stands for:
frameworks resolve annotations by them. May know: spans, the Context. Must not know what is traced.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import FunctionType
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Span as OtelSpan

from ops_lib.context.current import SPAN_KEY, attach, current, detach, with_value
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.span import Span
from ops_lib.spans.start import end_span, tracer_for
from ops_lib.spans.unrecorded import LightSpan, light_span


class Recorder(Protocol):
    """What a call tells of itself."""

    @property
    def name(self) -> str: ...

    def start(self, context: Context, /) -> OtelSpan: ...

    def record_arguments(self, span: OtelSpan, args: tuple[Any, ...], kwargs: dict[str, Any], /) -> None: ...

    def record_result(self, span: OtelSpan, result: Any, /) -> None: ...

    def with_span(self, args: tuple[Any, ...], span: Span, /) -> tuple[Any, ...]: ...


def call_of(fn: Callable[..., Any], recorder: Recorder, *, receives_span: bool) -> FunctionType:
    """The function that calls `fn` with a span around it. `receives_span`: whether `fn` is given the span."""
    make = _receiving if receives_span else _plain
    call = make(fn, recorder)
    made = FunctionType(call.__code__, getattr(fn, "__globals__", {}), call.__name__, None, call.__closure__)
    made.__kwdefaults__ = None
    return made


def _plain(
    fn: Callable[..., Any],
    recorder: Recorder,
    # Free variables of the function within, not globals.
    current: Callable[[], Context] = current,
    attach: Any = attach,
    detach: Any = detach,
    with_value: Any = with_value,
    tracer_for: Any = tracer_for,
    light_span: Any = light_span,
    end_span: Any = end_span,
    record_exception: Any = record_exception,
    span_key: str = SPAN_KEY,
    light: type = LightSpan,
    any_error: type[BaseException] = builtins.BaseException,
) -> Any:
    start, record_arguments, record_result = recorder.start, recorder.record_arguments, recorder.record_result

    def traced_call(*args: Any, **kwargs: Any) -> Any:
        context = current()
        if tracer_for(context) is None:
            attached = with_value(context, span_key, light_span(context))
            token = attach(attached)
            try:
                return fn(*args, **kwargs)
            finally:
                detach(token, attached)
        span = start(context)
        attached = with_value(context, span_key, span)
        token = attach(attached)
        try:
            if args or kwargs:
                record_arguments(span, args, kwargs)
            result = fn(*args, **kwargs)
            if span.__class__ is not light:
                record_result(span, result)
            return result
        except any_error as error:
            record_exception(span, error)
            raise
        finally:
            if span.__class__ is not light:
                end_span(span)
            detach(token, attached)

    return traced_call


def _receiving(
    fn: Callable[..., Any],
    recorder: Recorder,
    current: Callable[[], Context] = current,
    attach: Any = attach,
    with_value: Any = with_value,
    record_exception: Any = record_exception,
    span_key: str = SPAN_KEY,
    own_span: type[Span] = Span,
    any_error: type[BaseException] = builtins.BaseException,
) -> Any:
    start, record_arguments, record_result = recorder.start, recorder.record_arguments, recorder.record_result
    name, with_span = recorder.name, recorder.with_span

    def traced_call(*args: Any, **kwargs: Any) -> Any:
        context = current()
        span = start(context)
        attached = with_value(context, span_key, span)
        own = own_span(name).adopt(span, attach(attached), attached)
        try:
            if args or kwargs:
                record_arguments(span, args, kwargs)
            result = fn(*with_span(args, own), **kwargs)
            record_result(span, result)
            return result
        except any_error as error:
            record_exception(span, error)
            raise
        finally:
            own.__exit__(None, None, None)

    return traced_call
