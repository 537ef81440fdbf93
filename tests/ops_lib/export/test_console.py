"""The console exporter: a tree for each finished trace, coloured for terminals, never in the way."""

from __future__ import annotations

import gc
import io
import os
import re
import weakref
from collections.abc import Iterator

import pytest

import ops_lib as ops
from ops_lib.export import console
from ops_lib.export.console import ConsoleProcessor, draw, wants_colour
from ops_lib.export.trace_text import Node
from ops_lib.spans.configured import RUNTIME
from ops_lib.testing import CountedIds, SteppedClock


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
    assert out.getvalue() == (
        f"trace {1:016x}{1:016x} · 3 spans · 7 ms · session demo\n"
        "request 7 ms method=GET\n"
        "│  · info half way\n"
        "├─ load 2 ms\n"
        "└─ save 2 ms ✗ ValueError: disk�full �[31m\n"
    )


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


def test_is_collected_when_it_is_replaced() -> None:
    """Each `configure(exporter="console")` makes one; fork's hooks must not keep them all."""
    gone = weakref.ref(ConsoleProcessor(io.StringIO()))
    gc.collect()
    assert gone() is None
