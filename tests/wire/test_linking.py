"""A call of the app that carries no context is joined to the request that it belongs to, or to none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from lab.both_sides import BothSides
from lab.collectors import Collector, attributes
from lab.messages import Message
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged
from lab.wire import Wire

S = "a2fb4a1d1a96d312"
ONE, TWO = "1" * 32, "2" * 32
OFF = {"linking": {"headers": [], "process": False, "single": False}, "propagation": {"carry_over": False}}


def traceparent(trace_id: str) -> str:
    return f"traceparent: 00-{trace_id}-{S}-01"


class Both(BothSides):
    """Whose app calls billing in one way."""

    def call(self, *fields: str) -> Message:
        """The app calls billing with `fields`; what billing sees."""
        client = self.client("outbound")
        head = ["POST http://billing.internal/out HTTP/1.1", "Host: billing.internal", "Content-Length: 2", *fields]
        client.send("\r\n".join([*head, "", "hi"]).encode())
        seen = self.billing.answer()
        assert client.response().status == 200
        assert seen.body == b"hi"
        return seen

    @property
    def linked(self) -> dict[str, int]:
        return self.sidecar.metrics.exchange("outbound", "billing").translation.linked


def value(message: Message, name: str) -> str:
    return (message.head.value(name) or b"").decode()


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> Callable[..., Both]:
    def make(**settings: Any) -> Both:
        base = {
            "inbound": {"app": upstream.url},
            "outbound": {"listen": LISTEN},
            "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing.url}],
        }
        return Both(start(merged(base, settings)), upstream, billing)

    return make


def test_the_only_request_in_flight(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(traceparent(ONE), "tracestate: a=1", "baggage: k=v", "X-Mirascope-Session-Id: s-1"):
        seen = wire.call()
    assert value(seen, "traceparent") == f"00-{ONE}-{S}-01"
    assert value(seen, "tracestate") == "a=1"
    assert (value(seen, "baggage"), value(seen, "x-mirascope-session-id")) == ("k=v", "s-1")
    assert wire.linked == {"single": 1}


def test_it_gets_what_the_app_was_given_in_the_format_of_the_upstream(both: Callable[..., Both]) -> None:
    wire = both(inbound={"propagation": {"inject": ["jaeger"]}}, outbound={"propagation": {"inject": ["b3"]}})
    with wire.at_app(f"b3: {ONE[:16]}-{S}-d"):
        seen = wire.call("X-Mirascope-Session-Id: own")
    assert value(seen, "b3") == f"{ONE[:16]}-{S}-d"
    assert value(seen, "x-mirascope-session-id") == "own"


def test_without_evidence_translate_mode_adds_nothing(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(traceparent(ONE)), wire.at_app(traceparent(TWO)):
        seen = wire.call()
    assert value(seen, "traceparent") == ""
    assert wire.linked == {"none": 1}


def test_a_call_while_no_request_is_there(both: Callable[..., Both]) -> None:
    wire = both()
    assert value(wire.call(), "traceparent") == ""
    assert wire.linked == {"none": 1}


def test_a_call_with_a_context_of_its_own_is_not_joined(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(traceparent(ONE)):
        assert value(wire.call(traceparent(TWO)), "traceparent") == f"00-{TWO}-{S}-01"
        assert value(wire.call("b3: 0"), "traceparent").endswith("-02")  # denied, with ids made up for it
    assert wire.linked == {}


def test_a_request_without_a_trace_is_in_flight_as_well(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(traceparent(ONE)), wire.at_app():
        assert value(wire.call(), "traceparent") == ""
    with wire.at_app():
        assert value(wire.call(), "traceparent") == ""
    assert wire.linked == {"none": 1, "single": 1}


def test_a_header_that_one_request_came_with(both: Callable[..., Both]) -> None:
    wire = both(linking={"headers": ["X-Order", "X-Mirascope-Session-Id"]})
    with (
        wire.at_app(traceparent(ONE), "X-Order: 1", "X-Mirascope-Session-Id: s-1"),
        wire.at_app(traceparent(TWO), "x-order: 2", "X-Mirascope-Session-Id: s-2"),
    ):
        assert ONE in value(wire.call("x-order: 1"), "traceparent")
        assert TWO in value(wire.call("X-ORDER: 2"), "traceparent")
        assert TWO in value(wire.call("X-Mirascope-Session-Id: s-2"), "traceparent")
        assert value(wire.call("X-Order: 3"), "traceparent") == ""
        with wire.at_app(traceparent("3" * 32), "X-Order: 2"):
            assert value(wire.call("X-Order: 2"), "traceparent") == ""
    assert wire.linked == {"header": 3, "none": 2}


def test_without_a_way_out_no_request_is_remembered(wired: Callable[..., Wire], both: Callable[..., Both]) -> None:
    """No call can come that would have to be joined to it."""

    def remembered(sidecar: Sidecar) -> int:
        return sidecar.call(lambda: len(sidecar.plane._in_flight.entries()))

    alone = wired()
    client = alone.sidecar.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    far = alone.upstream.accept()
    far.request()
    assert remembered(alone.sidecar) == 0
    far.reply()
    assert client.response().status == 200
    wire = both()
    with wire.at_app():
        assert remembered(wire.sidecar) == 1


@pytest.mark.parametrize("before", [OFF, {"outbound": {"listen": "off"}, "upstreams": []}])
@pytest.mark.parametrize("headers", [[], ["X-Order"]])
def test_what_a_reload_found_at_the_app_counts_until_its_end(
    both: Callable[..., Both], before: dict[str, Any], headers: list[str]
) -> None:
    """Nobody remembered it, so a call may be its own: no other request's context, session or baggage goes out with it.

    `before`: settings by which no call is joined to a request.
    """
    wire = both()
    after = {
        "inbound": {"listen": LISTEN, "app": wire.upstream.url},
        "outbound": {"listen": LISTEN},
        "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": wire.billing.url}],
        "admin": {"listen": "off"},
        "linking": {"headers": headers},
    }
    wire.sidecar.replace(after | before)
    other = traceparent(TWO), "X-Mirascope-Session-Id: s-2", "baggage: k=v", "X-Order: 2"
    with ExitStack() as stack:
        with wire.at_app(traceparent(ONE), "X-Order: 2"):
            wire.sidecar.replace(after)
            stack.enter_context(wire.at_app(*other))
            seen = wire.call("X-Order: 2")
            assert not any(value(seen, name) for name in ("traceparent", "x-mirascope-session-id", "baggage"))
        assert value(wire.call("X-Order: 2"), "traceparent") == f"00-{TWO}-{S}-01"  # the only one that is left
    assert wire.linked == {"none": 1, "header" if headers else "single": 1}


def test_each_method_can_be_switched_off(both: Callable[..., Both], monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is both the app and the sidecar: of its own process the look-up says nothing, so it is told here."""
    monkeypatch.setattr("proxy.dataplane.plane.owners", lambda ends: dict.fromkeys(ends, 7))
    fields = (traceparent(ONE), "X-Request-Id: r")
    for methods, found in (
        ({}, "header"),
        ({"process": False, "single": False}, "header"),
        ({"headers": []}, "process"),
        ({"headers": [], "single": False}, "process"),
        ({"headers": [], "process": False}, "single"),
        ({"headers": [], "process": False, "single": False}, None),
    ):
        wire = both(linking=methods)
        with wire.at_app(*fields):
            assert (ONE in value(wire.call("X-Request-Id: r"), "traceparent")) == (found is not None)
        assert wire.linked == ({found: 1} if found else {})


def test_processes_tell_requests_apart(both: Callable[..., Both], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, one request each, and a third that waits to be accepted."""
    holders: dict[int, int] = {}
    monkeypatch.setattr(
        "proxy.dataplane.plane.owners", lambda ends: {each: holders[each.port] for each in ends if each.port in holders}
    )
    wire = both()
    with ExitStack() as stack:
        for trace_id, process in ((ONE, 7), (TWO, 8), ("3" * 32, 0)):
            stack.enter_context(wire.at_app(traceparent(trace_id)))
            entry = wire.sidecar.call(lambda: wire.sidecar.plane._in_flight.entries()[-1])
            entry.exchange.answerer.process = process or -1  # type: ignore[attr-defined]
        for process, trace_id in ((7, ONE), (8, TWO)):
            client = wire.client("outbound")
            holders[client.sock.getsockname()[1]] = process
            client.send(b"GET http://billing.internal/ HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
            seen = wire.billing.answer()
            client.response()
            assert (trace_id in value(seen, "traceparent")) is False  # the third may be any worker's
        holders[wire.upstream.port] = 0
        for process, trace_id in ((7, ONE), (8, TWO)):
            client = wire.client("outbound")
            holders[client.sock.getsockname()[1]] = process
            client.send(b"GET http://billing.internal/ HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
            seen = wire.billing.answer()
            client.response()
            assert trace_id in value(seen, "traceparent")
    assert wire.linked == {"none": 2, "process": 2}


def test_nobody_looks_for_processes_once_the_sidecar_has_stopped(
    both: Callable[..., Both], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.dataplane.plane.owners", lambda ends: {})
    before = set(threading.enumerate())
    wire = both()
    with wire.at_app(traceparent(ONE)), wire.at_app(traceparent(TWO)):
        wire.call()
    begun = [thread for thread in threading.enumerate() if thread not in before]
    (looking,) = [thread for thread in begun if thread.name.startswith("ops-sidecar-processes")]
    wire.sidecar.stop()
    looking.join(5)
    assert not looking.is_alive()


def test_a_look_up_that_takes_too_long_is_not_waited_for(
    both: Callable[..., Both], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def slow(_: object) -> dict[object, int]:
        stop.wait(5)
        return {}

    monkeypatch.setattr("proxy.dataplane.plane.owners", slow)
    wire = both()
    try:
        with wire.at_app(traceparent(ONE)):
            assert ONE in value(wire.call(), "traceparent")
        assert wire.linked == {"single": 1}
    finally:
        stop.set()


def test_a_client_that_leaves_during_the_look_up(both: Callable[..., Both], monkeypatch: pytest.MonkeyPatch) -> None:
    looks, stop = threading.Event(), threading.Event()

    def slow(_: object) -> dict[object, int]:
        looks.set()
        stop.wait(5)
        return {}

    monkeypatch.setattr("proxy.dataplane.plane.owners", slow)
    wire = both()
    with wire.at_app(traceparent(ONE)):
        client = wire.client("outbound")
        client.send(b"GET http://billing.internal/ HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
        assert looks.wait(5)
        client.reset()
        wire.sidecar.until(lambda: wire.sidecar.plane.in_flight("outbound") == 0)
        stop.set()
        wire.settle()
    assert not wire.billing.has_caller()
    assert wire.linked == {}


@pytest.mark.parametrize(
    "broken",
    [
        "proxy.listener.app_calls.linking.link",
        "proxy.listener.app_calls.linking.evidence_of",
        "proxy.listener.app_calls.linking.Search.wanted",
        "proxy.listener.app_calls.linking.Search._process_of",
        "proxy.dataplane.plane.owners",
    ],
)
def test_a_bug_of_ours_stops_no_call(both: Callable[..., Both], monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(broken, fail)
    wire = both()
    with wire.at_app(traceparent(ONE)):
        wire.call("X-Request-Id: r")
        with wire.at_app(traceparent(TWO), "X-Request-Id: s"):
            wire.call("X-Request-Id: s")
    assert wire.sidecar.metrics.exchange("outbound", "billing").requests[2] == 2
    assert wire.sidecar.metrics.exchange("inbound", "app").requests[2] == 2


def test_method_and_confidence_stand_on_the_span(both: Callable[..., Both], collector: Collector) -> None:
    wire = both(export={"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001})
    with wire.at_app(traceparent(ONE)) as seen:
        parent = value(seen, "traceparent").split("-")[2]
        called = wire.call()
    spans = collector.spans(2)
    (span,) = [one for one in spans if one.name == "POST"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (ONE, parent)
    assert value(called, "traceparent").split("-")[1:3] == [ONE, span.span_id.hex()]
    told = attributes(span)
    assert (told["ops.link.method"], told["ops.link.confidence"]) == ("single", "medium")


def test_without_evidence_a_new_trace_begins_with_links_to_the_candidates(
    both: Callable[..., Both], collector: Collector
) -> None:
    wire = both(export={"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001})
    with wire.at_app(traceparent(ONE)) as first, wire.at_app(traceparent(TWO)) as second:
        wire.call()
    (span,) = [one for one in collector.spans(3) if one.name == "POST"]
    assert span.parent_span_id == b""
    assert span.trace_id.hex() not in (ONE, TWO)
    given = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
    assert given == [tuple(value(seen, "traceparent").split("-")[1:3]) for seen in (second, first)]
    assert [attributes(link) for link in span.links] == [{"ops.link": "candidate"}] * 2
    assert attributes(span)["ops.link.method"] == "none"
