"""Credit, and how streams end (RFC 9113, 5.1 and 6.9)."""

from __future__ import annotations

from lab.http2 import POST, Frame, data, frame
from lab.http2_ends import ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.codes import WINDOW_UPDATE
from proxy.http2.engine.limits import Limits

PIECE = bytes(16384)


def credits(frames: list[Frame]) -> dict[int, int]:
    """What the WINDOW_UPDATEs add up to, by stream."""
    found: dict[int, int] = {}
    for one in frames:
        if one.kind == WINDOW_UPDATE:
            found[one.id] = found.get(one.id, 0) + int.from_bytes(one.payload, "big")
    return found


def uploading(*ids: int, limits: Limits | None = None) -> ServerEnd:
    end = ServerEnd(limits)
    for id in ids:
        end.request(id, POST, end=False)
    return end


def test_content_that_is_taken_is_credited() -> None:
    end = uploading(1, limits=Limits(most_stream_window=65535, connection_window=65535))
    frames = [one for _ in range(40) for one in end.get(data(1, PIECE))]
    given = credits(frames)
    assert 40 * len(PIECE) - 32768 <= given[1] <= 40 * len(PIECE)
    assert 40 * len(PIECE) - 32768 <= given[0] <= 40 * len(PIECE)


def test_a_stream_whose_content_has_come_whole_gets_no_more_credit() -> None:
    for done, expected in ((False, {1}), (True, set())):
        end = uploading(1)
        frames = end.get(data(1, PIECE), data(1, PIECE, end=done))
        assert {id for id in credits(frames) if id} == expected


def test_a_held_stream_gets_no_credit_until_it_is_released() -> None:
    end = uploading(1, limits=Limits(most_stream_window=65535))
    end.owner.holds = True
    end.owner.streams[1].hold(True)
    frames = end.get(*[data(1, PIECE)] * 3)
    assert 1 not in credits(frames)
    end.owner.streams[1].hold(False)
    assert credits(end.out()) == {1: 3 * len(PIECE)}


def test_a_held_stream_holds_up_no_other() -> None:
    """The connection's window opens for all, whoever holds content."""
    end = uploading(1, 3, limits=Limits(connection_window=65535))
    end.owner.streams[1].hold(True)
    end.get(*[data(1, PIECE)] * 3)
    for _ in range(20):
        end.get(data(3, PIECE))
    assert not end.engine.is_failed


def test_what_all_streams_hold_together_is_bounded() -> None:
    limits = Limits(connection_window=65535, max_held_bytes=100_000)
    end = uploading(*range(1, 21, 2), limits=limits)
    for stream in end.owner.streams.values():
        stream.hold(True)
    taken = 0
    window = 65535
    for id in range(1, 21, 2):
        for _ in range(3):
            if window < len(PIECE):
                break
            window += credits(end.get(data(id, PIECE))).get(0, 0) - len(PIECE)
            taken += len(PIECE)
    assert 100_000 <= taken <= 100_000 + 65535
    for stream in list(end.owner.streams.values()):
        stream.hold(False)
    window += credits(end.out()).get(0, 0)
    assert window >= 32768


def test_a_held_stream_that_ends_gives_its_credit_back() -> None:
    limits = Limits(connection_window=65535, max_held_bytes=0)
    end = uploading(1, limits=limits)
    end.owner.streams[1].hold(True)
    assert credits(end.get(*[data(1, PIECE)] * 3)) == {}
    end.owner.streams[1].reset(codes.CANCEL)
    assert credits(end.out()) == {0: 3 * len(PIECE)}


def test_padding_is_credited() -> None:
    """6.9.1."""
    end = uploading(1, limits=Limits(most_stream_window=65535, connection_window=65535))
    padded = frame(codes.DATA, codes.PADDED, 1, b"\xff" + b"x" + bytes(255))
    frames = [one for _ in range(300) for one in end.get(padded)]
    assert min(credits(frames).values()) >= 300 * 257 - 32768
    assert all(told[2] == b"x" for told in end.told if told[1] == "content")


def test_content_that_nobody_takes_is_credited_to_the_connection() -> None:
    """It counts, whatever has become of its stream (5.1)."""
    end = uploading(1, limits=Limits(connection_window=65535))
    end.owner.streams[1].reset(codes.CANCEL)
    frames = [one for _ in range(20) for one in end.get(data(1, PIECE))]
    assert credits(frames)[0] >= 20 * len(PIECE) - 32768


def test_a_streams_window_grows_while_its_content_is_taken() -> None:
    end = uploading(1)
    given = sum(credits(end.get(data(1, PIECE))).get(1, 0) for _ in range(64))
    assert 64 * len(PIECE) + 131072 <= given + 65535 <= 64 * len(PIECE) + 262144


def test_a_user_may_end_the_connection_from_within_a_call() -> None:
    end = uploading(1, 3)
    user = end.owner.streams[1].user

    def fail(content: bytes, done: bool) -> None:
        end.engine.fail(codes.INTERNAL_ERROR, "test")

    user.on_content = fail  # type: ignore[method-assign]
    frames = end.get(data(1, b"a"), data(3, b"b"))
    assert [one.kind for one in frames] == [codes.GOAWAY]
    assert (3, "content", b"b", False) not in end.told


def test_goodbye_is_said_once() -> None:
    end = ServerEnd()
    end.engine.fail(codes.NO_ERROR, "")
    end.engine.fail(codes.INTERNAL_ERROR, "")
    end.engine.goaway(final=True)
    end.engine.ping(bytes(8))
    assert len(end.out()) == 1
