"""gRPC servers: each call runs in its caller's trace and session, in a server span of its own.

An interceptor sees a call before its handler runs, perhaps on another thread.
So it returns a handler with a wrapped behaviour: the context is in force during each step, and never between steps.
Never changes a message.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
from opentelemetry.trace import SpanKind

from ops_lib.context.current import current
from ops_lib.headers.propagators import extract_context
from ops_lib.integrations.grpc.calls import Call, as_headers, code_name, peer_of

Behaviour = Callable[[Any, Any], Any]


class ServerInterceptor(grpc.ServerInterceptor):
    """For `grpc.server`. `is_on` is asked at each call."""

    def __init__(self, is_on: Callable[[], bool]) -> None:
        self._is_on = is_on

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """See grpc.ServerInterceptor."""
        handler = continuation(handler_call_details)
        if handler is None or not self._is_on() or _is_traced(handler):
            return handler
        return _wrapped(handler, handler_call_details, _traced_unary, _traced_stream)


class AioServerInterceptor(grpc.aio.ServerInterceptor):
    """For `grpc.aio.server`. `is_on` is asked at each call."""

    def __init__(self, is_on: Callable[[], bool]) -> None:
        self._is_on = is_on

    async def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        if handler is None or not self._is_on() or _is_traced(handler):
            return handler
        return _wrapped(handler, handler_call_details, _aio_traced_unary, _aio_traced_stream)


_KINDS = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
_TRACED = "_ops_traced"  # on a behaviour: a second interceptor adds nothing


def _is_traced(handler: Any) -> bool:
    name, _ = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
    return hasattr(getattr(handler, name), _TRACED)


def _wrapped(handler: Any, details: Any, unary: Any, stream: Any) -> Any:
    """`handler` with its behaviour traced: by `unary` if it answers once, by `stream` if it answers often."""
    name, make = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
    headers = as_headers(details.invocation_metadata)

    def start(context: Any) -> Call:
        parent = extract_context(headers, context=current())
        return Call(parent, details.method, SpanKind.SERVER, peer_of(_told(context, "peer")))

    behaviour = (stream if handler.response_streaming else unary)(getattr(handler, name), start)
    setattr(behaviour, _TRACED, True)
    return make(behaviour, handler.request_deserializer, handler.response_serializer)


def _failed(call: Call, context: Any, error: BaseException) -> None:
    """Note an exception that leaves a behaviour. If a status was set before, the exception is only a way to return."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):  # the latter: nobody reads the rest
        call.fail(error)
        call.end(grpc.StatusCode.CANCELLED)
    elif code_name(_told(context, "code")) in (None, "OK"):
        call.fail(error)
        call.end(grpc.StatusCode.UNKNOWN)  # gRPC's answer to it
    else:
        call.end(_told(context, "code"), _told(context, "details"))


def _answered(call: Call, context: Any) -> None:
    call.end(_told(context, "code") or grpc.StatusCode.OK, _told(context, "details"))


def _told(context: Any, name: str) -> Any:
    """The status in a context; None if this kind does not know (on the threads of an asyncio server)."""
    tell = getattr(context, name, None)
    return tell() if callable(tell) else None


def _traced_unary(inner: Behaviour, start: Callable[[Any], Call]) -> Behaviour:
    def behaviour(request: Any, context: Any) -> Any:
        call = start(context)
        with call.attached():
            try:
                answer = inner(request, context)
            except BaseException as error:
                _failed(call, context, error)
                raise
            _answered(call, context)
            return answer

    return behaviour


def _traced_stream(inner: Behaviour, start: Callable[[Any], Call]) -> Behaviour:
    def behaviour(request: Any, context: Any) -> Iterator[Any]:
        call = start(context)
        answers: Iterator[Any] | None = None
        try:
            while True:
                with call.attached():
                    if answers is None:
                        answers = iter(inner(request, context))
                    try:
                        answer = next(answers)
                    except StopIteration:
                        break
                yield answer
        except BaseException as error:
            _failed(call, context, error)
            raise
        _answered(call, context)

    return behaviour


def _aio_traced_unary(inner: Behaviour, start: Callable[[Any], Call]) -> Behaviour:
    if not inspect.iscoroutinefunction(inner):
        return _traced_unary(inner, start)  # gRPC runs it on a thread

    async def behaviour(request: Any, context: Any) -> Any:
        call = start(context)
        with call.attached():
            try:
                answer = await inner(request, context)
            except BaseException as error:
                _failed(call, context, error)
                raise
            _answered(call, context)
            return answer

    return behaviour


def _aio_traced_stream(inner: Behaviour, start: Callable[[Any], Call]) -> Behaviour:
    if inspect.iscoroutinefunction(inner):
        return _aio_traced_unary(inner, start)  # it writes its answers by itself
    if not inspect.isasyncgenfunction(inner):
        return _traced_stream(inner, start)

    async def behaviour(request: Any, context: Any) -> AsyncIterator[Any]:
        call = start(context)
        answers: Any = None
        try:
            while True:
                with call.attached():
                    if answers is None:
                        answers = inner(request, context)
                    try:
                        answer = await anext(answers)
                    except StopAsyncIteration:
                        break
                yield answer
        except BaseException as error:
            _failed(call, context, error)
            raise
        _answered(call, context)

    return behaviour
