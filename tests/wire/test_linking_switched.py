"""Requests that nobody remembers, since linking was switched on behind them: meanwhile nothing is joined."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest
from lab.calling import Calling, calling, traceparent
from lab.peers import Upstream
from lab.sidecar import Settings, Sidecar, merged

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
OFF = {"linking": {"headers": [], "process": False, "single": False}}
SINGLE = {"linking": {"headers": [], "process": False}}
HEADER = {"linking": {"process": False, "single": False}}
PROCESS = {"linking": {"headers": [], "single": False}}

At = Callable[..., AbstractContextManager[object]]


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> Callable[..., Calling]:
    return partial(calling, start, upstream, billing)


def by_http1(wire: Calling) -> At:
    return wire.at_app


def by_http2(wire: Calling) -> At:
    return wire.at_app_by_http2


def as_websocket(wire: Calling) -> At:
    return wire.websocket


def as_websocket_by_http2(wire: Calling) -> At:
    return wire.websocket_by_http2


EACH = [by_http1, by_http2, as_websocket, as_websocket_by_http2]


@pytest.mark.parametrize("before", EACH)
@pytest.mark.parametrize("then", [by_http1, by_http2])
def test_the_call_may_be_of_a_request_from_before(
    both: Callable[..., Calling], before: Callable[[Calling], At], then: Callable[[Calling], At]
) -> None:
    wire = both(**OFF)
    with ExitStack() as later:
        with before(wire)(traceparent(ONE)):
            wire.reload(SINGLE)
            later.enter_context(then(wire)(traceparent(TWO)))
            assert wire.call() != TWO
        assert wire.call() == TWO
    assert (wire.linked, wire.missing) == ({"none": 1, "single": 1}, 0)


@pytest.mark.parametrize("before", EACH)
def test_a_header_may_be_of_a_request_from_before(
    both: Callable[..., Calling], before: Callable[[Calling], At]
) -> None:
    wire = both(**OFF)
    with ExitStack() as later:
        with before(wire)(traceparent(ONE), "X-Request-Id: r"):
            wire.reload(HEADER)
            later.enter_context(wire.at_app(traceparent(TWO), "X-Request-Id: r"))
            assert wire.call("X-Request-Id: r") == ""
        assert wire.call("X-Request-Id: r") == TWO
    assert wire.linked == {"none": 1, "header": 1}


@pytest.mark.parametrize("before", EACH)
def test_a_process_may_serve_a_request_from_before(
    both: Callable[..., Calling], before: Callable[[Calling], At], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.dataplane.plane.owners", lambda ends: dict.fromkeys(ends, 7))
    wire = both(**OFF)
    with ExitStack() as later:
        with before(wire)(traceparent(ONE)):
            wire.reload(PROCESS)
            later.enter_context(wire.at_app(traceparent(TWO)))
            assert wire.call() == ""
        assert wire.call() == TWO
    assert wire.linked == {"none": 1, "process": 1}


def test_requests_of_a_listener_that_has_moved(both: Callable[..., Calling]) -> None:
    """Its clients are served to the end, by the rules from before: the second of two pipelined requests, too."""
    wire = both(**OFF)
    client = wire.client()
    for trace_id in (ONE, THREE):
        client.send(f"GET /in HTTP/1.1\r\nHost: shop\r\n{traceparent(trace_id)}\r\n\r\n".encode())
    app = wire.upstream.busy()
    app.request()
    wire.reload(merged(SINGLE, {"inbound": {"listen": "127.0.0.2:0"}}))
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == ""
        app.reply()
        assert client.response().status == 200
        app = wire.upstream.busy()
        assert THREE in (app.request().head.value("traceparent") or b"").decode()
        assert wire.call() == ""
        app.reply()
        assert client.response().status == 200
        wire.settle()
        assert wire.call() == TWO
    assert wire.linked == {"none": 2, "single": 1}


def test_reloads_there_and_back(both: Callable[..., Calling]) -> None:
    wire = both(**SINGLE)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(wire.at_app(traceparent(ONE)))
        wire.reload(OFF)
        second.enter_context(wire.at_app(traceparent(TWO)))
        wire.reload(SINGLE)
        assert wire.call() == ""
        wire.reload(OFF)
        wire.reload(SINGLE)
        assert wire.call() == ""
        second.close()
        assert wire.call() == ONE
    assert wire.linked == {"none": 2, "single": 1}


def test_the_first_way_out(both: Callable[..., Calling]) -> None:
    """Without one nothing is remembered for linking."""
    alone = {"outbound": {"listen": "off"}}
    wire = both(**alone)
    with ExitStack() as later:
        with wire.at_app(traceparent(ONE)):
            wire.reload()
            later.enter_context(wire.at_app(traceparent(TWO)))
            assert wire.call() == ""
        assert wire.call() == TWO


def swapped(wire: Calling) -> Settings:
    """The inbound listener's address becomes the outbound one's, and the reverse."""
    now = {name: f"127.0.0.1:{address.port}" for name, address in wire.sidecar.addresses.items()}
    return merged(SINGLE, {"inbound": {"listen": now["outbound"]}, "outbound": {"listen": now["inbound"]}})


def test_who_has_connected_to_reach_the_app_calls_for_it_where_listeners_swap_places(
    both: Callable[..., Calling],
) -> None:
    wire = both()
    client = wire.client()
    client.send(f"GET /in HTTP/1.1\r\nHost: shop\r\n{traceparent(ONE)}\r\n\r\n".encode())
    wire.upstream.answer()
    assert client.response().status == 200
    wire.reload(swapped(wire))
    with wire.at_app(traceparent(TWO)):
        assert wire.call(by=client) == TWO
        client.send(b"GET http://billing.internal/ HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
        far = wire.billing.busy()
        assert wire.missing == 0
        assert wire.call() == TWO  # a call is not at the app
        far.answer()
        assert client.response().status == 200
    assert wire.linked == {"single": 3}


def test_who_has_a_request_at_the_app_does_not_call_for_it_where_listeners_swap_places(
    both: Callable[..., Calling],
) -> None:
    """The address keeps its socket. A connection that is busy ends with its answer."""
    wire = both()
    client = wire.client()
    client.send(f"GET /in HTTP/1.1\r\nHost: shop\r\n{traceparent(ONE)}\r\n\r\n".encode())
    app = wire.upstream.busy()
    app.request()
    wire.reload(swapped(wire))
    assert wire.call() == ONE
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == ""
        app.reply()
        assert client.response().status == 200
        assert client.is_ended()
        assert wire.call(traceparent(THREE)) == THREE  # is not at the app
        assert wire.call() == TWO
    assert wire.linked == {"single": 2, "none": 1}


def test_nothing_is_found_in_calls_of_requests_from_before(both: Callable[..., Calling]) -> None:
    wire = both(**OFF)
    with wire.at_app(traceparent(ONE)):
        wire.reload()
        with wire.at_app(traceparent(TWO)):
            wire.call(traceparent(ONE))
            assert wire.findings == {}
            wire.call(traceparent(TWO))
            assert wire.findings == {"forwarded": 1}
    with wire.at_app(traceparent(TWO)):
        wire.call(traceparent(ONE))
    assert wire.findings == {"forwarded": 1, "another-trace": 1}
