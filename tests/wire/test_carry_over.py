"""What the app's own format cannot carry comes back on the app's calls, while the request is at the app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lab.messages import Message
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import LISTEN, Sidecar, merged
from lab.wire import Wire

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
PADDED = "0" * 16 + T[16:]
OWN, OTHER = "00000000000000aa", "00000000000000bb"  # spans of the app's own
W3C = f"traceparent: 00-{T}-{S}-01"

FORWARDS = {  # what an app copies that knows only this
    "b3": ("b3",),
    "b3multi": ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"),
    "jaeger": ("uber-trace-id",),
    "tracecontext": ("traceparent",),
}


class Both(Wire):
    """A sidecar with both sides of an app that knows one format, and the service that it calls."""

    def __init__(self, sidecar: Sidecar, upstream: Upstream, billing: Upstream, format: str) -> None:
        super().__init__(sidecar, upstream)
        self.billing = billing
        self.forwards = FORWARDS[format]

    @contextmanager
    def at_app(self, *fields: str) -> Iterator[Message]:
        """A request with `fields` is at the app; what it saw. Afterwards the app answers."""
        client = self.client()
        app = self.ask(client, *fields)
        yield app.request()
        app.reply()
        assert client.response().status == 200
        self.settle()

    def ask(self, client: Any, *fields: str) -> UpstreamConnection:
        """Send a request to the app; the connection that brings it there."""
        client.send("\r\n".join(["GET / HTTP/1.1", "Host: shop", *fields, "", ""]).encode())
        return self.upstream.busy()

    def forwarded(self, seen: Message) -> list[str]:
        """What the app copies of the request that it got."""
        return [
            f"{name.decode()}: {value.decode()}" for name, value in seen.head.fields if lower(name) in self.forwards
        ]

    def call(self, *fields: str) -> Message:
        """The app calls billing with `fields`; what billing sees."""
        client = self.client("outbound")
        client.send(
            "\r\n".join(["GET http://billing.internal/ HTTP/1.1", "Host: billing.internal", *fields, "", ""]).encode()
        )
        seen = self.billing.answer()
        assert client.response().status == 200
        return seen

    @property
    def remembered(self) -> int:
        return self.sidecar.call(lambda: len(self.sidecar.plane._in_flight))

    def carried(self) -> dict[str, int]:
        return self.sidecar.metrics.exchange("outbound", "billing").translation.carried


def lower(name: bytes) -> str:
    return name.decode().lower()


def value(message: Message, name: str) -> str:
    return (message.head.value(name) or b"").decode()


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> Callable[..., Both]:
    """`both(format, ...)`: the app knows `format`; outside W3C is spoken, or what `outside` says."""

    def make(format: str, *, outside: str = "tracecontext", **settings: Any) -> Both:
        base = {
            "inbound": {"app": upstream.url, "propagation": {"inject": [format]}},
            "linking": {"headers": [], "process": False, "single": False},
            "outbound": {"listen": LISTEN, "propagation": {"inject": [outside]}},
            "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing.url}],
        }
        return Both(start(merged(base, settings)), upstream, billing, format)

    return make


MODES = pytest.mark.parametrize("mode", ["translate", "participate"])


@MODES
@pytest.mark.parametrize("format", ["b3", "b3multi", "jaeger"])
def test_tracestate_survives_an_app_without_it(both: Callable[..., Both], format: str, mode: str) -> None:
    wire = both(format, propagation={"mode": mode})
    with wire.at_app(W3C, "tracestate: congo=t61,rojo=1") as seen:
        assert value(seen, "tracestate") == ""
        called = wire.call(*wire.forwarded(seen))
    assert value(called, "traceparent").startswith(f"00-{T}-")
    assert value(called, "tracestate") == "congo=t61,rojo=1"
    assert wire.carried() == {"tracestate": 1}


@MODES
@pytest.mark.parametrize("format", ["b3", "jaeger", "tracecontext"])
def test_baggage_and_session_survive_an_app_that_forwards_neither(
    both: Callable[..., Both], format: str, mode: str
) -> None:
    wire = both(format, propagation={"mode": mode})
    with wire.at_app(W3C, "baggage: user=7;p=1,plan=a%20b", "X-Mirascope-Session-Id: s-1") as seen:
        called = wire.call(*wire.forwarded(seen))
    assert value(called, "baggage") == "user=7;p=1,plan=a%20b"
    assert value(called, "x-mirascope-session-id") == "s-1"
    assert wire.carried() == {"session": 1, "baggage": 1}


def test_plain_baggage_survives_as_well(both: Callable[..., Both]) -> None:
    wire = both("tracecontext", outside="jaeger")
    with wire.at_app(W3C, "baggage: user=7,plan=x") as seen:
        called = wire.call(*wire.forwarded(seen))
    assert (value(called, "uberctx-user"), value(called, "uberctx-plan")) == ("7", "x")


@MODES
def test_debug_survives_an_app_that_copies_traceparent_alone(both: Callable[..., Both], mode: str) -> None:
    wire = both("tracecontext", outside="b3", propagation={"mode": mode})
    with wire.at_app(f"b3: {T}-{S}-d") as seen:
        called = wire.call(*wire.forwarded(seen))
    assert value(called, "b3").startswith(T)
    assert value(called, "b3").endswith("-d")
    assert wire.carried() == {"debug": 1}


@MODES
def test_the_width_survives_an_app_that_copies_traceparent_alone(both: Callable[..., Both], mode: str) -> None:
    wire = both("tracecontext", outside="b3", propagation={"mode": mode})
    with wire.at_app(f"b3: {T[16:]}-{S}-1") as seen:
        assert PADDED in value(seen, "traceparent")
        called = wire.call(*wire.forwarded(seen))
    assert value(called, "b3").startswith(f"{T[16:]}-")
    assert wire.carried() == {"width": 1}


@pytest.mark.parametrize("format", ["b3", "jaeger"])
def test_the_random_flag_survives_an_app_without_it(both: Callable[..., Both], format: str) -> None:
    wire = both(format)
    with wire.at_app(f"traceparent: 00-{T}-{S}-03") as seen:
        called = wire.call(*wire.forwarded(seen))
    assert value(called, "traceparent") == f"00-{T}-{S}-03"
    assert wire.carried() == {"random": 1}


def test_an_app_that_forwards_all_of_it_gets_nothing_back(both: Callable[..., Both]) -> None:
    wire = both("tracecontext")
    fields = ("baggage: user=7", "X-Mirascope-Session-Id: s-1")
    with wire.at_app(W3C, *fields) as seen:
        called = wire.call(*wire.forwarded(seen), *fields)
    assert (value(called, "baggage"), value(called, "x-mirascope-session-id")) == ("user=7", "s-1")
    assert wire.carried() == {}


def test_spans_of_the_apps_own_get_it_too(both: Callable[..., Both]) -> None:
    wire = both("b3")
    with wire.at_app(W3C, "tracestate: congo=t61"):
        called = wire.call(f"b3: {T}-{OWN}-1-{S}")
    assert (value(called, "traceparent"), value(called, "tracestate")) == (f"00-{T}-{OWN}-01", "congo=t61")


def test_what_the_app_says_itself_counts(both: Callable[..., Both]) -> None:
    wire = both("tracecontext", outside="composite")
    fields = (f"b3: {T}-{S}-d", "baggage: user=7", "X-Mirascope-Session-Id: s-1")
    with wire.at_app(*fields):
        called = wire.call(f"traceparent: 00-{T}-{OWN}-00", "baggage: user=8", "X-Mirascope-Session-Id: s-2")
    assert value(called, "b3") == f"{T}-{OWN}-0"
    assert (value(called, "baggage"), value(called, "x-mirascope-session-id")) == ("user=8", "s-2")
    assert wire.carried() == {}


def test_a_call_of_another_trace_gets_nothing(both: Callable[..., Both]) -> None:
    wire = both("b3")
    with wire.at_app(W3C, "tracestate: congo=t61", "X-Mirascope-Session-Id: s-1"):
        called = wire.call(f"b3: {'1' * 32}-{OWN}-1")
        cut = wire.call(f"b3: {T[16:]}-{OWN}-1")
    assert [value(each, "tracestate") for each in (called, cut)] == ["", "ops=w:16"]
    assert value(called, "x-mirascope-session-id") == ""


def test_of_two_requests_of_one_trace_each_call_gets_its_own(both: Callable[..., Both]) -> None:
    wire = both("b3")
    one = f"traceparent: 00-{T}-{OWN}-01"
    two = f"traceparent: 00-{T}-{OTHER}-01"
    with (
        wire.at_app(one, "tracestate: a=1", "X-Mirascope-Session-Id: s") as first,
        wire.at_app(two, "tracestate: b=2", "X-Mirascope-Session-Id: s") as second,
    ):
        assert value(wire.call(*wire.forwarded(first)), "tracestate") == "a=1"
        assert value(wire.call(*wire.forwarded(second)), "tracestate") == "b=2"
        by_parent = wire.call(f"b3: {T}-{S}-1-{OWN}")
        assert value(by_parent, "tracestate") == "a=1"
        # Whose call this is, nobody can tell: what both agree about is all that it gets.
        of_either = wire.call(f"b3: {T}-{S}-1")
        assert (value(of_either, "tracestate"), value(of_either, "x-mirascope-session-id")) == ("", "s")


def test_it_is_forgotten_when_the_app_has_answered(both: Callable[..., Both]) -> None:
    wire = both("b3")
    with wire.at_app(W3C, "tracestate: congo=t61") as seen:
        assert wire.remembered == 1
    assert wire.remembered == 0
    assert value(wire.call(*wire.forwarded(seen)), "tracestate") == ""


def test_it_is_forgotten_when_the_client_leaves_and_the_app_has_had_time(both: Callable[..., Both]) -> None:
    wire = both("b3", in_flight={"abandoned_s": 0.1})
    client = wire.client()
    wire.ask(client, W3C, "tracestate: congo=t61").request()
    assert wire.remembered == 1
    client.reset()
    wire.sidecar.until(lambda: not len(wire.sidecar.plane._in_flight))


def test_it_is_forgotten_when_the_app_fails(both: Callable[..., Both]) -> None:
    wire = both("b3")
    client = wire.client()
    app = wire.ask(client, W3C, "tracestate: congo=t61")
    app.request()
    app.close()
    assert client.response().status == 502
    assert wire.remembered == 0


@pytest.mark.parametrize("format", ["b3", "tracecontext"])
def test_another_request_of_the_trace_that_came_with_nothing_gets_nothing(
    both: Callable[..., Both], format: str
) -> None:
    """It is remembered as well: of a call of its own it is known that it lacks nothing, and of others it is not."""
    wire = both(format)
    with (
        wire.at_app(W3C, "X-Mirascope-Session-Id: s-1", "baggage: user=7") as first,
        wire.at_app(f"traceparent: 00-{T}-{OTHER}-01") as second,
    ):
        seen = wire.call(*wire.forwarded(second))
        of_either = wire.call(f"traceparent: 00-{T}-{OWN}-01")
        assert value(wire.call(*wire.forwarded(first)), "x-mirascope-session-id") == "s-1"
    for each in (seen, of_either):
        assert (value(each, "x-mirascope-session-id"), value(each, "baggage")) == ("", "")
    assert wire.remembered == 0


@pytest.mark.parametrize("where", ["inbound", "outbound"])
def test_it_can_be_switched_off(both: Callable[..., Both], where: str) -> None:
    wire = both("b3", **{where: {"propagation": {"carry_over": False}}})
    with wire.at_app(W3C, "tracestate: congo=t61", "X-Mirascope-Session-Id: s-1") as seen:
        assert wire.remembered == (where == "outbound")
        called = wire.call(*wire.forwarded(seen))
    assert (value(called, "tracestate"), value(called, "x-mirascope-session-id")) == ("", "")


def test_it_is_bounded_in_requests_and_bytes(both: Callable[..., Both]) -> None:
    state = "tracestate: congo=t61"
    for limit in ({"max_requests": 1}, {"max_bytes": "1000B"}):
        wire = both("b3", in_flight=limit)
        with wire.at_app(W3C, state), wire.at_app(f"traceparent: 00-{'1' * 32}-{S}-01", state) as second:
            assert wire.remembered == 1
            assert value(wire.call(*wire.forwarded(second)), "tracestate") == ""
        assert wire.sidecar.metrics.in_flight.unremembered["no-room"] == 1


def test_it_is_bounded_in_age(both: Callable[..., Both]) -> None:
    """A request that takes longer is forgotten when its room is needed."""
    wire = both("b3", in_flight={"max_age_s": 0.01, "max_requests": 1})
    state = "tracestate: congo=t61"
    with wire.at_app(W3C, state) as seen:
        now = wire.sidecar.call(lambda: wire.sidecar.plane._ticker.now)
        wire.sidecar.until(lambda: wire.sidecar.plane._ticker.now > now + 0.01)
        assert value(wire.call(*wire.forwarded(seen)), "tracestate") == "congo=t61"
        with wire.at_app(f"traceparent: 00-{'1' * 32}-{S}-01", state) as second:
            assert wire.sidecar.metrics.in_flight.unremembered == {"no-room": 0, "too-old": 1}
            assert value(wire.call(*wire.forwarded(second)), "tracestate") == "congo=t61"
            assert value(wire.call(*wire.forwarded(seen)), "tracestate") == ""


def test_it_outlives_a_reload(both: Callable[..., Both], upstream: Upstream, billing: Upstream) -> None:
    wire = both("b3")
    with wire.at_app(W3C, "tracestate: congo=t61") as seen:
        wire.sidecar.replace(
            {
                "inbound": {"listen": LISTEN, "app": upstream.url},
                "outbound": {"listen": LISTEN},
                "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing.url}],
                "admin": {"listen": "off"},
            }
        )
        called = wire.call(*wire.forwarded(seen))
    assert value(called, "tracestate") == "congo=t61"
    assert wire.remembered == 0
