"""gRPC's own services, with generated code: health checks, a watch that is silent for long, reflection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from lab.sidecar import LISTEN, Sidecar

Start = Callable[..., Sidecar]
NAME = "shop.Cart"


@pytest.fixture
def served() -> Iterator[tuple[str, health.HealthServicer]]:
    server = grpc.server(ThreadPoolExecutor(4))
    servicer = health.HealthServicer()
    servicer.set(NAME, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", servicer
    server.stop(None).wait()


@pytest.fixture
def channel(start: Start, served: tuple[str, health.HealthServicer]) -> Iterator[grpc.Channel]:
    """Through two sidecars, with B3 between them; silences that would end a request are short."""
    waits = {"response_head_s": 0.1, "response_body_s": 0.1, "body_read_s": 0.1}
    inner = start({"inbound": {"app": served[0]}, "timeouts": waits})
    upstream = {
        "name": "inner",
        "listen": LISTEN,
        "target": f"http://127.0.0.1:{inner.addresses['inbound'].port}",
        "propagation": {"inject": ["b3"]},
    }
    outer = start({"inbound": {"listen": "off"}, "upstreams": [upstream], "timeouts": waits})
    with grpc.insecure_channel(f"127.0.0.1:{outer.addresses['inner'].port}") as made:
        yield made


def test_a_health_check(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    told = stub.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=10)
    assert told.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(health_pb2.HealthCheckRequest(service="unknown"), timeout=10)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_watch_that_is_silent_for_long(channel: grpc.Channel, served: tuple[str, health.HealthServicer]) -> None:
    """Five times as long as a request may be silent; then the next message arrives."""
    told = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=NAME), timeout=20)
    assert next(told).status == health_pb2.HealthCheckResponse.SERVING
    silence = threading.Event()
    threading.Timer(0.5, silence.set).start()
    silence.wait(10)
    served[1].set(NAME, health_pb2.HealthCheckResponse.NOT_SERVING)
    assert next(told).status == health_pb2.HealthCheckResponse.NOT_SERVING
    told.cancel()


def test_reflection(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    (told,) = stub.ServerReflectionInfo(asked, timeout=10)
    names = {service.name for service in told.list_services_response.service}
    assert names == {health.SERVICE_NAME, reflection.SERVICE_NAME}
