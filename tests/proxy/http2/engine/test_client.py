"""A client's end: streams are opened as they are written, and responses come (RFC 9113)."""

from __future__ import annotations

import pytest
from lab.http2 import GET, OK, POST, SETTINGS_ACK, Fields, Frame, data, frame, goaway, rst, settings, window_update
from lab.http2_ends import ClientEnd

from proxy.http2.engine import codes
from proxy.http2.engine.codes import CANCEL, END_HEADERS, END_STREAM, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM
from proxy.http2.engine.limits import Limits
from proxy.http2.hpack.field import HeaderField

HEAD: Fields = [(b":method", b"HEAD"), *GET[1:]]


def reset(id: int, code: int) -> Frame:
    return Frame(codes.RST_STREAM, 0, id, code.to_bytes(4, "big"))


def goaway_code(frames: list[Frame]) -> int:
    assert frames[-1].kind == codes.GOAWAY
    return int.from_bytes(frames[-1].payload[4:8], "big")


def opened(end: ClientEnd, fields: Fields = GET, *, done: bool = True) -> None:
    """A request on the wire."""
    end.open(fields, end=done)
    end.out()


def test_our_preface() -> None:
    """3.4; no pushes (8.4)."""
    first = ClientEnd(Limits(header_list_bytes=1000)).first
    assert first[0] == Frame(codes.SETTINGS, 0, 0, b"\0\2\0\0\0\0" + b"\0\6\0\0\x03\xe8")


def test_a_request_and_its_response() -> None:
    end = ClientEnd()
    stream = end.open(POST, end=False)
    stream.send(b"hello", True)
    head, content = end.out()
    assert (head.id, head.flags, end.peer.fields(head.payload)) == (1, END_HEADERS, POST)
    assert content == Frame(codes.DATA, END_STREAM, 1, b"hello")
    end.get(end.peer.headers(1, [(b":status", b"103")]), end.peer.headers(1, OK), data(1, b"answer"))
    end.get(end.peer.headers(1, [(b"grpc-status", b"0")], end=True))
    assert end.told == [
        (None, "interim", 103),
        (None, "response", 200, False),
        (None, "content", b"answer", False),
        (None, "trailers", [(b"grpc-status", b"0")]),
    ]
    assert end.engine.is_idle


def test_a_response_of_trailers_only() -> None:
    """As gRPC's refusals are."""
    end = ClientEnd()
    opened(end)
    end.get(end.peer.headers(1, [*OK, (b"grpc-status", b"14")], end=True))
    assert end.told == [(None, "response", 200, True)]
    assert end.engine.is_idle


def test_a_request_whose_content_ends_with_nothing() -> None:
    """So many callers of gRPC end theirs: a message, and an empty frame."""
    end = ClientEnd()
    stream = end.open(POST, end=False)
    stream.send(b"hello", False)
    stream.send(b"", True)
    stream.send(b"too late", True)
    _, content = end.out()
    assert content == Frame(codes.DATA, END_STREAM, 1, b"hello")


def test_a_request_that_turns_out_to_have_no_content_ends_with_its_head() -> None:
    end = ClientEnd()
    end.open(POST, end=False).send(b"", True)
    (head,) = end.out()
    assert head.flags == END_HEADERS | END_STREAM


def test_content_and_trailers_before_the_stream_is_open() -> None:
    end = ClientEnd()
    stream = end.open(POST, end=False)
    stream.send(b"hello ", False)
    stream.send(b"world", False)
    stream.send_headers([HeaderField(b"x-end", b"1")], [], True)
    _, content, trailers = end.out()
    assert content == Frame(codes.DATA, 0, 1, b"hello world")
    assert (trailers.kind, trailers.flags) == (codes.HEADERS, END_HEADERS | END_STREAM)


def test_content_that_the_window_does_not_allow_waits_for_it() -> None:
    end = ClientEnd(hello=settings((codes.INITIAL_WINDOW_SIZE, 3)))
    stream = end.open(POST, end=False, name="a")
    stream.send(b"hello", True)
    assert [frame.payload for frame in end.out()[1:]] == [b"hel"]
    assert end.told == [("a", "full", True)]
    assert end.get(window_update(1, 100)) == [Frame(codes.DATA, END_STREAM, 1, b"lo")]
    assert end.told == [("a", "full", False)]


def test_a_request_with_trailers_and_no_content() -> None:
    end = ClientEnd()
    stream = end.open(POST, end=False)
    stream.send_headers([HeaderField(b"x-end", b"1")], [], True)
    head, trailers = end.out()
    assert head.flags == END_HEADERS
    assert (trailers.flags, end.peer.fields(head.payload), end.peer.fields(trailers.payload)) == (
        END_HEADERS | END_STREAM,
        POST,
        [(b"x-end", b"1")],
    )


# --- opening


def test_a_request_that_is_withdrawn_at_once_leaves_no_trace() -> None:
    """So a client's resets do not reach an upstream that others share."""
    end = ClientEnd()
    for _ in range(1000):
        stream = end.open([*POST, (b"x-a", b"1")], end=False)
        stream.send(b"hello", True)
        stream.reset(CANCEL)
    assert end.out() == []
    assert end.engine.is_idle
    opened(end)
    assert list(end.engine.streams) == [1]


def test_the_upstream_says_how_many_streams_it_takes() -> None:
    """5.1.2."""
    end = ClientEnd(hello=settings((codes.MAX_CONCURRENT_STREAMS, 2)) + SETTINGS_ACK)
    assert end.engine.room == 2
    for name in range(3):
        end.open(name=name)
    assert end.engine.room == -1
    assert len(end.out()) == 2
    assert end.get(end.peer.headers(1, OK, end=True))[0].id == 5
    end.get(settings((codes.MAX_CONCURRENT_STREAMS, 0)))
    assert end.engine.room == -2


def test_before_its_settings_come_it_gets_a_hundred() -> None:
    end = ClientEnd(hello=b"")
    assert end.engine.room == 100
    end.get(settings())
    assert end.engine.room > 1000


def test_ids_are_used_up() -> None:
    """5.1.1."""
    end = ClientEnd()
    end.engine.next_id = codes.LARGEST_ID - 2
    assert end.engine.room == 2
    opened(end)
    end.open()
    assert (end.engine.room, end.engine.is_used_up) == (0, True)
    assert end.out()[0].id == codes.LARGEST_ID
    assert end.engine.room == 0


# --- goaway and resets


def test_goaway_names_the_last_request_that_was_seen() -> None:
    """6.8: those above it may be sent again, and so may those that wait."""
    end = ClientEnd(hello=settings((codes.MAX_CONCURRENT_STREAMS, 3)) + SETTINGS_ACK)
    for name in range(4):
        end.open(name=name)
    end.out()
    end.get(goaway(3))
    assert set(end.told) == {(3, "reset", 0, True), (2, "reset", 0, True), ("goaway", NO_ERROR)}
    assert list(end.engine.streams) == [1, 3]
    assert (end.engine.room, end.engine.is_closing) == (0, True)
    end.get(goaway(1))
    assert end.told == [(1, "reset", 0, True), ("goaway", NO_ERROR)]
    end.get(end.peer.headers(1, OK, end=True))
    assert end.engine.is_idle


@pytest.mark.parametrize("code", [codes.ENHANCE_YOUR_CALM, 0x01020304, 0xFFFFFFFF])
@pytest.mark.parametrize("reserved", [0, 1 << 31])
def test_a_code_is_told_whole_and_without_what_stands_beside_it(code: int, reserved: int) -> None:
    """6.4, 6.8: all 32 bits of a code, also of one that nobody knows; of the last stream's id, 31."""
    end = ClientEnd(hello=settings((codes.MAX_CONCURRENT_STREAMS, 2)) + SETTINGS_ACK)
    for name in range(3):
        end.open(name=name)
    end.out()
    last_id = (1 | reserved).to_bytes(4, "big")
    end.get(frame(codes.GOAWAY, 0, 0, last_id + code.to_bytes(4, "big") + b"why"))
    assert set(end.told) == {(1, "reset", code, True), (2, "reset", code, True), ("goaway", code)}
    assert end.owner.details[-1] == "why"
    end.get(rst(1, code))
    assert end.told == [(0, "reset", code, False)]


def test_a_stream_that_was_refused_may_be_sent_again() -> None:
    """8.7."""
    end = ClientEnd()
    opened(end)
    opened(end)
    end.get(rst(1, REFUSED_STREAM), rst(3, CANCEL))
    assert end.told == [(None, "reset", REFUSED_STREAM, True), (None, "reset", CANCEL, False)]


def test_a_response_that_ends_early() -> None:
    """8.1: the response is whole, and RST_STREAM(NO_ERROR) says that the rest of the request is not wanted."""
    end = ClientEnd()
    stream = end.open(POST, end=False)
    end.out()
    end.get(end.peer.headers(1, OK, end=True), rst(1, NO_ERROR))
    assert end.told == [(None, "response", 200, True), (None, "reset", NO_ERROR, False)]
    stream.send(b"more", True)
    assert end.out() == []


def test_what_comes_behind_our_own_reset_is_ignored() -> None:
    end = ClientEnd()
    stream = end.open()
    end.out()
    stream.reset(CANCEL)
    assert end.out() == [reset(1, CANCEL)]
    assert end.get(end.peer.headers(1, OK), data(1, b"a"), rst(1)) == []
    assert end.told == []


def test_what_was_lost_may_be_sent_again_if_it_never_went_out() -> None:
    end = ClientEnd()
    opened(end)
    end.open(name="waiting")
    end.engine.lost()
    assert end.told == [("waiting", "reset", CANCEL, True), (None, "reset", CANCEL, False)]


# --- responses that are none


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"x-a", b"1")],
        [(b":status", b"101")],  # 8.6
        [(b":status", b"20")],
        [*OK, (b"connection", b"close")],
        [*OK, (b":path", b"/")],
        [*OK, (b"x-a", b"a\nb")],
        [*OK, (b"x-large", b"x" * 70000)],
    ],
)
def test_malformed(fields: Fields) -> None:
    """8.1.1."""
    end = ClientEnd()
    opened(end)
    block = end.peer.block(fields)
    wire = [frame(codes.HEADERS, 0, 1, block[:16000])]
    wire += [frame(codes.CONTINUATION, 0, 1, block[at : at + 16000]) for at in range(16000, len(block), 16000)]
    assert end.get(*wire, frame(codes.CONTINUATION, END_HEADERS, 1)) == [reset(1, PROTOCOL_ERROR)]
    assert end.told == [("malformed", PROTOCOL_ERROR), (None, "reset", PROTOCOL_ERROR, False)]


def test_content_before_the_head() -> None:
    end = ClientEnd()
    opened(end)
    assert end.get(data(1, b"a")) == [reset(1, PROTOCOL_ERROR)]
    opened(end)
    assert end.get(data(3, b"", end=True)) == [reset(3, PROTOCOL_ERROR)]


def test_an_interim_response_that_ends_the_stream() -> None:
    end = ClientEnd()
    opened(end)
    assert end.get(end.peer.headers(1, [(b":status", b"100")], end=True)) == [reset(1, PROTOCOL_ERROR)]


def test_too_many_interim_responses() -> None:
    """32 to one request are taken, and no more."""
    end = ClientEnd()
    opened(end)
    assert end.get(*(end.peer.headers(1, [(b":status", b"102")]) for _ in range(32))) == []
    assert end.get(end.peer.headers(1, [(b":status", b"102")])) == [reset(1, PROTOCOL_ERROR)]


@pytest.mark.parametrize(("fields", "status"), [(HEAD, b"200"), (GET, b"204"), (GET, b"304")])
def test_responses_without_content(fields: Fields, status: bytes) -> None:
    """8.1.1: a Content-Length says nothing there, and content has no place."""
    end = ClientEnd()
    response = [(b":status", status), (b"content-length", b"5")]
    opened(end, fields)
    end.get(end.peer.headers(1, response, end=True))
    assert end.told == [(None, "response", int(status), True)]
    opened(end, fields)
    assert end.get(end.peer.headers(3, response), data(3, b"", end=True)) == []
    assert end.told[-1] == (None, "content", b"", True)
    opened(end, fields)
    assert end.get(end.peer.headers(5, response), data(5, b"hello")) == [reset(5, PROTOCOL_ERROR)]


@pytest.mark.parametrize(("content", "end_with"), [(b"1234", True), (b"123456", False)])
def test_content_that_is_not_as_long_as_announced(content: bytes, end_with: bool) -> None:
    end = ClientEnd()
    opened(end)
    frames = end.get(end.peer.headers(1, [*OK, (b"content-length", b"5")]), data(1, content, end=end_with))
    assert frames == [reset(1, PROTOCOL_ERROR)]


def test_an_announced_length_and_no_content() -> None:
    end = ClientEnd()
    opened(end)
    assert end.get(end.peer.headers(1, [*OK, (b"content-length", b"5")], end=True)) == [reset(1, PROTOCOL_ERROR)]


def test_what_an_upstream_may_not_do() -> None:
    for wire in (
        frame(codes.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82"),  # 8.4: forbidden by our settings
        frame(codes.HEADERS, END_HEADERS, 2, b"\x88"),  # 5.1.1: a stream of its own
        frame(codes.HEADERS, END_HEADERS, 3, b"\x88"),  # 5.1: an idle one
        data(3, b"a"),
        rst(3),
    ):
        end = ClientEnd()
        opened(end)
        assert goaway_code(end.get(wire)) == PROTOCOL_ERROR
        assert (None, "reset", PROTOCOL_ERROR, False) in end.told


def test_extended_connect_is_announced_by_the_upstream() -> None:
    """RFC 8441, 3."""
    assert ClientEnd(hello=settings((codes.ENABLE_CONNECT_PROTOCOL, 1))).engine.peer.extended_connect
