"""A client that leaves is told to the app: FIN or RST after a whole request ends the exchange, wherever it stands."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from lab.apps import OK, Answering
from lab.messages import Message
from lab.peers import WAIT_S, Client, UpstreamConnection
from lab.pump import fill
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

pytestmark = pytest.mark.logs

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n"
SERVE = {"clients": {"half_close": "serve"}}

WAYS = pytest.mark.parametrize("leave", [Client.finish, Client.close, Client.reset], ids=["half-close", "fin", "rst"])
Leave = Callable[[Client], object]


def asked(wire: Wire, request: bytes = GET) -> tuple[Client, UpstreamConnection]:
    client = wire.client()
    client.send(request)
    app = wire.accept()
    app.request()
    return client, app


def only_record(wire: Wire) -> tuple[int, str]:
    """Its status and its error."""
    wire.sidecar.until(lambda: wire.sidecar.records)
    (record,) = wire.sidecar.records
    return record.status, record.error


@WAYS
def test_the_app_is_told_at_once(wire: Wire, leave: Leave) -> None:
    """Its connection ends while it still works on the answer, and the log says 499."""
    client, app = asked(wire)
    leave(client)
    assert app.to_end() == b""
    assert only_record(wire) == (499, "client-gone")
    counted = wire.sidecar.metrics.exchange("inbound", "app")
    assert (counted.requests[0], counted.faults) == (1, {"client-gone": 1})
    wire.sidecar.until(lambda: wire.sidecar.metrics.upstream("app").connections_open == 0)


@WAYS
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_an_event_stream_ends_with_its_client(wire: Wire, leave: Leave, version: bytes) -> None:
    """Also where no further event comes that would show it; the log does not say 200."""
    client, app = asked(wire, b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
    app.send(STREAM)
    client.until(b"event")
    leave(client)
    assert app.to_end() == b""
    assert only_record(wire) == (499, "client-gone")


@WAYS
def test_a_queued_request_leaves_the_queue(wired: Callable[..., Wire], leave: Leave) -> None:
    """It is never sent, and its place is free at once."""
    wire = wired({"pool": {"max_connections": 1, "max_queue": 1}})
    first, app = asked(wire)
    leaver = wire.client()
    leaver.send(GET.replace(b"/", b"/gone", 1))
    metrics = wire.sidecar.metrics.upstream("app")
    wire.sidecar.until(lambda: metrics.queued == 1)
    leave(leaver)
    wire.sidecar.until(lambda: metrics.queued == 0)
    assert only_record(wire) == (499, "client-gone")
    third = wire.client()
    third.send(GET.replace(b"/", b"/3", 1))
    wire.sidecar.until(lambda: metrics.queued == 1)
    app.reply()
    assert first.response().status == 200
    assert app.answer(b"three").target == b"/3"
    assert third.response().body == b"three"


@WAYS
def test_very_many_that_gave_up_hold_up_nobody(wired: Callable[..., Wire], leave: Leave) -> None:
    """Every connection of the pool was theirs, and every place in its queue."""
    wire = wired({"pool": {"max_connections": 4, "max_queue": 36}})
    over = threading.Event()

    def answer(request: Message) -> bytes:
        if request.target == b"/":
            over.wait(WAIT_S)
        return OK

    with Answering(wire.upstream, answer):
        clients = [wire.client() for _ in range(40)]
        for client in clients:
            client.send(GET)
        metrics = wire.sidecar.metrics.upstream("app")
        wire.sidecar.until(lambda: metrics.queued == 36)
        for client in clients:
            leave(client)
        wire.sidecar.until(lambda: not wire.sidecar.plane.in_flight())
        assert metrics.queued == 0
        assert wire.client().ask(GET.replace(b"/", b"/healthy", 1)).status == 200
        assert [record.error for record in wire.sidecar.records] == ["client-gone"] * 40 + [""]
        over.set()


@WAYS
def test_a_client_that_is_not_read_from_is_seen_to_leave(wire: Wire, leave: Leave) -> None:
    """Reading is paused while more requests wait behind the one that is being answered. None of them is sent."""
    client, app = asked(wire, GET + GET * 3)
    leave(client)
    assert app.to_end() == b""
    assert only_record(wire) == (499, "client-gone")
    wire.settle()
    assert not wire.upstream.has_caller()


@WAYS
def test_a_client_whose_body_is_not_read_is_seen_to_leave(wired: Callable[..., Wire], leave: Leave) -> None:
    """It waits for a connection, so its body is left in the kernel."""
    wire = wired({"pool": {"max_connections": 1}})
    _, app = asked(wire)
    leaver = wire.client()
    leaver.send(POST)
    metrics = wire.sidecar.metrics.upstream("app")
    wire.sidecar.until(lambda: metrics.queued == 1)
    leaver.send(bytes(50_000))
    leave(leaver)
    wire.sidecar.until(lambda: metrics.queued == 0)
    assert only_record(wire) == (499, "client-gone")
    assert app.is_silent()


@WAYS
def test_a_connect_that_waits_ends_with_its_client(start: Callable[..., Sidecar], leave: Leave, deaf: str) -> None:
    """It is not connected for nobody."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "timeouts": {"connect_s": 60}})
    client = sidecar.client("outbound")
    authority = deaf.removeprefix("http://")
    client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    sidecar.until(sidecar.plane.in_flight)
    leave(client)
    sidecar.until(lambda: not sidecar.plane.in_flight())
    (record,) = sidecar.records
    assert (record.status, record.error) == (499, "client-gone")


def test_an_answer_that_is_at_hand_is_not_lost(wire: Wire) -> None:
    """It has come whole by the time that the client's end is found, and takes several turns to read."""
    client, app = asked(wire)
    with wire.sidecar.standstill():
        client.finish()
        app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n")
    assert client.response().body == b"x" * 2000
    assert only_record(wire) == (200, "")


def test_an_answer_that_was_given_whole_is_read_to_its_end(wire: Wire) -> None:
    """The client ends its side while much of it is still on its way."""
    client, app = asked(wire)
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + bytes(40000))
    wire.sidecar.until(lambda: wire.sidecar.records)
    client.finish()
    assert len(client.response().body) == 40000


# --- where clients half-close on purpose


def test_a_half_close_may_be_served(wired: Callable[..., Wire]) -> None:
    """RFC 9112 9.6: a client may shut its sending side and still want its answer (`printf | nc -N`)."""
    wire = wired(SERVE)
    client, app = asked(wire)
    client.finish()
    wire.settle()
    app.reply(b"still")
    assert client.response().body == b"still"
    assert client.is_ended()
    assert only_record(wire) == (200, "")


def test_requests_before_a_half_close_may_be_served(wired: Callable[..., Wire]) -> None:
    wire = wired(SERVE)
    client, app = asked(wire, GET + GET)
    client.finish()
    app.reply(b"one")
    assert client.response().body == b"one"
    app.answer(b"two")
    assert client.response().body == b"two"
    assert client.is_ended()


@pytest.mark.parametrize("behind", [b"", GET], ids=["reading", "paused"])
def test_a_reset_is_never_served(wired: Callable[..., Wire], behind: bytes) -> None:
    wire = wired(SERVE)
    client, app = asked(wire, GET + behind)
    client.reset()
    assert app.to_end() == b""
    assert only_record(wire) == (499, "client-gone")


def test_a_reload_decides_for_open_connections_too(wire: Wire) -> None:
    client, app = asked(wire)
    wire.sidecar.replace(
        {"inbound": {"listen": LISTEN, "app": wire.upstream.url}, "outbound": {"listen": "off"}, **SERVE}
    )
    client.finish()
    wire.settle()
    app.reply(b"still")
    assert client.response().body == b"still"


# --- tunnels

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


@pytest.fixture
def tunnel(wire: Wire) -> tuple[Client, UpstreamConnection]:
    client, app = asked(wire, UPGRADE)
    app.send(SWITCH)
    client.until(b"\r\n\r\n")
    return client, app


@pytest.mark.parametrize("lost", ["client", "app"])
def test_a_tunnel_ends_although_its_lost_end_was_not_read(
    wire: Wire, tunnel: tuple[Client, UpstreamConnection], lost: str
) -> None:
    """The other end takes nothing, so reading was paused when the reset came."""
    client, app = tunnel
    one, other = (client, app) if lost == "client" else (app, client)
    fill(one.sock)
    one.reset()
    assert other.to_end(), "what had come by then, and the end"
    wire.sidecar.until(lambda: not wire.sidecar.plane.in_flight())
