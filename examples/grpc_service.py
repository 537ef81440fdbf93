"""gRPC, both sides: a call carries trace and session, and what serves it runs in them.

    python examples/grpc_service.py

Two ways, either is enough: `ops.instrument("grpc")`, one line before channels and servers are made; or interceptors by
hand, for one channel or one server. With code that was generated from a .proto file it is the same; messages are plain
bytes here, so that none is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

import ops_lib as ops
from ops_lib.integrations.grpc import client_interceptor, server_interceptor


def find(request: bytes, context: grpc.ServicerContext) -> bytes:
    """The server's side: shop.Library/Find."""
    session = ops.current_session()
    with ops.span("look", title=request.decode()) as span:
        return f"{request.decode()} {session.id if session else None} {span.trace_id}".encode()


@contextmanager
def library(**options: Any) -> Iterator[str]:
    """A server; gives where it listens."""
    handlers = grpc.method_handlers_generic_handler("shop.Library", {"Find": grpc.unary_unary_rpc_method_handler(find)})
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handlers], **options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def call(channel: grpc.Channel, title: str) -> str:
    """The client's side."""
    with ops.session(id="reader-7"), ops.span("visit") as span:
        book, session, trace_id = channel.unary_unary("/shop.Library/Find")(title.encode()).decode().split()
    return f"{book} {session} same trace: {trace_id == span.trace_id}"


def in_one_line() -> str:
    ops.instrument("grpc")
    try:
        with library() as target, grpc.insecure_channel(target) as channel:
            return call(channel, "dune")
    finally:
        ops.uninstrument("grpc")


def by_hand() -> str:
    with library(interceptors=[server_interceptor()]) as target, grpc.insecure_channel(target) as channel:
        return call(grpc.intercept_channel(channel, client_interceptor(target)), "emma")


def main() -> None:
    print(in_one_line())
    print(by_hand())


if __name__ == "__main__":
    main()
