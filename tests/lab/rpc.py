"""A service of gRPC (grpcio), without generated code, and callers of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

SERVICE = "lab.Echo"


class Service:
    """Answers calls, and keeps the metadata of each."""

    def __init__(self, *options: tuple[str, Any]) -> None:
        self.seen: list[dict[str, Any]] = []
        self.gone = threading.Event()  # a call of `Wait` has ended without its answer
        self.began = threading.Event()  # one has begun
        self.release = threading.Event()  # let it answer
        self.handler = _Handler(self)
        self._server = grpc.server(ThreadPoolExecutor(16), handlers=[self.handler], options=options)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.release.set()
        self._server.stop(None).wait()

    # --- methods: bytes in, bytes out

    def echo(self, request: bytes, _: Any) -> bytes:
        return request

    def fail(self, request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-why", "because"), ("details-bin", b"\x00\xff\x01")))
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: ü 100%")
        return b""

    def many(self, request: bytes, context: Any) -> Iterator[bytes]:
        count, size = map(int, request.split(b","))
        context.send_initial_metadata((("x-early", "1"),))
        for _ in range(count):
            yield bytes(size)

    def sum(self, requests: Iterator[bytes], _: Any) -> bytes:
        return b"%d" % sum(map(len, requests))

    def talk(self, requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            yield b"re: " + request

    def wait(self, request: bytes, context: Any) -> bytes:
        context.add_callback(self.gone.set)
        self.began.set()
        self.release.wait(20)
        return b"late"

    def early(self, requests: Iterator[bytes], context: Any) -> bytes:
        """Answers after the first message, whatever else comes."""
        next(requests)
        return b"enough"


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, service: Service) -> None:
        self._service = service

    def service(self, details: Any) -> Any:
        service = self._service
        service.seen.append(dict(details.invocation_metadata))
        kinds: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
            "Echo": (grpc.unary_unary_rpc_method_handler, service.echo),
            "Fail": (grpc.unary_unary_rpc_method_handler, service.fail),
            "Many": (grpc.unary_stream_rpc_method_handler, service.many),
            "Sum": (grpc.stream_unary_rpc_method_handler, service.sum),
            "Talk": (grpc.stream_stream_rpc_method_handler, service.talk),
            "Wait": (grpc.unary_unary_rpc_method_handler, service.wait),
            "Early": (grpc.stream_unary_rpc_method_handler, service.early),
        }
        _, _, name = details.method.rpartition("/")
        if name not in kinds:
            return None
        make, behaviour = kinds[name]
        return make(behaviour)


class Caller:
    """A channel to `target`."""

    def __init__(self, target: str, *options: tuple[str, Any]) -> None:
        self.channel = grpc.insecure_channel(
            target, options=(("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1), *options)
        )

    def close(self) -> None:
        self.channel.close()

    def unary(self, name: str, request: bytes = b"", *, timeout: float = 10, metadata: Any = ()) -> bytes:
        call = self.channel.unary_unary(f"/{SERVICE}/{name}")
        return call(request, timeout=timeout, metadata=tuple(metadata))  # type: ignore[no-any-return]

    def multi(self, kind: str, name: str) -> Any:
        """`kind`: unary_stream, stream_unary, stream_stream."""
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}")


def make_every_call(target: str, service: Service) -> None:
    """Every kind of call to `service` by way of `target`, where a sidecar makes W3C of B3."""
    trace, span = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
    b3 = (("x-b3-traceid", trace), ("x-b3-spanid", span), ("x-b3-sampled", "1"))
    large = bytes(3 * 1024 * 1024)
    caller = Caller(target)
    try:
        assert caller.unary("Echo", large, metadata=b3) == large
        assert service.seen[-1]["traceparent"] == f"00-{trace}-{span}-01"
        assert sum(map(len, caller.multi("unary_stream", "Many")(b"20,100000", timeout=10))) == 2_000_000
        assert caller.multi("stream_unary", "Sum")(iter([bytes(10_000)] * 100), timeout=10) == b"1000000"
        answers = caller.multi("stream_stream", "Talk")(iter([b"a", b"b"]), timeout=10)
        assert list(answers) == [b"re: a", b"re: b"]
        _expect(caller, "Fail", 10, grpc.StatusCode.NOT_FOUND, b"\x00\xff\x01")
        _expect(caller, "Wait", 0.3, grpc.StatusCode.DEADLINE_EXCEEDED, None)
        assert service.gone.wait(10)
        call = caller.channel.unary_unary(f"/{SERVICE}/Echo")
        futures = [call.future(b"%d" % number, timeout=20) for number in range(200)]
        assert [future.result() for future in futures] == [b"%d" % number for number in range(200)]
    finally:
        caller.close()


def _expect(caller: Caller, name: str, timeout: float, code: grpc.StatusCode, details: bytes | None) -> None:
    try:
        caller.unary(name, timeout=timeout)
    except grpc.RpcError as error:
        assert error.code() is code
        assert details is None or dict(error.trailing_metadata())["details-bin"] == details
    else:
        raise AssertionError(f"{name} did not fail")
