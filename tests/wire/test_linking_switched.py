"""Linking is switched by a reload, while requests and tunnels are open at the app."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest
from lab.calling import Calling, S, calling, traceparent
from lab.peers import Upstream
from lab.sidecar import Settings, Sidecar, merged

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
# Without both of them, no request is remembered.
OFF = {"linking": {"headers": [], "process": False, "single": False}, "propagation": {"carry_over": False}}
SINGLE = {"linking": {"headers": [], "process": False}}
HEADER = {"linking": {"process": False, "single": False}}
SESSION = {"linking": {"headers": ["X-Mirascope-Session-Id"], "process": False, "single": False}}
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
@pytest.mark.parametrize("then", [by_http1, by_http2])
def test_a_trace_field_may_be_of_a_request_from_before(
    both: Callable[..., Calling], before: Callable[[Calling], At], then: Callable[[Calling], At]
) -> None:
    """Requests are remembered, but not their trace fields, as long as none of these is evidence."""
    wire = both(**HEADER)
    session = "X-Mirascope-Session-Id: s-1"
    with ExitStack() as later:
        with before(wire)(traceparent(ONE), session):
            wire.reload(SESSION)
            later.enter_context(then(wire)(traceparent(TWO), session))
            assert wire.call(session) == ""
        assert wire.call(session) == TWO
        wire.reload(SESSION)
        assert wire.call(session) == TWO
    assert (wire.linked, wire.missing) == ({"none": 1, "header": 2}, 0)


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


@pytest.mark.parametrize("is_kept", [True, False], ids=["translation kept", "read again"])
@pytest.mark.parametrize("before", EACH)
def test_who_is_there_from_before_is_told_apart_at_once(
    both: Callable[..., Calling], before: Callable[[Calling], At], is_kept: bool
) -> None:
    """Streams and tunnels may stay for days."""
    forgetful = {"propagation": {"carry_over": False}}
    wire = both(**merged(OFF, forgetful))
    wire.keep_translations(is_kept)
    with before(wire)(traceparent(ONE), "X-Request-Id: w", "X-Mirascope-Session-Id: s-1", "baggage: k=v"):
        assert wire.missing == 1
        wire.reload(forgetful)
        assert wire.missing == 0
        assert wire.call() == ONE
        with wire.at_app(traceparent(TWO), "X-Request-Id: r"):
            assert wire.call("X-Request-Id: r") == TWO
            seen = wire.see("X-Request-Id: w")
            assert wire.call() == ""
    assert wire.linked == {"single": 1, "header": 2, "none": 1}
    assert [seen.head.value(name) for name in ("traceparent", "x-mirascope-session-id", "baggage")] == [
        f"00-{ONE}-{S}-01".encode(),
        b"s-1",
        b"k=v",
    ]


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("format", ["tracecontext", "b3", "b3multi", "jaeger"])
def test_the_parent_is_what_the_app_was_given(both: Callable[..., Calling], format: str, is_kept: bool) -> None:
    """The span of the sidecar's own, and in no case a new one."""
    inbound = {"propagation": {"mode": "participate", "inject": [format]}}
    settings = {"inbound": inbound, "outbound": {"propagation": {"mode": "translate"}}}
    wire = both(**merged(settings, OFF))
    wire.keep_translations(is_kept)
    with wire.at_app(traceparent(ONE)) as seen:
        wire.reload(settings)
        called = wire.see().head.value("traceparent") or b""
    assert called.decode().split("-")[2] in seen.head.raw.decode()
    assert wire.linked == {"single": 1}


def test_very_many_are_remembered_bit_by_bit(both: Callable[..., Calling], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.dataplane.plane._MOST_CAUGHT_UP", 1)
    wire = both(**OFF)
    with ExitStack() as stack:
        for trace_id in (ONE, TWO, THREE):
            stack.enter_context(wire.at_app(traceparent(trace_id), f"X-Request-Id: {trace_id}"))
        wire.reload()
        wire.sidecar.until(lambda: wire.sidecar.plane._in_flight.is_whole)
        for trace_id in (ONE, TWO, THREE):
            assert wire.call(f"X-Request-Id: {trace_id}") == trace_id
    assert wire.missing == 0


def test_who_does_not_fit_may_be_the_one(both: Callable[..., Calling]) -> None:
    """Nothing is joined until it is over, and metrics say so."""
    wire = both(**OFF)
    with ExitStack() as later:
        with wire.at_app(traceparent(ONE)):
            with wire.at_app(traceparent(TWO)):
                wire.reload({"in_flight": {"max_requests": 1}})
                wire.sidecar.until(lambda: wire.sidecar.metrics.in_flight.missing == 1)
                assert wire.call() == ""
            later.enter_context(wire.at_app(traceparent(THREE)))
        assert wire.sidecar.metrics.in_flight.unremembered["no-room"] >= 1
    assert wire.missing == 0


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


def test_what_is_found_in_calls_of_requests_from_before(both: Callable[..., Calling]) -> None:
    wire = both(**OFF)
    with wire.at_app(traceparent(ONE)):
        wire.reload()
        with wire.at_app(traceparent(TWO)):
            wire.call(traceparent(ONE))
            wire.call(traceparent(TWO))
            assert wire.findings == {"forwarded": 2}
    with wire.at_app(traceparent(TWO)):
        wire.call(traceparent(ONE))
    assert wire.findings == {"forwarded": 2, "another-trace": 1}


def test_nothing_is_found_while_anything_is_missing(both: Callable[..., Calling]) -> None:
    wire = both(in_flight={"max_requests": 1})
    with wire.at_app(traceparent(ONE)), wire.at_app(traceparent(TWO)):
        wire.call(traceparent(TWO))
        assert wire.findings == {}
        wire.call(traceparent(ONE))
    assert wire.findings == {"forwarded": 1}
