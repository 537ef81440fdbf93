"""The pytest fixture: the same ids and times in every run, a tree to compare, everything put back."""

from __future__ import annotations

import pytest

import ops_lib as ops
from ops_lib.spans.configured import RUNTIME
from ops_lib.testing import EPOCH_NS, SpanCapture, SteppedClock, capture_spans

pytest_plugins = ("pytester",)


def test_ids_and_times_are_counted(ops_spans: SpanCapture) -> None:
    with ops.span("a"), ops.span("b") as b:
        b.info("event")
    with ops.span("c"):
        pass
    b_span, a_span, c_span = ops_spans.spans
    assert [span.name for span in ops_spans.spans] == ["b", "a", "c"]
    assert [f"{span.context.span_id:x}" for span in (a_span, b_span, c_span)] == ["1", "2", "3"]
    assert a_span.context.trace_id == b_span.context.trace_id == 1 << 64 | 1
    assert c_span.context.trace_id == 2 << 64 | 2
    assert a_span.start_time == EPOCH_NS
    assert [b_span.start_time, b_span.events[0].timestamp, b_span.end_time] == [EPOCH_NS + n * 10**6 for n in (1, 2, 3)]


def test_tree(ops_spans: SpanCapture) -> None:
    with pytest.raises(KeyError), ops.span("a", n=1), ops.span("b") as b:
        b.info("said")
        raise KeyError("k")
    assert ops_spans.tree() == "a ✗ KeyError: 'k'\n└─ b ✗ KeyError: 'k'"
    assert ops_spans.tree(attributes=["n"], events=True, times=True).splitlines() == [
        "a 6 ms n=1 ✗ KeyError: 'k'",
        "│  · exception",
        "└─ b 3 ms ✗ KeyError: 'k'",
        "      · info said",
        "      · exception",
    ]


def test_one_named_and_clear(ops_spans: SpanCapture) -> None:
    for _ in range(2):
        with ops.span("twice"):
            pass
    assert len(ops_spans.named("twice")) == 2
    for name in ("twice", "never"):
        with pytest.raises(AssertionError, match=f"finished spans are named '{name}'; the tree is\ntwice\ntwice"):
            ops_spans.one(name)
    ops_spans.clear()
    assert ops_spans.spans == []
    assert ops_spans.tree() == ""


def test_everything_is_put_back() -> None:
    ops.configure(exporter="none")
    before, propagator = RUNTIME.snapshot(), ops.get_propagator()
    with pytest.raises(ZeroDivisionError), capture_spans(clock=SteppedClock(5, 1)) as captured:
        ops.set_propagator(ops.ContextPropagator(inject="b3"))
        with ops.span("s"):
            pass
        raise ZeroDivisionError
    assert captured.one("s").start_time == 5
    assert RUNTIME.snapshot() == before
    assert ops.get_propagator() is propagator


def test_the_environment_still_chooses_the_formats_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a wrong one is not this fixture's to complain of."""
    ops.reset_propagator()
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "wrong")
    with capture_spans() as captured, ops.span("s"):
        pass
    assert captured.tree() == "s"
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "b3")
    headers: dict[str, str] = {}
    with ops.span("s"):
        ops.inject_context(headers)
    assert list(headers) == ["b3"]


def test_configure_within_is_undone_too() -> None:
    with capture_spans():
        ops.configure(exporter="none")
    assert RUNTIME.tracer is None


def test_pytest_finds_the_fixture_by_itself(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import ops_lib as ops

        def test_it(ops_spans):
            with ops.span("s"):
                pass
            assert ops_spans.tree() == "s"
        """
    )
    # A process of its own: what asyncio's plugin does to event loops within one is not for this test.
    result = pytester.runpytest_subprocess("-q", "-p", "no:xdist", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
