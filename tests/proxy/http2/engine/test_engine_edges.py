"""What one turn reads and writes, and what is remembered and credited, exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.http2 import GET, HELLO, OK, POST, SETTINGS_ACK, Frame, data, frame, rst, settings, window_update
from lab.http2_ends import ClientEnd, ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, WINDOW_UPDATE
from proxy.http2.engine.limits import Limits

PIECE = bytes(16_384)
MIB = 1 << 20


def requests(end: ServerEnd, number: int) -> bytes:
    return b"".join(end.peer.headers(id, GET, end=True) for id in range(3, 3 + 2 * number, 2))


def requests_in_two(end: ServerEnd, number: int) -> bytes:
    blocks = [(id, end.peer.block(GET)) for id in range(3, 3 + 2 * number, 2)]
    return b"".join(
        frame(HEADERS, END_STREAM, id, block[:2]) + frame(CONTINUATION, END_HEADERS, id, block[2:])
        for id, block in blocks
    )


@pytest.mark.parametrize(
    ("wire", "most"),
    [
        (requests, 64),
        (requests_in_two, 32),
        (lambda _, number: frame(PING, 0, 0, bytes(8)) * number, 512),
        (lambda _, number: data(1, b"a") * number, 512),
    ],
)
@pytest.mark.parametrize("beyond", [False, True])
def test_a_turn_of_a_server_reads_so_many_frames(
    wire: Callable[[ServerEnd, int], bytes], most: int, beyond: bool
) -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    assert end.engine.feed(wire(end, most + beyond), 0.0) is beyond
    assert end.engine.is_behind is beyond
    assert end.engine.feed(b"", 0.0) is False
    assert not end.engine.is_failed


@pytest.mark.parametrize("beyond", [False, True])
def test_a_turn_of_a_client_reads_171_answers(beyond: bool) -> None:
    end = ClientEnd()
    for _ in range(172):
        end.open()
    end.out()
    wire = b"".join(end.peer.headers(id, OK, end=True) for id in range(1, 2 * (171 + beyond), 2))
    assert end.engine.feed(wire, 0.0) is beyond


@pytest.mark.parametrize("wire", [data(0, b"a"), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")])
def test_behind_a_fault_there_is_nothing_more_to_read(wire: bytes) -> None:
    end = ServerEnd()
    assert end.engine.feed(wire + frame(PING, 0, 0, bytes(8)), 0.0) is False
    assert not end.engine.is_behind
    assert [one.kind for one in end.out()] == [GOAWAY]
    assert end.engine.feed(frame(PING, 0, 0, bytes(8)), 0.0) is False
    assert end.out() == []


@pytest.mark.parametrize(
    ("streams", "code", "words"),
    [
        (1024, codes.STREAM_CLOSED, b"HEADERS for a stream that has ended"),
        (1025, codes.PROTOCOL_ERROR, b"a new stream with an id below that of the last"),
    ],
)
def test_between_512_and_1024_ended_streams_are_remembered(streams: int, code: int, words: bytes) -> None:
    """5.1: what comes for one of them is another fault than what comes for a stream that never was."""
    end = ServerEnd(resets=Bucket(1e9, 0))
    head = end.peer.headers(1, GET, end=True)
    again = end.peer.headers(1, GET, end=True)  # by the table, from now on
    end.get(head, rst(1))
    for id in range(3, 2 * streams + 1, 2):
        end.get(again[:5] + id.to_bytes(4, "big") + again[9:], rst(id))
    assert end.engine.streams_total == streams
    (goodbye,) = end.get(again)
    assert (goodbye.payload[4:8], goodbye.payload[8:]) == (code.to_bytes(4, "big"), words)


@pytest.mark.parametrize(("most", "credit"), [(32_768, 32_768), (32_767, 0)])
def test_the_connection_gets_its_credit_back_up_to_what_all_streams_may_hold(most: int, credit: int) -> None:
    end = ServerEnd(Limits(connection_window=65_535, max_held_bytes=most))
    end.request(1, POST, end=False).hold(True)
    frames = end.get(data(1, PIECE), data(1, PIECE))
    assert sum(int.from_bytes(one.payload, "big") for one in frames if one.kind == WINDOW_UPDATE) == credit


def test_content_that_ends_its_stream_is_credited_to_the_connection() -> None:
    """6.9: a window of 100,000 bytes is told of once half of it has come."""
    end = ServerEnd(Limits(connection_window=100_000))
    for id in (1, 3, 5):
        end.request(id, [*POST, (b"content-length", b"5")], end=False)
        assert [one.kind for one in end.get(data(id, PIECE))] == [codes.RST_STREAM]
    end.request(7, [*POST, (b"content-length", b"5")], end=False)
    assert end.get(data(7, PIECE))[0] == Frame(WINDOW_UPDATE, 0, 0, (4 * 16_384).to_bytes(4, "big"))
    end.request(9, POST, end=False).hold(True)
    assert end.get(*[data(9, PIECE)] * 3) == []
    update, reset = end.get(data(9, PIECE))
    assert update == Frame(WINDOW_UPDATE, 0, 0, (4 * 16_384).to_bytes(4, "big"))
    assert (reset.kind, reset.payload) == (codes.RST_STREAM, codes.FLOW_CONTROL_ERROR.to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("priority", "is_itself"), [(b"\x01\0\0\1\0", False), (b"\x80\0\0\1\0", True), (b"\0\0\0\1\xff", True)]
)
def test_a_stream_depends_on_itself_by_all_31_bits(priority: bytes, is_itself: bool) -> None:
    """RFC 7540, 5.3.1."""
    end = ServerEnd()
    flags = END_HEADERS | END_STREAM | codes.PRIORITY_FLAG
    assert bool(end.get(frame(HEADERS, flags, 1, priority + end.peer.block(GET)))) is is_itself


def test_more_content_than_the_connections_window_says_so() -> None:
    end = ServerEnd(Limits(connection_window=65_535, max_held_bytes=0))
    end.request(1, POST, end=False).hold(True)
    assert end.get(*[data(1, PIECE)] * 3, data(1, PIECE[:-1])) == []
    (goodbye,) = end.get(data(1, b"a"))
    assert goodbye.payload[4:] == b"\0\0\0\3more content than the connection's window"


def test_a_smaller_table_of_ours_counts_from_the_acknowledgement() -> None:
    """RFC 7541, 4.2."""
    late = ServerEnd(Limits(table_bytes=100), hello=codes.PREFACE + settings())
    late.request(1)
    (goodbye,) = late.get(SETTINGS_ACK, late.peer.headers(3, GET, end=True))
    assert goodbye.payload[4:] == b"\0\0\0\x09no size update after the table was made smaller"
    end = ServerEnd(Limits(table_bytes=100))
    end.peer.limit_table(100)
    end.request(1)
    end.get(SETTINGS_ACK)
    end.request(3)
    assert not end.engine.is_failed


# --- what goes


def content(frames: list[Frame]) -> bytes:
    return b"".join(one.payload for one in frames if one.kind == DATA)


def test_content_in_whole_frames_counts_against_the_connections_window() -> None:
    end = ServerEnd(hello=HELLO + settings((codes.INITIAL_WINDOW_SIZE, 1 << 20)))
    end.request(1)
    end.respond(1)
    for _ in range(5):
        end.owner.streams[1].send(PIECE, False)
    assert len(content(end.out())) == 65_535
    assert not end.engine.has_more
    assert len(content(end.get(window_update(0, 10)))) == 10


def test_a_stream_that_is_given_more_while_it_waits_has_one_turn_still() -> None:
    end = ServerEnd(hello=HELLO + settings((codes.INITIAL_WINDOW_SIZE, 1 << 20)))
    for id in (1, 3):
        end.request(id)
        end.respond(id)
    for id in (1, 1, 1, 3):
        end.owner.streams[id].send(bytes(100_000), False)
    end.out()
    frames = end.get(window_update(0, 4 * 16_384))
    assert [one.id for one in frames if one.kind == DATA] == [1, 3, 1, 3]


@pytest.mark.parametrize("more", [0, 1])
def test_what_a_turn_has_written_of_content_is_known_and_whether_more_goes(more: int) -> None:
    """A MiB if it waits already, within the connection's window."""
    end = ServerEnd(hello=HELLO + settings((codes.INITIAL_WINDOW_SIZE, 1 << 30)))
    end.get(window_update(0, MIB - 65_535 + more))
    end.request(1)
    end.respond(1)
    end.owner.streams[1].send(bytes(MIB + 100), True)
    assert (len(content(end.out())), end.engine.taken_bytes) == (MIB, MIB)
    assert end.engine.has_more is bool(more)
    assert (len(content(end.out())), end.engine.taken_bytes) == (more, more)
    assert not end.engine.has_more


def test_content_that_came_before_its_stream_was_open_goes_once() -> None:
    end = ClientEnd(hello=settings((codes.INITIAL_WINDOW_SIZE, 4)) + SETTINGS_ACK)
    stream = end.open(POST, end=False)
    stream.send(b"early", False)
    assert repr(stream) == "<Stream 0 sending receiving, 5 bytes queued>"
    assert content(end.out()) == b"earl"
    assert content(end.get(window_update(1, 3))) == b"y"
    stream.send(b"later", True)
    assert content(end.out()) == b"la"
    assert content(end.get(window_update(1, 10))) == b"ter"


def test_a_request_that_has_ended_gets_nothing_more_though_its_answer_comes() -> None:
    end = ClientEnd()
    stream = end.open(POST, end=False)
    end.out()
    stream.send(b"all", True)
    assert [(one.payload, one.flags) for one in end.out()] == [(b"all", END_STREAM)]
    stream.send(b"more", False)
    stream.send_headers([], [], True)
    assert end.out() == []
    end.get(end.peer.headers(1, OK))
    stream.send(b"more", True)
    assert end.out() == []


def test_requests_on_a_stream_that_we_have_reset_are_noise() -> None:
    end = ServerEnd()
    end.request(1, POST, end=False).reset(codes.CANCEL)
    head = end.peer.headers(1, GET, end=True)
    assert [one.kind for one in end.get(head * 900)] == [codes.RST_STREAM]
    assert end.get(head * 200)[-1].payload[4:] == b"\0\0\0\x0btoo many frames without content: HEADERS"


def test_content_of_the_announced_length_may_end_with_an_empty_frame() -> None:
    end = ServerEnd()
    end.request(1, [*POST, (b"content-length", b"5")], end=False)
    end.get(data(1, b"12345"), data(1, b"", end=True))
    assert end.told[1:] == [(1, "content", b"12345", False), (1, "content", b"", True)]
