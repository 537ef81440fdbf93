"""The console exporter: each trace as an indented, coloured tree, once it is finished, and while it runs for long.

May know: the SDK's span processor interface, `drawing`.
It is a span processor, not an exporter: to know when a trace is finished, it has to see spans start.
It never raises into the application.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Final, TextIO
from weakref import WeakMethod, ref

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from ops_lib.export.drawing import draw
from ops_lib.export.trace_text import Node
from ops_lib.spans.configured import RUNTIME

MAX_TRACES: Final = 1000  # limit of unfinished traces; others are not shown
MAX_SPANS: Final = 1000  # spans kept of one trace, and open ones shown of it; further ones are counted
FIRST_LOOK_S: Final = 10.0  # a running trace is shown after this time, then after twice the time, and so on
_JOIN_S: Final = 1.0


def node_of(span: ReadableSpan) -> Node:
    """A finished SDK span as a Node."""
    ids = span.get_span_context()
    parent = span.parent
    failed = span.status.status_code is StatusCode.ERROR
    return Node(
        span.name,
        ids.trace_id if ids is not None else 0,
        ids.span_id if ids is not None else 0,
        parent.span_id if parent is not None else None,
        span.start_time or 0,
        span.end_time or 0,
        (span.status.description or "error") if failed else None,
        dict(span.attributes or {}),
        tuple((event.name, dict(event.attributes or {})) for event in span.events),
    )


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` gets colours: NO_COLOR forbids, FORCE_COLOR demands (no-color.org), else terminals do."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class _Unfinished:
    __slots__ = ("dropped", "due_s", "nodes", "open", "open_count", "pause_s")

    def __init__(self, now_s: float) -> None:
        self.open: dict[int, Span] = {}
        self.open_count = 0
        self.dropped = 0
        self.nodes: list[Node] = []
        self.pause_s = FIRST_LOOK_S
        self.due_s = now_s + FIRST_LOOK_S


class ConsoleProcessor(SpanProcessor):
    """Prints each trace to `stream` (default: what stderr is at that moment) when its last open span has ended.

    A long one is also printed unfinished, after 10 s, 20 s, 40 s, and so on.
    A separate thread does that; it starts with the first span, and sleeps while no trace is open.
    """

    def __init__(self, stream: TextIO | None = None, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock_s = clock_s
        self._traces: dict[int, _Unfinished] = {}
        self.traces_dropped = 0
        self._begin()
        if hasattr(os, "register_at_fork"):
            forget = WeakMethod(self._begin)  # what is registered there stays registered
            os.register_at_fork(after_in_child=lambda: (found := forget()) and found())

    def _begin(self) -> None:
        """Also called in a forked child: its open spans belong to the parent, and it has no thread."""
        self._lock = threading.Lock()
        self._traces = {}
        self._has_open, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Counts an open span."""
        ids = span.get_span_context()
        with self._lock:
            trace = self._traces.get(ids.trace_id)
            if trace is None:
                if len(self._traces) >= MAX_TRACES:
                    self.traces_dropped += 1
                    return
                trace = self._traces[ids.trace_id] = _Unfinished(self._clock_s())
                if not self._has_open.is_set():
                    self._has_open.set()
            trace.open_count += 1
            if len(trace.open) < MAX_SPANS:
                trace.open[ids.span_id] = span
            if self._thread is None:
                self._thread = self._watch()

    def on_end(self, span: ReadableSpan) -> None:
        """Keeps a finished span, and prints its trace when none is open any more."""
        node = node_of(span)
        with self._lock:
            trace = self._traces.get(node.trace_id)
            if trace is None:
                return
            trace.open_count -= 1
            trace.open.pop(node.span_id, None)
            if len(trace.nodes) < MAX_SPANS:
                trace.nodes.append(node)
            else:
                trace.dropped += 1
            if trace.open_count > 0:
                return
            del self._traces[node.trace_id]
        self._print(trace.nodes, trace.dropped)

    def show_running(self) -> float | None:
        """Prints the traces that are due. Returns the seconds until the next is; None while no trace is open."""
        now_s = self._clock_s()
        with self._lock:
            due = [trace for trace in self._traces.values() if trace.due_s <= now_s]
            shown = [(list(trace.nodes), list(trace.open.values()), trace.dropped) for trace in due]
            for trace in due:
                trace.pause_s *= 2
                trace.due_s = now_s + trace.pause_s
            next_s = min((trace.due_s for trace in self._traces.values()), default=None)
        now_ns = RUNTIME.clock() if RUNTIME.clock is not None else time.time_ns()
        for nodes, spans, dropped in shown:
            still = [node_of(span)._replace(end=now_ns) for span in spans if span.end_time is None]
            self._print(nodes + still, dropped, {node.span_id for node in still})
        return None if next_s is None else max(0.0, next_s - now_s)

    def _watch(self) -> threading.Thread:
        """A started thread that watches running traces. It does not keep this processor alive."""
        processor, has_open, ended = ref(self), self._has_open, self._ended

        def watch() -> None:
            while True:
                has_open.wait()
                has_open.clear()
                wait_s: float | None = FIRST_LOOK_S  # nothing can be due before
                while wait_s is not None:
                    if ended.wait(wait_s) or (found := processor()) is None:
                        return
                    wait_s = found.show_running()
                    del found

        thread = threading.Thread(target=watch, name="ops-console", daemon=True)
        with suppress(RuntimeError):  # the interpreter is about to end, and starts no more threads
            thread.start()
        return thread

    def _print(self, nodes: list[Node], dropped: int, running: Collection[int] = ()) -> None:
        if not nodes:
            return
        stream = self._stream if self._stream is not None else sys.stderr
        try:
            stream.write(draw(nodes, colour=wants_colour(stream, os.environ), dropped=dropped, running=running))
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, broken, not there at all, or unable to encode
            return

    def shutdown(self) -> None:
        """Prints the finished parts of open traces, and ends the thread."""
        with self._lock:
            traces, self._traces = list(self._traces.values()), {}
            thread = self._thread
        self._end()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(_JOIN_S)  # or it could hold the stream when the interpreter ends
        for trace in traces:
            self._print(trace.nodes, trace.dropped)

    def _end(self) -> None:
        self._ended.set()
        self._has_open.set()

    def __del__(self) -> None:
        self._end()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return True
