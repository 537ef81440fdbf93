"""Frames that carry no message (RFC 9113, 6.3 to 6.9), and floods of them (10.5)."""

from __future__ import annotations

import pytest
from lab.http2 import GET, POST, Frame, data, frame, settings, window_update
from lab.http2_ends import ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.codes import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PREFACE, PROTOCOL_ERROR
from proxy.http2.engine.limits import Limits
from proxy.http2.hpack.field import HeaderField

PING = frame(codes.PING, 0, 0, b"12345678")


def goaway_code(frames: list[Frame]) -> int:
    """The code of the GOAWAY at the end."""
    assert frames[-1].kind == codes.GOAWAY
    return int.from_bytes(frames[-1].payload[4:8], "big")


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(codes.SETTINGS, 0, 1), PROTOCOL_ERROR),  # 6.5
        (frame(codes.SETTINGS, codes.ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
        (frame(codes.SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
        (settings((codes.ENABLE_PUSH, 2)), PROTOCOL_ERROR),  # 6.5.2
        (settings((codes.INITIAL_WINDOW_SIZE, 1 << 31)), FLOW_CONTROL_ERROR),
        (settings((codes.MAX_FRAME_SIZE, 16383)), PROTOCOL_ERROR),
        (settings((codes.MAX_FRAME_SIZE, 1 << 24)), PROTOCOL_ERROR),
        (settings((codes.ENABLE_CONNECT_PROTOCOL, 2)), PROTOCOL_ERROR),  # RFC 8441, 3
        (settings((codes.ENABLE_CONNECT_PROTOCOL, 1), (codes.ENABLE_CONNECT_PROTOCOL, 0)), PROTOCOL_ERROR),
        (settings(*[(codes.INITIAL_WINDOW_SIZE, 1)] * 65), ENHANCE_YOUR_CALM),
        (frame(codes.PING, 0, 1, bytes(8)), PROTOCOL_ERROR),  # 6.7
        (frame(codes.PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
        (frame(codes.GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR),  # 6.8
        (frame(codes.GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
        (frame(codes.WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR),  # 6.9
        (frame(codes.WINDOW_UPDATE, 0, 0, bytes(4)), PROTOCOL_ERROR),
        (frame(codes.WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), PROTOCOL_ERROR),  # of an idle stream
        (window_update(0, 0x7FFFFFFF), FLOW_CONTROL_ERROR),  # 6.9.1
        (frame(codes.PRIORITY, 0, 0, bytes(5)), PROTOCOL_ERROR),  # 6.3
        (frame(codes.RST_STREAM, 0, 1, bytes(5)), FRAME_SIZE_ERROR),  # 6.4
        (frame(codes.DATA, 0, 0, b"a"), PROTOCOL_ERROR),  # 6.1
        (frame(codes.DATA, 0, 1, b"a"), PROTOCOL_ERROR),
        (frame(codes.HEADERS, codes.END_HEADERS, 0, b"\x82"), PROTOCOL_ERROR),  # 6.2
    ],
)
def test_what_ends_the_connection(wire: bytes, code: int) -> None:
    end = ServerEnd()
    assert goaway_code(end.get(wire)) == code
    assert end.engine.is_failed
    assert end.get(PING) == []


@pytest.mark.parametrize(
    "wire",
    [
        frame(0x42, 0xFF, 7, b"abc"),  # 5.5
        frame(codes.PRIORITY, 0, 7, bytes(5)),  # 5.3, in any state
        settings((0x4242, 7)),  # 6.5.2
        frame(codes.SETTINGS, codes.ACK),
        window_update(0, 1),
        frame(codes.PING, codes.ACK, 0, bytes(8)),
    ],
)
def test_what_is_ignored(wire: bytes) -> None:
    end = ServerEnd()
    assert [frame for frame in end.get(wire) if frame.kind != codes.SETTINGS] == []
    assert not end.engine.is_failed


def test_settings_and_pings_are_acknowledged() -> None:
    end = ServerEnd()
    assert end.get(settings()) == [Frame(codes.SETTINGS, codes.ACK, 0, b"")]
    assert end.get(PING) == [Frame(codes.PING, codes.ACK, 0, b"12345678")]
    end.engine.ping(b"abcdefgh")
    assert end.out() == [Frame(codes.PING, 0, 0, b"abcdefgh")]
    end.get(frame(codes.PING, codes.ACK, 0, b"abcdefgh"))
    assert end.told == [("pong", b"abcdefgh")]


@pytest.mark.parametrize(
    ("payload", "code"), [(bytes(4), FRAME_SIZE_ERROR), (b"\0\0\0\7\0", PROTOCOL_ERROR), (bytes(6), FRAME_SIZE_ERROR)]
)
def test_a_bad_priority_ends_its_stream_alone(payload: bytes, code: int) -> None:
    """6.3; RFC 7540, 5.3.1."""
    end = ServerEnd()
    assert end.get(frame(codes.PRIORITY, 0, 7, payload)) == [Frame(codes.RST_STREAM, 0, 7, code.to_bytes(4, "big"))]
    assert not end.engine.is_failed


def test_a_window_update_of_nothing_ends_its_stream() -> None:
    """6.9."""
    end = ServerEnd()
    end.request(1)
    assert end.get(window_update(1, 0)) == [Frame(codes.RST_STREAM, 0, 1, PROTOCOL_ERROR.to_bytes(4, "big"))]


def test_a_window_that_is_too_large_ends_its_stream() -> None:
    """6.9.1."""
    end = ServerEnd()
    end.request(1)
    frames = end.get(window_update(1, 0x7FFFFFFF))
    assert frames == [Frame(codes.RST_STREAM, 0, 1, FLOW_CONTROL_ERROR.to_bytes(4, "big"))]


def test_a_setting_that_makes_a_window_too_large_ends_the_connection() -> None:
    """6.9.2."""
    end = ServerEnd()
    end.request(1)
    end.get(window_update(1, 0x7FFFFFFF - 65535))
    assert goaway_code(end.get(settings((codes.INITIAL_WINDOW_SIZE, 65536)))) == FLOW_CONTROL_ERROR


def test_more_content_than_the_streams_window_ends_the_stream() -> None:
    """6.9.1."""
    end = ServerEnd()
    end.owner.holds = True
    end.request(1, POST, end=False)
    frames = end.get(*[data(1, bytes(16384))] * 3, data(1, bytes(16383)), data(1, b"a"))
    assert frames[-1] == Frame(codes.RST_STREAM, 0, 1, FLOW_CONTROL_ERROR.to_bytes(4, "big"))


def test_more_content_than_the_connections_window_ends_the_connection() -> None:
    """6.9.1."""
    end = ServerEnd(Limits(connection_window=70000, max_held_bytes=0))
    end.owner.holds = True
    for id in (1, 3):
        end.request(id, POST, end=False)
    wire = [data(1, bytes(16384))] * 3 + [data(3, bytes(16384))] * 2
    assert goaway_code(end.get(*wire)) == FLOW_CONTROL_ERROR


def test_a_peer_that_asks_for_no_table_gets_none() -> None:
    """RFC 7541, 4.2."""
    end = ServerEnd()
    end.get(settings((codes.HEADER_TABLE_SIZE, 0)))
    end.request(1)
    assert end.respond(1, 200, end=True)[0].payload == b"\x20\x88"


# --- floods

FLOODS = {
    "ping": PING,
    "settings": settings((codes.INITIAL_WINDOW_SIZE, 65535)),
    "acknowledgements": frame(codes.SETTINGS, codes.ACK),
    "priority": frame(codes.PRIORITY, 0, 7, bytes(5)),
    "bad priority": frame(codes.PRIORITY, 0, 7, bytes(4)),
    "unknown": frame(0x42),
    "goaway": frame(codes.GOAWAY, 0, 0, bytes(8)),
    "empty data": data(1),
    "padding alone": frame(codes.DATA, codes.PADDED, 1, b"\x03\0\0\0"),
    "window updates": window_update(1, 1),
    "window updates of the connection": window_update(0, 1),
    "resets of streams that are over": frame(codes.RST_STREAM, 0, 3, bytes(4)),
    "content of streams that are over": data(3, b"a"),
    "pings' answers": frame(codes.PING, codes.ACK, 0, bytes(8)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_end_the_connection(name: str) -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.request(3)
    end.respond(3, end=True)
    written = 0
    for _ in range(100):  # in one second
        end.now += 0.01
        frames = end.get(FLOODS[name] * 100)
        written += len(frames)
        if end.engine.is_failed:
            assert goaway_code(frames) == ENHANCE_YOUR_CALM
            break
    assert end.engine.is_failed
    assert written < 3000


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOODS)
def test_a_connection_may_live_for_months(name: str) -> None:
    """The same frames, ten a second."""
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.request(3)
    end.respond(3, end=True)
    for _ in range(10_000):
        end.now += 0.1
        end.get(FLOODS[name])
    assert not end.engine.is_failed


def test_a_peer_that_measures_a_fast_transfer_may_ping() -> None:
    """As gRPC does: one PING with each piece of content."""
    end = ServerEnd()
    end.request(1, POST, end=False)
    for _ in range(5000):
        end.get(data(1, b"x"), PING)
    assert not end.engine.is_failed


def test_a_receiver_of_much_content_may_open_its_windows_often() -> None:
    end = ServerEnd()
    end.request(1)
    end.respond(1)
    for _ in range(5000):
        end.owner.streams[1].send(bytes(1000), False)
        end.get(window_update(1, 1000), window_update(0, 1000))
    assert not end.engine.is_failed


def test_a_client_may_tell_of_each_small_answer() -> None:
    """As some do: one call after another, and for each two WINDOW_UPDATEs."""
    end = ServerEnd()
    for id in range(1, 10_001, 2):
        end.request(id)
        end.respond(id)
        end.owner.streams[id].send(b"small", False)
        end.owner.streams[id].send_headers([HeaderField(b"grpc-status", b"0")], [], True)
        end.get(window_update(0, 5), window_update(id, 5))
    assert not end.engine.is_failed


def test_a_window_that_is_opened_byte_by_byte_is_a_flood() -> None:
    end = ServerEnd(hello=PREFACE + settings((codes.INITIAL_WINDOW_SIZE, 0)))
    end.request(1)
    end.respond(1)
    end.owner.streams[1].send(bytes(10_000), True)
    for _ in range(5000):
        end.get(window_update(1, 1))
    assert end.engine.is_failed


def test_a_client_may_open_a_window_for_each_request() -> None:
    """As curl does."""
    end = ServerEnd()
    for id in range(1, 10_001, 2):
        end.get(end.peer.headers(id, GET, end=True), window_update(id, 1 << 20))
        end.respond(id, 204, end=True)
    assert not end.engine.is_failed


def test_the_work_of_one_turn_is_bounded() -> None:
    end = ServerEnd(Limits(max_streams=1000))
    wire = b"".join(end.peer.headers(id, GET, end=True) for id in range(1, 401, 2))
    assert end.engine.feed(wire, 0.0)
    assert end.engine.is_behind
    assert len(end.owner.streams) == 64
    turns = 1
    while end.engine.feed(b"", 0.0):
        turns += 1
    assert turns == 3
    assert len(end.owner.streams) == 200
