"""One request on a stream of each side: what goes on, what comes back, and how either ends early; without sockets."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from lab.http2 import GET, POST, SETTINGS_ACK, Fields, Frame, data, goaway, rst, settings, window_update
from lab.shared import Client, SharedPlane, Upstream

from proxy.http2.engine import codes
from proxy.http2.engine.codes import END_HEADERS, END_STREAM
from proxy.plan import Clients, PoolPlan, Timeouts

CALL: Fields = [*POST, (b"content-type", b"application/grpc"), (b"te", b"trailers")]
OK: Fields = [(b":status", b"200")]
END: Fields = [(b"x-end", b"1")]


def reset(id: int, code: int) -> Frame:
    return Frame(codes.RST_STREAM, 0, id, code.to_bytes(4, "big"))


def pair(**more: Any) -> tuple[SharedPlane, Upstream, Client]:
    plane = SharedPlane(pool=PoolPlan(max_connections=1), **more)
    return plane, plane.upstream(), plane.client()


async def test_content_and_trailers_go_both_ways() -> None:
    plane, upstream, client = pair()
    client.ask(1, [*POST, (b"te", b"trailers")], end=False)
    client.get(data(1, b"one"), data(1, b"two"), client.peer.headers(1, END, end=True))
    head, *rest = upstream.frames()
    assert (head.id, head.flags) == (1, END_HEADERS)
    assert b"".join(one.payload for one in rest if one.kind == codes.DATA) == b"onetwo"
    fields = dict(upstream.peer.fields(head.payload))
    assert (fields[b":method"], fields[b":path"], fields[b"te"]) == (b"POST", b"/", b"trailers")
    assert (rest[-1].flags, upstream.peer.fields(rest[-1].payload)) == (END_HEADERS | END_STREAM, END)
    upstream.answer(1, end=False)
    upstream.get(data(1, b"three"), upstream.peer.headers(1, END, end=True))
    head, content, trailers = client.frames()
    assert dict(client.peer.fields(head.payload))[b":status"] == b"200"
    assert (content.payload, content.flags, trailers.flags) == (b"three", 0, END_HEADERS | END_STREAM)
    assert client.peer.fields(trailers.payload) == END
    metrics = plane.metrics.exchange("inbound", "app")
    assert (metrics.requests[2], metrics.bytes_in, metrics.bytes_out, metrics.faults) == (1, 6, 5, {})
    assert (client.connection.open_exchanges, upstream.connection.is_idle) == (0, True)


@pytest.mark.parametrize("content", [b"", b"content"])
@pytest.mark.parametrize("has_trailers", [False, True])
async def test_a_request_that_comes_in_one_piece_goes_on_whole(content: bytes, has_trailers: bool) -> None:
    plane, upstream, client = pair()
    wire = [client.peer.headers(1, POST, end=not content and not has_trailers)]
    if content:
        wire.append(data(1, content, end=not has_trailers))
    if has_trailers:
        wire.append(client.peer.headers(1, END, end=True))
    client.get(*wire)
    head, *rest = upstream.frames()
    last = rest[-1] if rest else head
    assert [one.payload for one in rest if one.kind == codes.DATA] == [content] * bool(content)
    assert [upstream.peer.fields(one.payload) for one in (head, *rest) if one.kind == codes.HEADERS][1:] == (
        [END] * has_trailers
    )
    assert [one for one in (head, *rest) if one.flags & END_STREAM] == [last]
    upstream.answer(1)
    assert plane.metrics.exchange("inbound", "app").requests[2] == 1


async def test_a_request_that_its_upstream_has_not_seen_goes_to_another() -> None:
    """8.7: even one that is not whole."""
    plane = SharedPlane()
    first, client = plane.upstream(), plane.client()
    client.ask(1, POST, end=False)
    assert [one.kind for one in first.frames()] == [codes.HEADERS]
    second = plane.upstream()
    first.get(goaway(0))
    assert [one.kind for one in second.frames()] == [codes.HEADERS]
    client.get(data(1, b"a", end=True))
    assert [one.payload for one in second.frames()] == [b"a"]
    second.answer(1)
    assert client.answer(client.frames())[b":status"] == b"200"


async def test_an_answer_that_is_whole_in_its_head() -> None:
    _, upstream, client = pair()
    client.ask(1, GET)
    upstream.get(upstream.peer.headers(1, [(b":status", b"204"), (b"date", b"D")], end=True))
    (head,) = client.frames()
    assert (head.flags, client.peer.fields(head.payload)) == (
        END_HEADERS | END_STREAM,
        [(b":status", b"204"), (b"date", b"D")],
    )


async def test_an_interim_answer_passes_without_a_date() -> None:
    _, upstream, client = pair()
    client.ask(1, GET)
    upstream.get(upstream.peer.headers(1, [(b":status", b"103"), (b"link", b"x")]))
    (head,) = client.frames()
    assert (head.flags, client.peer.fields(head.payload)) == (END_HEADERS, [(b":status", b"103"), (b"link", b"x")])
    upstream.answer(1)
    assert client.answer(client.frames())[b":status"] == b"200"


async def test_a_call_gets_no_date_and_its_status_is_known() -> None:
    plane, upstream, client = pair()
    client.ask(1, CALL)
    upstream.get(upstream.peer.headers(1, [*OK, (b"grpc-status", b"5")], end=True))
    assert client.answer(client.frames()) == {b":status": b"200", b"grpc-status": b"5"}
    client.ask(3, CALL)
    upstream.answer(3, end=False)
    upstream.get(upstream.peer.headers(3, [(b"grpc-status", b"0")], end=True))
    head, trailers = client.frames()
    assert client.peer.fields(head.payload) == OK
    assert client.peer.fields(trailers.payload) == [(b"grpc-status", b"0")]
    assert plane.metrics.exchange("inbound", "app").requests[2] == 2


async def test_a_request_that_is_taken_back_is_reset_at_the_upstream() -> None:
    plane, upstream, client = pair()
    client.ask(1, GET)
    upstream.frames()
    client.get(rst(1, codes.CANCEL))
    assert upstream.frames() == [reset(1, codes.CANCEL)]
    assert plane.metrics.exchange("inbound", "app").faults == {"client-gone": 1}
    assert plane.metrics.exchange("inbound", "app").requests == [1, 0, 0, 0, 0, 0]
    assert (upstream.connection.is_idle, client.connection.open_exchanges) == (True, 0)


async def test_an_answer_before_the_request_is_whole_ends_it() -> None:
    """8.1: the client is told with NO_ERROR that nobody wants the rest, and so is the upstream."""
    _, upstream, client = pair()
    client.ask(1, POST, end=False)
    client.get(data(1, b"a"))
    upstream.frames()
    assert upstream.answer(1) == [reset(1, codes.NO_ERROR)]
    head, end = client.frames()
    assert (head.flags, end) == (END_HEADERS | END_STREAM, reset(1, codes.NO_ERROR))


@pytest.mark.parametrize("is_call", [False, True])
async def test_a_reset_in_the_middle_of_an_answer_cuts_it(is_call: bool) -> None:
    _, upstream, client = pair()
    client.ask(1, CALL if is_call else GET)
    upstream.answer(1, end=False)
    upstream.get(data(1, b"a"))
    client.frames()
    upstream.get(rst(1, codes.INTERNAL_ERROR))
    assert client.frames() == [reset(1, codes.INTERNAL_ERROR)]


async def test_a_call_whose_upstream_is_lost_ends_with_a_status() -> None:
    _, upstream, client = pair()
    client.ask(1, CALL)
    upstream.answer(1, end=False)
    client.frames()
    upstream.connection.connection_lost(None)
    (trailers,) = client.frames()
    fields = dict(client.peer.fields(trailers.payload))
    assert (trailers.flags, fields[b"grpc-status"]) == (END_HEADERS | END_STREAM, b"14")


async def test_a_call_that_was_not_begun_is_refused_with_a_status() -> None:
    _, upstream, client = pair()
    client.ask(1, POST[:-1] + CALL[-3:])
    upstream.frames()
    upstream.connection.connection_lost(None)
    fields = client.answer(client.frames())
    assert (fields[b":status"], fields[b"grpc-status"], fields[b"content-type"]) == (b"200", b"14", b"application/grpc")


async def test_head_gets_no_content_of_a_refusal() -> None:
    _, upstream, client = pair()
    client.ask(1, [(b":method", b"HEAD"), *GET[1:]])
    upstream.get(rst(1, codes.INTERNAL_ERROR))
    (head,) = client.frames()
    assert head.flags == END_HEADERS | END_STREAM
    assert dict(client.peer.fields(head.payload))[b":status"] == b"502"


async def test_what_comes_over_tls_is_https() -> None:
    _, upstream, _ = (plane := pair())
    client = plane[0].client(sslcontext=object())
    client.ask(1, GET)
    (head,) = upstream.frames()
    assert (client.connection.is_tls, dict(upstream.peer.fields(head.payload))[b"x-forwarded-proto"]) == (
        True,
        b"https",
    )


@pytest.mark.parametrize(("streams", "expected"), [(21, 3), (60, 4)])
async def test_much_that_waited_is_written_over_several_turns(streams: int, expected: int) -> None:
    """Each asks for the next, until nothing is left."""
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream = plane.upstream()
    client = plane.client(hello=codes.PREFACE + settings((4, 1 << 20)) + SETTINGS_ACK)
    for id in range(1, 2 * streams, 2):
        client.ask(id, GET)
        upstream.answer(id, end=False)
        for _ in range(4):
            upstream.get(data(id, bytes(16_000)))
    turns = [sum(len(one.payload) for one in client.get(window_update(0, 1 << 24)) if one.kind == codes.DATA)]
    while turns[-1]:
        await asyncio.sleep(0)
        turns.append(sum(len(one.payload) for one in client.frames() if one.kind == codes.DATA))
    assert sum(turns) == streams * 64_000 - 65_535  # which the connection's window had let go
    assert len(turns) == expected


async def test_a_list_of_fields_larger_than_the_upstream_takes_is_refused() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(hello=settings((6, 400)) + SETTINGS_ACK), plane.client()
    frames = client.ask(1, [*GET, (b"x", b"y" * 400)])
    assert client.answer(frames)[b":status"] == b"431"
    found = re.search(rb"the header fields count (\d+) bytes, and the upstream takes 400 ", frames[1].payload)
    assert found is not None
    assert b"(SETTINGS_MAX_HEADER_LIST_SIZE)" in frames[1].payload
    assert upstream.frames() == []
    assert upstream.connection.is_idle
    for most, passes in ((int(found[1]), True), (int(found[1]) - 1, False), (0, False)):
        upstream.get(settings((6, most)))
        client.connection.connection_lost(None)
        client = plane.client()
        assert (client.ask(1, [*GET, (b"x", b"y" * 400)]) == []) is passes


async def test_an_upload_waits_for_the_upstreams_window() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(hello=settings((4, 10)) + SETTINGS_ACK), plane.client()
    client.ask(1, POST, end=False)
    upstream.frames()
    client.get(data(1, b"0123456789abcde"))
    assert [one.payload for one in upstream.frames()] == [b"0123456789"]
    client.get(data(1, b"fgh", end=True))
    assert [(one.payload, one.flags) for one in upstream.get(window_update(1, 100))] == [(b"abcdefgh", END_STREAM)]


async def test_an_answer_that_its_client_does_not_take_is_not_credited() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(), plane.client(hello=codes.PREFACE + settings((4, 100)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    for _ in range(3):
        frames = upstream.get(data(1, bytes(16_384)))
    assert not [one for one in frames if one.kind == codes.WINDOW_UPDATE and one.id == 1]
    client.get(window_update(1, 60_000))
    assert [one.id for one in upstream.frames() if one.kind == codes.WINDOW_UPDATE and one.id] == [1]


# --- how long it is waited for


async def test_a_call_is_waited_for_as_long_as_it_takes() -> None:
    plane, upstream, client = pair()
    client.ask(1, CALL)
    upstream.frames()
    await plane.at(1299.0)
    assert client.frames() == []
    upstream.answer(1, end=False)
    await plane.at(1500.0)
    assert client.connection.open_exchanges == 1


async def test_content_that_is_held_up_is_not_waited_for_and_afterwards_for_a_minute() -> None:
    plane = SharedPlane(clients=Clients(read_bytes_per_s=0), timeouts=Timeouts(idle_s=9999), pool=PoolPlan(idle_s=9999))
    upstream, client = plane.upstream(), plane.client(hello=codes.PREFACE + settings((4, 10)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    upstream.get(data(1, bytes(20)))
    for now in (1100.0, 1200.0):
        await plane.at(now)
        assert client.connection.open_exchanges == 1
    client.get(window_update(1, 10))
    await plane.at(1259.9)
    assert client.connection.open_exchanges == 1
    await plane.at(1260.0)
    assert client.connection.open_exchanges == 0
    assert plane.metrics.exchange("inbound", "app").faults == {"response-body-timeout": 1}


async def test_a_head_moves_the_deadline() -> None:
    plane, upstream, client = pair()
    client.ask(1, GET)
    await plane.at(1030.0)
    upstream.answer(1, end=False)
    await plane.at(1089.9)
    assert client.connection.open_exchanges == 1
    await plane.at(1090.0)
    assert plane.metrics.exchange("inbound", "app").faults == {"response-body-timeout": 1}


async def test_content_that_comes_moves_the_deadline() -> None:
    plane, upstream, client = pair(timeouts=Timeouts(idle_s=9999))
    client.ask(1, GET)
    upstream.answer(1, end=False)
    for now in (1059.0, 1118.0, 1177.0):
        await plane.at(now)
        upstream.get(data(1, b"a"))
    await plane.at(1236.9)
    assert [one.payload for one in client.frames() if one.kind == codes.DATA] == [b"a"] * 3
    await plane.at(1237.0)
    assert client.frames()[-1].kind == codes.RST_STREAM
    assert upstream.frames()[-1] == reset(1, codes.CANCEL)
    assert plane.metrics.exchange("inbound", "app").faults == {"response-body-timeout": 1}


# --- a WebSocket, and CONNECT


async def test_a_websocket_needs_an_upstream_that_takes_it() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    plane.upstream()
    client = plane.client()
    asked = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:], (b"sec-websocket-version", b"13")]
    frames = client.ask(1, asked, end=False)
    assert client.answer(frames)[b":status"] == b"502"
    assert b"the upstream speaks HTTP/2, and takes no protocol but HTTP there" in frames[1].payload


@pytest.mark.parametrize("takes", [True, False])
async def test_a_websocket_goes_as_it_is_to_an_upstream_that_is_known_to_take_it(takes: bool) -> None:
    """RFC 8441. Its silence, on either side, is a tunnel's."""
    plane = SharedPlane(pool=PoolPlan(max_connections=1), http2="always", timeouts=Timeouts(idle_s=9999, grpc_idle_s=9))
    upstream, client = plane.upstream(hello=settings(*[(8, 1)] * takes) + SETTINGS_ACK), plane.client()
    frames = client.ask(1, [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]], end=False)
    if not takes:
        assert client.answer(frames)[b":status"] == b"502"
        assert upstream.frames() == []
        return
    (head,) = upstream.frames()
    assert dict(upstream.peer.fields(head.payload))[b":protocol"] == b"websocket"
    await plane.at(1070.0)
    upstream.answer(1, end=False)
    client.get(data(1, b"to"))
    upstream.get(data(1, b"fro"))
    await plane.at(1250.0)
    assert [one.payload for one in client.frames() if one.kind == codes.DATA] == [b"fro"]
    assert client.connection.open_exchanges == 1


async def test_options_that_end_here_are_answered_here() -> None:
    """RFC 9110, 7.6.2."""
    plane, upstream, client = pair()
    (head,) = client.ask(1, [(b":method", b"OPTIONS"), *GET[1:], (b"max-forwards", b"0")])
    fields = dict(client.peer.fields(head.payload))
    assert (head.flags, fields[b":status"]) == (END_HEADERS | END_STREAM, b"200")
    assert b"GET" in fields[b"allow"]
    assert (client.connection.open_exchanges, upstream.frames()) == (0, [])
    client.ask(3, [(b":method", b"OPTIONS"), *GET[1:], (b"max-forwards", b"1")])
    (asked,) = upstream.frames()
    assert dict(upstream.peer.fields(asked.payload))[b"max-forwards"] == b"0"
    assert plane.listener.exchanges == 1
