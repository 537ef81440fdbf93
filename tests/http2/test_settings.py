"""What the settings about HTTP/2 do to a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.h2 import END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, App, Frame, Peer, frame
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

from proxy.http2 import connection

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]


def test_how_many_streams_a_client_may_have(start: Start, app: App, knock: Knock) -> None:
    sidecar = start({"inbound": {"app": app.url, "limits": {"streams": 2}}})
    client = knock(sidecar)
    for _ in range(3):
        client.request()
    assert client.frame().stream == 5, "REFUSED_STREAM"
    assert client.their_settings[3] == 2


def test_http2_may_be_off(wired: Callable[..., Wire]) -> None:
    wire = wired({"limits": {"streams": 0}})
    client = wire.client()
    client.send(PREFACE + frame(4, 0, 0))
    assert client.response().status == 505


@pytest.mark.parametrize("rate", [{"resets": 3, "resets_per_s": 1}, {"resets": 1, "resets_per_s": 1}])
def test_how_many_resets_a_client_has(start: Start, app: App, knock: Knock, rate: dict[str, int]) -> None:
    client = knock(start({"inbound": {"app": app.url, "clients": rate}}))
    for _ in range(rate["resets"] + 2):
        client.reset(client.request())
    assert client.goaway().number == 11


@pytest.mark.parametrize("http2", ["always", "never", "auto"])
def test_towards_the_app(start: Start, app: App, upstream: Upstream, knock: Knock, http2: str) -> None:
    """`always` speaks HTTP/2 to it for a client of HTTP/1.1, too; `never` HTTP/1.1 for a client of HTTP/2."""
    url = upstream.url if http2 == "never" else app.url
    sidecar = start({"inbound": {"app": url, "http2": http2}})
    if http2 == "always":
        old = sidecar.client()
        old.send(b"GET /a HTTP/1.1\r\nHost: app.test\r\n\r\n")
        peer = app.accept()
        stream = peer.frame(HEADERS).stream
        peer.headers(stream, [(":status", "200"), ("x-b", "2")], end=True)
        assert old.response().status == 200
        return
    client = knock(sidecar)
    asked = client.request("/a")
    if http2 == "never":
        upstream.answer(b"ok")
        assert client.answer(asked).body == b"ok"
        return
    peer = app.accept()
    seen = peer.frame(HEADERS)
    assert dict(seen.fields)[":path"] == "/a"
    peer.headers(seen.stream, [(":status", "204")], end=True)
    assert client.answer(asked).status == 204


@pytest.mark.parametrize("of", ["outbound", "upstreams"])
def test_towards_other_services(start: Start, app: App, of: str) -> None:
    upstream = {"name": "billing", "listen": LISTEN, "target": app.url}
    outbound = {"http2": "always" if of == "outbound" else "never"}
    if of == "upstreams":
        upstream["http2"] = "always"
    sidecar = start({"inbound": {"listen": "off"}, "outbound": outbound, "upstreams": [upstream]})
    client = sidecar.client("billing")
    client.send(b"GET /a HTTP/1.1\r\nHost: billing\r\n\r\n")
    peer = app.accept()
    seen = peer.frame(HEADERS)
    assert seen.flags & END_STREAM
    peer.headers(seen.stream, [(":status", "200")], end=True)
    assert client.response().status == 200


def test_how_many_streams_share_a_connection(start: Start, app: App, knock: Knock) -> None:
    client = knock(start({"inbound": {"app": app.url, "pool": {"streams": 2}}}))
    for _ in range(3):
        client.request()
    one, other = app.accept(), app.accept()
    ids = [one.frame(HEADERS).stream, one.frame(HEADERS).stream, other.frame(HEADERS).stream]
    assert ids == [1, 3, 1]
    for peer, stream in ((one, 1), (one, 3), (other, 1)):
        peer.headers(stream, [(":status", "204")], end=True)
    assert {client.frame(HEADERS).stream for _ in range(3)} == {1, 3, 5}


def test_silent_calls_may_be_bounded(start: Start, app: App, knock: Knock) -> None:
    """A request is bounded by other settings, and a call by none without this one."""
    waits = {"grpc_idle_s": 0.2, "response_head_s": 60, "body_read_s": 60}
    client = knock(start({"inbound": {"app": app.url, "timeouts": waits}}))
    call = client.call(end=True)
    app.accept().frame(HEADERS)
    told = client.answer(call)
    assert (told.status, told.field("grpc-status")) == (200, "4")


def test_calls_may_be_silent_for_as_long_as_they_like(start: Start, app: App, knock: Knock) -> None:
    waits = {"response_head_s": 0.1, "response_body_s": 0.1, "body_read_s": 0.1}
    sidecar = start({"inbound": {"app": app.url, "timeouts": waits}})
    client = knock(sidecar)
    call = client.call()
    request = client.request("/plain")
    peer = app.accept()
    first = peer.frame(HEADERS).stream
    assert client.answer(request).status == 504, "others may not: by then the call has been silent for longer"
    peer.headers(first, [(":status", "200"), ("content-type", "application/grpc")])
    peer.headers(first, [("grpc-status", "0")], end=True)
    assert client.answer(call).trailers == [("grpc-status", "0")]


def test_silent_peers_are_asked(start: Start, app: App, knock: Knock) -> None:
    """Both of them, while a stream is open."""
    client = knock(start({"inbound": {"app": app.url, "timeouts": {"ping_s": 0.1}}}))
    client.call()
    peer = app.accept()
    peer.frame(HEADERS)
    assert peer.frame(PING).payload
    assert client.frame(PING).payload


def test_lenient_is_about_http_1(start: Start) -> None:
    from proxy.settings.checks import check
    from proxy.settings.models import Settings

    settings = Settings(layers=[{"inbound": {"http2": "always", "lenient": ["bare-lf"]}}])  # type: ignore[call-arg]
    (found,) = [finding for finding in check(settings) if finding.path[-1] == "lenient"]
    assert "HTTP/1.1" in found.message
    assert GOAWAY


@pytest.mark.slow
def test_peers_that_are_gone_without_a_word(
    start: Start, app: App, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not answer PING for 20 s, here 2 s, and their connection is closed.
    A client's call is cancelled at the app, an app's call ends with UNAVAILABLE.
    """
    monkeypatch.setattr(connection, "PING_S", 2.0)  # compiled, it stays at 20
    begun = time.monotonic()
    settings = {"inbound": {"app": app.url, "timeouts": {"ping_s": 0.1}, "pool": {"streams": 1}}}
    dead, alive = (knock(start(settings)) for _ in range(2))
    dead.call()
    of_the_dead = app.accept()  # it answers
    gone = of_the_dead.frame(HEADERS)
    waiting = alive.call()
    silent = app.accept()
    silent.frame(HEADERS)  # from now on it reads nothing
    for peer in (of_the_dead, alive):
        peer.sock.settimeout(25)
    with ThreadPoolExecutor(2) as both:
        reset, answer = both.submit(_next, of_the_dead, RST_STREAM), both.submit(_next, alive, HEADERS)
        assert reset.result().stream == gone.stream
        told = answer.result()
    assert (told.stream, dict(told.fields)["grpc-status"]) == (waiting, "14")
    assert time.monotonic() - begun >= 2.0


def _next(peer: Peer, kind: int) -> Frame:
    """The next frame of a kind, however long it takes; PING is answered meanwhile."""
    while True:
        came = peer._read()
        assert came is not None
        peer._answer(came)
        if came.kind == kind:
            return came
