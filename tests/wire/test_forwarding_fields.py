"""Via and loops (RFC 9110 7.6.3, RFC 9209), X-Forwarded-*, Max-Forwards (RFC 9110 7.6.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged
from lab.wire import Wire

VIA = {"inbound": {"forwarding": {"via": True}}}
GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n"


def joined(values: list[bytes]) -> bytes:
    return b", ".join(values)


def test_an_inbound_listener_sends_no_via(wire: Wire) -> None:
    """A departure from RFC 9110 7.6.3: nginx, asked with Via, compresses nothing by default (`gzip_proxied off`)."""
    assert wire.passes(GET + b"\r\n").head.value("via") is None
    assert wire.passes(GET + b"Via: 1.1 p.example\r\n\r\n").head.values("via") == [b"1.1 p.example"]


def test_via_is_appended(wired: Callable[..., Wire]) -> None:
    """RFC 9110 7.6.3: received protocol and our pseudonym, behind what was there; on the response too."""
    wire = wired(VIA)
    seen = wire.passes(GET + b"Via: 1.0 fred, 1.1 p.example\r\n\r\n")
    via = joined(seen.head.values("via"))
    assert via.startswith(b"1.0 fred, 1.1 p.example, 1.1 ")


def test_empty_members_are_not_passed_on(wired: Callable[..., Wire]) -> None:
    """RFC 9110 5.6.1: a sender makes no empty list members, so what is appended to nothing stands alone."""
    wire = wired(VIA)
    seen = wire.passes(GET + b"Via:\r\nX-Forwarded-For:\r\nVia: 1.1 p.example\r\n\r\n")
    assert (seen.head.value("via") or b"").startswith(b"1.1 p.example, 1.1 ")
    assert seen.head.value("x-forwarded-for") == b"127.0.0.1"


def test_via_says_the_version_received(wired: Callable[..., Wire]) -> None:
    """RFC 9110 7.6.3: an HTTP/1.0 client is noted as 1.0."""
    wire = wired(VIA)
    seen = wire.passes(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert (seen.head.value("via") or b"").startswith(b"1.0 ")


def test_a_loop_is_found_without_via(wire: Wire) -> None:
    """Each inbound listener adds to X-Forwarded-For; nobody has as many proxies as a loop makes of one."""
    many = b", ".join([b"192.0.2.1"] * 63)
    assert wire.passes(GET + b"X-Forwarded-For: " + many + b"\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n")
    answer = wire.client().ask(GET + b"X-Forwarded-For: " + many + b", 192.0.2.2, 192.0.2.3\r\n\r\n")
    assert answer.status == 508
    wire.settle()
    assert not wire.upstream.has_caller()


def test_loop_is_answered_508(wired: Callable[..., Wire]) -> None:
    """A request that has already passed here is a loop: 508 with Proxy-Status `proxy_loop_detected`, and the app is
    not asked again."""
    wire = wired(VIA)
    via = joined(wire.passes(GET + b"\r\n").head.values("via"))
    for fields in (b"Via: 1.1 first, " + via + b", 1.1 last\r\n", b"Connection: close, Via\r\nVia: " + via + b"\r\n"):
        answer = wire.client().ask(GET + fields + b"\r\n")
        assert answer.status == 508
        assert b"error=proxy_loop_detected" in (answer.head.value("proxy-status") or b"")
        assert answer.head.value("content-type") == b"application/problem+json"
    wire.settle()
    assert not wire.upstream.has_caller()


def test_two_sidecars_are_no_loop(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """A request passes through many sidecars, each once: the caller's outbound, the callee's inbound. That is no
    loop."""
    callee = start(merged(VIA, {"inbound": {"app": upstream.url}}))
    url = f"http://127.0.0.1:{callee.addresses['inbound'].port}"
    caller = start(
        {
            "inbound": {"listen": "off"},
            "outbound": {"listen": LISTEN},
            "upstreams": [{"name": "callee", "match": ["callee"], "target": url}],
        }
    )
    client = caller.client("outbound")
    client.send(b"GET / HTTP/1.1\r\nHost: callee\r\n\r\n")
    seen = upstream.answer()
    assert joined(seen.head.values("via")).count(b"1.1 ") == 2
    assert client.response().status == 200


def test_own_outbound_after_own_inbound_is_no_loop(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """An app that copies Via from what it got into what it asks passes its own sidecar twice, once in and once out:
    no loop either."""
    app = Upstream()
    try:
        sidecar = start(merged(VIA, {"inbound": {"app": app.url}, "outbound": {"listen": LISTEN}}))
        client = sidecar.client()
        client.send(GET + b"\r\n")
        app_side = app.accept()
        via = joined(app_side.request().head.values("via"))
        out = sidecar.client("outbound")
        out.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\nVia: " + via + b"\r\n\r\n")
        upstream.answer()
        assert out.response().status == 200
        app_side.reply()
        assert client.response().status == 200
    finally:
        app.close()


@pytest.mark.parametrize("host", [b"127.0.0.1", b"localhost"])
def test_outbound_to_itself_ends(start: Callable[..., Sidecar], host: bytes) -> None:
    """The outbound listener asked for itself: 508, and not a connection for each turn until something breaks."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}})
    client = sidecar.client("outbound")
    authority = host + b":%d" % sidecar.addresses["outbound"].port
    answer = client.ask(b"GET / HTTP/1.1\r\nHost: " + authority + b"\r\n\r\n")
    assert answer.status == 508


def test_an_app_that_is_the_listener_itself(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Told by its address, where Via is off and cannot tell."""
    sidecar = start({"inbound": {"app": upstream.url}})
    own = f"127.0.0.1:{sidecar.addresses['inbound'].port}"
    settings = {"inbound": {"listen": own, "app": f"http://{own}"}, "forwarding": {"via": False}}
    sidecar.replace(merged(settings, {"outbound": {"listen": "off"}, "admin": {"listen": "off"}}))
    assert sidecar.ask(GET + b"\r\n").status == 508


def test_an_app_may_call_itself(start: Callable[..., Sidecar]) -> None:
    """Out by its sidecar and in again by its sidecar is no loop."""
    app = Upstream()
    try:
        sidecar = start(merged(VIA, {"inbound": {"app": app.url}, "outbound": {"listen": LISTEN}}))
        client = sidecar.client("outbound")
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % sidecar.addresses["inbound"].port)
        via = joined(app.answer().head.values("via"))
        assert via.index(b" outbound.") < via.index(b" inbound.")
        assert client.response().status == 200
    finally:
        app.close()


def test_x_forwarded(wire: Wire) -> None:
    """X-Forwarded-For grows by the client's address, -Proto and -Host say how the client asked."""
    head = wire.passes(GET + b"\r\n").head
    assert head.value("x-forwarded-for") == b"127.0.0.1"
    assert head.value("x-forwarded-proto") == b"http"
    assert head.value("x-forwarded-host") == b"shop.example"
    head = wire.passes(GET + b"X-Forwarded-For: 192.0.2.1, 2001:db8::1\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n").head
    assert joined(head.values("x-forwarded-for")) == b"192.0.2.1, 2001:db8::1, 198.51.100.1, 127.0.0.1"


def test_an_outbound_listener_adds_via_alone(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """By an own listener as well: the service behind it would be told that listener's address, and `http`."""
    billing = {"name": "billing", "listen": LISTEN, "target": upstream.url}
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "upstreams": [billing]})
    for listener in ("outbound", "billing"):
        client = sidecar.client(listener)
        client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
        assert upstream.answer().head.names() == ["host", "via"]
        assert client.response().status == 200


def test_an_outbound_listener_tells_who_asked_where_it_is_told_to(
    start: Callable[..., Sidecar], upstream: Upstream
) -> None:
    """The client's address, and never a scheme or a host that is not the service's own."""
    outbound = {"listen": LISTEN, "forwarding": {"x_forwarded": True}}
    client = start({"inbound": {"listen": "off"}, "outbound": outbound}).client("outbound")
    client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\nX-Forwarded-Host: shop.example\r\n\r\n")
    head = upstream.answer().head
    assert head.value("x-forwarded-for") == b"127.0.0.1"
    assert head.values("x-forwarded-host") == [b"shop.example"]
    assert head.value("x-forwarded-proto") is None
    assert client.response().status == 200


@pytest.mark.parametrize("method", ["TRACE", "PURGE"])
def test_methods_that_are_refused(method: str, wired: Callable[..., Wire]) -> None:
    """TRACE by default; others, or none, by `limits.refused_methods`."""
    request = method.encode() + b" / HTTP/1.1\r\nHost: a\r\n\r\n"
    refusing = wired({} if method == "TRACE" else {"limits": {"refused_methods": [method]}})
    assert refusing.client().ask(request).status == 405
    refusing.settle()
    assert not refusing.upstream.has_caller()
    client = wired({"limits": {"refused_methods": []}}).client()
    client.send(request)
    assert refusing.upstream.answer().method == method.encode()
    assert client.response().status == 200


TWINS = ["Content_Length", "Transfer_Encoding", "X_Forwarded_For", "X_Forwarded-Host", "Proxy_Connection"]


@pytest.mark.parametrize("twin", [*TWINS, "content-length_", "HOST_"])
def test_twins_of_what_we_judge_do_not_reach_the_app(twin: str, wire: Wire) -> None:
    """To a CGI or WSGI server `Content_Length` and `Content-Length` are one variable."""
    names = wire.passes(GET + twin.encode() + b": 7\r\nX_Own: 1\r\n\r\n").head.names()
    assert "x_own" in names
    assert (twin.lower() in names) is twin.endswith("_")  # no twin of anything


def test_both_may_be_off(wired: Callable[..., Wire]) -> None:
    """`forwarding: {via: false, x_forwarded: false}`: the request passes with nothing of ours."""
    seen = wired({"forwarding": {"via": False, "x_forwarded": False}}).passes(GET + b"\r\n")
    assert seen.head.names() == ["host"]


def test_max_forwards(wire: Wire) -> None:
    """RFC 9110 7.6.2: counted down for TRACE and OPTIONS, answered here at 0; no business of ours for other methods."""
    assert wire.passes(GET + b"Max-Forwards: 0\r\n\r\n").head.value("max-forwards") == b"0"
    assert wire.passes(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n").head.value("max-forwards") == b"4"
    client = wire.client()
    assert client.ask(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n").status in (200, 204)
    wire.settle()
    assert not wire.upstream.has_caller()


def test_date_is_added_where_it_is_missing(wire: Wire) -> None:
    """RFC 9110 6.6.1: a recipient with a clock appends Date to a response without one; one that is there stays."""
    date = wire.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").head.value("date")
    assert date is not None
    assert abs(parsedate_to_datetime(date.decode()) - datetime.now(UTC)) < timedelta(seconds=30)
    old = b"Sun, 06 Nov 1994 08:49:37 GMT"
    assert wire.answers(b"HTTP/1.1 200 OK\r\nDate: " + old + b"\r\nContent-Length: 0\r\n\r\n").head.values("date") == [
        old
    ]


def test_via_on_the_response(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """RFC 9110 7.6.3: a proxy notes itself on responses too; a gateway (inbound) need not, and keeps what is there."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}})
    for listener, count in (("inbound", 1), ("outbound", 2)):
        client = sidecar.client(listener)
        client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
        upstream.answer(b"", b"200 OK", b"Via: 1.1 inner")
        via = joined(client.response().head.values("via")).split(b", ")
        assert (via[0], len(via)) == (b"1.1 inner", count)
