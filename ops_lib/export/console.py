"""The console exporter: each trace as an indented, coloured tree, once it is finished.

May know: the SDK's span processor interface, `trace_text`. It is a span processor and not an exporter, because it has
to see spans start to tell when a trace is finished here. It never raises into the application.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Final, TextIO
from weakref import WeakMethod

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from ops_lib.export.trace_text import Node, arrange, duration

MAX_TRACES: Final = 1000  # traces unfinished at once; further ones are not shown
MAX_SPANS: Final = 1000  # spans kept of one trace; further ones are counted
_QUIET: Final = frozenset({"code.function.name", "session.id", "error.type"})  # said by the line itself, or its title

_RESET, _BOLD, _DIM, _RED, _CYAN = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[36m"


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


def draw(nodes: list[Node], *, colour: bool, dropped: int = 0) -> str:
    """The text of one trace, with a title, ending in a newline."""

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{_RESET}" if colour else text

    first = min(nodes, key=lambda node: node.start)
    length = max(node.end for node in nodes) - first.start
    title = f"trace {first.trace_id:032x} · {len(nodes)} span{'s' if len(nodes) > 1 else ''} · {duration(length)}"
    sessions = dict.fromkeys(str(node.attributes["session.id"]) for node in nodes if "session.id" in node.attributes)
    lines = [paint(" · ".join([title, *(f"session {_safe(name)}" for name in sessions)]), _CYAN)]
    for branches, below, node in arrange(nodes):
        name = paint(_safe(node.name), _RED if node.error is not None else _BOLD)
        line = f"{paint(branches, _DIM)}{name} {paint(duration(node.end - node.start), _DIM)}"
        if node.error is not None:
            line += paint(f" ✗ {_safe(node.error)[:200]}", _RED)
        shown = {key: value for key, value in node.attributes.items() if key not in _QUIET}
        if shown:
            line += " " + paint(" ".join(f"{key}={_safe(value)[:80]}" for key, value in shown.items()), _DIM)
        lines.append(line)
        for event, attributes in node.events:
            if event != "exception":
                said = attributes.get("message", "")
                lines.append(paint(f"{below}· {_safe(event)} {_safe(said)[:200]}".rstrip(), _DIM))
    if dropped:
        lines.append(paint(f"… {dropped} more spans", _DIM))
    return "\n".join(lines) + "\n"


def _safe(value: object) -> str:
    """`value` as one line of text that cannot steer a terminal."""
    return "".join(character if character.isprintable() else "�" for character in str(value))


class _Unfinished:
    __slots__ = ("dropped", "nodes", "open")

    def __init__(self) -> None:
        self.open = 0
        self.dropped = 0
        self.nodes: list[Node] = []


class ConsoleProcessor(SpanProcessor):
    """Prints each trace to `stream` (default: what stderr is at that moment) when its last open span has ended."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._traces: dict[int, _Unfinished] = {}
        self.traces_dropped = 0
        if hasattr(os, "register_at_fork"):
            forget = WeakMethod(self._forget)  # what is registered there is never taken away again
            os.register_at_fork(after_in_child=lambda: (found := forget()) and found())

    def _forget(self) -> None:
        """In a forked child: the spans that are open there are the parent's to finish."""
        self._lock = threading.Lock()
        self._traces = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Counts an open span."""
        trace_id = span.get_span_context().trace_id
        with self._lock:
            trace = self._traces.get(trace_id)
            if trace is None:
                if len(self._traces) >= MAX_TRACES:
                    self.traces_dropped += 1
                    return
                trace = self._traces[trace_id] = _Unfinished()
            trace.open += 1

    def on_end(self, span: ReadableSpan) -> None:
        """Keeps a finished span, and prints its trace when none is open any more."""
        node = node_of(span)
        with self._lock:
            trace = self._traces.get(node.trace_id)
            if trace is None:
                return
            trace.open -= 1
            if len(trace.nodes) < MAX_SPANS:
                trace.nodes.append(node)
            else:
                trace.dropped += 1
            if trace.open > 0:
                return
            del self._traces[node.trace_id]
        self._print(trace)

    def _print(self, trace: _Unfinished) -> None:
        if not trace.nodes:
            return
        stream = self._stream if self._stream is not None else sys.stderr
        try:
            stream.write(draw(trace.nodes, colour=wants_colour(stream, os.environ), dropped=trace.dropped))
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, broken, not there at all, or unable to encode
            return

    def shutdown(self) -> None:
        """Prints what is finished of the traces that are not."""
        with self._lock:
            traces, self._traces = list(self._traces.values()), {}
        for trace in traces:
            self._print(trace)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return True
