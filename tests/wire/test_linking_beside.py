"""Two sidecars share their addresses (`restart.reuse_port`): a call at one may be of a request that is at the other."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

from lab.calling import Calling, calling, traceparent
from lab.peers import Upstream
from lab.sidecar import Sidecar

ONE, TWO = "1" * 32, "2" * 32


def free_ports() -> list[int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return [one.getsockname()[1], two.getsockname()[1]]


def test_no_call_is_joined_while_another_process_may_have_its_request(
    start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream
) -> None:
    inbound, outbound = (f"127.0.0.1:{port}" for port in free_ports())
    settings = {
        "inbound": {"listen": inbound},
        "outbound": {"listen": outbound},
        "restart": {"reuse_port": True},
    }
    first = calling(start, upstream, billing, **settings)
    with ExitStack() as stack:
        stack.enter_context(first.at_app(traceparent(ONE)))
        assert (first.call(), first.missing) == (ONE, 0)
        second = calling(start, upstream, billing, **settings)
        assert first.missing == 1
        for _ in range(16):
            assert first.call() == ""  # at whichever of them it comes
        until_both_have_one(stack, first, second)
        for _ in range(16):
            assert first.call() == ""
    assert min(sum(each.linked.values()) for each in (first, second)) > 1
    first.sidecar.thread.run(first.sidecar.plane.stop())
    with second.at_app(traceparent(TWO)):
        assert (second.call(), second.missing) == (TWO, 0)


def until_both_have_one(stack: ExitStack, first: Calling, second: Calling) -> None:
    """The kernel decides at whom a connection comes."""
    for _ in range(64):
        stack.enter_context(first.at_app(traceparent(TWO)))
        if second.sidecar.call(lambda: second.sidecar.plane.in_flight("inbound")):
            return
    raise AssertionError("all connections came at one process")
