"""A server's end: requests, their order and their ids, and what a client may not do (RFC 9113)."""

from __future__ import annotations

import pytest
from lab.http2 import GET, HELLO, POST, Frame, data, frame, goaway, rst, settings
from lab.http2_ends import ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import (
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
)
from proxy.http2.engine.limits import Limits
from proxy.http2.hpack.field import HeaderField


def reset(id: int, code: int) -> Frame:
    return Frame(codes.RST_STREAM, 0, id, code.to_bytes(4, "big"))


def is_failed(end: ServerEnd, frames: list[Frame], code: int) -> bool:
    """Whether the last frame is the GOAWAY that ends the connection, and the owner knows."""
    last = frames[-1]
    return (
        last.kind == codes.GOAWAY
        and int.from_bytes(last.payload[4:8], "big") == code
        and ("failed", code) in end.told
        and end.engine.is_failed
    )


def test_our_settings_come_first() -> None:
    """3.4."""
    first = ServerEnd(Limits(max_streams=7, header_list_bytes=1000, extended_connect=True)).first
    assert first[0] == Frame(codes.SETTINGS, 0, 0, b"\0\3\0\0\0\7" + b"\0\6\0\0\x03\xe8" + b"\0\x08\0\0\0\1")
    assert first[1].kind == codes.WINDOW_UPDATE


def test_a_request_and_its_response() -> None:
    end = ServerEnd()
    stream = end.request(1, POST, end=False)
    end.get(data(1, b"hello"), data(1, b"", end=True))
    assert end.told == [(1, "request", b"/", False), (1, "content", b"hello", False), (1, "content", b"", True)]
    stream.send_headers([HeaderField(b":status", b"200")], [(b"x-a", b"1")], False)
    stream.send(b"answer", False)
    stream.send_headers([HeaderField(b"grpc-status", b"0")], [], True)
    head, content, trailers = end.out()
    assert end.peer.fields(head.payload) == [(b":status", b"200"), (b"x-a", b"1")]
    assert (content.kind, content.payload) == (codes.DATA, b"answer")
    assert end.peer.fields(trailers.payload) == [(b"grpc-status", b"0")]
    assert trailers.flags == END_HEADERS | END_STREAM
    assert end.engine.is_idle
    assert end.owner.over == 1


def test_trailers_of_a_request() -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.get(end.peer.headers(1, [(b"x-end", b"1")], end=True))
    assert end.told[-1] == (1, "trailers", [(b"x-end", b"1")])


def test_a_response_that_ends_early() -> None:
    """8.1: first all of it, then RST_STREAM(NO_ERROR). What still comes is ignored."""
    end = ServerEnd()
    stream = end.request(1, POST, end=False)
    end.respond(1)
    stream.send_headers([HeaderField(b"grpc-status", b"3")], [], True)
    trailers, last = end.out()
    assert trailers.flags & END_STREAM
    assert last == reset(1, NO_ERROR)
    assert end.get(data(1, b"more"), end.peer.headers(1, [(b"x-end", b"1")], end=True)) == []
    assert not end.engine.is_failed


@pytest.mark.parametrize("id", [2, 0x7FFFFFFE])
def test_a_client_opens_odd_ids(id: int) -> None:
    """5.1.1."""
    end = ServerEnd()
    assert is_failed(end, end.get(end.peer.headers(id, GET, end=True)), PROTOCOL_ERROR)


def test_ids_grow() -> None:
    """5.1.1."""
    end = ServerEnd()
    end.request(5)
    assert is_failed(end, end.get(end.peer.headers(3, GET, end=True)), PROTOCOL_ERROR)


def test_headers_behind_the_end_of_a_request() -> None:
    """5.1, half-closed (remote)."""
    end = ServerEnd()
    end.request(1)
    assert end.get(end.peer.headers(1, GET, end=True)) == [reset(1, STREAM_CLOSED)]
    assert end.told[-1] == (1, "reset", STREAM_CLOSED, False)


def test_headers_behind_the_end_of_both() -> None:
    """5.1, closed."""
    end = ServerEnd()
    end.request(1)
    end.respond(1, end=True)
    assert is_failed(end, end.get(end.peer.headers(1, GET, end=True)), STREAM_CLOSED)


def test_content_behind_the_end() -> None:
    """5.1, half-closed (remote) and closed."""
    end = ServerEnd()
    end.request(1)
    assert end.get(data(1, b"a")) == [reset(1, STREAM_CLOSED)]
    end.request(3)
    end.respond(3, end=True)
    assert end.get(data(3, b"a")) == [reset(3, STREAM_CLOSED)]


def test_frames_behind_the_clients_own_reset() -> None:
    """5.1, closed."""
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.get(rst(1))
    assert end.told[-1] == (1, "reset", codes.CANCEL, False)
    assert end.get(data(1, b"a")) == [reset(1, STREAM_CLOSED)]
    assert is_failed(end, end.get(end.peer.headers(1, GET)), STREAM_CLOSED)


def test_frames_that_crossed_with_our_reset_are_ignored() -> None:
    """5.1. Their fields still go into the table, and their content counts."""
    end = ServerEnd()
    end.request(1, POST, end=False).reset(codes.CANCEL)
    assert end.out() == [reset(1, codes.CANCEL)]
    assert end.get(data(1, b"a"), end.peer.headers(1, [(b"x-a", b"1")], end=True)) == []
    end.request(3, [*GET, (b"x-a", b"1")])
    assert [field.name for field in end.owner.heads[3].plain] == [b"x-a"]


def test_trailers_that_do_not_end_the_request() -> None:
    """8.1."""
    end = ServerEnd()
    end.request(1, POST, end=False)
    assert end.get(end.peer.headers(1, [(b"x-a", b"1")])) == [reset(1, PROTOCOL_ERROR)]


def test_a_malformed_request_ends_its_stream_alone() -> None:
    """8.1.1."""
    end = ServerEnd()
    end.request(1)
    assert end.get(end.peer.headers(3, GET[1:], end=True)) == [reset(3, PROTOCOL_ERROR)]
    assert end.told[-1] == ("malformed", PROTOCOL_ERROR)
    assert list(end.engine.streams) == [1]


@pytest.mark.parametrize(
    ("announced", "contents"), [(b"5", [b"123456"]), (b"5", [b"123", b""]), (b"5", [b"1234", b"56"]), (b"0", [b"1"])]
)
def test_content_that_is_not_as_long_as_announced(announced: bytes, contents: list[bytes]) -> None:
    """8.1.1."""
    end = ServerEnd()
    end.request(1, [*POST, (b"content-length", announced)], end=False)
    frames = end.get(*(data(1, content, end=content is contents[-1]) for content in contents))
    assert reset(1, PROTOCOL_ERROR) in frames
    assert (1, "reset", PROTOCOL_ERROR, False) in end.told


def test_trailers_before_all_of_the_announced_content() -> None:
    end = ServerEnd()
    end.request(1, [*POST, (b"content-length", b"5")], end=False)
    frames = end.get(data(1, b"1234"), end.peer.headers(1, [(b"x-a", b"1")], end=True))
    assert frames == [reset(1, PROTOCOL_ERROR)]


def test_more_streams_than_announced_are_refused() -> None:
    """5.1.2. Their header blocks are read all the same."""
    end = ServerEnd(Limits(max_streams=2))
    end.request(1)
    end.request(3)
    assert end.get(end.peer.headers(5, [*GET, (b"x-a", b"1")], end=True)) == [reset(5, REFUSED_STREAM)]
    end.respond(1, end=True)
    end.request(7, [*GET, (b"x-a", b"1")])
    assert [field.value for field in end.owner.heads[7].plain] == [b"1"]


def test_a_header_list_beyond_the_limit_can_be_answered() -> None:
    """6.5.2, 10.5.1. The tables stay the same, so the connection goes on."""
    end = ServerEnd(Limits(header_list_bytes=200))
    end.get(end.peer.headers(1, [*GET, (b"x-a", b"1" * 100), (b"x-b", b"2")], end=True))
    assert end.told == [(1, "oversized", True)]
    assert end.respond(1, 431, end=True)[0].flags & END_STREAM
    end.request(3, [*GET[:3], (b"x-b", b"2")])
    assert [field.value for field in end.owner.heads[3].plain] == [b"2"]


def test_padding_and_priority_in_headers() -> None:
    """6.2: both are taken off. 5.3: priority is ignored."""
    end = ServerEnd()
    payload = b"\3" + b"\x80\0\0\x0b\xff" + end.peer.block(GET) + bytes(3)
    flags = codes.PADDED | codes.PRIORITY_FLAG | END_HEADERS | END_STREAM
    end.get(frame(codes.HEADERS, flags, 1, payload))
    assert end.told == [(1, "request", b"/", True)]


@pytest.mark.parametrize(
    ("flags", "payload"),
    [(codes.PADDED, b""), (codes.PADDED, b"\5\x82\x84"), (codes.PADDED | codes.PRIORITY_FLAG, b"\0\0\0\0")],
)
def test_padding_that_is_too_long(flags: int, payload: bytes) -> None:
    """6.1, 6.2."""
    end = ServerEnd()
    assert is_failed(end, end.get(frame(codes.HEADERS, flags | END_HEADERS, 1, payload)), PROTOCOL_ERROR)


def test_a_stream_that_depends_on_itself() -> None:
    """RFC 7540, 5.3.1."""
    end = ServerEnd()
    wire = frame(codes.HEADERS, codes.PRIORITY_FLAG | END_HEADERS, 1, b"\0\0\0\1\0" + end.peer.block(GET))
    assert end.get(wire) == [reset(1, PROTOCOL_ERROR)]


def test_a_block_in_pieces() -> None:
    """6.10."""
    end = ServerEnd()
    block = end.peer.block(GET)
    pieces = [frame(codes.CONTINUATION, 0, 1, bytes((byte,))) for byte in block[1:-1]]
    wire = (
        frame(codes.HEADERS, END_STREAM, 1, block[:1]),
        *pieces,
        frame(codes.CONTINUATION, END_HEADERS, 1, block[-1:]),
    )
    end.get(*wire)
    assert end.told == [(1, "request", b"/", True)]


@pytest.mark.parametrize(
    "between",
    [
        data(1, b"a"),
        settings(),
        frame(codes.PING, 0, 0, bytes(8)),
        frame(0x42),
        frame(codes.CONTINUATION, 0, 3),
        frame(codes.HEADERS, END_HEADERS, 1, b"\x82"),
    ],
)
def test_nothing_comes_between_the_pieces_of_a_block(between: bytes) -> None:
    """6.10, 5.5."""
    end = ServerEnd()
    frames = end.get(frame(codes.HEADERS, 0, 1, b"\x82"), between)
    assert is_failed(end, frames, PROTOCOL_ERROR)


@pytest.mark.parametrize("piece", [b"", b"x", b"x" * 16384])
def test_a_block_without_end(piece: bytes) -> None:
    """10.5: the CONTINUATION flood."""
    end = ServerEnd()
    frames = end.get(frame(codes.HEADERS, 0, 1, b"\x82"), *[frame(codes.CONTINUATION, 0, 1, piece)] * 1000)
    assert is_failed(end, frames, ENHANCE_YOUR_CALM)


def test_a_continuation_of_nothing() -> None:
    end = ServerEnd()
    assert is_failed(end, end.get(frame(codes.CONTINUATION, END_HEADERS, 1, b"\x82")), PROTOCOL_ERROR)


def test_a_block_that_cannot_be_decoded() -> None:
    """4.3."""
    end = ServerEnd()
    frames = end.get(frame(codes.HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"))
    assert is_failed(end, frames, codes.COMPRESSION_ERROR)


@pytest.mark.parametrize("hello", [frame(codes.PING, 0, 0, bytes(8)), frame(codes.SETTINGS, codes.ACK), data(1)])
def test_settings_come_first(hello: bytes) -> None:
    """3.4."""
    end = ServerEnd(hello=codes.PREFACE)
    assert is_failed(end, end.get(hello), PROTOCOL_ERROR)


def test_http_1_1_is_not_a_preface() -> None:
    end = ServerEnd(hello=b"")
    assert is_failed(end, end.get(b"GET / HTTP/1.1\r\n\r\n"), PROTOCOL_ERROR)


def test_push_promise() -> None:
    """8.4: a client never sends it."""
    end = ServerEnd()
    assert is_failed(end, end.get(frame(codes.PUSH_PROMISE, END_HEADERS, 1, bytes(4))), PROTOCOL_ERROR)


# --- drain


def test_goaway_first_announced_then_for_good() -> None:
    """6.8."""
    end = ServerEnd()
    end.request(1)
    end.engine.goaway(final=False)
    assert end.out()[0].payload == b"\x7f\xff\xff\xff" + bytes(4)
    end.request(3)
    end.engine.goaway(final=True)
    assert end.out()[0].payload == b"\0\0\0\3" + bytes(4)
    assert end.get(end.peer.headers(5, [*GET, (b"x-a", b"1")], end=True), data(5, b"a")) == []
    assert 5 not in end.owner.streams
    assert end.respond(1, end=True)
    assert end.respond(3, end=True)
    assert end.engine.is_idle
    assert end.engine.is_closing


def test_a_client_may_say_goaway() -> None:
    end = ServerEnd()
    end.request(1)
    end.get(goaway(0))
    assert ("goaway", NO_ERROR) in end.told
    assert end.respond(1, end=True)


def test_what_was_open_hears_of_the_end() -> None:
    end = ServerEnd()
    end.request(1)
    end.request(3)
    end.engine.lost()
    told = end.told
    assert (1, "reset", codes.CANCEL, False) in told
    assert (3, "reset", codes.CANCEL, False) in told
    assert end.engine.is_idle
    assert end.get(HELLO) == []


# --- resets


def test_rapid_resets_end_the_connection() -> None:
    """10.5."""
    end = ServerEnd(resets=Bucket(100, 30))
    wire = b"".join(end.peer.headers(id, GET, end=True) + rst(id) for id in range(1, 199, 2))
    assert end.get(wire) == []
    assert end.engine.is_idle
    frames = end.get(*(end.peer.headers(id, GET, end=True) + rst(id) for id in range(199, 205, 2)))
    assert is_failed(end, frames, ENHANCE_YOUR_CALM)


def test_resets_at_the_rate_of_the_budget_are_fine() -> None:
    end = ServerEnd(resets=Bucket(100, 30))
    for id in range(1, 2001, 2):
        end.now += 1 / 29
        assert end.get(end.peer.headers(id, GET, end=True), rst(id)) == []


def test_a_client_that_makes_us_reset_pays_the_same() -> None:
    """A request, and a WINDOW_UPDATE of 0 that ends it."""
    end = ServerEnd(resets=Bucket(100, 30))
    bad = [end.peer.headers(id, GET, end=True) + frame(codes.WINDOW_UPDATE, 0, id, bytes(4)) for id in range(1, 205, 2)]
    assert is_failed(end, end.get(*bad), ENHANCE_YOUR_CALM)
    told = end.owner.streams
    assert all(stream.is_over for stream in told.values())


def test_a_budget_may_be_shared_by_the_connections_of_a_client() -> None:
    resets = Bucket(10, 0)
    for number in range(12):
        end = ServerEnd(resets=resets)
        frames = end.get(end.peer.headers(1, GET, end=True), rst(1))
        assert (frames == []) is (number < 10)


def test_a_reset_for_a_stream_that_has_not_been() -> None:
    """6.4."""
    end = ServerEnd()
    assert is_failed(end, end.get(rst(1)), PROTOCOL_ERROR)
    end = ServerEnd()
    assert is_failed(end, end.get(rst(0)), PROTOCOL_ERROR)
