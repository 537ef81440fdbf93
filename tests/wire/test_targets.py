"""Where a request goes: request targets (RFC 9112 3.2), Host routing, dedicated listeners (DESIGN: Topology, ways 1
to 3)."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire


@pytest.fixture
def other() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def outbound(start: Callable[..., Sidecar]) -> Callable[..., Sidecar]:
    """`outbound(upstreams)`: a sidecar with an outbound listener only."""

    def make(*upstreams: dict[str, Any], **sections: Any) -> Sidecar:
        return start(
            {"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "upstreams": list(upstreams), **sections}
        )

    return make


@pytest.mark.parametrize(
    "target",
    [b"/", b"/a%2fb", b"/%2e%2e/x", b"/a/../b", b"/a;b=c", b"/%C3%A9", b"/%00", b"/?a=b+c%20d", b"/?q=%26", b"/?", b"//host/path", b"/a//b", b"/a|b", b"/:80", b"/http://x/", b"*"],
)  # fmt: skip
def test_origin_form_passes_untouched(wire: Wire, target: bytes) -> None:
    """RFC 9112 3.2.1: the target is the app's to read, not ours: not a byte of it changes. `*` with OPTIONS only
    (3.2.4)."""
    method = b"OPTIONS" if target == b"*" else b"GET"
    assert wire.passes(method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n").target == target


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://b.example/p?q=1", b"/p?q=1"),
        (b"http://b.example", b"/"),
        (b"http://b.example?q", b"/?q"),
        (b"HTTP://b.example/", b"/"),
    ],
)
def test_absolute_form_replaces_host(wire: Wire, target: bytes, path: bytes) -> None:
    """RFC 9112 3.2.2: the authority of an absolute-form target replaces Host; the app gets origin-form."""
    seen = wire.passes(b"GET " + target + b" HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert (seen.target, seen.head.value("host")) == (path, b"b.example")


def test_absolute_form_options(wire: Wire) -> None:
    """RFC 9112 3.2.4: OPTIONS of an absolute target without path or query is OPTIONS *."""
    assert wire.passes(b"OPTIONS http://b.example HTTP/1.1\r\nHost: b.example\r\n\r\n").target == b"*"


@pytest.mark.parametrize(
    "target",
    [b"http://u:p@b/", b"http:///x", b"http://b:x/", b"ftp://b/", b"http://b:99999/", b"http:b/", b"http://b c/"],
)
def test_absolute_form_refused(wire: Wire, target: bytes) -> None:
    """RFC 9110 4.2.1, 4.2.4: no userinfo, an empty host is an error; other schemes are not ours."""
    client = wire.client()
    assert client.ask(b"GET " + target + b" HTTP/1.1\r\nHost: b\r\n\r\n").status == 400
    wire.settle()
    assert not wire.upstream.has_caller()


def test_way_1_http_proxy(outbound: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Way 1: HTTP_PROXY, absolute-form: goes to the authority that the target names, not to the one in Host."""
    client = outbound().client("outbound")
    client.send(b"GET http://" + upstream.authority + b"/p HTTP/1.1\r\nHost: elsewhere.invalid\r\n\r\n")
    seen = upstream.answer()
    assert (seen.target, seen.head.value("host")) == (b"/p", upstream.authority)
    assert client.response().status == 200


def test_way_2_host_routing(outbound: Callable[..., Sidecar], upstream: Upstream, other: Upstream) -> None:
    """Way 2: the Host names an upstream; one connection may ask for several."""
    sidecar = outbound(
        {"name": "billing", "match": ["billing.internal"], "target": upstream.url},
        {"name": "stock", "match": ["stock.internal"], "target": other.url},
    )
    client = sidecar.client("outbound")
    client.send(b"GET /1 HTTP/1.1\r\nHost: Billing.Internal\r\n\r\n")
    seen = upstream.answer(b"billing")
    assert seen.head.value("host") == b"Billing.Internal"
    assert client.response().body == b"billing"
    client.send(b"GET /2 HTTP/1.1\r\nHost: stock.internal:8080\r\n\r\n")
    assert other.answer(b"stock").head.value("host") == b"stock.internal:8080"
    assert client.response().body == b"stock"


def test_way_2_unnamed_host(outbound: Callable[..., Sidecar], upstream: Upstream) -> None:
    """A host that no upstream names is reached as it is named."""
    client = outbound().client("outbound")
    client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
    assert upstream.answer().head.value("host") == upstream.authority
    assert client.response().status == 200


def test_way_3_dedicated_listener(outbound: Callable[..., Sidecar], upstream: Upstream, other: Upstream) -> None:
    """Way 3: a listener of its own always goes to its upstream, whatever the request names."""
    sidecar = outbound({"name": "billing", "match": ["billing.internal"], "target": upstream.url, "listen": LISTEN})
    for raw in (
        b"GET / HTTP/1.1\r\nHost: " + other.authority + b"\r\n\r\n",
        b"GET http://" + other.authority + b"/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        client = sidecar.client("billing")
        client.send(raw)
        assert upstream.answer().target == b"/"
        assert client.response().status == 200
        client.send(b"CONNECT " + other.authority + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.response("CONNECT").status >= 400
    assert not other.has_caller()


def test_most_specific_wins(outbound: Callable[..., Sidecar], upstream: Upstream, other: Upstream) -> None:
    """Exact host before wildcard before nothing; host with port before host; the longer CIDR before the shorter."""
    port = str(other.port)
    sidecar = outbound(
        {"name": "wild", "match": ["*.svc"], "target": upstream.url},
        {"name": "exact", "match": ["a.svc"], "target": other.url},
        {"name": "port", "match": ["b.svc:81"], "target": other.url},
        {"name": "wide", "match": ["127.0.0.0/8"], "target": upstream.url},
        {"name": "narrow", "match": [f"127.0.0.0/30:{port}"], "target": other.url},
    )
    for host, wanted in [
        (b"x.svc", upstream),
        (b"a.svc", other),
        (b"b.svc", upstream),
        (b"b.svc:81", other),
        (b"127.1.2.3", upstream),
        (b"127.0.0.2:" + port.encode(), other),
    ]:
        client = sidecar.client("outbound")
        client.send(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        wanted.answer(b"right")
        assert client.response().body == b"right", host
        for server in (upstream, other):
            server.hang_up()
        sidecar.settle()


def test_host_of_the_target(outbound: Callable[..., Sidecar], upstream: Upstream) -> None:
    """`host: target` puts the target's authority into Host."""
    sidecar = outbound({"name": "billing", "match": ["billing.internal"], "target": upstream.url, "host": "target"})
    client = sidecar.client("outbound")
    client.send(b"GET / HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
    assert upstream.answer().head.value("host") == upstream.authority
    assert client.response().status == 200


@pytest.mark.parametrize("host", ["preserve", "target"])
def test_host_of_the_app(wired: Callable[..., Wire], upstream: Upstream, host: str) -> None:
    """`inbound.host`: the name that the caller asked for, or that of the app."""
    seen = wired({"inbound": {"host": host}}).passes(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert seen.head.value("host") == (upstream.authority if host == "target" else b"shop.example")


@pytest.mark.parametrize("host", [None, "auto", "preserve", "target"])
@pytest.mark.parametrize("listener", ["billing", "outbound"])
def test_host_on_a_listener_of_its_own(
    outbound: Callable[..., Sidecar], upstream: Upstream, listener: str, host: str | None
) -> None:
    """Way 3: the app names the sidecar's own address, which means nothing to the service, so Host is the target's. What
    comes by `match` keeps the name that was asked for. Whoever says otherwise is heeded on both ways."""
    billing = {"name": "billing", "match": ["billing.internal"], "target": upstream.url, "listen": LISTEN}
    sidecar = outbound(billing | ({"host": host} if host else {}))
    client = sidecar.client(listener)
    client.send(b"GET / HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
    of_target = host == "target" or (host != "preserve" and listener == "billing")
    assert upstream.answer().head.value("host") == (upstream.authority if of_target else b"billing.internal")
    assert client.response().status == 200


def test_inbound_never_leaves_for_elsewhere(wire: Wire, other: Upstream) -> None:
    """Inbound, every request is the app's, whatever authority it names (no open proxy)."""
    seen = wire.passes(b"GET http://" + other.authority + b"/x HTTP/1.1\r\nHost: " + other.authority + b"\r\n\r\n")
    assert seen.target == b"/x"
    assert not other.has_caller()


def test_https_target_is_never_sent_in_clear(outbound: Callable[..., Sidecar], upstream: Upstream) -> None:
    """RFC 9110 4.2.2: TLS is spoken to the authority of an https target; never is it sent in clear."""
    client = outbound().client("outbound")
    client.send(b"GET https://" + upstream.authority + b"/ HTTP/1.1\r\nHost: a\r\n\r\n")
    far = upstream.accept()
    assert far.exactly(2) == b"\x16\x03"  # a TLS handshake
    far.close()
    answer = client.response()
    assert answer.status == 502
    assert b"closed the connection during the TLS handshake" in answer.body


def test_a_method_is_the_apps_business(wire: Wire) -> None:
    """RFC 9110 9.1: any token is a method, and passes."""
    assert wire.passes(b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n").method == b"BREW"


def test_outbound_without_a_host_cannot_be_routed(outbound: Callable[..., Sidecar]) -> None:
    """HTTP/1.0 may come without one."""
    sidecar = outbound({"name": "billing", "match": ["billing.internal"], "target": "http://127.0.0.1:1"})
    assert sidecar.ask(b"GET / HTTP/1.0\r\n\r\n", "outbound").status == 400
