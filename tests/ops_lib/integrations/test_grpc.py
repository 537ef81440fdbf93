"""gRPC over real sockets: both sides, with threads and with asyncio, by `ops.instrument` and by hand."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, StatusCode

import ops_lib as ops
from ops_lib.integrations import grpc as ops_grpc
from ops_lib.integrations.grpc.calls import as_headers, as_metadata, code_name, host_of, peer_of

TRACE, SPAN = "5af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVICE = "shop.Orders"


@pytest.fixture(autouse=True)
def uninstrumented_grpc() -> Iterator[None]:
    yield
    ops.uninstrument("grpc")


def said() -> bytes:
    session = ops.current_session()
    with ops.span("inside") as span:
        return f"{session.id if session else None} {span.trace_id}".encode()


class Orders:
    """The handlers, with threads."""

    def place(self, request: bytes, context: Any) -> bytes:
        if request == b"abort":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such book")
        if request == b"set":
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            context.set_details("closed")
        if request == b"raise":
            raise LookupError("out of books")
        return said()

    def watch(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield said()
        if request == b"raise":
            raise LookupError("out of books")
        yield said()

    def gather(self, requests: Iterator[bytes], context: Any) -> bytes:
        return b" ".join([*requests, said()])

    def talk(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request + b" " + said()


class AioOrders:
    """The same with asyncio."""

    async def place(self, request: bytes, context: Any) -> bytes:
        if request == b"abort":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such book")
        if request == b"set":
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            context.set_details("closed")
        if request == b"raise":
            raise LookupError("out of books")
        return said()

    async def watch(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield said()
        if request == b"raise":
            raise LookupError("out of books")
        yield said()

    async def gather(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b" ".join([*[request async for request in requests], said()])

    async def talk(self, requests: AsyncIterator[bytes], context: Any) -> None:
        async for request in requests:
            await context.write(request + b" " + said())


def handlers(orders: Any) -> Any:
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Place": grpc.unary_unary_rpc_method_handler(orders.place),
            "Watch": grpc.unary_stream_rpc_method_handler(orders.watch),
            "Gather": grpc.stream_unary_rpc_method_handler(orders.gather),
            "Talk": grpc.stream_stream_rpc_method_handler(orders.talk),
        },
    )


@contextmanager
def served(*interceptors: Any) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handlers(Orders())], interceptors=interceptors)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@asynccontextmanager
async def aio_served(*interceptors: Any, orders: Any = None) -> AsyncIterator[str]:
    server = grpc.aio.server(handlers=[handlers(orders or AioOrders())], interceptors=interceptors)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


def method(channel: Any, name: str, kind: str) -> Any:
    return getattr(channel, kind)(f"/{SERVICE}/{name}")


def pairs(spans: Any) -> list[tuple[Any, Any]]:
    """Each client span with the server span below it."""
    below = {span.parent.span_id: span for span in spans.server if span.parent is not None}
    return [(span, below[span.context.span_id]) for span in spans.client]


def check_four(spans: Any, trace_id: str | None) -> None:
    found = sorted(pairs(spans), key=lambda pair: pair[0].name)
    assert [client.name for client, _ in found] == [
        f"{SERVICE}/{name}" for name in ("Gather", "Place", "Talk", "Watch")
    ]
    for client, server in found:
        assert server.name == client.name
        assert f"{client.context.trace_id:032x}" == trace_id
        assert server.attributes["session.id"] == client.attributes["session.id"] == "s-1"
        for span in (client, server):
            assert span.attributes["rpc.system.name"] == "grpc"
            assert span.attributes["rpc.method"] == span.name
            assert span.attributes["rpc.response.status_code"] == "OK"
            assert span.status.status_code is StatusCode.UNSET
        assert client.attributes["server.address"] == "127.0.0.1"
        assert client.attributes["server.port"] > 0
        assert server.attributes["network.peer.address"] == "127.0.0.1"
    inside = [span for span in spans.internal if span.name == "inside"]
    assert {span.parent.span_id for span in inside} == {server.context.span_id for _, server in found}


def call_four(target: str) -> str | None:
    with grpc.insecure_channel(target) as channel, ops.session(id="s-1"), ops.span("visit") as visit:
        here = f"s-1 {visit.trace_id}".encode()
        metadata = [("x-mine", "1"), ("x-mine-bin", b"\xff")]
        assert method(channel, "Place", "unary_unary")(b"a", metadata=metadata) == here
        assert list(method(channel, "Watch", "unary_stream")(b"a")) == [here, here]
        assert method(channel, "Gather", "stream_unary")(iter([b"a", b"b"])) == b"a b " + here
        assert list(method(channel, "Talk", "stream_stream")(iter([b"a", b"b"]))) == [b"a " + here, b"b " + here]
        return visit.trace_id


def test_threads(spans: Any) -> None:
    ops.instrument("grpc")
    ops.instrument("grpc")
    with served() as target:
        trace_id = call_four(target)
    check_four(spans, trace_id)


async def aio_call_four(target: str) -> str | None:
    async with grpc.aio.insecure_channel(target) as channel:
        with ops.session(id="s-1"), ops.span("visit") as visit:
            here = f"s-1 {visit.trace_id}".encode()
            assert await method(channel, "Place", "unary_unary")(b"a", metadata=(("x-mine", "1"),)) == here
            assert [answer async for answer in method(channel, "Watch", "unary_stream")(b"a")] == [here, here]
            assert await method(channel, "Gather", "stream_unary")(iter([b"a", b"b"])) == b"a b " + here
            talk = method(channel, "Talk", "stream_stream")(iter([b"a", b"b"]))
            assert [answer async for answer in talk] == [b"a " + here, b"b " + here]
            return visit.trace_id


async def test_asyncio(spans: Any) -> None:
    ops.instrument("grpc")
    async with aio_served() as target:
        trace_id = await aio_call_four(target)
    check_four(spans, trace_id)


async def test_handlers_on_threads_of_an_asyncio_server(spans: Any) -> None:
    ops.instrument("grpc")
    server = grpc.aio.server(ThreadPoolExecutor(2), handlers=[handlers(Orders())])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    trace_id = await aio_call_four(f"127.0.0.1:{port}")
    await server.stop(None)
    check_four(spans, trace_id)


WANTED = [
    (b"abort", "NOT_FOUND", "no such book", StatusCode.UNSET, []),
    (b"set", "UNAVAILABLE", "closed", StatusCode.ERROR, []),
    (b"raise", "UNKNOWN", None, StatusCode.ERROR, ["LookupError"]),
]


def check_failed(spans: Any, code: str, details: str | None, server_status: StatusCode, recorded: list[str]) -> None:
    ((client, server),) = pairs(spans)
    assert client.attributes["rpc.response.status_code"] == server.attributes["rpc.response.status_code"] == code
    assert client.attributes["error.type"] == code
    assert client.status.status_code is StatusCode.ERROR
    if details is not None:
        assert client.status.description == details
    assert server.status.status_code is server_status
    assert [event.attributes["exception.type"] for event in server.events] == recorded


@pytest.mark.parametrize(("request_", "code", "details", "server_status", "recorded"), WANTED)
def test_failures_on_threads(
    spans: Any, request_: bytes, code: str, details: str, server_status: Any, recorded: Any
) -> None:
    ops.instrument("grpc")
    with served() as target, grpc.insecure_channel(target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            method(channel, "Place", "unary_unary")(request_)
        assert caught.value.code().name == code
    check_failed(spans, code, details, server_status, recorded)


@pytest.mark.parametrize(("request_", "code", "details", "server_status", "recorded"), WANTED)
async def test_failures_with_asyncio(
    spans: Any, request_: bytes, code: str, details: str, server_status: Any, recorded: Any
) -> None:
    ops.instrument("grpc")
    async with aio_served() as target, grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            await method(channel, "Place", "unary_unary")(request_)
        assert caught.value.code().name == code
    check_failed(spans, code, details, server_status, recorded)


def test_a_stream_that_breaks(spans: Any) -> None:
    ops.instrument("grpc")
    with served() as target, grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError):
        list(method(channel, "Watch", "unary_stream")(b"raise"))
    check_failed(spans, "UNKNOWN", None, StatusCode.ERROR, ["LookupError"])


async def test_a_stream_that_breaks_with_asyncio(spans: Any) -> None:
    ops.instrument("grpc")
    async with aio_served() as target, grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.RpcError):
            [answer async for answer in method(channel, "Watch", "unary_stream")(b"raise")]
    check_failed(spans, "UNKNOWN", None, StatusCode.ERROR, ["LookupError"])


def test_nobody_there(spans: Any) -> None:
    ops.instrument("grpc")
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError):
        method(channel, "Place", "unary_unary")(b"a")
    (client,) = spans.client
    assert client.attributes["rpc.response.status_code"] == "UNAVAILABLE"
    assert client.status.status_code is StatusCode.ERROR


def test_a_future_ends_its_span_when_it_is_done(spans: Any) -> None:
    ops.instrument("grpc")
    with served() as target, grpc.insecure_channel(target) as channel:
        future = method(channel, "Place", "unary_unary").future(b"a")
        future.result()
    assert [span.attributes["rpc.response.status_code"] for span in spans.client] == ["OK"]


def test_by_hand_and_with_instrument_one_span_a_side(spans: Any) -> None:
    ops.instrument("grpc")
    with served(ops_grpc.server_interceptor()) as target, grpc.insecure_channel(target) as channel:
        by_hand = grpc.intercept_channel(channel, ops_grpc.client_interceptor(target))
        method(by_hand, "Place", "unary_unary")(b"a")
    assert len(pairs(spans)) == len(spans.server) == 1


async def test_by_hand_alone(spans: Any) -> None:
    async with aio_served(ops_grpc.aio_server_interceptor()) as target:
        interceptors = ops_grpc.aio_client_interceptors(target)
        async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
            await method(channel, "Place", "unary_unary")(b"a")
    assert len(pairs(spans)) == 1


def test_only_allowed_hosts_get_metadata(spans: Any) -> None:
    ops.instrument("grpc", allow_hosts=["*.internal"])
    with served() as target, grpc.insecure_channel(target) as channel, ops.session(id="s-1"):
        assert method(channel, "Place", "unary_unary")(b"a").startswith(b"None ")
    assert spans.client[0].context.trace_id != spans.server[0].context.trace_id


def test_legacy_metadata_of_a_caller(spans: Any) -> None:
    ops.instrument("grpc")
    with served() as target:
        ops.uninstrument("grpc")
        ops.instrument("grpc")  # the server was made before: it stays off
        with grpc.insecure_channel(target) as channel:
            method(channel, "Place", "unary_unary")(b"a")
        assert spans.server == []
    with served() as target:
        token = otel_context.attach(otel_context.set_value("suppress_instrumentation", True))
        with grpc.insecure_channel(target) as channel:
            method(channel, "Place", "unary_unary")(b"a", metadata=[("b3", f"{TRACE}-{SPAN}-1")])
        otel_context.detach(token)
    assert spans.client[1:] == []
    assert f"{spans.server[0].context.trace_id:032x}" == TRACE


def test_undone(spans: Any) -> None:
    originals = grpc.server, grpc.insecure_channel, grpc.secure_channel, grpc.aio.server
    ops.instrument("grpc")
    assert grpc.server is not originals[0]
    with served() as target, grpc.insecure_channel(target) as channel:
        ops.uninstrument("grpc")
        assert (grpc.server, grpc.insecure_channel, grpc.secure_channel, grpc.aio.server) == originals
        method(channel, "Place", "unary_unary")(b"a")
    assert spans.client == spans.server == []


def test_all_or_nothing() -> None:
    before = grpc.server
    with pytest.raises(ValueError, match="gopher"):
        ops.instrument("grpc", "gopher")
    with pytest.raises(ValueError, match="not a host pattern"):
        ops.instrument("grpc", allow_hosts=["a b"])
    assert grpc.server is before


def test_what_fails_leaves_all_as_it_was(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off, or with the hosts of an earlier call."""
    monkeypatch.setitem(sys.modules, "flask", None)
    before = grpc.server, grpc.insecure_channel, grpc.aio.server, grpc.aio.insecure_channel
    with pytest.raises(ImportError, match="flask"):
        ops.instrument("grpc", "flask")
    assert (grpc.server, grpc.insecure_channel, grpc.aio.server, grpc.aio.insecure_channel) == before
    ops.instrument("grpc", allow_hosts=["*.internal"])
    with pytest.raises(ImportError, match="flask"):
        ops.instrument("grpc", "flask")
    with served() as target, grpc.insecure_channel(target) as channel, ops.session(id="s-1"):
        assert method(channel, "Place", "unary_unary")(b"a").startswith(b"None ")


def test_peers_and_codes() -> None:
    assert peer_of("ipv6:%5B::1%5D:40000") == {"network.peer.address": "::1", "network.peer.port": 40000}
    assert peer_of("unix:") == peer_of(None) == {}
    assert [code_name(code) for code in (grpc.StatusCode.OK, 0, 5, 99, None)] == ["OK", "OK", "NOT_FOUND", None, None]


def test_kinds_of_spans(spans: Any) -> None:
    ops.instrument("grpc")
    with served() as target, grpc.insecure_channel(target) as channel:
        method(channel, "Place", "unary_unary")(b"a")
    assert [len(spans.of(kind)) for kind in (SpanKind.CLIENT, SpanKind.SERVER, SpanKind.INTERNAL)] == [1, 1, 1]


def test_a_binary_trace_is_bytes_in_metadata() -> None:
    """Over the wire it is base64. Other binary values are not the heart's. (gRPC's C core hides it from servers.)"""
    given = bytes.fromhex(f"0000{TRACE}01{SPAN}0201")
    headers = as_headers([("grpc-trace-bin", given), ("x-mine-bin", b"\xff"), ("x-mine", "1")])
    assert headers == [("grpc-trace-bin", b64encode(given).decode()), ("x-mine", "1")]
    assert as_metadata([("grpc-trace-bin", b64encode(given).decode().rstrip("=")), ("x-mine-bin", b"\xff")]) == [
        ("grpc-trace-bin", given),
        ("x-mine-bin", b"\xff"),
    ]


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("shop:50051", ("shop", 50051)), ("shop", ("shop", None)), ("shop:x", ("shop:x", None)), ("", ("", None)),
        ("dns:///shop:50051", ("shop", 50051)), ("dns://8.8.8.8/shop:1", ("shop", 1)), ("dns:shop", ("shop", None)),
        ("ipv4:10.0.0.1:1", ("10.0.0.1", 1)), ("ipv4:10.0.0.1:1,10.0.0.2:2", ("10.0.0.1", 1)),
        ("ipv6:[::1]:1", ("::1", 1)), ("[::1]:1", ("::1", 1)), ("[::1]", ("::1", None)), ("::1", ("::1", None)),
        ("xds:///shop", ("shop", None)), ("unix:/run/s", ("", None)), ("unix-abstract:s", ("", None)),
        ("vsock:1:2", ("", None)), ("http:1", ("http", 1)), ("shop:٣", ("shop:٣", None)),
    ],
)  # fmt: skip
def test_each_form_of_a_channels_target(target: str, host: tuple[str, int | None]) -> None:
    assert host_of(target) == host
