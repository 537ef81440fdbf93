"""grpcio on both sides of a sidecar: unary calls, three kinds of streaming, deadlines, cancellation, errors."""

from __future__ import annotations

from collections.abc import Callable

from lab.rpc import Caller, Service
from lab.sidecar import Sidecar

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
B3 = (("x-b3-traceid", T), ("x-b3-spanid", S), ("x-b3-sampled", "1"))

Beside = Callable[..., Sidecar]
Calling = Callable[..., Caller]


def test_a_unary_call_is_translated(beside: Beside, calling: Calling, service: Service) -> None:
    caller = calling(beside())
    assert caller.unary("Echo", b"hello", metadata=(*B3, ("x-mine", "1"), ("x-mine-bin", b"\x00\xff"))) == b"hello"
    (seen,) = service.seen
    assert seen["traceparent"] == f"00-{T}-{S}-01"
    assert not [name for name in seen if "b3" in name]
    assert (seen["x-mine"], seen["x-mine-bin"]) == ("1", b"\x00\xff")
