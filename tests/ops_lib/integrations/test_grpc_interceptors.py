"""gRPC's interceptors by hand, without a socket: what a call's end says, and what passes them unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry import context as otel_context
from opentelemetry.trace import StatusCode

from ops_lib.integrations import grpc as ops_grpc

METHOD = "/shop.Orders/Place"
# OpenTelemetry semantic conventions, "gRPC": the statuses that are a server's fault.
FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class Told:
    """A call, for a server's handler or as a client's outcome, that has this status."""

    def __init__(self, code: grpc.StatusCode | None = None, details: str = "") -> None:
        self.code = lambda: code
        self.details = lambda: details

    def peer(self) -> str:
        return "ipv4:10.0.0.9:4000"


def handler_of(handler: Any, method: str = METHOD) -> Any:
    details = SimpleNamespace(method=method, invocation_metadata=())
    return ops_grpc.server_interceptor().intercept_service(lambda _: handler, details)


def serve(behaviour: Any, context: Any) -> Any:
    return handler_of(grpc.unary_unary_rpc_method_handler(behaviour)).unary_unary(b"", context)


async def aio_handler_of(handler: Any) -> Any:
    async def continuation(details: Any) -> Any:
        return handler

    details = SimpleNamespace(method=METHOD, invocation_metadata=())
    return await ops_grpc.aio_server_interceptor().intercept_service(continuation, details)


def call(continuation: Any, *, target: str = "shop:50051", allow_hosts: Any = None, **given: Any) -> Any:
    details = SimpleNamespace(**{"method": METHOD, "metadata": None, **given})
    interceptor = ops_grpc.client_interceptor(target, allow_hosts)
    return interceptor.intercept_unary_unary(continuation, details, b"a")


@pytest.mark.parametrize("code", grpc.StatusCode, ids=str)
def test_each_status(code: grpc.StatusCode, spans: Any) -> None:
    """Any but OK is a client's error; only some are the server's."""
    assert serve(lambda request, context: b"x", Told(code, "why")) == b"x"
    call(lambda details, request: Told(code, "why"))
    for (span,), is_error in ((spans.server, code.name in FAULTS), (spans.client, code.name != "OK")):
        assert span.attributes["rpc.response.status_code"] == code.name
        assert span.attributes.get("error.type") == (code.name if is_error else None)
        assert span.status.status_code is (StatusCode.ERROR if is_error else StatusCode.UNSET)
        assert span.status.description == ("why" if is_error else None)
        assert span.events == ()


def test_who_calls_and_who_is_called(spans: Any) -> None:
    serve(lambda request, context: b"", Told())
    call(lambda details, request: Told(grpc.StatusCode.OK))
    ((server,), (client,)) = spans.server, spans.client
    assert server.name == client.name == server.attributes["rpc.method"] == "shop.Orders/Place"
    assert (server.attributes["network.peer.address"], server.attributes["network.peer.port"]) == ("10.0.0.9", 4000)
    assert (client.attributes["server.address"], client.attributes["server.port"]) == ("shop", 50051)
    assert server.attributes["rpc.response.status_code"] == "OK"  # where no handler has set another


@pytest.mark.parametrize(
    ("error", "before", "code", "recorded"),
    [
        (LookupError("x"), None, "UNKNOWN", 1),
        (LookupError("x"), grpc.StatusCode.OK, "UNKNOWN", 1),
        (LookupError("x"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND", 0),  # as `abort` does
        (asyncio.CancelledError(), None, "CANCELLED", 1),
    ],
)
def test_what_leaves_a_handler(error: BaseException, before: Any, code: str, recorded: int, spans: Any) -> None:
    def fail(request: bytes, context: Any) -> bytes:
        raise error

    with pytest.raises(type(error)):
        serve(fail, Told(before))
    (server,) = spans.server
    assert server.attributes["rpc.response.status_code"] == code
    assert len(server.events) == recorded


async def test_a_stream_that_nobody_reads_to_its_end_is_cancelled(spans: Any) -> None:
    def watch(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"1"
        yield b"2"

    async def aio_watch(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    answers = handler_of(grpc.unary_stream_rpc_method_handler(watch)).unary_stream(b"", Told())
    assert next(answers) == b"1"
    answers.close()
    aio_answers = (await aio_handler_of(grpc.unary_stream_rpc_method_handler(aio_watch))).unary_stream(b"", Told())
    assert await anext(aio_answers) == b"1"
    await aio_answers.aclose()
    assert [span.attributes["rpc.response.status_code"] for span in spans.server] == ["CANCELLED"] * 2
    assert [span.events for span in spans.server] == [(), ()]


async def test_what_a_server_does_not_know_stays_unknown() -> None:
    assert handler_of(None) is None
    assert await aio_handler_of(None) is None


async def test_one_interceptor_is_enough_and_keeps_how_messages_are_read(spans: Any) -> None:
    makes = {
        "unary_unary": grpc.unary_unary_rpc_method_handler,
        "unary_stream": grpc.unary_stream_rpc_method_handler,
        "stream_unary": grpc.stream_unary_rpc_method_handler,
        "stream_stream": grpc.stream_stream_rpc_method_handler,
    }
    for name, make in makes.items():
        traced = handler_of(make(lambda request, context: iter([b"x"]), bytes.lower, bytes.upper))
        assert (traced.request_deserializer, traced.response_serializer) == (bytes.lower, bytes.upper)
        assert getattr(traced, name) is not None
        assert handler_of(traced) is traced
        assert await aio_handler_of(traced) is traced


def test_what_a_client_asks_for_passes_with_its_metadata(spans: Any) -> None:
    seen: list[Any] = []
    given: dict[str, Any] = {"timeout": 2.5, "credentials": object(), "wait_for_ready": True, "compression": object()}
    for allowed in (None, ["elsewhere"]):
        call(
            lambda details, request: seen.append((details, request)),
            metadata=[("x-mine", "1"), ("x-mine-bin", b"\xff"), ("b3", "0")], allow_hosts=allowed, **given,
        )  # fmt: skip
    for details, request in seen:
        assert request == b"a"
        assert details.method == METHOD
        assert {name: getattr(details, name) for name in given} == given
    assert [name for name, _ in seen[0][0].metadata] == ["x-mine", "x-mine-bin", "traceparent"]
    assert seen[1][0].metadata == [("x-mine", "1"), ("x-mine-bin", b"\xff")]


async def test_the_answer_of_an_interceptor_within_ends_the_call(spans: Any) -> None:
    """It need not be a call: a cache gives the message."""

    async def continuation(details: Any, request: Any) -> bytes:
        return b"cached"

    assert call(lambda details, request: b"cached") == b"cached"
    details = grpc.aio.ClientCallDetails(METHOD.encode(), None, None, None, None)
    for interceptor, kind in zip(
        ops_grpc.aio_client_interceptors("shop"),
        ("unary_unary", "unary_stream", "stream_unary", "stream_stream"),
        strict=True,
    ):
        assert await getattr(interceptor, f"intercept_{kind}")(continuation, details, b"a") == b"cached"
    told = [span.attributes.get("rpc.response.status_code") for span in spans.client]
    assert told == [None, "OK", "OK", "OK", "OK"]


def test_a_call_that_fails_at_once_is_a_span_as_well(spans: Any) -> None:
    """It has ended, with the exception, when the caller gets it; the next call has a span of its own."""

    def broken(details: Any, request: bytes) -> Any:
        raise LookupError("no channel")

    for number in (1, 2):
        with pytest.raises(LookupError):
            call(broken)
        assert len(spans.client) == number
    for span in spans.client:
        assert (span.attributes["error.type"], span.status.status_code) == ("LookupError", StatusCode.ERROR)
        assert [event.name for event in span.events] == ["exception"]


async def test_an_asyncio_call_that_fails_at_once_is_a_span_as_well(spans: Any) -> None:
    async def broken(details: Any, request: bytes) -> Any:
        raise LookupError("no channel")

    details = grpc.aio.ClientCallDetails(METHOD.encode(), None, None, None, None)
    interceptor = ops_grpc.aio_client_interceptors("shop")[0]
    for number in (1, 2):
        with pytest.raises(LookupError):
            await interceptor.intercept_unary_unary(broken, details, b"a")
        assert len(spans.client) == number
    for span in spans.client:
        assert (span.attributes["error.type"], span.status.status_code) == ("LookupError", StatusCode.ERROR)
        assert [event.name for event in span.events] == ["exception"]


def test_an_outcome_that_cannot_be_asked_fails_nothing(spans: Any, caplog: pytest.LogCaptureFixture) -> None:
    outcome = SimpleNamespace(code=lambda: 1 / 0)
    assert call(lambda details, request: outcome) is outcome
    assert len(spans.client) == 1
    assert "the call goes on" in caplog.text


async def test_what_is_not_to_be_traced_passes(spans: Any) -> None:
    """As OpenTelemetry says it, for a library's own calls."""

    async def continuation(details: Any, request: bytes) -> bytes:
        return request + b"x"

    token = otel_context.attach(otel_context.set_value("suppress_instrumentation", True))
    details = grpc.aio.ClientCallDetails(METHOD.encode(), None, None, None, None)
    answer = await ops_grpc.aio_client_interceptors("shop")[0].intercept_unary_unary(continuation, details, b"a")
    assert answer == call(lambda details, request: request + b"x") == b"ax"
    otel_context.detach(token)
    assert spans.client == []
