"""Routes: where connections come from, and what becomes of fields that only others own."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ops_lib.hosts import parse_pattern
from ops_lib.propagation import FORMATS, parse_formats
from proxy.destinations import Destinations
from proxy.http1.message.request import Request
from proxy.listener import routes
from proxy.listener.routes import Route
from proxy.participation.linking import Linked
from proxy.plan import Address, PoolPlan, PropagationPlan, UpstreamPlan, UpstreamTarget
from proxy.semantics.authority import Authority
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.metrics import ExchangeMetrics, Metrics
from proxy.translate import Translator

if not cast(str, routes.__file__).endswith(".py"):
    pytest.skip("what is compiled takes no stand-ins", allow_module_level=True)

T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
APP = UpstreamTarget("http", Address("127.0.0.1", 8080))
SOCKET = UpstreamTarget("http", Address("", 0, "/run/app.sock"))
RULES = Destinations([parse_pattern("denied.test"), parse_pattern("10.0.0.0/8")], [parse_pattern("named.test")])


class Told:
    """Pools that say what they are asked for."""

    def pool(self, name: str, target: UpstreamTarget, _: PoolPlan, *, inbound: bool = False) -> Any:
        return "planned", name, str(target.address), inbound

    def at(self, name: str, target: UpstreamTarget, _: PoolPlan, *, inbound: bool = False) -> Any:
        return "at", name, target.scheme, str(target.address), inbound

    def named_by_request(self, name: str, scheme: str, host: str, port: int, _: PoolPlan) -> Any:
        return "named", name, scheme, host, port


def route(
    target: UpstreamTarget | None,
    *,
    inbound: bool = False,
    destinations: Destinations | None = None,
    translators: tuple[Any, ...] = (),
    **more: Any,
) -> Route:
    propagation = PropagationPlan(extract=FORMATS, inject=parse_formats("b3"))
    plan = UpstreamPlan("up", target, propagation, pool=PoolPlan(destinations=destinations))
    usual: dict[str, Any] = {
        "listener": "inbound" if inbound else "outbound", "inbound": inbound, "trust_names": ("", "edge"),
        "is_shared": False, "buffer_bytes": 1, "gather_bytes": 1, "response_via": b"", "span_encoder": None, **more,
    }  # fmt: skip
    return Route(plan, translators, cast(Any, Told()), metrics(), **usual)


def metrics() -> ExchangeMetrics:
    return Metrics().exchange("l", "up")


def request(host: str = "", port: int = 0, *fields: tuple[bytes, bytes]) -> Request:
    made = Request(b"GET", b"/", 1, [])
    made.authority = Authority(host, port)
    made.trace = list(fields)
    return made


def test_a_target_of_the_plan_has_one_pool_and_any_other_is_named_by_requests() -> None:
    assert route(APP, inbound=True).pool(request("x.test", 1)) == ("planned", "up", "127.0.0.1:8080", True)
    assert route(None).pool(request("x.test", 81)) == ("named", "up", "http", "x.test", 81)
    assert repr(route(APP)) == "<Route outbound -> up>"


@pytest.mark.parametrize(
    ("target", "inbound", "port", "found"),
    [
        (APP, True, 8080, ("planned", "up", "127.0.0.1:8080", True)),
        (APP, True, 9000, ("at", "up", "http", "127.0.0.1:9000", True)),  # an app is at the port that was meant
        (SOCKET, True, 9000, ("planned", "up", str(SOCKET.address), True)),
        (APP, False, 9000, ("planned", "up", "127.0.0.1:8080", False)),
        (None, False, 9000, ("at", "up", "http", "192.0.2.7:9000", False)),
    ],
)
def test_a_redirected_connection_goes_on_to_where_it_was_meant_to_go(
    target: UpstreamTarget | None, inbound: bool, port: int, found: tuple[object, ...]
) -> None:
    assert route(target, inbound=inbound).pool_at(request("x.test", 1), Address("192.0.2.7", port)) == found


@pytest.mark.parametrize(
    ("host", "port", "original", "found"),
    [
        ("", 0, "192.0.2.7", ("at", "up", "http", "192.0.2.7:9000", False)),
        ("", 0, "10.0.0.7", ("at", "up", "http", "10.0.0.7:9000", False)),  # the connector refuses it
        ("other.test", 0, "192.0.2.7", ("at", "up", "http", "192.0.2.7:9000", False)),
        ("named.test", 0, "192.0.2.7", ("at", "up", "http", "192.0.2.7:9000", False)),
        ("named.test", 81, "10.0.0.7", ("named", "up", "http", "named.test", 81)),  # looked up here
        ("denied.test", 0, "192.0.2.7", "denied.test port 9000 must not be reached from here: denied.test is denied"),
        ("10.1.2.3", 81, "192.0.2.7", "10.1.2.3 port 9000 must not be reached from here: 10.0.0.0/8 is denied"),
    ],
)
def test_as_far_as_destinations_allow(host: str, port: int, original: str, found: object) -> None:
    """Anybody may write a Host."""
    made = route(None, destinations=RULES)
    if isinstance(found, str):
        with pytest.raises(Refusal) as refused:
            made.pool_at(request(host, port), Address(original, 9000))
        assert refused.value.fault is Fault.DESTINATION_PROHIBITED
        assert refused.value.detail.startswith(found)
    else:
        assert made.pool_at(request(host, port), Address(original, 9000)) == found


def translator(extract: str = "tracecontext") -> Translator:
    return Translator(PropagationPlan(extract=parse_formats(extract), inject=parse_formats("b3")))


@pytest.mark.parametrize("is_linked", [False, True])
def test_fields_that_only_other_translators_own_are_forwarded(is_linked: bool) -> None:
    made = route(APP, translators=(translator(),), is_shared=True)
    came = request("", 0, (b"x-user-session", b"u"), W3C)
    if is_linked:
        came.trace = [(b"x-user-session", b"u")]
        translation = made.translate_linked(came, Linked(None, "none"))
    else:
        translation = made.translate(came)
    assert came.fields() == [(b"x-user-session", b"u")]
    assert translation.headers == ([] if is_linked else [(b"b3", f"{T}-{S}-1".encode())])
    counted = made.metrics.translation
    assert (counted.extracted, counted.linked) == (({}, {"none": 1}) if is_linked else ({"tracecontext": 1}, {}))


def test_what_a_peer_is_not_believed_is_counted_by_its_rule() -> None:
    made = route(APP, translators=(translator(), translator()))
    made.translate(request("", 0, W3C))
    assert made.metrics.translation.refused == {}
    made.translate(request("", 0, W3C), 1)
    assert made.metrics.translation.refused == {("edge", "nothing"): 1}


def test_a_call_that_was_joined_is_counted_as_any_and_shown_to_the_doctor() -> None:
    shown: list[Any] = []

    class Doctor:
        def examine(self, *told: Any) -> None:
            shown.append(told)

    made = route(APP, translators=(translator(), translator()), doctor=Doctor())
    translation = made.translate_linked(request("", 0, W3C), Linked(None, "none"))
    assert (made.metrics.translation.linked, made.metrics.translation.refused) == ({"none": 1}, {})
    assert shown == [(translation, [W3C], "")]
    made.translate_linked(request("", 0, W3C), Linked(None, "none"), 1)
    assert made.metrics.translation.linked == {"none": 2}
    assert made.metrics.translation.refused == {("edge", "nothing"): 1}


def test_formats_that_were_not_asked_for() -> None:
    made = route(APP, translators=(translator(),))
    assert made.unread(request("", 0, (b"b3", b"1"), W3C)) == "b3?"
    assert made.unread(request()) == ""


class Broken:
    """Raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_bug_of_ours_stops_no_request() -> None:
    made = route(APP, translators=(Broken(),))
    assert made.translate(request("", 0, W3C)).headers == []
    assert made.translate_linked(request(), cast(Any, None)).headers == []
    assert made.lacks_context(request()) is False
    assert made.remember(cast(Any, None), 0.0) is None
    assert made.metrics.translation.errors == {"RuntimeError": 4}


def test_what_is_remembered_of_a_request_to_the_app() -> None:
    """What its format cannot carry; or, if calls may have to be joined to it, that it is there."""
    made = route(APP, translators=(translator(),))
    state = (b"tracestate", b"a=1")
    entry = made.remember(made.translate(request("", 0, W3C, state)), 7.0)
    assert entry is not None
    assert (entry.trace_id, entry.span_id, entry.started, entry.carried.tracestate) == (
        T.encode(),
        S.encode(),
        7.0,
        "a=1",
    )
    plain = made.translate(request("", 0, W3C))
    assert made.remember(plain, 7.0) is None
    entry = route(APP, translators=(translator(),), remembers_all=True).remember(plain, 7.0)
    assert entry is not None
    assert (entry.trace_id, entry.span_id, entry.started, entry.source) == (T.encode(), S.encode(), 7.0, plain)


def test_a_peer_that_no_rule_of_trust_is_about_has_the_first_translator() -> None:
    first = PropagationPlan(extract=parse_formats("tracecontext"), inject=parse_formats("b3"))
    second = PropagationPlan(extract=FORMATS, inject=parse_formats("jaeger"))
    made = route(APP, translators=(Translator(first), Translator(second)))
    request = Request(b"GET", b"/", 1, [])
    assert made.unread(request) == ""
    request.trace = [W3C]
    linked = Linked(None, "none")
    for said, written in (((), "b3"), ((0,), "b3"), ((1,), "jaeger")):
        assert made.translate(request, *said).injected == parse_formats(written)
        assert made.translate_linked(request, linked, *said).injected == parse_formats(written)
    request.trace = [(b"b3", f"{T}-{S}-1".encode())]
    assert made.unread(request) == "b3?"
    assert not made.lacks_context(request)
