"""What is said of a stream that ends by a fault, what is counted then, and how much noise a peer may make, exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.http2 import GET, OK, POST, SETTINGS_ACK, Fields, Frame, data, frame, goaway, rst, settings, window_update
from lab.http2_ends import ClientEnd, ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import END_HEADERS, END_STREAM, PADDED, PREFACE, PRIORITY_FLAG
from proxy.http2.engine.limits import Limits
from proxy.http2.hpack.field import HeaderField

ITSELF = b"\0\0\0\1\0"  # the priority of stream 1, which depends on stream 1
FIVE: Fields = [*POST, (b"content-length", b"5")]
TRAILERS: Fields = [(b"x-end", b"1")]


def last(frames: list[Frame]) -> tuple[int, str]:
    """The code and the text of the GOAWAY at the end."""
    assert frames[-1].kind == codes.GOAWAY
    return int.from_bytes(frames[-1].payload[4:8], "big"), frames[-1].payload[8:].decode()


def reset(id: int, code: int) -> Frame:
    return Frame(codes.RST_STREAM, 0, id, code.to_bytes(4, "big"))


Wire = Callable[[ServerEnd], bytes]

# The request, what comes behind it, the code of RST_STREAM, the words.
STREAM_FAULTS: tuple[tuple[Fields, bool, Wire, int, str], ...] = (
    (POST, False, lambda _: window_update(1, 0), 1, "WINDOW_UPDATE of 0"),
    (POST, False, lambda _: window_update(1, 0x7FFFFFFF - 65534), 3, "the stream's window is too large"),
    (POST, False, lambda _: frame(codes.PRIORITY, 0, 1, bytes(4)), 6, "PRIORITY that has not 5 bytes"),
    (POST, False, lambda _: frame(codes.PRIORITY, 0, 1, b"\x80\0\0\1\0"), 1, "a stream that depends on itself"),
    (FIVE, False, lambda _: data(1, b"123456"), 1, "content that is not as long as announced, or has no place"),
    (FIVE, False, lambda _: data(1, b"1234", end=True), 1, "content that is not as long as announced, or has no place"),
    (FIVE, False, lambda end: end.peer.headers(1, TRAILERS, end=True), 1, "less content than announced"),
    (GET, True, lambda _: data(1, b"a"), 5, "content behind the end of the stream"),
    (GET, True, lambda end: end.peer.headers(1, TRAILERS, end=True), 5, "HEADERS behind the end of the stream"),
    (POST, False, lambda end: end.peer.headers(1, TRAILERS), 1, "trailers that do not end the stream"),
    (POST, False, lambda end: end.peer.headers(1, [(b"x", b"y" * 968)], end=True), 1, "trailers beyond the limit"),
    (POST, False,
     lambda end: frame(codes.HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, ITSELF + end.peer.block(TRAILERS)),
     1, "a stream that depends on itself"),
    (POST, False, lambda end: end.peer.headers(1, [(b":path", b"/")], end=True), 1,
     "the field ':path' is malformed, or has no place in this message"),
)  # fmt: skip


@pytest.mark.parametrize(("request_", "done", "wire", "code", "words"), STREAM_FAULTS)
def test_a_fault_ends_its_stream_is_counted_and_told(
    request_: Fields, done: bool, wire: Wire, code: int, words: str
) -> None:
    end = ServerEnd(Limits(header_list_bytes=1000))
    end.request(1, request_, end=done)
    before = len(end.told)
    assert before == 1
    assert end.get(wire(end)) == [reset(1, code)]
    assert end.told == [("malformed", code), (1, "reset", code, False)]
    assert end.owner.details == [words, words]
    assert end.owner.resets == [(code, False)]
    assert end.owner.over == 1
    assert end.engine.is_idle
    assert not end.engine.is_failed


def test_a_request_that_depends_on_itself_is_reset_before_anybody_hears_of_it() -> None:
    end = ServerEnd()
    head = frame(codes.HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, ITSELF + end.peer.block(GET))
    assert end.get(head) == [reset(1, 1)]
    assert (end.told, end.owner.details) == ([("malformed", 1)], ["a stream that depends on itself"])
    fine = frame(codes.HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 3, ITSELF + end.peer.block(GET))
    end.get(fine)
    assert end.told == [(3, "request", b"/", True)]


def test_a_bad_priority_of_the_past_is_not_one_of_the_next_block() -> None:
    end = ServerEnd()
    end.get(frame(codes.HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, ITSELF + end.peer.block(GET)))
    end.request(3)
    assert not end.owner.streams[3].is_over


def test_trailers_of_the_limit_are_read() -> None:
    end = ServerEnd(Limits(header_list_bytes=1000))
    end.request(1, POST, end=False)
    assert end.get(end.peer.headers(1, [(b"x", b"y" * 967)], end=True)) == []
    assert end.told[-1] == (1, "trailers", [(b"x", b"y" * 967)])


def test_the_peers_reset_is_counted_and_told() -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    assert end.get(rst(1, codes.CANCEL)) == []
    assert end.told[-1] == (1, "reset", codes.CANCEL, False)
    assert (end.owner.details, end.owner.resets) == (["the peer has reset the stream: CANCEL"], [(codes.CANCEL, True)])


def test_our_own_reset_is_counted_and_its_user_hears_nothing() -> None:
    end = ServerEnd()
    stream = end.request(1, POST, end=False)
    end.owner.told.clear()
    stream.reset(codes.INTERNAL_ERROR)
    stream.reset(codes.CANCEL)
    assert end.out() == [reset(1, codes.INTERNAL_ERROR)]
    assert (end.told, end.owner.resets, end.owner.over) == ([], [(codes.INTERNAL_ERROR, False)], 1)


def test_an_answer_that_is_whole_before_its_request_resets_the_rest() -> None:
    """8.1."""
    end = ServerEnd()
    end.request(1, POST, end=False)
    assert end.respond(1, end=True)[1:] == [reset(1, codes.NO_ERROR)]
    assert (end.owner.resets, end.owner.over) == ([(codes.NO_ERROR, False)], 1)
    assert end.get(data(1, b"late")) == []  # our reset may have crossed with it


def test_content_of_a_stream_that_the_peer_has_ended_is_reset_and_counted() -> None:
    end = ServerEnd()
    end.request(1)
    end.respond(1, end=True)
    assert end.get(data(1, b"a")) == [reset(1, codes.STREAM_CLOSED)]
    assert end.owner.resets == [(codes.STREAM_CLOSED, False)]


def test_a_request_beyond_the_number_of_streams_is_refused_and_counted() -> None:
    end = ServerEnd(Limits(max_streams=1))
    end.request(1)
    refused = end.get(end.peer.headers(3, GET, end=True), end.peer.headers(5, POST))
    assert refused == [reset(3, codes.REFUSED_STREAM), reset(5, codes.REFUSED_STREAM)]
    assert end.owner.resets == [(codes.REFUSED_STREAM, False)] * 2
    assert end.get(data(5, b"under way"), end.peer.headers(5, TRAILERS, end=True)) == []
    assert list(end.engine.streams) == [1]


def block(*parts: tuple[int, int, int, bytes]) -> bytes:
    return b"".join(frame(*part) for part in parts)


H, C = codes.HEADERS, codes.CONTINUATION
SHORT = "HEADERS that are shorter than their padding and priority"
CONNECTION_FAULTS: tuple[tuple[Wire, int, str], ...] = (
    (lambda _: data(0, b"a"), 1, "DATA without a stream"),
    (lambda _: data(5, b"a"), 1, "DATA for an idle stream"),
    (lambda _: data(2, b"a"), 1, "DATA for an idle stream"),
    (lambda _: frame(codes.DATA, PADDED, 1), 1, "padding that is longer than its frame"),
    (lambda _: frame(codes.DATA, PADDED, 1, b"\x03ab"), 1, "padding that is longer than its frame"),
    (lambda _: frame(H, END_HEADERS, 0, b"\x82"), 1, "HEADERS without a stream"),
    (lambda _: frame(H, END_HEADERS | PADDED, 5), 1, SHORT),
    (lambda _: frame(H, END_HEADERS | PADDED, 5, b"\1"), 1, SHORT),
    (lambda _: frame(H, END_HEADERS | PRIORITY_FLAG, 5, bytes(4)), 6, SHORT),
    (lambda _: frame(H, END_HEADERS | PRIORITY_FLAG | PADDED, 5, bytes(5)), 1, SHORT),
    (lambda _: frame(C, END_HEADERS, 1, b"\x82"), 1, "CONTINUATION without a header block"),
    (lambda _: block((H, 0, 5, b"\x82"), (H, 0, 5, b"\x82")), 1, "a frame in the middle of a header block"),
    (lambda _: block((H, 0, 5, b"\x82"), (C, 0, 7, b"\x82")), 1, "a frame in the middle of a header block"),
    (lambda _: block((H, 0, 5, b"\x82"), (codes.DATA, 0, 1, b"")), 1, "a frame in the middle of a header block"),
    (lambda _: block((H, 0, 5, b""), *[(C, 0, 5, b"")] * 16), 11, "a header block without end"),
    (lambda _: block((H, 0, 5, bytes(16384)), (C, 0, 5, bytes(16384)), (C, 0, 5, b"\0")), 11,
     "a header block without end"),
    (lambda end: end.peer.headers(4, GET, end=True), 1, "a client's streams have odd ids"),
    (lambda end: end.peer.headers(5, GET, end=True) + end.peer.headers(3, GET, end=True), 1,
     "a new stream with an id below that of the last"),
    (lambda _: frame(0x16, 3, 1, bytes(16385)), 6, "a frame of more than 16384 bytes"),
)  # fmt: skip


@pytest.mark.parametrize(("wire", "code", "words"), CONNECTION_FAULTS)
def test_what_ends_the_connection_says_why(wire: Wire, code: int, words: str) -> None:
    end = ServerEnd(Limits(header_list_bytes=1000))
    end.request(1, POST, end=False)
    end.owner.told.clear()
    assert last(end.get(wire(end))) == (code, words)
    assert {(1, "reset", code, False), ("failed", code)} <= set(end.told)
    failed = f"the connection failed: {codes.name_of(code)}, {words}"
    assert end.owner.details == [failed] * (len(end.owner.details) - 1) + [words]


@pytest.mark.parametrize(
    "wire",
    [
        frame(codes.DATA, PADDED, 1, b"\2ab"),
        frame(codes.DATA, PADDED, 1, b"\0"),
        frame(H, END_HEADERS | PADDED, 5, b"\1\x82\x86\x84\0"),
        frame(H, END_HEADERS | PRIORITY_FLAG, 5, b"\0\0\0\7\1\x82\x86\x84"),
        frame(H, END_HEADERS | PRIORITY_FLAG | PADDED, 5, b"\2\0\0\0\7\1\x82\x86\x84\0\0"),
        block((H, 0, 5, b"\x82\x86\x84"), *[(C, 0, 5, b"")] * 14, (C, END_HEADERS, 5, b"")),
        block((H, 0, 5, b"\x82\x86\x84"), (C, END_HEADERS, 5, b"")) + data(1, b"a"),
    ],
)
def test_frames_at_the_edge_of_what_is_allowed(wire: bytes) -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    assert end.get(wire) == []
    assert not end.engine.is_failed
    assert not end.owner.details


@pytest.mark.parametrize(("limit", "most"), [(1000, 32768), (16385, 32770)])
def test_a_block_of_32_kib_or_twice_the_limit_of_lists_is_read(limit: int, most: int) -> None:
    """Its list is refused in order; a longer block cannot be one by accident."""
    whole = b"\x82" * most
    for extra, words in ((b"", []), (b"\x82", ["a header block without end"])):
        end = ServerEnd(Limits(header_list_bytes=limit))
        parts = [whole[:16384], whole[16384:32768], whole[32768:] + extra]
        frames = [(H, 0, 1, parts[0]), (C, 0, 1, parts[1]), (C, END_HEADERS, 1, parts[2])]
        end.get(block(*frames))
        assert end.owner.details == words
        assert (end.told[-1] == (1, "oversized", False)) is not bool(words)


def test_the_first_frame_is_settings() -> None:
    for wire in (frame(codes.PING, 0, 0, bytes(8)), SETTINGS_ACK, data(1, b"a")):
        assert last(ServerEnd(hello=PREFACE).get(wire)) == (1, "the first frame is not SETTINGS")
    assert last(ServerEnd(hello=b"").get(b"GET / HTTP/1.1\r\n")) == (1, "no HTTP/2 preface")


def test_a_connection_that_is_lost_tells_its_streams() -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.owner.told.clear()
    end.engine.lost()
    assert (end.told, end.owner.details) == ([(1, "reset", codes.CANCEL, False)], ["the connection was lost"])
    assert (end.engine.is_failed, end.engine.is_closing, end.out()) == (True, True, [])
    assert end.engine.feed(frame(codes.PING, 0, 0, bytes(8)), 0.0) is False


def test_a_connection_that_nobody_is_to_blame_for_cancels_its_streams() -> None:
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.owner.told.clear()
    end.engine.fail(codes.NO_ERROR, "x" * 200)
    assert end.told == [(1, "reset", codes.CANCEL, False), ("failed", codes.NO_ERROR)]
    (said,) = end.out()
    assert said.payload == bytes((0, 0, 0, 1, 0, 0, 0, 0)) + b"x" * 128


def test_goodbye_in_two_steps() -> None:
    """6.8: streams that are under way are taken after the first, none after the second."""
    end = ServerEnd()
    assert not end.engine.is_closing
    end.engine.goaway(final=False)
    assert end.engine.is_closing
    assert end.out() == [Frame(codes.GOAWAY, 0, 0, b"\x7f\xff\xff\xff\0\0\0\0")]
    end.request(1)
    end.engine.goaway(final=True)
    assert end.out() == [Frame(codes.GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0")]
    end.owner.told.clear()
    assert end.get(end.peer.headers(3, POST), data(3, b"ignored")) == []
    assert end.told == []
    end.engine.goaway(final=True, code=codes.ENHANCE_YOUR_CALM, detail="enough")
    assert end.out() == [Frame(codes.GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\x0benough")]


# --- noise


NOISE: tuple[tuple[bytes, str], ...] = (
    (frame(codes.PING, 0, 0, bytes(8)), "PING"),
    (frame(codes.PING, codes.ACK, 0, bytes(8)), "PING"),
    (settings((4, 65535)), "SETTINGS"),
    (SETTINGS_ACK, "SETTINGS"),
    (frame(codes.PRIORITY, 0, 7, bytes(5)), "PRIORITY"),
    (frame(0x42), "unknown types"),
    (frame(codes.GOAWAY, 0, 0, bytes(8)), "GOAWAY"),
    (data(1), "DATA"),
    (frame(codes.DATA, PADDED, 1, b"\1\0"), "DATA"),
    (data(3, b"a"), "DATA"),
    (rst(3), "RST_STREAM"),
)


def noisy() -> ServerEnd:
    """One stream is open, and one is over."""
    end = ServerEnd()
    end.request(1, POST, end=False)
    end.request(3)
    end.respond(3, end=True)
    return end


@pytest.mark.parametrize(("wire", "what"), NOISE)
def test_a_thousand_frames_without_content_at_once_and_200_a_second(wire: bytes, what: str) -> None:
    end = noisy()
    end.get(wire * 1000)
    assert not end.engine.is_failed
    end.now = 1.0
    end.get(wire * 200)
    assert not end.engine.is_failed
    said = last(end.get(wire))
    assert said == (codes.ENHANCE_YOUR_CALM, f"too many frames without content: {what}")


@pytest.mark.parametrize("id", [0, 1, 3])
def test_two_thousand_window_updates_at_once_and_500_a_second(id: int) -> None:
    end = noisy()
    end.get(window_update(id, 1) * 2000)
    end.now = 1.0
    end.get(window_update(id, 1) * 500)
    assert not end.engine.is_failed
    assert last(end.get(window_update(id, 1))) == (codes.ENHANCE_YOUR_CALM, "too many WINDOW_UPDATEs")


def test_requests_beyond_the_number_of_streams_are_noise() -> None:
    end = ServerEnd(Limits(max_streams=1))
    end.request(1, POST, end=False)
    end.now = 100.0
    for id in range(3, 2003, 2):
        end.get(end.peer.headers(id, GET, end=True))
    assert not end.engine.is_failed
    said = "too many frames without content: requests beyond SETTINGS_MAX_CONCURRENT_STREAMS"
    assert last(end.get(end.peer.headers(2003, GET, end=True))) == (codes.ENHANCE_YOUR_CALM, said)


def spent(end: ServerEnd, wire: bytes) -> int:
    """How often it may come until the connection ends."""
    number = 0
    while not end.engine.is_failed:
        end.get(wire)
        number += 1
    return number - 1


PING, CREDIT = frame(codes.PING, 0, 0, bytes(8)), window_update(0, 1)


def exhausted(wire: bytes, budget: int) -> ServerEnd:
    end = noisy()
    end.get(wire * budget)
    return end


def test_what_brings_something_earns_frames_that_do_not() -> None:
    """By one each: content that came, a request; content that went, whole or what a useful window let go."""
    assert spent(exhausted(PING, 1000), PING) == 0
    end = exhausted(PING, 1000)
    end.get(data(1, b"a"))
    assert spent(end, PING) == 1
    end = exhausted(PING, 1000)
    end.request(5)
    assert spent(end, PING) == 1
    end = exhausted(PING, 1000)
    end.respond(1)
    end.owner.streams[1].send(b"a", False)
    end.owner.streams[1].send(b"b", False)
    assert spent(end, PING) == 2


def test_what_brings_something_earns_window_updates() -> None:
    """A request two, a frame of content that went three."""
    assert spent(exhausted(CREDIT, 2000), CREDIT) == 0
    end = exhausted(CREDIT, 2000)
    end.get(data(1, b"a"))
    assert spent(end, CREDIT) == 0
    end = exhausted(CREDIT, 2000)
    end.request(5)
    assert spent(end, CREDIT) == 2
    end = exhausted(CREDIT, 2000)
    end.respond(1)
    end.owner.streams[1].send(b"a", False)
    assert spent(end, CREDIT) == 3


@pytest.mark.parametrize(("size", "earned"), [(255, 0), (256, 1)])
def test_a_part_of_256_bytes_is_useful(size: int, earned: int) -> None:
    """Of some content that its window cuts; a smaller one earns nothing, unless it is the last."""
    end = ServerEnd(hello=PREFACE + settings((codes.INITIAL_WINDOW_SIZE, 0)) + SETTINGS_ACK)
    for id in (1, 3):
        end.request(id)
    end.respond(1)
    end.owner.streams[1].send(bytes(size + 1), True)
    end.get(PING * 1000)
    end.get(window_update(1, size))
    assert spent(end, PING) == earned


def test_resets_of_one_client_come_out_of_its_budget() -> None:
    end = ServerEnd(resets=Bucket(3, 1))
    for id in (1, 3, 5):
        end.get(end.peer.headers(id, GET, end=True), rst(id))
    assert not end.engine.is_failed
    end.now = 1.0
    end.get(end.peer.headers(7, GET, end=True), window_update(7, 0))  # a fault counts as a reset
    assert not end.engine.is_failed
    said = end.get(end.peer.headers(9, GET, end=True), rst(9))
    assert last(said) == (codes.ENHANCE_YOUR_CALM, "too many streams were reset")


def test_settings_are_told_once_they_are_known() -> None:
    end = ServerEnd(hello=PREFACE)
    assert (end.engine.peer.is_known, end.owner.settings) == (False, 0)
    end.get(settings((3, 7), (5, 20000), (6, 9000), (8, 1), (1, 99)))
    peer = end.engine.peer
    assert (peer.is_known, end.owner.settings) == (True, 1)
    assert (peer.max_streams, peer.max_frame, peer.header_list_bytes, peer.extended_connect) == (7, 20000, 9000, True)
    assert peer.table_bytes == 99
    end.get(settings((5, 1 << 20)))
    assert peer.max_frame == 65536
    fresh = ServerEnd(hello=b"").engine.peer
    assert (fresh.max_streams, fresh.max_frame, fresh.header_list_bytes, fresh.table_bytes) == (-1, 16384, -1, 4096)
    assert (fresh.initial_window, fresh.extended_connect) == (65535, False)


def test_a_setting_that_makes_a_streams_window_too_large_says_so() -> None:
    end = noisy()
    end.get(window_update(1, 0x7FFFFFFF - 65535))
    assert last(end.get(settings((4, 65536)))) == (3, "a stream's window is too large")


# --- a client's end


def answered(*wire: Callable[[ClientEnd], bytes]) -> ClientEnd:
    """An upstream's answer to two requests, `a` with a body that is not whole, and `b` that is."""
    end = ClientEnd()
    end.open(POST, end=False, name="a")
    end.open(GET, name="b")
    end.out()
    end.get(*(one(end) for one in wire))
    return end


@pytest.mark.parametrize(
    ("head", "done", "words"),
    [
        ([(b":status", b"100")], True, "a 1xx that ends the stream, or too many of them"),
        ([*OK, (b"content-length", b"1")], True, "a Content-Length, and no content"),
        ([*OK, (b"x", b"y" * 65536)], False, "a header list beyond the limit"),
        ([*OK, *OK], True, "a duplicate :status, or one after other fields"),
    ],
)
def test_an_answer_that_is_none_says_why(head: Fields, done: bool, words: str) -> None:
    end = answered()
    wire, flags = end.peer.block(head), END_HEADERS | (END_STREAM if done else 0)
    parts = [wire[at : at + 16384] for at in range(0, len(wire), 16384)]
    frames = [(H if not number else C, 0, 3, part) for number, part in enumerate(parts)]
    frames[0] = (H, flags & END_STREAM | (END_HEADERS if len(frames) == 1 else 0), 3, parts[0])
    if len(frames) > 1:
        frames[-1] = (C, END_HEADERS, 3, parts[-1])
    assert end.get(block(*frames)) == [reset(3, 1)]
    assert end.told == [("malformed", 1), ("b", "reset", 1, False)]
    assert end.owner.details == [words, words]
    assert list(end.engine.streams) == [1]


def test_a_content_length_of_nothing_is_true_of_no_content() -> None:
    end = answered(lambda end: end.peer.headers(3, [*OK, (b"content-length", b"0")], end=True))
    assert end.told == [("b", "response", 200, True)]


def test_goaway_says_so_to_requests_that_were_not_seen() -> None:
    end = answered(lambda _: goaway(1, codes.ENHANCE_YOUR_CALM))
    assert end.told == [("b", "reset", 11, True), ("goaway", 11)]
    assert end.owner.details == ["the upstream said GOAWAY before it saw the request", ""]
    end.get(frame(codes.GOAWAY, 0, 0, b"\x80\0\0\1\0\0\0\2why"))
    assert (end.told, end.owner.details[2:]) == ([("goaway", 2)], ["why"])
    assert (list(end.engine.streams), end.engine.is_closing, end.engine.room) == ([1], True, 0)


def test_blocks_for_streams_that_are_over_are_noise() -> None:
    """They may have crossed with our reset; and a server's streams, which there are none of, end the connection."""
    end = answered(lambda end: end.peer.headers(3, OK, end=True))
    end.now = 100.0
    for _ in range(1000):
        end.get(end.peer.headers(3, OK, end=True))
    assert not end.engine.is_failed
    said = end.get(end.peer.headers(3, OK, end=True))
    assert last(said) == (codes.ENHANCE_YOUR_CALM, "too many frames without content: HEADERS")
    assert last(answered().get(frame(H, END_HEADERS, 5, b"\x88"))) == (1, "HEADERS for an idle stream")
    assert last(answered().get(frame(H, END_HEADERS, 2, b"\x88"))) == (1, "HEADERS for an idle stream")
    assert last(answered().get(rst(2))) == (1, "RST_STREAM for an idle stream")


def test_an_upstream_may_reset_what_it_gets() -> None:
    end = ClientEnd()
    for _ in range(3000):
        stream = end.open(GET, name="x")
        end.out()
        end.get(rst(stream.id))
    assert not end.engine.is_failed
    assert end.engine.streams_total == 3000


def test_streams_are_counted() -> None:
    end = ClientEnd()
    assert (end.engine.streams_total, end.engine.is_idle) == (0, True)
    end.open()
    assert (end.engine.streams_total, end.engine.is_idle) == (0, False)
    end.out()
    assert (end.engine.streams_total, end.engine.is_idle) == (1, False)
    server = ServerEnd()
    assert server.engine.streams_total == 0
    server.request(1)
    server.request(5)
    assert server.engine.streams_total == 3


@pytest.mark.parametrize(("left", "room", "used_up"), [(1, 1, False), (0, 0, True)])
def test_ids_that_wait_count_as_used(left: int, room: int, used_up: bool) -> None:
    end = ClientEnd()
    end.engine.next_id = codes.LARGEST_ID - 4
    for _ in range(3 - left):
        end.open()
    assert (end.engine.room, end.engine.is_used_up) == (room, used_up)


def test_a_request_wakes_its_owner_once_until_it_is_written() -> None:
    end = ClientEnd()
    before = end.owner.flushes
    stream = end.open(POST, end=False)
    assert end.owner.flushes == before + 1
    end.open(GET)
    assert end.owner.flushes == before + 1
    end.out()
    stream.send(b"a", False)
    stream.send(b"a", False)
    assert end.owner.flushes == before + 2
    end.out()
    stream.send_headers([HeaderField(b"x", b"y")], [], True)
    assert end.owner.flushes == before + 3


def test_a_stream_that_waits_and_is_reset_is_over_without_a_trace() -> None:
    end = ClientEnd()
    stream = end.open(POST, end=False, name="a")
    stream.reset(codes.CANCEL)
    assert (stream.is_over, end.owner.over, end.owner.resets) == (True, 1, [])
    stream.reset(codes.CANCEL)
    stream.send(b"late", True)
    assert (end.owner.over, end.out(), end.told) == (1, [], [])


@pytest.mark.parametrize(("size", "full"), [(65536, []), (65537, [("a", "full", True)])])
def test_64_kib_may_wait_for_a_stream_to_be_opened(size: int, full: list[object]) -> None:
    for parts in (1, 2):
        end = ClientEnd(hello=settings((3, 0)) + SETTINGS_ACK)
        stream = end.open(POST, end=False, name="a")
        for part in range(parts):
            stream.send(bytes(size - 1 if parts == 2 and not part else size if parts == 1 else 1), False)
        assert end.told == full
        assert stream.queued_bytes == size


def test_a_large_upload_is_full_no_longer_once_it_went_whole() -> None:
    end = ClientEnd(hello=settings((4, 1 << 20), (5, 1 << 20), (3, 0)) + SETTINGS_ACK)
    end.get(window_update(0, 1 << 20))
    stream = end.open(POST, end=False, name="a")
    stream.send(bytes(65537), True)
    assert (end.told, stream.is_full) == ([("a", "full", True)], True)
    end.get(settings((3, 1)))
    assert (end.told, stream.is_full, stream.queued_bytes) == ([("a", "full", False)], False, 0)


def test_our_preface_says_what_differs_from_the_protocols_beginning() -> None:
    usual = ClientEnd(Limits(connection_window=65535)).first
    assert usual == [Frame(codes.SETTINGS, 0, 0, b"\0\2\0\0\0\0\0\6\0\1\0\0")]
    limits = Limits(stream_window=70000, table_bytes=100, header_list_bytes=9, connection_window=65536)
    other = b"\0\6\0\0\0\x09\0\4\0\1\x11\x70\0\1\0\0\0\x64"
    credit = Frame(codes.WINDOW_UPDATE, 0, 0, b"\0\0\0\1")
    assert ClientEnd(limits).first == [Frame(codes.SETTINGS, 0, 0, b"\0\2\0\0\0\0" + other), credit]
    server = ServerEnd(limits._replace(max_streams=7, extended_connect=True))
    assert server.first == [
        Frame(codes.SETTINGS, 0, 0, b"\0\3\0\0\0\7" + other + b"\0\x08\0\0\0\1"),
        credit,
    ]
    assert ServerEnd(Limits(connection_window=65535)).first == [
        Frame(codes.SETTINGS, 0, 0, b"\0\3\0\0\0\x64\0\6\0\1\0\0")
    ]


def test_literals_go_with_the_fields_they_belong_to() -> None:
    end = ClientEnd()
    user = end.open(GET, name="other").user
    stream = end.engine.open(user, [HeaderField(*one) for one in POST], [(b"x-id", b"1")], False)
    stream.send_headers([HeaderField(b"x-end", b"1")], [(b"x-sum", b"2")], True)
    other, head, trailers = end.out()
    assert end.peer.fields(other.payload) == GET
    assert end.peer.fields(head.payload)[-1] == (b"x-id", b"1")
    assert end.peer.fields(trailers.payload) == [(b"x-end", b"1"), (b"x-sum", b"2")]
    assert stream.unsent is None


def test_content_that_went_early_does_not_go_again() -> None:
    end = ClientEnd(hello=settings((4, 10)) + SETTINGS_ACK)
    stream = end.open(POST, end=False, name="a")
    stream.send(b"hello", False)
    assert stream.queued_bytes == 5
    assert [one.payload for one in end.out()[1:]] == [b"hello"]
    assert stream.queued_bytes == 0
    stream.send(b"0123456789", True)
    assert [one.payload for one in end.out()] == [b"01234"]
    assert (end.told, stream.queued_bytes) == ([("a", "full", True)], 5)
    assert [one.payload for one in end.get(window_update(1, 5))] == [b"56789"]


def test_a_queue_that_waited_for_its_stream_is_told_to_be_full() -> None:
    end = ClientEnd(hello=settings((4, 3)) + SETTINGS_ACK)
    stream = end.open(POST, end=False, name="a")
    stream.send(b"he", False)
    stream.send(b"llo", True)
    assert end.told == []
    assert [one.payload for one in end.out()[1:]] == [b"hel"]
    assert end.told == [("a", "full", True)]
    assert [(one.payload, one.flags) for one in end.get(window_update(1, 2))] == [(b"lo", END_STREAM)]
    assert end.told == [("a", "full", False)]
