"""Sends batches of spans to a collector, on a separate thread, so that the collector never disturbs an exchange.

May know the buffer, the collector's connection and the rules of retrying.
A batch is sent, or dropped with a reason; both are counted.
The data plane only calls `on_tick`, which never waits.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from proxy.plan.export import Endpoint
from proxy.telemetry.otlp.buffer import Batch, SpanBuffer
from proxy.telemetry.otlp.collector import Answer, Collector, CollectorError
from proxy.telemetry.otlp.request import partial_success
from proxy.telemetry.otlp.retry import RETRYABLE, backoff_s, retry_after_s

log = logging.getLogger(__name__)

_QUIET_S: Final = 60.0  # between two log lines about the same problem
_LOOK_S: Final = 0.5  # how often the thread checks whether to stop


class SenderMetrics:
    """The fate of the spans. Only the sender's thread writes it."""

    def __init__(self) -> None:
        self.sent = 0
        self.batches = 0
        self.retries = 0
        self.dropped: dict[str, int] = {}  # by reason


class Sender:
    """One thread, one connection, one batch at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        buffer: SpanBuffer,
        *,
        encode: Callable[[Sequence[bytes]], Sequence[bytes]],
        user_agent: str,
        give_up_s: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
        what: str = "spans",
    ) -> None:
        """`encode`: makes the pieces of a request's body from a batch's spans.

        `what`: how messages call the entries of a batch.

        `give_up_s`: a batch that could not be sent for this long is dropped.

        `pause`: waits for so many seconds, or until the event is set.
        """
        self.metrics = SenderMetrics()
        self._endpoint = endpoint
        self._buffer = buffer
        self._encode = encode
        self._give_up_s = give_up_s
        self._clock = clock
        self._wall_clock = wall_clock
        self._chance = chance
        self._pause = pause
        self._what = what
        self._collector = Collector(endpoint)
        self._headers = {"Content-Type": "application/x-protobuf", "User-Agent": user_agent}
        if endpoint.gzip:
            self._headers["Content-Encoding"] = "gzip"
        self._stopping = threading.Event()
        self._until = 0.0  # while it stops: when it has to end
        self._answer_by = 0.0  # while a request is under way: when its answer is due
        self._failures = 0  # in a row
        self._told_at: dict[str, float] = {}  # by kind of trouble
        self._thread = threading.Thread(target=self._run, name=f"ops-sidecar-{what}", daemon=True)

    def __repr__(self) -> str:
        return f"<Sender to {self._endpoint}, {self.metrics.sent} sent, {self._failures} failures in a row>"

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def on_tick(self) -> None:
        """From the event loop, a few times a second: end a request
        whose answer is overdue, even if it still trickles in.
        """
        answer_by = self._answer_by
        if answer_by and self._clock() >= answer_by:
            self._answer_by = 0.0
            self._collector.abort()

    def stop(self, limit_s: float) -> None:
        """Send everything within this time, then end. Does not wait: see `wait_stopped`."""
        self._until = self._clock() + limit_s
        self._stopping.set()
        self._buffer.wake()

    def wait_stopped(self, timeout_s: float) -> bool:
        """Whether the thread has ended within `timeout_s`. Blocks: not for the event loop."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- the thread

    def _run(self) -> None:
        while True:
            is_stopping = self._stopping.is_set()
            batch = self._buffer.take(0.0 if is_stopping else _LOOK_S)
            if batch is None:
                if is_stopping:
                    break
                continue
            try:
                self._deliver(batch)
            except Exception as error:  # a bug of ours: the outermost edge of the thread
                self._drop(batch, "error")
                self._tell("error", f"{self._what} were lost by a bug in this sidecar: {type(error).__name__}", error)
            finally:
                self._buffer.free(batch)
        self._collector.close()

    def _deliver(self, batch: Batch) -> None:
        """Send a batch, with retries if allowed, or drop it."""
        body = self._body(batch)
        give_up_at = self._clock() + self._give_up_s
        while True:
            if self._stopping.is_set() and self._clock() >= self._until:
                return self._drop(batch, "stopped")
            wait_s: float | None = None
            try:
                answer = self._post(body)
            except CollectorError as error:
                trouble = str(error)
            else:
                if 200 <= answer.status < 300:
                    return self._delivered(batch, answer)
                trouble = f"it answered {answer.status}"
                if answer.status not in RETRYABLE:
                    self._failures += 1
                    self._tell("refused", f"{self._endpoint} refuses {self._what}: {trouble}")
                    return self._drop(batch, f"refused-{answer.status}")
                wait_s = retry_after_s(answer.retry_after, self._wall_clock())
            self._failures += 1
            self._tell("failed", f"{self._what} cannot be sent to {self._endpoint}: {trouble}; trying again")
            now = self._clock()
            wait_s = max(wait_s or 0.0, backoff_s(self._failures, self._chance))
            if now + wait_s >= give_up_at:
                return self._drop(batch, "retries-exhausted")
            self.metrics.retries += 1
            self._wait(wait_s)

    def _post(self, body: bytes) -> Answer:
        """One try, within the endpoint's timeout, and the time left while we stop."""
        limit_s = self._endpoint.timeout_s
        if self._stopping.is_set():
            limit_s = min(limit_s, max(0.1, self._until - self._clock()))
        self._answer_by = self._clock() + limit_s
        try:
            return self._collector.post(body, self._headers)
        finally:
            self._answer_by = 0.0

    def _wait(self, wait_s: float) -> None:
        """Wait until the next try. A stop cuts a long pause: there is one more try, half-way to the end."""
        if self._stopping.is_set():
            self._pause(threading.Event(), min(wait_s, max(0.0, (self._until - self._clock()) / 2)))
        else:
            self._pause(self._stopping, wait_s)

    def _body(self, batch: Batch) -> bytes:
        pieces = self._encode(batch.pieces)
        if not self._endpoint.gzip:
            return b"".join(pieces)
        compressor = zlib.compressobj(1, zlib.DEFLATED, 31)  # 31: a gzip header; level 1, for speed
        return b"".join([*map(compressor.compress, pieces), compressor.flush()])

    def _delivered(self, batch: Batch, answer: Answer) -> None:
        if self._failures:
            log.info("%s reach %s again", self._what, self._endpoint)
        self._failures = 0
        self._told_at.clear()
        metrics = self.metrics
        metrics.batches += 1
        rejected = 0
        try:
            partial = partial_success(answer.body)
        except ValueError:  # some collectors answer with text; the status counts
            partial = None
        if partial is not None:
            rejected = min(max(partial.rejected, 0), batch.spans)
            count_many(metrics.dropped, "rejected", rejected)
            self._tell("partial", f"{self._endpoint} did not take {rejected} {self._what}: {partial.message}")
        metrics.sent += batch.spans - rejected

    def _drop(self, batch: Batch, reason: str) -> None:
        count_many(self.metrics.dropped, reason, batch.spans)

    def _tell(self, kind: str, words: str, error: Exception | None = None) -> None:
        """Log it, unless the same kind of problem was just logged."""
        now = self._clock()
        if now >= self._told_at.get(kind, -_QUIET_S) + _QUIET_S:
            self._told_at[kind] = now
            log.warning("%s", words, exc_info=error)


def count_many(counts: dict[str, int], key: str, by: int) -> None:
    """Add `by`; nothing for 0."""
    if by:
        counts[key] = counts.get(key, 0) + by
