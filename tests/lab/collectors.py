"""Collectors for tests: an OTLP/HTTP endpoint on a real socket that behaves well, badly, or not at all."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from proxy.console.intake.otlp_json import read_json
from proxy.telemetry.otlp import protobuf

LIMIT_S = 20.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
Line = bytes | Callable[[socket.socket], None]


class Collector:
    """Takes connections, and answers each request with the next line of its script.

    Bytes are written unchanged; a function gets the socket. After the script, each request is accepted.
    """

    def __init__(self, script: Sequence[Line], tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: queue.Queue[tuple[bytes, bytes]] = queue.Queue()  # head, body
        self.connections = 0
        self._script = list(script)
        self._tls = tls
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve_one, args=[client], daemon=True).start()

    def _serve_one(self, client: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(client, server_side=True) if self._tls else client as connection:
                while self._one(connection):
                    pass
        except OSError:
            return

    def _one(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.put((head, body))
        answer = self._script.pop(0) if self._script else OK
        if callable(answer):
            answer(connection)
            return False
        connection.sendall(answer)
        return b"connection: close" not in answer.lower()

    def next(self) -> tuple[bytes, bytes]:
        """Head and body of the next request."""
        return self.requests.get(timeout=LIMIT_S)

    def next_request(self) -> ExportTraceServiceRequest:
        """The next request, as OpenTelemetry's own classes read it; JSON as the console does."""
        head, body = self.next()
        if b"content-type: application/json" in head.lower():
            return read_json(ExportTraceServiceRequest, body)
        return ExportTraceServiceRequest.FromString(body)

    def spans(self, count: int) -> list[Span]:
        """The next `count` spans, from any number of requests."""
        found: list[Span] = []
        while len(found) < count:
            for resource in self.next_request().resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        assert len(found) == count
        return found

    def names(self) -> list[str]:
        """The names of the next request's spans."""
        (resource,) = self.next_request().resource_spans
        return [span.name for scope in resource.scope_spans for span in scope.spans]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would accept one more connection
        self._listener.close()


@contextmanager
def collecting(
    *script: bytes | Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[Collector]:
    collector = Collector(script, tls)
    try:
        yield collector
    finally:
        collector.close()


def answer(status: int, body: bytes = b"", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


def attributes(of: Any) -> dict[str, Any]:
    """Attributes of a span, a link or a resource by key; a duplicate key fails."""
    keys = [each.key for each in of.attributes]
    assert len(set(keys)) == len(keys), keys
    return {each.key: _value(each.value) for each in of.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def named_span(name: str) -> bytes:
    """A span with only a name, as an entry of ScopeSpans.spans."""
    return protobuf.message(2, protobuf.message(5, name.encode()))
