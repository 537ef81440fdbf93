"""Traces of requests that were at the app a while ago: a call of such a trace is late, not another's. PURE. Bounded."""

from __future__ import annotations

from typing import Final, final

_MOST: Final = 4096


@final
class RecentTraces:
    """The last ones, the oldest first."""

    __slots__ = ("_traces",)

    def __init__(self) -> None:
        self._traces: dict[bytes, None] = {}

    def __contains__(self, trace_id: bytes) -> bool:
        return trace_id in self._traces

    def add(self, trace_id: bytes) -> None:
        """A request of this trace is over."""
        traces = self._traces
        if trace_id in traces:
            del traces[trace_id]  # it is the newest now
        elif len(traces) >= _MOST:
            del traces[next(iter(traces))]
        traces[trace_id] = None
