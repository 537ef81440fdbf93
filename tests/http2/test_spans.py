"""gRPC calls as spans (OpenTelemetry's conventions for RPC), as lines of the access log, and as evidence for links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from lab.collectors import Collector, attributes
from lab.h2 import HEADERS, App, Peer
from lab.rpc import Caller, Service
from lab.sidecar import LISTEN, Sidecar, merged
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

pytestmark = pytest.mark.logs

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
B3 = (("x-b3-traceid", T), ("x-b3-spanid", S), ("x-b3-sampled", "1"))

Calling = Callable[..., Caller]


@pytest.fixture
def exporting(start: Callable[..., Sidecar], service: Service, collector: Collector) -> Callable[..., Sidecar]:
    def make(**settings: Any) -> Sidecar:
        export = {"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001, "flush_s": 0.2}
        return start(merged({"inbound": {"app": service.url}, "export": export}, settings))

    return make


def test_a_call_is_a_server_span(
    exporting: Callable[..., Sidecar], calling: Calling, service: Service, collector: Collector
) -> None:
    calling(exporting()).unary("Echo", metadata=B3)
    (span,) = collector.spans(1)
    _, trace_id, span_id, _ = service.seen[0]["traceparent"].split("-")
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (T, span_id, S)
    assert (span.name, span.kind) == ("lab.Echo/Echo", Span.SPAN_KIND_SERVER)
    told = attributes(span)
    assert {key: told[key] for key in told if key.startswith("rpc.")} == {
        "rpc.system": "grpc",
        "rpc.service": "lab.Echo",
        "rpc.method": "Echo",
        "rpc.grpc.status_code": 0,
    }
    assert told["network.protocol.version"] == "2"
    assert not [key for key in told if key.startswith(("http.request.method", "url."))]
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert trace_id == T


@pytest.mark.parametrize(
    ("method", "code", "is_error"), [("Fail", 5, False), ("Nothing", 12, True)], ids=["not-found", "unimplemented"]
)
def test_which_statuses_are_errors_of_a_server(
    exporting: Callable[..., Sidecar], calling: Calling, collector: Collector, method: str, code: int, is_error: bool
) -> None:
    with pytest.raises(grpc.RpcError):
        calling(exporting()).unary(method, metadata=B3)
    (span,) = collector.spans(1)
    assert attributes(span)["rpc.grpc.status_code"] == code
    assert (span.status.code == Status.STATUS_CODE_ERROR) is is_error


def test_a_refusal_of_ours_has_a_status_too(
    exporting: Callable[..., Sidecar], calling: Calling, collector: Collector
) -> None:
    sidecar = exporting(inbound={"app": "http://127.0.0.1:1"})
    with pytest.raises(grpc.RpcError):
        calling(sidecar).unary("Echo", metadata=B3)
    (span,) = collector.spans(1)
    told = attributes(span)
    assert (told["rpc.grpc.status_code"], told["error.type"]) == (14, "connection-refused")
    sidecar.until(lambda: sidecar.records)
    (record,) = sidecar.records
    assert (record.status, record.grpc_status, record.error) == (502, "14", "connection-refused")


def test_a_call_that_ends_without_a_status_has_none_in_the_log(
    start: Callable[..., Sidecar], app: App, knock: Callable[..., Peer]
) -> None:
    sidecar = start({"inbound": {"app": app.url}})
    client = knock(sidecar)
    asked = client.call()
    peer = app.accept()
    peer.headers(peer.frame(HEADERS).stream, [(":status", "200"), ("content-type", "application/grpc")], end=True)
    assert client.answer(asked).field(":status") == "200"
    sidecar.until(lambda: sidecar.records)
    assert (sidecar.records[0].status, sidecar.records[0].grpc_status) == (200, "")


def test_a_call_of_the_app_is_joined_to_its_request(
    start: Callable[..., Sidecar], app: App, knock: Callable[..., Peer], service: Service, calling: Calling
) -> None:
    """The app copies nothing but a request id, over HTTP/2 on both of its sides; and `grpc-trace-bin` came in."""
    binary = "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE"
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    sidecar = start(
        {
            "inbound": {"app": app.url, "propagation": {"extract": ["grpc-trace-bin", "b3"], "inject": ["b3"]}},
            "outbound": {"listen": LISTEN},
        }
    )
    client = knock(sidecar)
    asked = client.call(fields=[("grpc-trace-bin", binary), ("x-request-id", "r-1")])
    peer = app.accept()
    seen = peer.frame(HEADERS)
    assert dict(seen.fields)["b3"] == f"{trace_id}-00f067aa0ba902b7-1"
    assert "grpc-trace-bin" not in dict(seen.fields)
    there = ("grpc.default_authority", f"127.0.0.1:{service.port}")
    calling(sidecar, "outbound", there).unary("Echo", metadata=(("x-request-id", "r-1"),))
    assert service.seen[0]["traceparent"] == f"00-{trace_id}-00f067aa0ba902b7-01"
    peer.headers(seen.stream, [(":status", "200"), ("grpc-status", "0")], end=True)
    assert client.answer(asked).field("grpc-status") == "0"
