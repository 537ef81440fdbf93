"""The console exporter: a tree for each finished trace, coloured for terminals, never in the way."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import re
import threading
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import ops_lib as ops
from ops_lib.export import console
from ops_lib.export.console import ConsoleProcessor, draw, wants_colour
from ops_lib.export.trace_text import Node
from ops_lib.spans.configured import RUNTIME
from ops_lib.testing import EPOCH_NS, CountedIds, SteppedClock


def clock(time_ns: int) -> str:
    """The clock time of this place, to the millisecond."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    from opentelemetry.sdk.trace import TracerProvider

    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    stream = io.StringIO()
    provider = TracerProvider(id_generator=CountedIds(), shutdown_on_exit=False)
    provider.add_span_processor(ConsoleProcessor(stream))
    ops.configure(tracer_provider=provider)
    RUNTIME.clock = SteppedClock()
    yield stream
    provider.shutdown()


def test_a_finished_trace(out: io.StringIO) -> None:
    with ops.session(id="demo"), ops.span("request", method="GET") as span:
        with ops.span("load"):
            span.info("half way")
        assert out.getvalue() == ""
        with pytest.raises(ValueError), ops.span("save"):
            raise ValueError("disk\nfull \x1b[31m")
    title, *lines = out.getvalue().splitlines()
    assert title == f"{clock(EPOCH_NS)} trace {1:016x}{1:016x} · 3 spans · 7 ms · session demo"
    assert lines[:4] == [
        "request 7 ms method=GET",
        "│  · info half way",
        "├─ load 2 ms",
        "└─ save 2 ms ✗ ValueError: disk�full �[31m",
    ]
    assert lines[4] == "      Traceback (most recent call last):"
    assert 'raise ValueError("disk' in out.getvalue()
    assert lines[-1].startswith("      full �[31m")


def test_a_traceback_stands_once_where_it_is_longest(out: io.StringIO) -> None:
    """An exception that leaves several spans is recorded on each; the outermost saw the whole of its way."""

    def deep() -> None:
        with ops.span("inner"):
            raise ValueError("bad")

    with pytest.raises(ValueError), ops.span("root"), ops.span("middle"):
        deep()
    lines = out.getvalue().splitlines()
    assert sum("Traceback" in line for line in lines) == 1
    assert lines[2].startswith("│  Traceback")
    assert any(line.endswith(", in deep") for line in lines)
    assert [re.sub(r"\d+ ms", "", line) for line in lines if "✗" in line] == [
        "root  ✗ ValueError: bad",
        "└─ middle  ✗ ValueError: bad",
        "   └─ inner  ✗ ValueError: bad",
    ]


def test_each_failure_has_its_own_traceback_and_a_handled_one_is_named(out: io.StringIO) -> None:
    with ops.span("root") as span:
        for number in (1, 2):
            with contextlib.suppress(ValueError), ops.span("try"):
                raise ValueError(number)
        try:
            raise KeyError("k")
        except KeyError as error:
            span.record_exception(error)
    assert out.getvalue().count("Traceback") == 3
    assert "\n│  · exception KeyError: 'k'\n│  Traceback" in out.getvalue()


def test_the_clock_time_is_that_of_the_place() -> None:
    node = Node("n", 1, 2, None, EPOCH_NS + 5_000_000, EPOCH_NS + 9_000_000, None, {}, ())
    for hours, told in ((0, "22:13:20.005"), (2, "00:13:20.005")):
        zone = timezone(timedelta(hours=hours))
        assert draw([node], colour=False, zone=zone).startswith(f"{told} trace ")


class TestTracesThatRunForLong:
    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
        """The monotonic clock of a processor, in seconds; nothing is shown by a thread."""
        now = [0.0]
        self.out = io.StringIO()
        self.processor = ConsoleProcessor(self.out, clock_s=lambda: now[0])
        monkeypatch.setattr(self.processor, "_watch", lambda: threading.Thread())
        ops.configure(exporter=self.processor)
        yield now
        ops.shutdown()

    def test_are_shown_as_they_stand(self, now: list[float]) -> None:
        with ops.span("job") as job:
            with ops.span("step", n=1):
                pass
            job.info("half way")
            with ops.span("next step"):
                now[0] = console.FIRST_LOOK_S - 1
                assert self.processor.show_running() == 1
                assert self.out.getvalue() == ""
                now[0] = console.FIRST_LOOK_S
                self.processor.show_running()
                shown = self.out.getvalue()
        title, *lines = shown.splitlines()
        assert " · 3 spans, 2 running · " in title
        assert re.fullmatch(r"job \S+ \S+ and running", lines[0])
        assert lines[1] == "│  · info half way"
        assert re.fullmatch(r"├─ step \S+ \S+ n=1", lines[2])
        assert re.fullmatch(r"└─ next step \S+ \S+ and running", lines[3])
        whole = self.out.getvalue().removeprefix(shown)
        assert " · 3 spans · " in whole
        assert "running" not in whole

    def test_ever_more_rarely(self, now: list[float]) -> None:
        shown = []
        with ops.span("job"):
            for second in range(1, 200):
                now[0] = float(second)
                before = self.out.tell()
                self.processor.show_running()
                if self.out.tell() > before:
                    shown.append(second)
        assert shown == [10, 30, 70, 150]
        assert self.processor.show_running() is None

    def test_no_more_open_spans_are_kept_than_the_limit(
        self, now: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(console, "MAX_SPANS", 3)
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(ops.span("s"))
            now[0] = 100.0
            self.processor.show_running()
            assert " · 3 spans, 3 running · " in self.out.getvalue()

    def test_by_themselves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By a thread, which ends with the processor."""
        monkeypatch.setattr(console, "FIRST_LOOK_S", 0.01)
        written = threading.Event()

        class Out(io.StringIO):
            def flush(self) -> None:
                written.set()

        processor = ConsoleProcessor(Out())
        ops.configure(exporter=processor)
        with ops.span("job"):
            assert written.wait(30)
            assert "and running" in processor._stream.getvalue()  # type: ignore[union-attr]  # the one above
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "ops-console")
        ops.shutdown()
        assert not thread.is_alive()


def test_the_thread_ends_with_the_processor_when_nothing_is_open_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "FIRST_LOOK_S", 0.01)
    nothing_left = threading.Event()

    class Watched(ConsoleProcessor):
        def show_running(self) -> float | None:
            if (next_s := super().show_running()) is None:
                nothing_left.set()
            return next_s

    ops.configure(exporter=Watched(io.StringIO()))
    with ops.span("job"):
        pass
    assert nothing_left.wait(30)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "ops-console")
    ops.shutdown()
    assert not thread.is_alive()


def test_traces_are_printed_apart_each_when_it_is_done(out: io.StringIO) -> None:
    outer = ops.span("outer").__enter__()
    with ops.propagated_context(parent=ops.extract_context({}, context=None)), ops.span("other"):
        pass
    assert "other" in out.getvalue()
    assert "outer" not in out.getvalue()
    outer.finish()
    assert "outer" in out.getvalue()


def test_a_part_of_a_trace_that_began_elsewhere(out: io.StringIO) -> None:
    with ops.propagated_context(extract_from={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}), ops.span("server"):
        pass
    assert out.getvalue().splitlines()[1].startswith("server ")


def test_shutdown_prints_what_is_finished() -> None:
    stream = io.StringIO()
    ops.configure(exporter=ConsoleProcessor(stream))
    with ops.span("open"):
        with ops.span("done"):
            pass
        ops.shutdown()
        assert "done" in stream.getvalue()
    assert "open" not in stream.getvalue()


def test_limits(monkeypatch: pytest.MonkeyPatch, out: io.StringIO) -> None:
    monkeypatch.setattr(console, "MAX_SPANS", 2)
    monkeypatch.setattr(console, "MAX_TRACES", 1)
    with ops.span("outer"):
        for _ in range(3):
            with ops.span("inner"):
                pass
        with ops.propagated_context(parent=ops.extract_context({})), ops.span("unseen"):
            pass
    assert "… 2 more spans" in out.getvalue()
    assert "unseen" not in out.getvalue()


@pytest.mark.parametrize("broken", ["closed", "none"])
def test_a_stream_that_is_gone_does_no_harm(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr("sys.stderr", stream if broken == "closed" else None)
    ops.configure(exporter="console")
    with ops.span("s"):
        pass
    ops.shutdown()


def test_colours() -> None:
    node = Node("s", 1, 2, None, 0, 5, "bad", {"a": 1}, (("info", {"message": "m"}),))
    coloured = draw([node], colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == draw([node], colour=False)


@pytest.mark.parametrize(
    ("environ", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_when_colours_are_wanted(environ: dict[str, str], terminal: bool, wanted: bool) -> None:
    assert wants_colour(Terminal() if terminal else io.StringIO(), environ) == wanted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_forgets_the_parents_open_spans(out: io.StringIO) -> None:
    reader, writer = os.pipe()
    with ops.span("parent"):
        pid = os.fork()
        if pid == 0:
            with ops.span("child"):
                pass
            os.write(writer, out.getvalue().encode())
            os._exit(0)
        os.waitpid(pid, 0)
    printed = os.read(reader, 4096).decode()
    os.close(reader)
    os.close(writer)
    assert "child" in printed
    assert "parent" not in printed


@pytest.mark.slow
def test_is_collected_when_it_is_replaced() -> None:
    """Each `configure(exporter="console")` makes one; fork's hooks must not keep them all."""
    gone = weakref.ref(ConsoleProcessor(io.StringIO()))
    gc.collect()
    assert gone() is None


def test_what_is_shown_of_a_span_that_has_not_ended() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Status, StatusCode

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("x")
    span = tracer.start_span("s", attributes={"a": 1}, start_time=5)
    node = console.node_of(span)  # type: ignore[arg-type]  # the SDK's
    assert (node.name, node.start, node.end, node.parent_id, node.error) == ("s", 5, 0, None, None)
    assert (node.attributes, node.events) == ({"a": 1}, ())
    span.set_status(Status(StatusCode.ERROR))
    assert console.node_of(span).error == "error"  # type: ignore[arg-type]
    span.set_status(Status(StatusCode.ERROR, "odd"))
    span.add_event("e", {"b": 2}, timestamp=6)
    span.end(7)
    node = console.node_of(span)  # type: ignore[arg-type]
    assert (node.error, node.end, node.events) == ("odd", 7, (("e", {"b": 2}),))
    assert (node.trace_id, node.span_id) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert ConsoleProcessor(io.StringIO()).traces_dropped == 0


def test_a_failure_among_parents_of_each_other_is_drawn() -> None:
    """Only made-up ids can do that. Each is told with its own trace."""
    nodes = [
        Node(str(own), 1, own, parent, own, own + 1, "E", {}, (("exception", {"exception.message": str(own)}),))
        for own, parent in ((2, 1), (1, 2), (3, 1), (4, None))
    ]
    assert draw(nodes, colour=False).count("✗ E") == 4


def test_a_traceback_is_left_out_only_below_its_own() -> None:
    told = (("exception", {"exception.message": "m", "exception.stacktrace": "Traceback"}),)
    nodes = [Node(str(own), 1, own, None, own, own + 1, "E", {}, told) for own in (0, 1, 5)]
    assert draw(nodes, colour=False).count("Traceback") == 3


def test_nothing_waits_to_be_flushed() -> None:
    assert ConsoleProcessor(io.StringIO()).force_flush()


def test_a_span_that_has_nothing_is_drawn_as_such() -> None:
    node = console.node_of(ReadableSpan("n"))
    assert node == Node("n", 0, 0, None, 0, 0, None, {}, ())
    assert draw([node], colour=False).endswith(" · 1 span · 0 ns\nn 0 ns\n")


def test_traces_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "MAX_TRACES", 2)
    processor = ConsoleProcessor(io.StringIO())
    ops.configure(exporter=processor)
    for _ in range(5):
        ops.span("open").__enter__()
        ops.propagated_context(parent=ops.extract_context({})).__enter__()
    assert processor.traces_dropped == 3
    ops.shutdown()
