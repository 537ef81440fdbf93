"""How long a client of HTTP/2 is waited for, to the tick, and how it is asked whether it is there."""

from __future__ import annotations

import pytest
from lab.http2 import GET, POST, SETTINGS_ACK, Fields, Frame, data, frame, settings, window_update
from lab.shared import SharedPlane

from proxy.http2.engine import codes
from proxy.http2.engine.codes import GOAWAY, PING, PREFACE
from proxy.plan import Clients, PoolPlan, Timeouts

CALL: Fields = [*POST, (b"content-type", b"application/grpc"), (b"te", b"trailers")]


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


@pytest.mark.parametrize("has_trailers", [False, True])
async def test_a_request_that_is_whole_is_waited_for_no_longer(has_trailers: bool) -> None:
    plane = SharedPlane(timeouts=Timeouts(body_read_s=5.0))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, POST, end=False)
    client.get(data(1, b"a", end=not has_trailers))
    if has_trailers:
        client.get(client.peer.headers(1, [(b"x", b"1")], end=True))
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
    assert ([one.kind for one in upstream.frames()][-1:] == [codes.RST_STREAM]) is is_slow
    for now, is_cut in ((1149.9, is_slow), (1150.0, True)):
        await plane.at(now)
        assert (client.connection.open_exchanges == 0) is is_cut


async def test_a_client_that_took_enough_is_judged_again_75_s_later() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    upstream.get(*[data(1, bytes(16_000))] * 3)
    client.get(window_update(1, 18_000))
    open_exchanges = []
    for now in (1075.0, 1075.5, 1149.9, 1150.0):
        await plane.at(now)
        open_exchanges.append(client.connection.open_exchanges)
    assert open_exchanges == [1, 1, 1, 0]


@pytest.mark.parametrize(("taken", "is_slow"), [(1, False), (0, True)])
async def test_where_the_settings_ask_for_no_pace_one_byte_is_enough(taken: int, is_slow: bool) -> None:
    plane = SharedPlane(clients=Clients(read_bytes_per_s=0))
    upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
    client.ask(1, GET)
    upstream.answer(1, end=False)
    upstream.get(data(1, bytes(1000)))
    if taken:
        client.get(window_update(1, taken))
    await plane.at(1075.0)
    assert client.connection.open_exchanges == (0 if is_slow else 1)


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


async def test_a_call_that_is_answered_has_no_timeout_while_its_client_reads() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client(hello=PREFACE + settings((4, 0)) + SETTINGS_ACK)
    client.ask(1, [*CALL, (b"grpc-timeout", b"2S")])
    upstream.answer(1, end=False)
    upstream.get(data(1, b"answer", end=True))
    client.frames()
    await plane.at(1002.0)
    assert (client.frames(), client.connection.open_exchanges) == ([], 1)
    assert [one.payload for one in client.get(window_update(1, 10))] == [b"answer"]


async def test_what_comes_of_a_call_moves_the_end_of_its_silence() -> None:
    plane = SharedPlane(timeouts=Timeouts(idle_s=9999.0, grpc_idle_s=100.0))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, CALL, end=False)
    upstream.answer(1, end=False)
    for now in (1050.0, 1149.0):
        await plane.at(now)
        client.get(data(1, b"a"))
        upstream.get(data(1, b"a"))
    await plane.at(1248.9)
    assert client.connection.open_exchanges == 1
    await plane.at(1249.0)
    assert client.connection.open_exchanges == 0


@pytest.mark.parametrize(
    ("value", "last", "end"), [(b"2S", 1001.9, 1002.0), (b"500m", 1000.4, 1000.5), (b"0S", 0, 1000)]
)
async def test_a_call_ends_with_its_grpc_timeout(value: bytes, last: float, end: float) -> None:
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.ask(1, [*CALL, (b"grpc-timeout", value)])
    if last:
        await plane.at(last)
    assert client.frames() == []
    await plane.at(end)
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


async def test_a_whole_request_that_waited_for_a_connection_is_not_waited_for() -> None:
    plane = SharedPlane(pool=PoolPlan(streams=1, max_connections=1), timeouts=Timeouts(body_read_s=5.0))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    client.ask(3, GET)
    upstream.answer(1)
    assert client.frames()[0].id == 1
    await plane.at(1050.0)
    assert client.frames() == []
    upstream.answer(3)
    assert client.answer(client.frames())[b":status"] == b"200"
