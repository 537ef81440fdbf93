"""For tests of code that uses this library: finished spans, the same ids and times in every run, a tree to compare.

The pytest fixture `ops_spans` (plugin `ops_lib`, found automatically)
gives a SpanCapture; `capture_spans()` does the same without pytest.
Meanwhile it replaces the settings of `configure`, but not OpenTelemetry's global state.
May know: the SDK, what is configured, `trace_text`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler

from ops_lib.capture.bounds import CaptureSettings
from ops_lib.export.console import node_of
from ops_lib.export.sampling import Obedient
from ops_lib.export.trace_text import arrange, duration
from ops_lib.headers import propagators
from ops_lib.spans.configured import INSTRUMENTATION_NAME, RUNTIME

__all__ = ["CountedIds", "SpanCapture", "SteppedClock", "capture_spans"]

EPOCH_NS = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z


class CountedIds(IdGenerator):
    """Ids in order: the first trace is 0000000000000001 twice, the first span 0000000000000001.

    Takes: nothing.
    Gives: an IdGenerator for a TracerProvider; threads may share it.
    Raises: nothing.
    Specification: OpenTelemetry Trace SDK, IdGenerator.
    """

    def __init__(self) -> None:
        self._traces = count(1)
        self._spans = count(1)

    def generate_trace_id(self) -> int:
        """The next trace id; both halves are the number, so that 64-bit formats show it, too."""
        number = next(self._traces)
        return number << 64 | number

    def generate_span_id(self) -> int:
        """The next span id."""
        return next(self._spans)


class SteppedClock:
    """A clock that moves by one step whenever it is read.

    Takes: `start_ns`, nanoseconds since the epoch; `step_ns`, nanoseconds (default: a millisecond).
    Gives: a callable () -> nanoseconds since the epoch; threads may share it.
    Raises: nothing.
    Specification: none.
    """

    def __init__(self, start_ns: int = EPOCH_NS, step_ns: int = 1_000_000) -> None:
        self._times = count(start_ns, step_ns)

    def __call__(self) -> int:
        return next(self._times)


class SpanCapture(SpanProcessor):
    """The finished spans, in the order of finishing.

    Takes: nothing; made by the fixture `ops_spans` and by `capture_spans`.
    Gives: `spans`, `named`, `one`, `tree`, `clear`.
    Raises: AssertionError from `one`.
    Specification: OpenTelemetry Trace SDK, SpanProcessor.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keeps a finished span."""
        with self._lock:
            self._spans.append(span)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The SDK's finished spans, a copy of the list."""
        with self._lock:
            return list(self._spans)

    def clear(self) -> None:
        """Forgets them."""
        with self._lock:
            self._spans.clear()

    def named(self, name: str) -> list[ReadableSpan]:
        """The finished spans of this name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The only finished span of this name. Raises AssertionError, showing the tree, if that is not so."""
        found = self.named(name)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} finished spans are named {name!r}; the tree is\n{self.tree()}")
        return found[0]

    def tree(self, *, attributes: Collection[str] = (), events: bool = False, times: bool = False) -> str:
        """The finished spans as text, one line each, children under their parents, for `assert`.

        `attributes`: names of those to show; `events`: whether to show events; `times`: whether to show durations.
        A failed span shows what failed.
        No newline at the end.
        """
        lines: list[str] = []
        for branches, below, node in arrange(node_of(span) for span in self.spans):
            line = branches + node.name
            if times:
                line += f" {duration(node.end - node.start)}"
            line += "".join(f" {name}={node.attributes[name]}" for name in attributes if name in node.attributes)
            lines.append(line + (f" ✗ {node.error}" if node.error is not None else ""))
            if events:
                lines.extend(f"{below}· {name} {said.get('message', '')}".rstrip() for name, said in node.events)
        return "\n".join(lines)


@contextmanager
def capture_spans(
    *,
    sampler: Sampler | None = None,
    ids: IdGenerator | None = None,
    clock: Callable[[], int] | None = None,
    capture: CaptureSettings | None = None,
) -> Iterator[SpanCapture]:
    """Record every span of this library in memory for a `with` block; then restore the configuration.

    Takes: `sampler` (default: all, and what a caller decided), `ids` (default: CountedIds), `clock` (default:
    SteppedClock; it times the spans made through this library), `capture`, what is recorded of arguments and results.
    Gives: a SpanCapture.
    It is for the whole process: not for tests that run at the same time on threads.
    Raises: nothing.
    Specification: OpenTelemetry Trace SDK, TracerProvider.
    """
    captured = SpanCapture()
    provider = TracerProvider(
        sampler=Obedient(sampler if sampler is not None else ParentBased(ALWAYS_ON)),
        resource=Resource({"service.name": "test"}),
        shutdown_on_exit=False,
        active_span_processor=None,
        id_generator=ids if ids is not None else CountedIds(),
    )
    provider.add_span_processor(captured)
    before = RUNTIME.snapshot()
    propagator = propagators.chosen_propagator()
    RUNTIME.provider = provider
    RUNTIME.tracer = provider.get_tracer(INSTRUMENTATION_NAME)
    RUNTIME.stop = provider.shutdown
    RUNTIME.clock = clock if clock is not None else SteppedClock()
    RUNTIME.capture = capture if capture is not None else CaptureSettings()
    try:
        yield captured
    finally:
        RUNTIME.restore(before)
        propagators.set_propagator(propagator)
        provider.shutdown()
