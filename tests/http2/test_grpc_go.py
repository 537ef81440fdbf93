"""grpc-go before and behind a sidecar, and on both sides of two. Skipped by name where it cannot be built."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from lab import golang
from lab.peers import WAIT_S
from lab.rpc import Caller, Service
from lab.sidecar import LISTEN, Sidecar

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
B3 = (("x-b3-traceid", T), ("x-b3-spanid", S), ("x-b3-sampled", "1"))
PARENT = f"00-{T}-{S}-01"
CALL_S = 60.0

Start = Callable[..., Sidecar]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of `go/peer.go`."""
    reason = golang.reason_it_is_missing()
    if reason is not None:
        if os.environ.get("OPS_REQUIRE_GO"):
            pytest.fail(reason)
        pytest.skip(reason)
    program = tmp_path_factory.mktemp("go") / "peer"
    golang.build(Path(__file__).parent / "go" / "peer.go", program)
    return str(program)


@contextmanager
def served(peer: str) -> Iterator[str]:
    process = subprocess.Popen([peer, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(WAIT_S)
        process.stdout.close()


def called(peer: str, sidecar: Sidecar, listener: str = "inbound") -> dict[str, Any]:
    """What came of one call of every kind."""
    target = f"127.0.0.1:{sidecar.addresses[listener].port}"
    done = subprocess.run([peer, "call", target], capture_output=True, text=True, timeout=CALL_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


ALL = {
    "echo": 3 * 1024 * 1024,
    "gzip": 1024 * 1024,
    "traceparent": PARENT,
    "fail": [5, "no such thing: ü 100%", "00ff01"],
    "detail": "a/b",
    "unknown": 12,
    "deadline": 4,
    "cancelled": 1,
    "gone": "gone",
    "early": "1",
    "many": 1_000_000,
    "sum": "1000000",
    "talk": ["re: 0", "re: 1", "re: 2"],
    "talk ends": True,
    "health": "SERVING",
    "at once": 200,
}


def test_grpc_go_on_both_sides_of_a_sidecar(peer: str, start: Start) -> None:
    with served(peer) as url:
        told = called(peer, start({"inbound": {"app": url}}))
    assert told == ALL


def test_grpc_go_on_both_sides_of_two_sidecars(peer: str, start: Start) -> None:
    """With B3 between them."""
    with served(peer) as url:
        inner = start({"inbound": {"app": url}})
        upstream = {
            "name": "echo",
            "listen": LISTEN,
            "target": f"http://127.0.0.1:{inner.addresses['inbound'].port}",
            "propagation": {"inject": ["b3"]},
        }
        told = called(peer, start({"inbound": {"listen": "off"}, "upstreams": [upstream]}), "echo")
    assert told == ALL


def test_grpc_go_calls_grpcio(peer: str, start: Start, service: Service) -> None:
    """Its methods but `IsGone`, and health checks, which this service does not have."""
    service.release.set()  # of `Wait`: the deadline and the cancellation have no calls to end
    process = subprocess.run(
        [peer, "call", f"127.0.0.1:{start({'inbound': {'app': service.url}}).addresses['inbound'].port}"],
        capture_output=True,
        text=True,
        timeout=CALL_S,
        check=False,
    )
    assert "Method not found" in process.stderr  # IsGone, after all calls before it
    assert service.seen[0]["traceparent"] == PARENT
    assert len(service.seen) >= 6


def test_grpcio_calls_grpc_go(peer: str, start: Start, calling: Callable[..., Caller]) -> None:
    with served(peer) as url:
        caller = calling(start({"inbound": {"app": url}}))
        assert caller.unary("Echo", b"hello", metadata=B3) == b"hello"
        assert sum(map(len, caller.multi("unary_stream", "Many")(b"100,10000", timeout=10))) == 1_000_000
        assert caller.multi("stream_unary", "Sum")(iter([bytes(1000)] * 50), timeout=10) == b"50000"
        answers = caller.multi("stream_stream", "Talk")(iter([b"a", b"b"]), timeout=10)
        assert list(answers) == [b"re: a", b"re: b"]
        with pytest.raises(grpc.RpcError) as raised:
            caller.unary("Fail")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        assert dict(raised.value.trailing_metadata())["details-bin"] == b"\x00\xff\x01"
        with pytest.raises(grpc.RpcError) as raised:
            caller.unary("Wait", timeout=0.3)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
