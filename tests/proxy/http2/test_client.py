"""How a client of HTTP/2 is admitted, bounded, read in turns, told to leave, and counted."""

from __future__ import annotations

import asyncio
import socket

import pytest
from lab.http2 import GET, POST, SETTINGS_ACK, Fields, Frame, data, frame, goaway, rst, settings, window_update
from lab.shared import SharedPlane

from proxy.http2.engine import codes
from proxy.http2.engine.codes import GOAWAY, PING
from proxy.plan import Clients, Limits

LAST = b"\x7f\xff\xff\xff"


def said(frames: list[Frame]) -> tuple[bytes, str, bytes]:
    """Of the GOAWAY at the end: the last id, the code, the text."""
    assert frames[-1].kind == GOAWAY
    payload = frames[-1].payload
    return payload[:4], codes.name_of(int.from_bytes(payload[4:8], "big")), payload[8:]


LIMITS = Limits(request_line_bytes=10, header_count=3, body_bytes=5)


def path(text: bytes) -> Fields:
    return [(b":method", b"POST"), (b":scheme", b"http"), (b":path", text), (b":authority", b"app")]


# --- leaving


async def test_a_client_is_told_to_leave_and_a_quarter_of_a_second_later_which_request_was_the_last() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    client.frames()
    connection = client.connection
    assert (connection.is_expecting, repr(connection)) == (True, "<ClientConnection 10.0.0.1, HTTP/2, 1 streams>")
    connection.shut()
    connection.shut()
    await plane.at(1000.0)
    assert said(client.frames()) == (LAST, "NO_ERROR", b"")
    assert repr(connection) == "<ClientConnection 10.0.0.1, HTTP/2, 1 streams, leaving>"
    client.ask(3, GET)
    assert client.frames() == []
    await plane.at(1000.2)
    assert client.frames() == []
    connection.shut()
    await plane.at(1000.25)
    assert said(client.frames()) == (b"\0\0\0\3", "NO_ERROR", b"")
    assert not connection.is_expecting
    connection.shut()
    await plane.at(1000.6)
    assert client.frames() == []
    assert client.ask(5, GET) == []
    assert connection.open_exchanges == 2
    upstream.answer(1)
    assert not client.transport.is_ended
    upstream.answer(3)
    await plane.at(1000.3)
    assert client.transport.is_ended
    assert said(client.frames())[:2] == (b"\0\0\0\3", "NO_ERROR")


async def test_a_client_that_has_to_leave_may_still_take_a_refusal_that_waits_for_its_window() -> None:
    """The connection closes behind it."""
    plane = SharedPlane(limits=LIMITS)
    client = plane.client(hello=codes.PREFACE + settings((codes.INITIAL_WINDOW_SIZE, 0)) + SETTINGS_ACK)
    refused = client.ask(1, path(b"/" * 11))
    assert [one.kind for one in refused] == [codes.HEADERS]
    client.connection.shut()
    await plane.at(1000.0)
    await plane.at(1000.25)
    assert said(client.frames())[:2] == (b"\0\0\0\1", "NO_ERROR")
    assert not client.transport.is_ended
    frames = client.get(window_update(1, 1000))
    assert b"the path has more than 10 bytes" in frames[0].payload
    assert client.transport.is_ended


async def test_an_answer_of_a_listener_that_drains_tells_its_client_to_leave_once() -> None:
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.frames()
    plane.listener.is_draining = True
    assert said(client.ask(1, GET)) == (LAST, "NO_ERROR", b"")
    assert client.ask(3, GET) == []


async def test_what_comes_behind_the_end_is_read_up_to_a_mib() -> None:
    plane = SharedPlane()
    client = plane.client()
    client.get(frame(codes.DATA, 0, 0, b"a"))
    assert (client.transport.is_ended, client.transport.is_aborted) == (True, False)
    client.get(bytes(1024 * 1024))
    assert not client.transport.is_aborted
    client.get(b"a")
    assert client.transport.is_aborted


# --- what is allowed, and counted


async def test_a_client_is_told_how_many_streams_and_how_large_a_head_it_may_send() -> None:
    """Each field counts as 32 bytes more than it has (6.5.2). Extended CONNECT is understood (RFC 8441, 3)."""
    client = SharedPlane(limits=Limits(streams=7, header_bytes=1000, header_count=10)).client()
    payload = client.greeting[0].payload
    told = {payload[at + 1]: int.from_bytes(payload[at + 2 : at + 6], "big") for at in range(0, len(payload), 6)}
    assert (client.greeting[0].kind, told[3], told[6], told[8]) == (codes.SETTINGS, 7, 1000 + 10 * 32, 1)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        (path(b"/" * 10), None, b""),
        (path(b"/" * 11), b"414", b"the path has more than 10 bytes"),
        ([*path(b"/"), *[(b"x", b"1")] * 3], None, b""),
        ([*path(b"/"), *[(b"x", b"1")] * 4], b"431", b"more than 3 header fields"),
        ([*path(b"/"), (b"traceparent", b"x"), *[(b"x", b"1")] * 3], b"431", b"more than 3 header fields"),
        ([*path(b"/"), (b"content-length", b"5")], None, b""),
        ([*path(b"/"), (b"content-length", b"6")], b"413", b"the request's content has more than 5 bytes"),
        ([*path(b"/"), (b"x", b"y" * 65_632)], b"431", b"the header fields have more than 65536 bytes"),
    ],
)  # fmt: skip
async def test_what_one_request_may_have(fields: Fields, status: bytes | None, words: bytes) -> None:
    plane = SharedPlane(limits=LIMITS)
    plane.upstream()
    client = plane.client()
    block = client.peer.block(fields)
    parts = [block[at : at + 16_384] for at in range(0, len(block), 16_384)]
    wire = [frame(codes.HEADERS, 4 if len(parts) == 1 else 0, 1, parts[0])]
    wire += [frame(codes.CONTINUATION, 4 if part is parts[-1] else 0, 1, part) for part in parts[1:]]
    frames = client.get(*wire)
    if status is None:
        assert frames == []
    else:
        assert client.answer(frames)[b":status"] == status
        assert words in frames[1].payload


@pytest.mark.parametrize(("size", "is_refused"), [(5, False), (6, True)])
async def test_content_of_a_length_that_was_not_told(size: int, is_refused: bool) -> None:
    plane = SharedPlane(limits=LIMITS)
    plane.upstream()
    client = plane.client()
    client.ask(1, path(b"/"), end=False)
    frames = client.get(data(1, bytes(3)), data(1, bytes(size - 3)))
    assert bool(frames) is is_refused
    if is_refused:
        assert client.answer(frames)[b":status"] == b"413"


async def test_streams_resets_and_goodbyes_are_counted() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    http2 = plane.metrics.listener("inbound").http2
    assert (http2.connections_open, http2.connections_total) == (1, 1)
    for id in (1, 3, 5):
        client.ask(id, GET)
    await plane.at(1000.1)
    assert (http2.streams_open, http2.streams_total) == (3, 3)
    upstream.answer(1)
    client.get(rst(3, codes.CANCEL), rst(5, 99), goaway(0, codes.ENHANCE_YOUR_CALM))
    await plane.at(1000.2)
    assert (http2.streams_open, http2.streams_total) == (0, 3)
    assert http2.resets == {("received", "CANCEL"): 1, ("received", "OTHER"): 1}
    client.get(window_update(1, 1), frame(codes.PRIORITY, 0, 7, bytes(4)))
    client.get(frame(codes.DATA, 0, 0, b"x"))
    assert http2.goaways == {("received", "ENHANCE_YOUR_CALM"): 1, ("sent", "PROTOCOL_ERROR"): 1}
    assert plane.metrics.listener("inbound").protocol_errors == {"bad-request": 1}
    client.connection.connection_lost(None)
    assert (http2.connections_open, http2.connections_total) == (0, 1)
    towards = plane.metrics.upstream("app").http2
    assert (towards.connections_open, towards.connections_total, towards.streams_total) == (1, 1, 3)
    assert towards.resets == {("sent", "CANCEL"): 2}


async def test_a_malformed_request_is_counted() -> None:
    plane = SharedPlane()
    client = plane.client()
    client.ask(1, [*GET, (b"connection", b"close")])
    assert plane.metrics.listener("inbound").protocol_errors == {"bad-request": 1}
    assert plane.metrics.listener("inbound").http2.resets == {("sent", "PROTOCOL_ERROR"): 1}


async def test_resets_are_of_an_address_and_not_of_a_connection() -> None:
    clients = Clients(resets=3, resets_per_s=1)
    plane = SharedPlane(clients=clients)
    plane.upstream()
    first, second, other = plane.client(), plane.client(), plane.client(address="10.0.0.2")
    for id in (1, 3):
        first.ask(id, GET)
        first.get(rst(id))
    second.ask(1, GET)
    assert second.get(rst(1)) == []
    second.ask(3, GET)
    assert said(second.get(rst(3))) == (b"\0\0\0\3", "ENHANCE_YOUR_CALM", b"too many streams were reset")
    other.ask(1, GET)
    assert other.get(rst(1)) == []


async def test_resets_of_a_proxy_are_of_a_connection() -> None:
    """Many clients are behind it; as on a Unix socket, which has no address."""
    for address, more in (("", {}), ("10.9.9.9", {"max_connections": 5, "proxies": ("10.9.0.0/16",)})):
        plane = SharedPlane(clients=Clients(resets=1, resets_per_s=1, **more))
        plane.upstream()
        for _ in range(2):
            client = plane.client(address=address)
            client.ask(1, GET)
            assert client.get(rst(1)) == []
            client.ask(3, GET)
            assert client.get(rst(3))[-1].kind == GOAWAY


async def test_each_code_of_a_reset_is_counted_by_its_name() -> None:
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    for id, code in ((1, 0), (3, 13), (5, 14)):
        client.ask(id, GET)
        client.get(rst(id, code))
    resets = plane.metrics.listener("inbound").http2.resets
    assert resets == {("received", "NO_ERROR"): 1, ("received", "HTTP_1_1_REQUIRED"): 1, ("received", "OTHER"): 1}


async def test_nothing_is_written_to_a_transport_that_closes() -> None:
    client = SharedPlane().client()
    client.frames()
    client.transport.close()
    assert client.get(frame(PING, 0, 0, bytes(8))) == []


async def test_rules_that_are_loaded_anew_judge_the_next_request_of_a_connection() -> None:
    """What they call a forwarding field, and how much may wait to be written."""
    before = SharedPlane(x_forwarded=False, via=False)
    client = before.client()
    after = SharedPlane(limits=Limits(buffer_bytes=1234))
    upstream = after.upstream()
    before.listener.use(after.listener.rules)
    assert client.transport.get_write_buffer_limits() == (0, 1234)
    client.ask(1, [*GET, (b"x-forwarded-for", b"1.1.1.1")])
    await asyncio.sleep(0)
    (head,) = upstream.frames()
    fields = upstream.peer.fields(head.payload)
    assert [value for name, value in fields if name == b"x-forwarded-for"] == [b"1.1.1.1, 10.0.0.1"]


async def test_a_flood_is_read_over_several_turns() -> None:
    """512 frames each; meanwhile nothing is read from the transport."""
    plane = SharedPlane()
    client = plane.client()
    for _ in range(2):
        assert len(client.get(frame(PING, 0, 0, bytes(8)) * 450)) == 450
        assert not client.transport.is_reading_paused
        await plane.at(plane.listener.ticker.now + 10)
        assert len(client.get(frame(PING, 0, 0, bytes(8)) * 600)) == 512
        assert client.transport.is_reading_paused
        await asyncio.sleep(0)
        assert len(client.frames()) == 88
        assert not client.transport.is_reading_paused
        await plane.at(plane.listener.ticker.now + 10)


async def test_what_two_turns_do_not_read_waits_for_a_third() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, POST, end=False)
    client.get(data(1, b"a") * 1100)
    paused = [client.transport.is_reading_paused]
    for _ in range(4):
        await asyncio.sleep(0)
    assert [*paused, client.transport.is_reading_paused] == [True, False]
    assert len(b"".join(one.payload for one in upstream.frames() if one.kind == codes.DATA)) == 1100


async def test_a_connection_that_is_behind_waits_in_line_once() -> None:
    """Whatever comes all the same while nothing is read from it."""
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.ask(1, POST, end=False)
    turns = plane.listener.ticker.turns
    before = turns.put_off
    client.get(data(1, b"a") * 2000)
    client.get(data(1, b"a"))
    assert turns.put_off == before + 1
    for _ in range(8):
        await asyncio.sleep(0)
    client.get(data(1, b"a") * 600)
    assert client.transport.is_reading_paused


async def test_a_connection_that_ends_while_nothing_is_read_from_it_reads_what_still_comes() -> None:
    """Or our last bytes would be lost with it."""
    plane = SharedPlane()
    client = plane.client()
    client.get(frame(PING, 0, 0, bytes(8)) * 600)
    assert client.transport.is_reading_paused
    client.connection.engine.fail(codes.NO_ERROR, "enough")
    client.connection.flush()
    assert (client.transport.is_ended, client.transport.is_reading_paused) == (True, False)


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_client_that_leaves_while_nothing_is_read_from_it_is_cut_only_if_it_is_lost(is_lost: bool) -> None:
    """One that has ended its own side alone may have sent more, which is read first."""
    plane = SharedPlane()
    upstream = plane.upstream()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = plane.client(socket=ours)
        client.ask(1, POST, end=False)
        client.get(data(1, b"a") * 1100)
        plane.look_at_ends()
        assert (client.transport.is_reading_paused, client.transport.is_aborted) == (True, False)
        if is_lost:
            theirs.close()
        else:
            theirs.shutdown(socket.SHUT_WR)
        plane.look_at_ends()
        assert (client.transport.is_aborted, client.transport.is_closing()) == (is_lost, is_lost)
        for _ in range(4):
            await asyncio.sleep(0)
        if not is_lost:
            assert len(b"".join(one.payload for one in upstream.frames() if one.kind == codes.DATA)) == 1100
            assert not client.transport.is_reading_paused
        client.connection.connection_lost(None)


async def test_a_client_is_watched_while_nothing_is_read_from_it_until_it_is_lost() -> None:
    """The number of its socket may be another's from then on. Its streams are no longer open."""
    plane = SharedPlane()
    plane.upstream()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = plane.client(socket=ours)
        ends = plane.listener.ticker.ends
        watched = [len(ends)]
        client.ask(1, POST, end=False)
        client.get(data(1, b"a") * 1100)
        watched.append(len(ends))
        for _ in range(4):
            await asyncio.sleep(0)
        watched.append(len(ends))
        await plane.at(1000.1)
        client.get(data(1, b"a") * 1100)
        watched.append(len(ends))
        assert plane.metrics.listener("inbound").http2.streams_open == 1
        assert client.connection.eof_received() is False  # so its transport closes
        client.connection.connection_lost(None)
        assert [*watched, len(ends)] == [0, 1, 0, 1, 0]
    assert (client.connection.is_closed, plane.metrics.listener("inbound").http2.streams_open) == (True, 0)


async def test_a_full_read_asks_for_the_next_in_a_later_turn() -> None:
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.ask(1, POST, end=False)
    large = data(1, bytes(16_000)) * 9
    client.get(large[: 128 * 1024 - 1])
    assert not client.transport.is_reading_paused
    client.get(large[128 * 1024 - 1 :])
    client.ask(3, POST, end=False)
    client.get((data(3, bytes(16_000)) * 9)[: 128 * 1024])
    assert client.transport.is_reading_paused
    await asyncio.sleep(0)
    assert not client.transport.is_reading_paused


async def test_while_the_transport_is_full_content_waits_there() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    client.connection.pause_writing()
    upstream.answer(1, end=False)
    upstream.get(data(1, b"content", end=True))
    assert [one.kind for one in client.frames()] == [codes.HEADERS]
    client.connection.resume_writing()
    await asyncio.sleep(0)
    assert [(one.payload, one.flags) for one in client.frames()] == [(b"content", codes.END_STREAM)]


async def test_a_connection_of_tls_is_closed_behind_its_last_bytes() -> None:
    """It has no end of one direction alone."""
    plane = SharedPlane()
    client = plane.client()
    client.transport.can_write_eof = lambda: False  # type: ignore[method-assign]
    assert client.get(frame(codes.DATA, 0, 0, b"a"))[-1].kind == GOAWAY
    assert (client.transport.is_closing(), client.transport.is_ended) == (True, False)


async def test_a_request_that_is_refused_at_once_is_counted() -> None:
    plane = SharedPlane(limits=LIMITS)
    client = plane.client()
    assert client.answer(client.ask(1, path(b"/" * 11)))[b":status"] == b"414"
    assert plane.metrics.listener("inbound").protocol_errors == {"target-too-long": 1}


async def test_a_client_that_is_not_admitted_is_closed_at_once() -> None:
    plane = SharedPlane(clients=Clients(max_connections=1))
    plane.upstream()
    first, second = plane.client(), plane.client()
    assert [one.transport.is_aborted for one in (first, second)] == [False, True]
    assert [one.connection.is_expecting for one in (first, second)] == [True, False]
    assert second.ask(1, GET) == []
    assert second.connection.open_exchanges == 0
    assert plane.metrics.listener("inbound").http2.connections_total == 1
    assert plane.client(address="10.0.0.2").connection.is_expecting


async def test_what_a_client_is_known_by() -> None:
    plane = SharedPlane()
    client = plane.client()
    connection = client.connection
    assert (connection.address, connection.port, connection.is_tls, connection.original) == (
        b"10.0.0.1", 50000, False, None,
    )  # fmt: skip
    unix = plane.client(peername="").connection
    assert (unix.address, unix.port, repr(unix)) == (b"", 0, "<ClientConnection unix, HTTP/2, 0 streams>")
    assert client.transport.get_write_buffer_limits() == (0, 65_536)
    assert connection.open_exchanges == 0
    connection.connection_lost(None)
    assert connection not in plane.listener.connections
    assert connection.deadline == float("inf")


async def test_a_listener_that_is_shut_tells_its_new_clients_to_leave() -> None:
    plane = SharedPlane()
    plane.listener.shut()
    client = plane.client(hello=b"")
    await plane.at(1000.25)
    assert client.transport.is_ended


@pytest.mark.parametrize("name", ["", "x-trace"])
async def test_an_answer_and_a_refusal_tell_the_trace_where_the_settings_say_so(name: str) -> None:
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    plane = SharedPlane(response_header=name)
    upstream, client = plane.upstream(), plane.client()
    for id, status in ((1, b"200"), (3, b"502")):
        client.ask(id, [*GET, (b"traceparent", trace)])
        upstream.frames()
        if id == 1:
            upstream.answer(id)
        else:
            upstream.get(rst(id, codes.INTERNAL_ERROR))
        fields = client.answer(client.frames())
        assert fields[b":status"] == status
        assert [value for field, value in fields.items() if field in (b"x-trace", b"")] == [trace] * bool(name)
