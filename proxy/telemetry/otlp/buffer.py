"""A buffer of finished spans between the event loop and the sender's thread: in batches, bounded in bytes.

One thread writes (`add`, `flush`), one reads (`take`, `free`).
Locks are only held for a few instructions, and the writer never waits: spans that do not fit are dropped and counted.
Each number has one writing thread.
"""

from __future__ import annotations

import queue
from typing import Final, NamedTuple, final

_OVERHEAD_BYTES: Final = 48  # overhead of a span: the object's head and its place in a list
MAX_BATCH_BYTES: Final = 1024 * 1024  # collectors take 4 MiB and more; smaller batches are retried more cheaply
# Joined at once, for speed: their memory is used again soon, while it is in the cache, and by the thread that it is of.
PIECE_SPANS: Final = 32


class Batch(NamedTuple):
    """Spans for one request."""

    pieces: list[bytes]  # of several spans, to be joined
    spans: int
    held_bytes: int


@final
class SpanBuffer:
    """See the module."""

    __slots__ = (
        "_batch_spans",
        "_batches",
        "_flush_at",
        "_freed",
        "_held",
        "_joined",
        "_limit_bytes",
        "_limit_spans",
        "_pieces",
        "_room",
        "_spans",
        "_taken",
        "_whole",
        "dropped",
    )

    def __init__(self, *, limit_bytes: int, batch_spans: int, limit_spans: int = 0) -> None:
        """`limit_spans`: a limit in spans beside the one in bytes; 0 for none."""
        self._limit_spans = limit_spans
        self._taken = 0  # spans ever given back; the reader's
        self._limit_bytes = limit_bytes
        self._batch_spans = batch_spans
        self._room = min(PIECE_SPANS, batch_spans)  # spans in the piece that is being filled, when it is full
        self._pieces: list[bytes] = []  # of the batch that is being filled
        self._joined = 0  # spans in them
        self._spans: list[bytes] = []  # those behind them
        self._held = 0  # bytes ever taken in; the writer's
        self._flush_at = MAX_BATCH_BYTES  # what that is when the batch has enough bytes
        self._freed = 0  # bytes ever given back; the reader's
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._whole = 0  # spans in all batches so far, without the one that is being filled
        self.dropped = 0  # because the buffer was full

    def __repr__(self) -> str:
        return (
            f"<SpanBuffer {self.held_bytes} of {self._limit_bytes} bytes, {self.added} spans, {self.dropped} dropped>"
        )

    @property
    def held_bytes(self) -> int:
        """The bytes that wait or are being sent."""
        return self._held - self._freed

    @property
    def added(self) -> int:
        """Spans ever taken in."""
        return self._whole + self._count()

    def _count(self) -> int:
        """Spans in the batch that is being filled."""
        return self._joined + len(self._spans)

    # --- the writer's side

    def add(self, span: bytes) -> None:
        """Take a span, or drop it if there is no room."""
        held = self._held + len(span) + _OVERHEAD_BYTES
        if held - self._freed > self._limit_bytes or (
            self._limit_spans and self.added - self._taken >= self._limit_spans
        ):
            self.dropped += 1
            return
        self._held = held
        spans = self._spans
        spans.append(span)
        if len(spans) < self._room and held < self._flush_at:
            return
        self._pieces.append(b"".join(spans))
        self._joined += len(spans)
        spans.clear()
        left = self._batch_spans - self._joined
        if left <= 0 or held >= self._flush_at:
            self.flush()
        elif left < PIECE_SPANS:
            self._room = left

    def flush(self) -> None:
        """Give the reader everything, even less than a whole batch."""
        count = self._count()
        if count:
            pieces, self._pieces = self._pieces, []
            if self._spans:
                pieces.append(b"".join(self._spans))
                self._spans = []
            held_bytes = self._held - (self._flush_at - MAX_BATCH_BYTES)
            self._batches.put(Batch(pieces, count, held_bytes))
            self._whole += count
            self._joined = 0
            self._room = min(PIECE_SPANS, self._batch_spans)
            self._flush_at = self._held + MAX_BATCH_BYTES

    def wake(self) -> None:
        """End the reader's wait, if it waits: there may be nothing more to come."""
        self._batches.put(None)

    # --- the reader's side

    def take(self, timeout_s: float) -> Batch | None:
        """The next batch; None if none comes in time, or after `wake`. The caller gives its room back with `free`."""
        try:
            return self._batches.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def free(self, batch: Batch) -> None:
        """A batch has been sent, or given up."""
        self._freed += batch.held_bytes
        self._taken += batch.spans


@final
class Outlet:
    """Where finished spans go at present: into a buffer, or nowhere while nothing is exported."""

    __slots__ = ("buffer",)

    def __init__(self, buffer: SpanBuffer | None = None) -> None:
        self.buffer = buffer
