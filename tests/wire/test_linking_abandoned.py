"""A request whose client has left may still be at the app: its calls must not be taken for another request's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from lab.calling import Calling, calling, traceparent
from lab.h2 import client
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import Sidecar, connect

ONE, TWO = "1" * 32, "2" * 32
BY_TIME = {"linking": {"process": False}}


@contextmanager
def left(wire: Calling, *fields: str) -> Iterator[UpstreamConnection]:
    """A request whose client has left, while the app is at it; the app's end of it, which is closed afterwards."""
    leaving = wire.client()
    leaving.send("\r\n".join(["GET /left HTTP/1.1", "Host: shop", *fields, "", ""]).encode())
    app = wire.upstream.busy()
    app.request()
    leaving.reset()
    assert app.is_ended()
    wire.settle()
    yield app
    app.close()


def abandoned(wire: Calling) -> int:
    return wire.sidecar.call(lambda: len(wire.sidecar.plane._in_flight.abandoned))


def until_forgotten(wire: Calling) -> None:
    deadline = time.monotonic() + 10
    while abandoned(wire):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def made(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> Callable[..., Calling]:
    def make(**settings: Any) -> Calling:
        return calling(start, upstream, billing, **settings)

    return make


@pytest.mark.parametrize("linking", [{}, {"process": False}], ids=["look-up", "none"])
def test_its_calls_are_not_taken_for_those_of_the_only_request(
    made: Callable[..., Calling], linking: dict[str, bool]
) -> None:
    wire = made(linking=linking)
    with left(wire, traceparent(ONE)), wire.at_app(traceparent(TWO)):
        assert wire.call() == ""
        assert (wire.missing, abandoned(wire)) == (0, 1)
    assert wire.linked == {"none": 1}


def test_no_call_is_joined_to_it_either(made: Callable[..., Calling], monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be over by then, and the call a job's in the background; its process says no more."""
    monkeypatch.setattr("proxy.dataplane.plane.owners", lambda ends: dict.fromkeys(ends, 7))
    wire = made()
    with left(wire, traceparent(ONE)):
        assert wire.call() == ""
        with wire.at_app(traceparent(TWO)):
            assert wire.call() == ""  # two of one process
    assert wire.linked == {"none": 2}


def test_processes_tell_it_apart(made: Callable[..., Calling], monkeypatch: pytest.MonkeyPatch) -> None:
    holders: dict[int, int] = {}  # by the port of our end, of connections to the app; else of who calls
    monkeypatch.setattr(
        "proxy.dataplane.plane.owners",
        lambda ends: {each: holders.get(each.peer_port, holders.get(each.port, 8)) for each in ends},
    )
    wire = made()
    with ExitStack() as stack:
        leaving = wire.client()
        leaving.send(f"GET / HTTP/1.1\r\nHost: shop\r\n{traceparent(ONE)}\r\n\r\n".encode())
        app = wire.upstream.busy()
        app.request()
        holders[wire.newest_port] = 7
        leaving.reset()
        assert app.is_ended()
        stack.enter_context(wire.at_app(traceparent(TWO)))
        assert wire.call() == TWO  # by the process that has but this one
        caller = wire.client("outbound")
        holders[caller.sock.getsockname()[1]] = 7
        assert wire.call(by=caller) == ""  # by the other one


def test_once_the_app_has_closed_its_end_it_is_over(made: Callable[..., Calling]) -> None:
    """Seen by the look-up for the next call."""
    wire = made()
    with ExitStack() as stack:
        leaving = stack.enter_context(left(wire, traceparent(ONE)))
        stack.enter_context(wire.at_app(traceparent(TWO)))
        assert wire.call() == ""
        leaving.close()
        assert wire.call() == TWO
        assert abandoned(wire) == 0


def test_where_its_answer_had_begun_the_kernel_does_not_tell(made: Callable[..., Calling]) -> None:
    """Our end is reset over what was not read: the app's is gone at once, while the app goes on."""
    wire = made(limits={"buffer_bytes": "4KiB"})
    leaving = wire.client()
    leaving.send(f"GET / HTTP/1.1\r\nHost: shop\r\n{traceparent(ONE)}\r\n\r\n".encode())
    app = wire.upstream.busy()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n")
    app.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):  # as much as there is room for
        app.send(bytes(80_000_000))
    assert leaving.stream.response_head().start[0] == b"200"
    leaving.reset()
    deadline = time.monotonic() + 10
    while not abandoned(wire):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == ""


def test_after_a_while_it_is_taken_to_be_over(made: Callable[..., Calling]) -> None:
    wire = made(in_flight={"abandoned_s": 0.2}, **BY_TIME)
    with left(wire, traceparent(ONE)), wire.at_app(traceparent(TWO)):
        assert wire.call() == ""
        until_forgotten(wire)
        assert wire.call() == TWO


def test_the_while_can_be_none(made: Callable[..., Calling]) -> None:
    wire = made(in_flight={"abandoned_s": 0}, **BY_TIME)
    with left(wire, traceparent(ONE)), wire.at_app(traceparent(TWO)):
        assert (wire.call(), abandoned(wire)) == (TWO, 0)


def test_its_own_calls_get_back_what_it_came_with(made: Callable[..., Calling]) -> None:
    wire = made(inbound={"propagation": {"inject": ["b3"]}}, outbound={"propagation": {"inject": ["tracecontext"]}})
    with left(wire, traceparent(ONE), "tracestate: a=1"):
        seen = wire.see(f"b3: {ONE}-{'9' * 16}-1")
    assert seen.head.value("tracestate") == b"a=1"


def test_a_header_tells_it_apart_unless_its_client_came_again(made: Callable[..., Calling]) -> None:
    wire = made(**BY_TIME)
    with wire.at_app():
        wire.call("X-Request-Id: r-0")  # from here on, requests are asked for their headers as they come
    with left(wire, traceparent(ONE), "X-Request-Id: r-1"), wire.at_app(traceparent(TWO), "X-Request-Id: r-2"):
        assert (wire.call("X-Request-Id: r-1"), wire.call("X-Request-Id: r-2")) == (ONE, TWO)
        with wire.at_app(traceparent(TWO), "X-Request-Id: r-1"):
            assert wire.call("X-Request-Id: r-1") == ""


def test_headers_that_nobody_has_looked_at_could_be_any(made: Callable[..., Calling]) -> None:
    """They are read when the first call asks, and those of a request that is over are gone by then."""
    wire = made(**BY_TIME)
    with left(wire, traceparent(ONE), "X-Request-Id: r"), wire.at_app(traceparent(TWO), "X-Request-Id: r"):
        assert wire.call("X-Request-Id: r") == ""


def test_a_request_that_took_too_long_is_still_at_the_app(made: Callable[..., Calling]) -> None:
    wire = made(timeouts={"response_head_s": 0.2})
    asking = wire.client()
    asking.send(f"GET / HTTP/1.1\r\nHost: shop\r\n{traceparent(ONE)}\r\n\r\n".encode())
    app = wire.upstream.busy()
    app.request()
    assert asking.response().status == 504
    wire.reload({"timeouts": {"response_head_s": 60}})
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == ""
    app.close()


def test_a_stream_that_its_client_resets(made: Callable[..., Calling]) -> None:
    wire = made()
    peer = client(connect(wire.sidecar.addresses["inbound"]))
    stream = peer.request(fields=[("traceparent", traceparent(ONE).partition(": ")[2])])
    app = wire.upstream.busy()
    app.request()
    peer.reset(stream)
    assert app.is_ended()
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == ""
        app.close()
        assert wire.call() == TWO
    peer.close()


def test_one_that_the_app_has_dropped_itself_is_over(made: Callable[..., Calling]) -> None:
    wire = made(**BY_TIME)
    asking = wire.client()
    asking.send(f"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n{traceparent(ONE)}\r\n\r\n".encode())
    app = wire.upstream.busy()
    app.request()
    app.close()
    assert asking.response().status == 502
    with wire.at_app(traceparent(TWO)):
        assert wire.call() == TWO
