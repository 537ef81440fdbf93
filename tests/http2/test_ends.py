"""How streams and connections end: GOAWAY, resets, drain, early answers, and who hears of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from lab.h2 import (
    CANCEL,
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    App,
    Peer,
    frame,
)
from lab.sidecar import Sidecar

pytestmark = pytest.mark.logs

OK = [(":status", "200"), ("content-type", "application/grpc")]
DONE = [("grpc-status", "0")]

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]
Beside = Callable[..., tuple[Sidecar, Peer]]


@pytest.fixture
def pair(start: Start, app: App, knock: Knock) -> Callable[..., tuple[Sidecar, Peer]]:
    """`pair(settings)`: a sidecar in front of the app, and a client of it."""

    def make(**inbound: Any) -> tuple[Sidecar, Peer]:
        sidecar = start({"inbound": {"app": app.url, **inbound}})
        return sidecar, knock(sidecar)

    return make


def say_goaway(peer: Peer, last_id: int, code: int = NO_ERROR) -> None:
    peer.send(frame(GOAWAY, 0, 0, last_id.to_bytes(4, "big") + code.to_bytes(4, "big")))


# --- an upstream that leaves


def test_what_goaway_leaves_out_is_asked_again_elsewhere(pair: Beside, app: App) -> None:
    """A POST as well, with the content that it had: the app has said that it has not seen it."""
    _, client = pair()
    first = client.call()
    client.data(first, b"one")
    second = client.call()
    client.data(second, b"two", end=True)
    peer = app.accept()
    assert peer.frame(HEADERS).stream == 1
    assert peer.frame(HEADERS).stream == 3
    say_goaway(peer, 1)
    other = app.accept()
    assert other.frame(HEADERS).stream == 1
    assert other.frame(DATA).payload == b"two"
    other.headers(1, OK)
    other.headers(1, DONE, end=True)
    assert client.answer(second).trailers == DONE
    peer.headers(1, OK)
    peer.headers(1, DONE, end=True)
    assert client.answer(first).trailers == DONE
    assert peer.is_over(), "it is closed behind its last stream"


def test_a_refused_stream_is_asked_again_once(pair: Beside, app: App) -> None:
    sidecar, client = pair()
    call = client.call()
    client.data(call, b"content", end=True)
    peer = app.accept()
    for stream in (1, 3):
        assert peer.frame(HEADERS).stream == stream
        assert peer.frame(DATA).payload == b"content"
        peer.reset(stream, REFUSED_STREAM)
    ended = client.frame(RST_STREAM)
    assert (ended.stream, ended.number) == (call, REFUSED_STREAM)
    assert sidecar.metrics.upstream("app").retries == 1


def test_what_was_taken_is_not_asked_again(pair: Beside, app: App) -> None:
    _, client = pair()
    request = client.request(method="POST")
    peer = app.accept()
    peer.frame(HEADERS)
    peer.close()
    told = client.answer(request)
    assert told.status == 502
    assert b"the connection was lost" in told.body


def test_a_call_that_is_reset_hears_the_same_code(pair: Beside, app: App) -> None:
    """gRPC says what each code means; so it is passed on, before an answer and in the middle of one."""
    _, client = pair()
    calls = [client.call(), client.call()]
    peer = app.accept()
    first, second = peer.frame(HEADERS).stream, peer.frame(HEADERS).stream
    peer.headers(first, OK)
    client.frame(HEADERS, stream=calls[0])
    peer.reset(first, ENHANCE_YOUR_CALM)
    assert client.frame(RST_STREAM, stream=calls[0]).number == ENHANCE_YOUR_CALM
    peer.reset(second, CANCEL)
    assert client.frame(RST_STREAM, stream=calls[1]).number == CANCEL


def test_a_lost_connection_ends_a_call_with_a_status(pair: Beside, app: App) -> None:
    _, client = pair()
    calls = [client.call(), client.call()]
    peer = app.accept()
    first, _ = peer.frame(HEADERS).stream, peer.frame(HEADERS)
    peer.headers(first, OK)
    client.frame(HEADERS, stream=calls[0])
    peer.close()
    assert client.frame(HEADERS, stream=calls[0]).fields[0] == ("grpc-status", "14")
    assert client.answer(calls[1]).field("grpc-status") == "14"


def test_an_early_answer_arrives_whole(pair: Beside, app: App) -> None:
    """Trailers first, then RST_STREAM(NO_ERROR) to the client; the app is told that the rest does not come."""
    _, client = pair()
    call = client.call()
    client.data(call, b"some")
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    peer.headers(stream, OK)
    peer.data(stream, b"answer")
    peer.headers(stream, DONE, end=True)
    peer.reset(stream, NO_ERROR)
    told = client.answer(call)
    assert (told.body, told.trailers) == (b"answer", DONE)
    ended = client.frame(RST_STREAM)
    assert (ended.stream, ended.number) == (call, NO_ERROR)


def test_many_connections_carry_what_one_cannot(start: Start, app: App, knock: Knock) -> None:
    app._values = {"_3": 1}  # MAX_CONCURRENT_STREAMS
    client = knock(start({"inbound": {"app": app.url, "pool": {"max_connections": 2}}}))
    asked = [client.request() for _ in range(3)]
    one, other = app.accept(), app.accept()
    for peer in (one, other):
        assert peer.frame(HEADERS).stream == 1
    one.headers(1, [(":status", "204")], end=True)
    assert one.frame(HEADERS).stream == 3, "the third has waited for its turn"
    one.headers(3, [(":status", "204")], end=True)
    other.headers(1, [(":status", "204")], end=True)
    assert [client.answer(stream).status for stream in asked] == [204] * 3


# --- a client that takes back


def test_a_request_that_is_taken_back_at_once_never_leaves(pair: Beside, app: App) -> None:
    _, client = pair()
    kept = client.request("/kept")
    peer = app.accept()
    assert peer.frame(HEADERS).stream == 1
    client.sock.sendall(
        frame(HEADERS, 5, 3, client.encoder.encode([(":method", "GET"), (":scheme", "http"), (":path", "/back")]))
        + frame(RST_STREAM, 0, 3, CANCEL.to_bytes(4, "big"))
    )
    client.next_id = 5
    client.request("/next")
    seen = peer.frame(HEADERS, RST_STREAM)
    assert (dict(seen.fields)[":path"], seen.stream) == ("/next", 3)
    for stream in (1, 3):
        peer.headers(stream, [(":status", "204")], end=True)
    assert client.answer(kept).status == 204


def test_one_clients_resets_cost_no_other_its_calls(pair: Beside, app: App, knock: Knock) -> None:
    """3000 resets on the connection that both share: the upstream hears of a hundred, the innocent client of none."""
    sidecar, innocent = pair(clients={"resets_per_s": 1})
    asked = innocent.request("/innocent")
    peer = app.accept()
    assert peer.frame(HEADERS).stream == 1
    attacker = knock(sidecar)
    for _ in range(3000):
        try:
            attacker.reset(attacker.request("/attack"))
        except OSError:
            break
    assert attacker.goaway().number == ENHANCE_YOUR_CALM
    sidecar.settle(20)
    resets = opened = 0
    innocent.request("/again")
    while True:
        seen = peer.frame(HEADERS, RST_STREAM)
        resets += seen.kind == RST_STREAM
        opened += seen.kind == HEADERS
        if dict(seen.fields).get(":path") == "/again":
            break
    assert resets <= 110
    peer.headers(1, [(":status", "204")], end=True)
    peer.headers(seen.stream, [(":status", "204")], end=True)
    assert innocent.answer(asked).status == 204
    again = knock(sidecar)
    for _ in range(20):
        again.reset(again.request())
    assert again.goaway().number == ENHANCE_YOUR_CALM, "the budget is the client's, not the connection's"


def test_a_client_that_leaves_takes_its_requests_along(pair: Beside, app: App) -> None:
    sidecar, client = pair()
    client.request()
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    client.close()
    ended = peer.frame(RST_STREAM)
    assert (ended.stream, ended.number) == (stream, CANCEL)
    sidecar.until(lambda: sidecar.records)
    assert (sidecar.records[0].error, sidecar.records[0].status) == ("client-gone", 499)


# --- a sidecar that leaves


def test_a_drain_says_goodbye_twice_and_serves_what_comes_between(pair: Beside, app: App) -> None:
    sidecar, client = pair()
    first = client.request("/first")
    peer = app.accept()
    assert peer.frame(HEADERS).stream == 1
    draining = sidecar.begin(sidecar.plane.drain())
    announced = client.goaway()
    assert (announced.last_id, announced.number) == (2**31 - 1, NO_ERROR)
    between = client.request("/between")
    assert dict(peer.frame(HEADERS).fields)[":path"] == "/between"
    final = client.goaway()
    assert (final.last_id, final.number) == (between, NO_ERROR)
    client.request("/late")
    for stream in (1, 3):
        peer.headers(stream, [(":status", "204")], end=True)
    assert [client.answer(stream).status for stream in (first, between)] == [204, 204]
    assert client.is_over()
    assert draining.result(20)


def test_settings_that_come_again_do_not_keep_a_connection(pair: Beside) -> None:
    _, client = pair(timeouts={"idle_s": 0.3})
    for _ in range(100):
        client.send(frame(SETTINGS, 0, 0))
        came = client.frame(SETTINGS, GOAWAY)
        if came.kind == GOAWAY:
            break
        time.sleep(0.02)
    assert (came.kind, came.number) == (GOAWAY, NO_ERROR)


def test_an_idle_connection_is_closed_with_goaway(pair: Beside) -> None:
    _, client = pair(timeouts={"idle_s": 0.2})
    assert client.goaway().number == NO_ERROR
    assert client.is_over()


def test_a_client_that_never_begins_is_closed(start: Start, app: App, knock: Knock) -> None:
    sidecar = start({"inbound": {"app": app.url, "timeouts": {"header_read_s": 0.2}}})
    client = sidecar.client()
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n")
    assert client.to_end() != b""


def test_a_reload_keeps_connections_and_streams(pair: Beside, app: App) -> None:
    sidecar, client = pair()
    before = client.request("/before")
    peer = app.accept()
    peer.frame(HEADERS)
    sidecar.replace({
        "inbound": {"listen": f"127.0.0.1:{sidecar.addresses['inbound'].port}", "app": app.url,
                    "limits": {"request_line_bytes": 256}},
        "outbound": {"listen": "off"}, "admin": {"listen": "off"},
    })  # fmt: skip
    long = client.request("/" + "x" * 300)
    assert client.answer(long).status == 414, "the new limit holds on the connection that was there"
    peer.headers(1, [(":status", "204")], end=True)
    assert client.answer(before).status == 204
    assert END_STREAM
