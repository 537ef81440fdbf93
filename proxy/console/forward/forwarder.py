"""Sends on what was received, byte for byte, to another collector: one thread, a queue bounded in bytes.

A collector that is slow or gone never holds up what is received.
What does not fit, or cannot be sent, is dropped and counted.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from proxy.errors import StartError
from proxy.plan.console import ForwardPlan
from proxy.plan.export import Endpoint
from proxy.telemetry.otlp.collector import Collector, CollectorError
from proxy.telemetry.otlp.retry import RETRYABLE, backoff_s, retry_after_s

log = logging.getLogger(__name__)

_QUIET_S: Final = 60.0
_OVERHEAD_BYTES: Final = 500


class _Item(NamedTuple):
    signal: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def size(self) -> int:
        return len(self.body) + _OVERHEAD_BYTES


@dataclass(slots=True)
class ForwardCounts:
    """In requests. Only the sender's thread writes all but `dropped["queue-full"]`."""

    sent: int = 0
    retries: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


class Forwarder:
    """See the module."""

    def __init__(
        self,
        plan: ForwardPlan,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Raises StartError if a certificate cannot be read."""
        self.counts = ForwardCounts()
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._collectors = {signal: Collector(_endpoint(plan, signal)) for signal in ("traces", "metrics", "logs")}
        self._waiting: deque[_Item] = deque()
        self._held = 0
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._told_at = -_QUIET_S
        self._thread = threading.Thread(target=self._run, name="console-forward", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """What waits or is being sent."""
        return self._held

    def add(self, signal: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Take what came, or drop it if there is no room. Never waits."""
        item = _Item(signal, body, headers)
        with self._wake:
            if self._held + item.size > self._plan.queue_bytes:
                self._drop("queue-full")
                return
            self._held += item.size
            self._waiting.append(item)
            self._wake.notify()

    def stop(self, timeout_s: float) -> None:
        """Send what waits within `timeout_s`; the rest is dropped and counted."""
        until = self._clock() + timeout_s
        with self._wake:
            while self._held and self._clock() < until:
                self._wake.wait(0.1)
            self._stopping.set()
            self._wake.notify()
        for collector in self._collectors.values():
            collector.abort()
        self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping.is_set():
                    self._wake.wait(1.0)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
            try:
                self._deliver(item)
            finally:
                with self._wake:
                    self._held -= item.size
                    self._wake.notify_all()
        for collector in self._collectors.values():
            collector.close()

    def _deliver(self, item: _Item) -> None:
        give_up_at = self._clock() + self._plan.give_up_s
        failures = 0
        while not self._stopping.is_set():
            wait_s = 0.0
            try:
                answer = self._collectors[item.signal].post(item.body, item.headers)
            except CollectorError as error:
                trouble = str(error)
            else:
                if 200 <= answer.status < 300:
                    self.counts.sent += 1
                    return
                trouble = f"it answered {answer.status}"
                if answer.status not in RETRYABLE:
                    self._tell(trouble)
                    self._drop(f"refused-{answer.status}")
                    return
                wait_s = retry_after_s(answer.retry_after, time.time()) or 0.0
            failures += 1
            self._tell(trouble)
            wait_s = max(wait_s, backoff_s(failures, self._chance))
            if self._clock() + wait_s >= give_up_at:
                self._drop("retries-exhausted")
                return
            self.counts.retries += 1
            self._stopping.wait(wait_s)
        self._drop("stopped")

    def _drop(self, reason: str) -> None:
        self.counts.dropped[reason] = self.counts.dropped.get(reason, 0) + 1

    def _tell(self, trouble: str) -> None:
        now = self._clock()
        if now - self._told_at >= _QUIET_S:
            self._told_at = now
            log.warning("what was received cannot be forwarded to %s: %s", self._plan.url, trouble)


def _endpoint(plan: ForwardPlan, signal: str) -> Endpoint:
    url = urlsplit(plan.url)
    return Endpoint(
        host=url.hostname or "",
        port=url.port or 4318,
        path=f"{url.path.rstrip('/')}/v1/{signal}",
        tls=_tls(plan) if url.scheme == "https" else None,
        headers=tuple(plan.headers.items()),
        timeout_s=plan.timeout_s,
    )


def _tls(plan: ForwardPlan) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=plan.ca_file)
        if not plan.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if plan.cert_file is not None:
            context.load_cert_chain(plan.cert_file, plan.key_file)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"console.forward.tls: {error}") from None
    return context
