"""What the console counts by itself, for its health. Reads the counters of its parts, and changes nothing."""

from __future__ import annotations

import time
from typing import Any

from proxy.console.forward.forwarder import Forwarder
from proxy.console.server.guard import Guard
from proxy.console.server.intake import Intake
from proxy.console.server.stream import Stream
from proxy.console.store.reader import Reader
from proxy.console.store.writer import Writer
from proxy.own_version import own_version
from proxy.plan.console import ConsolePlan


class ConsoleState:
    """One per console. `otlp` is known once it listens."""

    def __init__(
        self,
        plan: ConsolePlan,
        *,
        writer: Writer,
        reader: Reader,
        stream: Stream,
        guard: Guard,
        intake: Intake,
        forwarder: Forwarder | None,
    ) -> None:
        self.otlp = ""
        self._plan = plan
        self._writer = writer
        self._reader = reader
        self._stream = stream
        self._guard = guard
        self._intake = intake
        self._forwarder = forwarder
        self._version = own_version()
        self._started = time.time()

    def __call__(self) -> dict[str, Any]:
        """As it is now, as JSON has it."""
        written, received = self._writer.counts, self._intake.counts
        return {
            "version": self._version,
            "instance": f"console-{int(self._started):x}",
            "started": self._started * 1000,
            "otlp": self.otlp,
            "auth": self._guard.has_token,
            "otlp_auth": bool(self._plan.otlp_token),
            "store": {
                "kind": "file" if self._plan.store else "memory",
                "path": self._plan.store or None,
                "bytes": self._writer.used_bytes,
                "limit_bytes": self._plan.store_bytes,
                "waiting_bytes": self._writer.waiting_bytes,
                "removed": written.removed,
            },
            "received": dict(received.records),
            "rejected": dict(received.rejected),
            "not_kept": dict(received.unkept),
            "repeated": received.repeated,
            "overfull": written.overfull,
            "lost": dict(written.lost),
            "refused": {**received.refused, **self._guard.refused, **self._busy()},
            "stream": {"readers": self._stream.readers, "lost": self._stream.lost, "cut": self._stream.cut},
            "forward": self._forwarded(),
        }

    def _forwarded(self) -> dict[str, Any] | None:
        forwarder = self._forwarder
        if forwarder is None:
            return None
        counts = forwarder.counts
        return {
            "url": self._plan.forward.url,
            "sent": counts.sent,
            "retries": counts.retries,
            "dropped": dict(counts.dropped),
            "waiting_bytes": forwarder.waiting_bytes,
        }

    def _busy(self) -> dict[str, int]:
        found = {
            "slow-questions": self._reader.timeouts,
            "streams": self._stream.refused,
        }
        return {name: number for name, number in found.items() if number}
