"""The buffer between two threads: its bound holds, nothing is lost in silence."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry.otlp.buffer import MAX_BATCH_BYTES, SpanBuffer


def spans_of(buffer: SpanBuffer) -> list[tuple[bytes, int]]:
    """All batches that wait, each with the number of its spans, and their room given back."""
    found = []
    while (batch := buffer.take(0)) is not None:
        found.append((b"".join(batch.pieces), batch.spans))
        buffer.free(batch)
    return found


def test_a_batch_is_full_or_flushed() -> None:
    buffer = SpanBuffer(limit_bytes=10_000, batch_spans=3)
    for name in (b"a", b"b", b"c", b"d"):
        buffer.add(name)
    assert spans_of(buffer) == [(b"abc", 3)]
    buffer.flush()
    assert spans_of(buffer) == [(b"d", 1)]
    buffer.flush()
    assert spans_of(buffer) == []


def test_a_batch_ends_at_a_size_as_well() -> None:
    buffer = SpanBuffer(limit_bytes=8 * MAX_BATCH_BYTES, batch_spans=1000)
    for _ in range(5):
        buffer.add(bytes(MAX_BATCH_BYTES // 4))
    assert [spans for _, spans in spans_of(buffer)] == [4]


def test_each_32_spans_are_one_piece() -> None:
    names = [b"<%d>" % number for number in range(1, 101)]
    for most, counts in ((1000, []), (100, [[32, 32, 32, 4]]), (64, [[32, 32]]), (33, [[32, 1], [32, 1], [32, 1]])):
        buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=most)
        for added, name in enumerate(names, 1):
            buffer.add(name)
            assert buffer.added == added
        found = []
        while (batch := buffer.take(0)) is not None:
            found.append(batch)
        assert [[piece.count(b"<") for piece in batch.pieces] for batch in found] == counts
        assert [batch.spans for batch in found] == [sum(pieces) for pieces in counts]
        buffer.flush()
        last = buffer.take(0)
        left = [] if last is None else last.pieces
        assert b"".join([piece for batch in found for piece in batch.pieces] + left) == b"".join(names)


def test_what_does_not_fit_is_dropped_and_counted_and_room_comes_back() -> None:
    buffer = SpanBuffer(limit_bytes=1000, batch_spans=1)
    for _ in range(10):
        buffer.add(bytes(200))
    assert (buffer.added, buffer.dropped) == (4, 6)
    assert buffer.held_bytes == 4 * 248
    batch = buffer.take(0)
    assert batch is not None
    buffer.add(bytes(200))  # being sent is not sent: there is still no room
    assert buffer.dropped == 7
    buffer.free(batch)
    buffer.add(bytes(200))
    assert (buffer.added, buffer.dropped) == (5, 7)


@given(st.lists(st.integers(0, 700), max_size=60), st.integers(1, 5), st.integers(1, 2000))
def test_the_bound_holds_and_every_span_is_sent_or_counted(sizes: list[int], batch_spans: int, limit: int) -> None:
    buffer = SpanBuffer(limit_bytes=limit, batch_spans=batch_spans)
    for size in sizes:
        buffer.add(bytes(size))
        assert buffer.held_bytes <= limit
    buffer.flush()
    batches = spans_of(buffer)
    assert sum(spans for _, spans in batches) + buffer.dropped == len(sizes)
    assert all(spans <= batch_spans for _, spans in batches)
    assert buffer.held_bytes == 0
    assert repr(buffer) == f"<SpanBuffer 0 of {limit} bytes, {buffer.added} spans, {buffer.dropped} dropped>"


def test_two_threads_lose_nothing() -> None:
    buffer = SpanBuffer(limit_bytes=1 << 30, batch_spans=7)
    received: list[bytes] = []

    def read() -> None:
        spans = 0
        while spans < 20_000:
            batch = buffer.take(5)
            assert batch is not None
            received.extend(batch.pieces)
            spans += batch.spans
            buffer.free(batch)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20_000):
        buffer.add(b"%d" % number)
    buffer.flush()
    reader.join(20)
    assert b"".join(received) == b"".join(b"%d" % number for number in range(20_000))
    assert buffer.held_bytes == 0


def test_a_limit_in_spans_beside_the_one_in_bytes() -> None:
    buffer = SpanBuffer(limit_bytes=1000, batch_spans=2, limit_spans=3)
    assert (buffer.added, buffer.dropped, buffer.held_bytes) == (0, 0, 0)
    for _ in range(5):
        buffer.add(b"a")
    assert (buffer.added, buffer.dropped, buffer.held_bytes) == (3, 2, 3 * 49)
    batch = buffer.take(0)
    assert batch is not None
    assert batch == ([b"aa"], 2, 98)
    buffer.free(batch)
    for _ in range(3):
        buffer.add(b"b")
    assert (buffer.added, buffer.dropped, buffer.held_bytes) == (5, 3, 3 * 49)
    unlimited = SpanBuffer(limit_bytes=1 << 30, batch_spans=1 << 30)
    for _ in range(2000):
        unlimited.add(b"")
    assert unlimited.dropped == 0


def test_a_span_of_exactly_the_room_fits() -> None:
    buffer = SpanBuffer(limit_bytes=100, batch_spans=9)
    buffer.add(bytes(53))
    assert buffer.dropped == 1
    buffer.add(bytes(52))
    assert (buffer.added, buffer.dropped, buffer.held_bytes) == (1, 1, 100)


def test_a_batch_of_exactly_a_mib_is_whole() -> None:
    for less, batches in ((1, 0), (0, 1)):
        buffer = SpanBuffer(limit_bytes=1 << 30, batch_spans=1000)
        buffer.add(bytes(1024 * 1024 - 48 - less))
        assert len(spans_of(buffer)) == batches


def test_a_wait_ends_with_a_batch_or_with_a_call() -> None:
    buffer = SpanBuffer(limit_bytes=1000, batch_spans=1)
    assert buffer.take(0.001) is None
    buffer.add(b"a")
    assert buffer.take(60) is not None
    buffer.wake()
    assert buffer.take(60) is None
