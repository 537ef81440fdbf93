"""A WebSocket is at the app until it is closed: the app's calls may be on its behalf, not only on that of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial

import pytest
from lab.calling import Calling, S, calling, traceparent
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import Sidecar

from proxy.transport.processes import Ends

ONE, TWO = "1" * 32, "2" * 32

Open = Callable[..., AbstractContextManager[UpstreamConnection]]


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> Callable[..., Calling]:
    return partial(calling, start, upstream, billing)


def by_http1(wire: Calling) -> Open:
    return wire.websocket


def by_http2(wire: Calling) -> Open:
    return wire.websocket_by_http2


each_way = pytest.mark.parametrize("websocket", [by_http1, by_http2])


@each_way
def test_a_request_beside_it_is_not_the_only_one(both: Callable[..., Calling], websocket: Callable[..., Open]) -> None:
    wire = both()
    with websocket(wire)(traceparent(ONE)):
        with wire.at_app(traceparent(TWO)):
            assert wire.call() == ""
        assert wire.call() == ONE
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == TWO
    assert wire.call() == ""
    assert (wire.linked, wire.missing) == ({"none": 2, "single": 2}, 0)


@each_way
def test_a_header_tells_them_apart(both: Callable[..., Calling], websocket: Callable[..., Open]) -> None:
    wire = both()
    with (
        websocket(wire)(traceparent(ONE), "X-Request-Id: w"),
        wire.at_app(traceparent(TWO), "X-Request-Id: r"),
    ):
        assert wire.call("X-Request-Id: w") == ONE
        assert wire.call("X-Request-Id: r") == TWO
    assert wire.linked == {"header": 2}


@each_way
def test_the_process_tells_them_apart(
    both: Callable[..., Calling], websocket: Callable[..., Open], monkeypatch: pytest.MonkeyPatch
) -> None:
    holders: dict[int, int] = {}

    def owners(wanted: Iterable[Ends]) -> dict[Ends, int]:
        """By the sidecar's port of a connection to the app, or the app's of one to the sidecar."""
        ports = {each: each.peer_port if each.port == wire.upstream.port else each.port for each in wanted}
        return {each: holders[port] for each, port in ports.items() if port in holders}

    monkeypatch.setattr("proxy.dataplane.plane.owners", owners)
    wire = both(linking={"headers": [], "single": False})
    with websocket(wire)(traceparent(ONE)) as app:
        holders[app.sock.getpeername()[1]] = 7
        with wire.at_app(traceparent(TWO)):
            holders[wire.newest_port] = 8
            for process, trace_id in ((7, ONE), (8, TWO), (9, "")):
                client = wire.client("outbound")
                holders[client.sock.getsockname()[1]] = process
                assert wire.call(by=client) == trace_id
    assert wire.linked == {"process": 2, "none": 1}


@each_way
def test_what_it_came_with_is_put_back(both: Callable[..., Calling], websocket: Callable[..., Open]) -> None:
    wire = both(inbound={"propagation": {"inject": ["b3"]}})
    client = wire.client("outbound")
    with websocket(wire)(traceparent(ONE), "tracestate: congo=t61"):
        client.send(
            f"GET http://billing.internal/ HTTP/1.1\r\nHost: billing.internal\r\nb3: {ONE}-{S}-1\r\n\r\n".encode()
        )
        assert wire.billing.answer().head.value("tracestate") == b"congo=t61"
        assert client.response().status == 200
    assert wire.findings == {"forwarded": 1}
