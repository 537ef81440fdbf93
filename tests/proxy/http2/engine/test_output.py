"""What waits, what goes, and in which turn (RFC 9113, 5.2 and 6.9)."""

from __future__ import annotations

import pytest
from lab.http2 import HELLO, POST, Frame, settings, window_update
from lab.http2_ends import ClientEnd, ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.codes import DATA, END_STREAM, PREFACE
from proxy.http2.engine.heads import status_field
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.streams import Stream
from proxy.http2.hpack.field import HeaderField


def answering(*ids: int, window: int = 65535) -> ServerEnd:
    """Requests whose responses have begun, of a client that lets each stream send `window` bytes."""
    end = ServerEnd(hello=PREFACE + settings((codes.INITIAL_WINDOW_SIZE, window)))
    for id in ids:
        end.request(id)
        end.respond(id)
    end.owner.told.clear()
    return end


def sizes(frames: list[Frame]) -> list[tuple[int, int]]:
    """Stream and size of the content."""
    return [(frame.id, len(frame.payload)) for frame in frames if frame.kind == DATA]


def test_content_goes_at_once_where_the_windows_allow() -> None:
    end = answering(1)
    end.owner.streams[1].send(b"hello", False)
    assert sizes(end.out()) == [(1, 5)]
    assert end.told == []


def test_content_beyond_the_window_waits() -> None:
    """6.9.1."""
    end = answering(1, window=10)
    stream = end.owner.streams[1]
    stream.send(b"x" * 25, True)
    assert sizes(end.out()) == [(1, 10)]
    assert (end.told, stream.queued_bytes) == ([(1, "full", True)], 15)
    assert sizes(end.get(window_update(1, 10))) == [(1, 10)]
    last = end.get(window_update(1, 10))
    assert (sizes(last), last[-1].flags) == ([(1, 5)], END_STREAM)
    assert end.told == [(1, "full", False)]
    assert end.engine.is_idle


def test_a_window_of_one_byte() -> None:
    """6.9.2: even that is used."""
    end = answering(1, window=1)
    end.owner.streams[1].send(b"abc", True)
    assert sizes(end.out()) == [(1, 1)]


def test_a_window_may_become_negative() -> None:
    """6.9.2."""
    end = answering(1, window=10)
    stream = end.owner.streams[1]
    stream.send(b"x" * 20, False)
    end.out()
    end.get(settings((codes.INITIAL_WINDOW_SIZE, 3)))
    assert stream.window == -7
    assert sizes(end.get(window_update(1, 7))) == []
    assert sizes(end.get(window_update(1, 1))) == [(1, 1)]
    assert sizes(end.get(settings((codes.INITIAL_WINDOW_SIZE, 5)))) == [(1, 2)]


@pytest.mark.parametrize("left", [0, -5])
def test_a_window_that_is_taken_away_while_a_stream_waits_for_its_turn(left: int) -> None:
    """The connection's window comes back, and its own is used up, or even negative: nothing goes."""
    end = answering(1, 3)
    for id, size in ((3, 10), (1, 65525), (3, 10)):
        end.owner.streams[id].send(bytes(size), False)
    assert sum(size for _, size in sizes(end.out())) == 65535
    end.get(settings((codes.INITIAL_WINDOW_SIZE, 10 + left)))
    assert end.owner.streams[3].window == left
    assert sizes(end.get(window_update(0, 100))) == []
    assert sizes(end.get(window_update(3, 4 - left))) == [(3, 4)]


def test_streams_take_turns_with_the_connections_window() -> None:
    end = answering(1, 3, 5, window=1 << 20)
    for id in (1, 3, 5):
        end.owner.streams[id].send(bytes(40000), True)
    sent = sizes(end.out())
    assert sum(size for _, size in sent) == 65535
    more = sizes(end.get(window_update(0, 1 << 20)))
    assert sum(size for _, size in sent + more) == 120000
    first_rounds = [id for id, _ in more][:3]
    assert len(set(first_rounds)) >= 2
    assert end.engine.is_idle


def test_a_slow_stream_holds_up_no_other() -> None:
    end = answering(1, 3, window=10)
    end.owner.streams[1].send(bytes(100), True)
    end.owner.streams[3].send(b"quick", True)
    assert sizes(end.out()) == [(1, 10), (3, 5)]


def test_a_new_stream_gets_its_turn_behind_those_that_wait() -> None:
    end = answering(1, 3, window=1 << 20)
    end.owner.streams[1].send(bytes(100_000), False)
    end.owner.streams[3].send(b"a" * 10, False)
    assert sum(size for id, size in sizes(end.out()) if id == 1) == 65535
    more = sizes(end.get(window_update(0, 16394)))
    assert more == [(1, 16384), (3, 10)]


def test_what_is_small_is_put_together() -> None:
    end = answering(1, window=0)
    for _ in range(100):
        end.owner.streams[1].send(b"0123456789", False)
    end.out()
    assert sizes(end.get(window_update(1, 5000))) == [(1, 1000)]


def test_trailers_wait_behind_content() -> None:
    end = answering(1, window=4)
    stream = end.owner.streams[1]
    stream.send(b"123456", False)
    stream.send_headers([HeaderField(b"grpc-status", b"0")], [], True)
    assert sizes(end.out()) == [(1, 4)]
    content, trailers = end.get(window_update(1, 4))
    assert (content.payload, content.flags) == (b"56", 0)
    assert trailers.flags & END_STREAM
    assert end.engine.is_idle


def test_an_end_without_content_needs_no_window() -> None:
    """6.9.1."""
    end = answering(1, window=0)
    end.owner.streams[1].send(b"", True)
    assert end.out()[0].flags == END_STREAM


def test_an_end_without_content_does_not_wait_for_the_connections_window() -> None:
    end = ClientEnd()
    end.open(POST, end=False).send(bytes(70_000), False)
    assert sum(size for _, size in sizes(end.out())) == 65535
    for trailers in (False, True):
        stream = end.open(POST, end=False)
        if trailers:
            stream.send_headers([HeaderField(b"x-end", b"1")], [], True)
        else:
            stream.send(b"", True)
        frames = end.out()
        assert {frame.id for frame in frames} == {stream.id}
        assert frames[-1].flags & END_STREAM


def test_nothing_goes_behind_the_end() -> None:
    end = answering(1)
    stream = end.owner.streams[1]
    stream.send(b"", True)
    stream.send(b"more", True)
    stream.send_headers([HeaderField(b"a", b"b")], [], True)
    stream.reset(codes.CANCEL)
    assert len(end.out()) == 1


def test_while_the_transport_is_full_content_waits_and_the_rest_goes() -> None:
    end = answering(1, 3)
    end.engine.pause_sending()
    end.owner.streams[1].send(b"content", True)
    end.owner.streams[3].send_headers([HeaderField(b"grpc-status", b"0")], [], True)
    frames = end.get(window_update(0, 10), settings())
    assert sizes(frames) == []
    assert {frame.kind for frame in frames} == {codes.HEADERS, codes.SETTINGS}
    assert (end.engine.has_more, end.engine.taken_bytes) == (False, 0)
    end.engine.resume_sending()
    assert (sizes(end.out()), end.engine.taken_bytes) == ([(1, 7)], 7)
    assert (end.out(), end.engine.taken_bytes) == ([], 0)


def test_one_turn_writes_a_bounded_amount() -> None:
    end = answering(1, window=1 << 30)
    end.get(window_update(0, 1 << 30))
    end.owner.streams[1].send(bytes(5 << 20), True)
    turns = [sum(size for _, size in sizes(end.out()))]
    while end.engine.has_more:
        turns.append(sum(size for _, size in sizes(end.out())))
    assert sum(turns) == 5 << 20
    assert max(turns) <= (1 << 20) + 16384


@pytest.mark.parametrize("beyond", [0, 1, 2, 16383])
def test_a_turn_that_ends_within_a_frame_goes_on_in_the_next(beyond: int) -> None:
    end = answering(1, 3, window=1 << 30)
    end.get(window_update(0, 1 << 30))
    first, second = end.owner.streams[1], end.owner.streams[3]
    for _ in range(31):
        first.send(bytes(16384), False)
    first.send(bytes(16384 - beyond), False)
    second.send(bytes(40_000), True)
    sent = sizes(end.out())
    while end.engine.has_more:
        sent += sizes(end.out())
    assert sum(size for id, size in sent if id == 3) == 40_000


def test_frames_are_as_large_as_the_peer_takes_them() -> None:
    """4.2. No larger than 64 KiB, so that streams take turns."""
    end = ServerEnd(hello=HELLO + settings((codes.MAX_FRAME_SIZE, 1 << 20), (codes.INITIAL_WINDOW_SIZE, 1 << 20)))
    end.get(window_update(0, 1 << 20))
    end.request(1)
    end.respond(1)
    end.owner.streams[1].send(bytes(100_000), True)
    assert [size for _, size in sizes(end.out())] == [65536, 34464]


def test_the_owner_is_asked_to_flush_once() -> None:
    end = answering(1)
    before = end.owner.flushes
    for _ in range(10):
        end.owner.streams[1].send(b"x", False)
    assert end.owner.flushes == before + 1


def test_the_owner_is_asked_to_flush_once_for_all_heads() -> None:
    end = ServerEnd()
    for id in (1, 3, 5):
        end.request(id)
    end.out()
    before = end.owner.flushes
    for id in (1, 3, 5):
        end.owner.streams[id].send_headers([status_field(200)], [], False)
    assert end.owner.flushes == before + 1


def test_the_owner_is_asked_to_flush_what_a_window_lets_go() -> None:
    end = answering(1, window=0)
    end.owner.streams[1].send(b"x", False)
    end.out()
    before = end.owner.flushes
    assert sizes(end.get(window_update(1, 1))) == [(1, 1)]
    assert end.owner.flushes == before + 1


def test_an_upload_before_its_stream_is_open_is_bounded() -> None:
    end = ClientEnd(hello=settings((codes.MAX_CONCURRENT_STREAMS, 0)))
    stream = end.open(POST, end=False, name="a")
    stream.send(bytes(60000), False)
    assert end.told == []
    stream.send(bytes(60000), False)
    assert end.told == [("a", "full", True)]
    assert end.out() == []
    end.get(settings((codes.MAX_CONCURRENT_STREAMS, 1)))
    assert end.told == []  # the window lets 65535 go
    end.get(window_update(0, 1 << 20), window_update(1, 1 << 20))
    assert end.told == [("a", "full", False)]


def test_a_stream_that_has_ended_holds_no_content() -> None:
    end = answering(1, window=0)
    stream: Stream = end.owner.streams[1]
    stream.send(bytes(1000), False)
    stream.reset(codes.CANCEL)
    assert (stream.unsent, stream.queued_bytes) == (None, 0)
    assert [frame.kind for frame in end.get(window_update(0, 1000))] == [codes.RST_STREAM]


def test_limits_of_our_own_are_kept_whatever_the_peer_allows() -> None:
    end = ServerEnd(Limits(table_bytes=100))
    end.peer.limit_table(100)
    end.request(1)
    assert end.respond(1)[0].payload.startswith(b"\x3f\x45")
