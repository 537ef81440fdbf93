"""How long a client of HTTP/2 is waited for, to the tick; how it is asked, told to leave, and counted."""

from __future__ import annotations

import pytest
from lab.http2 import GET, POST, SETTINGS_ACK, Fields, Frame, data, frame, goaway, rst, settings, window_update
from lab.shared import SharedPlane

from proxy.http2.engine import codes
from proxy.http2.engine.codes import GOAWAY, PING, PREFACE
from proxy.plan import Clients, Limits, PoolPlan, Timeouts

CALL: Fields = [*POST, (b"content-type", b"application/grpc"), (b"te", b"trailers")]
LAST = b"\x7f\xff\xff\xff"


def said(frames: list[Frame]) -> tuple[bytes, str, bytes]:
    """Of the GOAWAY at the end: the last id, the code, the text."""
    assert frames[-1].kind == GOAWAY
    payload = frames[-1].payload
    return payload[:4], codes.name_of(int.from_bytes(payload[4:8], "big")), payload[8:]


async def test_a_connection_that_says_nothing_has_the_time_of_a_head() -> None:
    """10 s for its preface, and 3 s more to read our last bytes."""
    plane = SharedPlane()
    client = plane.client(hello=b"")
    await plane.at(1009.9)
    assert client.frames() == []
    await plane.at(1010.0)
    assert said(client.frames()) == (bytes(4), "NO_ERROR", b"idle")
    assert (client.transport.is_ended, client.transport.is_closing()) == (True, False)
    await plane.at(1012.9)
    assert not client.transport.is_aborted
    await plane.at(1013.0)
    assert client.transport.is_aborted


async def test_an_idle_connection_is_kept_for_75_s_since_its_last_stream() -> None:
    plane = SharedPlane()
    client = plane.client()
    await plane.at(1050.0)
    upstream = plane.upstream()
    client.ask(1, GET)
    await plane.at(1060.0)
    upstream.answer(1)
    client.frames()
    await plane.at(1134.9)
    assert client.frames() == []
    await plane.at(1135.0)
    assert said(client.frames()) == (b"\0\0\0\1", "NO_ERROR", b"idle")


async def test_settings_that_come_late_begin_the_time_of_an_idle_connection() -> None:
    plane = SharedPlane()
    client = plane.client(hello=b"")
    await plane.at(1009.0)
    client.get(PREFACE + settings() + SETTINGS_ACK)
    await plane.at(1083.9)
    client.get(settings())  # later ones begin nothing
    assert not client.transport.is_ended
    await plane.at(1084.0)
    assert client.transport.is_ended


@pytest.mark.parametrize(("pause", "is_late"), [(59.9, False), (60.0, True)])
async def test_content_may_be_silent_for_a_minute(pause: float, is_late: bool) -> None:
    plane = SharedPlane(clients=Clients(send_bytes_per_s=0))
    plane.upstream()
    client = plane.client()
    client.ask(1, POST, end=False)
    await plane.at(1030.0)
    client.get(data(1, b"a"))
    await plane.at(1030.0 + pause)
    frames = client.frames()
    assert bool(frames) is is_late
    if is_late:
        assert client.answer(frames)[b":status"] == b"408"
        assert b"no byte of the request came for too long" in frames[1].payload
        assert client.connection.open_exchanges == 0


@pytest.mark.parametrize(("size", "is_slow"), [(14_400, False), (14_399, True)])
async def test_content_comes_at_240_bytes_a_second(size: int, is_slow: bool) -> None:
    """Over each minute: what came in an earlier one does not count."""
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.ask(1, POST, end=False)
    client.get(data(1, bytes(14_400)))
    for now in (1030.0, 1059.0, 1060.0, 1090.0, 1119.0):
        await plane.at(now)
        client.get(data(1, bytes(1)) if now < 1060 else b"")
        if now == 1060.0:
            client.get(data(1, bytes(size - 1)))
        if now == 1090.0:
            client.get(data(1, bytes(1)))
    client.frames()
    await plane.at(1120.0)
    frames = client.frames()
    assert bool(frames) is is_slow
    if is_slow:
        assert client.answer(frames)[b":status"] == b"408"
        text = b"14399 bytes of the request came in 60 s, fewer than 240 a second"
        assert text in frames[1].payload


async def test_a_client_that_is_being_answered_may_send_at_any_pace() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, POST, end=False)
    client.get(data(1, bytes(16_000)))
    upstream.answer(1, end=False)
    client.frames()
    for now in (1050.0, 1060.0, 1100.0, 1120.0):
        await plane.at(now)
        client.get(data(1, b"a"))
        upstream.get(data(1, b"a"))
    assert all(one.kind == codes.DATA for one in client.frames())
    assert client.connection.open_exchanges == 1


async def test_a_request_that_is_whole_is_waited_for_no_longer() -> None:
    plane = SharedPlane(timeouts=Timeouts(body_read_s=5.0))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, POST, end=False)
    client.get(data(1, b"a", end=True))
    client.ask(3, GET)
    await plane.at(1059.9)
    assert client.frames() == []
    upstream.answer(1)
    assert client.answer(client.frames())[b":status"] == b"200"


@pytest.mark.parametrize(("taken", "is_slow"), [(18_000, False), (17_999, True)])
async def test_an_answer_is_taken_at_240_bytes_a_second(taken: int, is_slow: bool) -> None:
    """Over each 75 s in which some of it waits."""
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    upstream.get(*[data(1, bytes(16_000))] * 3)
    client.frames()
    await plane.at(1074.9)
    client.get(window_update(1, taken))
    await plane.at(1075.0)
    frames = client.frames()
    assert (frames == [Frame(codes.RST_STREAM, 0, 1, codes.CANCEL.to_bytes(4, "big"))]) is is_slow
    assert client.connection.open_exchanges == (0 if is_slow else 1)
    assert plane.metrics.exchange("inbound", "app").faults == ({"client-too-slow": 1} if is_slow else {})


async def test_a_call_that_is_read_slowly_may_wait() -> None:
    """Its window says so (gRPC); unless the settings bound it."""
    for idle_s, is_cut in ((0.0, False), (500.0, True)):
        plane = SharedPlane(timeouts=Timeouts(grpc_idle_s=idle_s))
        upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
        client.ask(1, CALL)
        upstream.answer(1, end=False)
        upstream.get(data(1, bytes(1000)))
        client.frames()
        await plane.at(1075.0)
        assert (client.connection.open_exchanges == 0) is is_cut


@pytest.mark.parametrize(("idle_s", "now"), [(0.0, 9999.0), (100.0, 1100.0)])
async def test_the_content_of_a_call_may_be_silent(idle_s: float, now: float) -> None:
    plane = SharedPlane(timeouts=Timeouts(grpc_idle_s=idle_s))
    plane.upstream()
    client = plane.client()
    client.ask(1, CALL, end=False)
    client.frames()
    await plane.at(now - 0.1)
    assert all(one.kind == PING for one in client.frames())
    await plane.at(now)
    assert (client.connection.open_exchanges == 0) is bool(idle_s)


async def test_a_call_ends_with_its_grpc_timeout() -> None:
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.ask(1, [*CALL, (b"grpc-timeout", b"2S")])
    await plane.at(1001.9)
    assert client.frames() == []
    await plane.at(1002.0)
    fields = client.answer(client.frames())
    assert (fields[b":status"], fields[b"grpc-status"]) == (b"200", b"4")
    assert fields[b"grpc-message"] == b"the call took longer than its grpc-timeout"


# --- whether it is there


async def test_a_silent_client_with_open_streams_is_asked_after_300_s() -> None:
    """And lost 20 s later; whatever comes counts as an answer."""
    plane = SharedPlane()
    plane.upstream()
    client, quiet = plane.client(), plane.client()
    for one in (client, quiet):
        one.ask(1, CALL, end=False)
        one.frames()
    await plane.at(1299.9)
    assert client.frames() == []
    await plane.at(1300.0)
    assert client.frames() == quiet.frames() == [Frame(PING, 0, 0, b"ops-ping")]
    await plane.at(1319.9)
    client.get(frame(PING, codes.ACK, 0, b"ops-ping"))
    assert client.frames() == []
    assert not quiet.transport.is_aborted
    await plane.at(1320.0)
    assert (client.transport.is_aborted, quiet.transport.is_aborted) == (False, True)
    await plane.at(1619.8)
    assert client.frames() == []
    await plane.at(1619.9)
    assert client.frames() == [Frame(PING, 0, 0, b"ops-ping")]


async def test_nobody_is_asked_where_no_stream_is_open_or_the_settings_say_so() -> None:
    for ping_s, ask in ((300.0, False), (0.0, True)):
        plane = SharedPlane(timeouts=Timeouts(idle_s=9999.0, ping_s=ping_s))
        plane.upstream()
        client = plane.client()
        if ask:
            client.ask(1, CALL, end=False)
        client.frames()
        await plane.at(1500.0)
        assert client.frames() == []


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
    await plane.at(1000.25)
    assert said(client.frames()) == (b"\0\0\0\3", "NO_ERROR", b"")
    assert not connection.is_expecting
    assert client.ask(5, GET) == []
    assert connection.open_exchanges == 2
    upstream.answer(1)
    assert not client.transport.is_ended
    upstream.answer(3)
    await plane.at(1000.3)
    assert client.transport.is_ended
    assert said(client.frames())[:2] == (b"\0\0\0\3", "NO_ERROR")


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


LIMITS = Limits(request_line_bytes=10, header_count=3, body_bytes=5)


def path(text: bytes) -> Fields:
    return [(b":method", b"POST"), (b":scheme", b"http"), (b":path", text), (b":authority", b"app")]


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


async def test_an_answer_that_grows_while_it_waits_was_not_taken_less() -> None:
    """What an upstream has under way comes after its reading was paused."""
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    upstream.get(data(1, bytes(1000)))
    await plane.at(1070.0)
    upstream.get(data(1, bytes(16_000)), data(1, bytes(16_000), end=True))
    client.get(window_update(1, 20_000))
    await plane.at(1075.0)
    assert client.connection.open_exchanges == 1
    assert client.get(window_update(1, 20_000))[-1].flags == codes.END_STREAM
    assert client.connection.open_exchanges == 0


async def test_a_client_that_has_taken_all_that_there_is_is_not_slow() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    upstream.get(data(1, bytes(1000)))
    client.get(window_update(1, 2000))
    await plane.at(1050.0)
    upstream.get(data(1, bytes(10)))
    await plane.at(1075.0)
    assert client.connection.open_exchanges == 1
    assert all(one.kind == codes.DATA for one in client.frames())


async def test_content_that_was_held_up_is_waited_for_anew() -> None:
    """By the upstream: what came before does not count for the time behind it."""
    plane = SharedPlane(pool=PoolPlan(max_connections=1), timeouts=Timeouts(idle_s=9999))
    upstream, client = plane.upstream(hello=settings((4, 10)) + SETTINGS_ACK), plane.client()
    client.ask(1, POST, end=False)
    client.get(data(1, bytes(14_400)))
    await plane.at(1050.0)
    upstream.get(window_update(1, 100_000))
    for now in (1060.0, 1100.0, 1109.0):
        await plane.at(now)
        assert client.frames() == []
        client.get(data(1, b"a"))
    await plane.at(1110.0)
    frames = client.frames()
    assert client.answer(frames)[b":status"] == b"408"
    assert b"3 bytes of the request came in 60 s" in frames[1].payload


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
