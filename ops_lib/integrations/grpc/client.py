"""gRPC clients: each call is a client span, and carries trace, session and baggage in its metadata.

The span lasts until the call is done, streams included.
Never changes a message, or other metadata.
An exporter's own calls are not traced.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio
from opentelemetry.trace import SpanKind

from ops_lib.context.current import current
from ops_lib.integrations.grpc.calls import Call, as_metadata, fails_open, host_of
from ops_lib.integrations.outgoing import Outgoing, is_suppressed

# True while one of our interceptors passes a call on: a second one, further in, adds nothing.
_within: ContextVar[bool] = ContextVar("ops_grpc_within", default=False)

_DETAILS = ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")


class _Details(namedtuple("_Details", _DETAILS), grpc.ClientCallDetails):  # type: ignore[misc]  # grpc has no types
    """The details of a call before it is made."""


class _Client:
    """Shared by the interceptors. `policy` is called at each call; None: switched off."""

    def __init__(self, target: str, policy: Callable[[], Outgoing | None]) -> None:
        self._host, self._port = host_of(target)
        self._policy = policy

    def _begin(self, details: Any) -> Call | None:
        if self._policy() is None or _within.get() or is_suppressed():
            return None
        place = {"server.address": self._host, "server.port": self._port}
        given: dict[str, object] = {name: value for name, value in place.items() if value}
        return Call(current(), details.method, SpanKind.CLIENT, given)

    def _metadata(self, details: Any) -> list[tuple[str, Any]]:
        """The call's metadata, with the context in force if the host may receive it."""
        pairs = [(str(name), value) for name, value in details.metadata or ()]
        with fails_open():
            if (policy := self._policy()) is not None:
                policy.write(pairs, self._host, self._port)
                pairs = as_metadata(pairs)
        return pairs


class ClientInterceptor(
    _Client,
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """For `grpc.intercept_channel`."""

    def _intercept(self, continuation: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        call = self._begin(details)
        if call is None:
            return continuation(details, request)
        token = _within.set(True)
        try:
            with call.attached():
                known = {name: getattr(details, name, None) for name in _DETAILS}
                outcome = continuation(_Details(**{**known, "metadata": self._metadata(details)}), request)
        except BaseException as error:
            call.fail(error)
            call.end(_code_of(error), None)
            raise
        finally:
            _within.reset(token)
        done = getattr(outcome, "add_done_callback", None)
        if done is not None:
            done(lambda ended: _end(call, ended))
        else:
            _end(call, outcome)
        return outcome

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = _intercept


def _end(call: Call, outcome: Any) -> None:
    with fails_open():
        details = getattr(outcome, "details", None)
        call.end(_code_of(outcome), details() if callable(details) else None)
    call.end(None)  # if that has failed


def _code_of(outcome: Any) -> Any:
    code = getattr(outcome, "code", None)
    return code() if callable(code) else None


class _AioClient(_Client):
    async def _intercept(self, continuation: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        call = self._begin(details)
        if call is None:
            return await continuation(details, request)
        token = _within.set(True)
        try:
            with call.attached():
                metadata = grpc.aio.Metadata(*self._metadata(details))
                outcome = await continuation(details._replace(metadata=metadata), request)
        except BaseException as error:
            call.fail(error)
            call.end(_code_of(error), None)
            raise
        finally:
            _within.reset(token)
        done = getattr(outcome, "add_done_callback", None)
        if done is not None:
            done(lambda ended: _aio_end(call, ended))
        else:
            call.end(grpc.StatusCode.OK)  # an answer from an inner interceptor
        return outcome


class _UnaryUnary(_AioClient, grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary = _AioClient._intercept


class _UnaryStream(_AioClient, grpc.aio.UnaryStreamClientInterceptor):
    intercept_unary_stream = _AioClient._intercept


class _StreamUnary(_AioClient, grpc.aio.StreamUnaryClientInterceptor):
    intercept_stream_unary = _AioClient._intercept


class _StreamStream(_AioClient, grpc.aio.StreamStreamClientInterceptor):
    intercept_stream_stream = _AioClient._intercept


def aio_interceptors(target: str, policy: Callable[[], Outgoing | None]) -> list[Any]:
    """For a channel of `grpc.aio`, which needs one object for each kind of call."""
    return [kind(target, policy) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


def _aio_end(call: Call, outcome: Any) -> None:
    with fails_open():
        call.end(_now(outcome.code()), _now(outcome.details()))
    call.end(None)  # if that has failed


def _now(coroutine: Any) -> Any:
    """The result of a coroutine that does not wait: status and details of a call that is done."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    return None
