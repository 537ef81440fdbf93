"""The thread that writes: bounded, counted, and it goes on after a failure."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from typing import Any

import pytest
from lab.consoles import WAIT_S, sent, span

from proxy.console.intake.decode import read_traces
from proxy.console.query.health import myself
from proxy.console.query.traces import traces
from proxy.console.store import traces as store_traces
from proxy.console.store.open import Place, open_store
from proxy.console.store.reader import QueryTimeoutError, Reader
from proxy.console.store.writer import Writer

MIB = 1024 * 1024
STATE = {"otlp": "", "instance": "a", "version": "1", "auth": False, "otlp_auth": False}


class Lab:
    def __init__(self, **more: Any) -> None:
        self.place = Place(None, 256 * MIB)
        self.connection = open_store(self.place)
        self.lock = threading.RLock()
        self.writer = Writer(self.connection, self.lock, limit_bytes=256 * MIB, **more)
        self.reader = Reader(self.place, self.connection, self.lock)

    def write(self, *requests: Any) -> None:
        for request in requests:
            done = threading.Event()
            assert self.writer.add(read_traces(request), done=done)
            assert done.wait(WAIT_S)


@pytest.fixture
def lab() -> Any:
    made = Lab()
    made.writer.start()
    yield made
    assert made.writer.stop()
    made.connection.close()


def test_a_full_queue_refuses() -> None:
    lab = Lab(queue_bytes=20_000)
    batch = read_traces(sent(*(span(number) for number in range(1, 20))))
    assert lab.writer.add(batch)
    assert not lab.writer.add(batch)  # nobody has begun to write
    lab.writer.start()
    assert lab.writer.stop()
    assert lab.writer.waiting_bytes == 0
    assert lab.connection.execute("SELECT count(*) FROM spans").fetchone() == (19,)
    lab.connection.close()


def test_a_failure_is_counted_and_the_next_batch_is_written(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write = store_traces.TraceWriter.write
    failures = [sqlite3.OperationalError("disk I/O error")]

    def failing(self: Any, spans: Any, logs: Any) -> None:
        write(self, spans, logs)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(store_traces.TraceWriter, "write", failing)
    lab.write(sent(span(1, trace=1)), sent(span(2, trace=2)))
    assert sum(lab.writer.counts.lost.values()) == 1
    assert [row["id"] for row in traces(lab.reader)["items"]] == [f"{2:032x}"]


def test_a_record_that_cannot_be_written_takes_no_other_batch_with_it() -> None:
    lab = Lab()
    good, bad = (read_traces(sent(span(number, trace=number))) for number in (1, 2))
    bad = replace(bad, spans=[replace(bad.spans[0], started=1 << 64)])
    dones = [threading.Event() for _ in range(3)]
    for batch, done in zip((good, bad, read_traces(sent(span(3, trace=3)))), dones, strict=True):
        assert lab.writer.add(batch, done=done)
    lab.writer.start()  # so that all of them are in one transaction
    assert all(done.wait(WAIT_S) for done in dones)
    assert lab.writer.counts.lost == {"OverflowError": 1}
    assert {row["id"][-1] for row in traces(lab.reader)["items"]} == {"1", "3"}
    assert lab.writer.waiting_bytes == 0
    assert lab.writer.stop()
    lab.connection.close()


def test_a_flood_of_services_is_bounded_in_answers(lab: Any) -> None:
    for first in range(0, 3000, 500):
        lab.write(
            *(sent(span(number + 1, trace=number + 1), service=f"s{number}") for number in range(first, first + 500))
        )
    assert len(myself(lab.reader, STATE, 0)["services"]) == 200
    assert len(traces(lab.reader, limit=500)["items"]) == 500
    lab.write(sent(*(span(number, trace=9999) for number in range(1, 3)), service="x" * 5000))
    assert len(traces(lab.reader, q="trace:270f")["items"][0]["services"][0]["name"]) <= 256


def test_a_trace_without_end_is_bounded(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.console.store.traces.MOST_IN_TRACE", 100)
    lab.write(sent(*(span(number) for number in range(1, 151))))
    assert lab.writer.counts.overfull == 50
    assert lab.connection.execute("SELECT count(*) FROM spans").fetchone() == (100,)


def test_a_question_has_a_limit(lab: Any) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(QueryTimeoutError):
        lab.reader.all(endless, limit_s=0.05)
    assert lab.reader.timeouts == 1
    assert lab.reader.all("SELECT 1") == [(1,)]


def _with_gaps(lab: Any) -> list[str]:
    return [row["id"][-2:] for row in traces(lab.reader, q="is:gap")["items"]]


def test_a_trace_without_a_parent_is_found_by_is_gap_until_the_parent_comes(lab: Any) -> None:
    lab.write(sent(span(1, trace=1), span(2, trace=1, parent=1)), sent(span(2, trace=2, parent=1)))
    assert _with_gaps(lab) == ["02"]
    lab.write(sent(span(1, trace=2)))
    assert _with_gaps(lab) == []


def test_a_caller_outside_is_no_gap(lab: Any) -> None:
    """The one parent that no span here has, named by requests alone, in a trace without a root."""
    lab.write(
        sent(span(2, trace=1, parent=1, kind=2), span(3, trace=1, parent=1, kind=5)),
        sent(span(2, trace=2, parent=1, kind=2), span(3, trace=2, parent=1, kind=3)),
        sent(span(2, trace=3, parent=1, kind=2), span(4, trace=3, parent=3, kind=2)),
        sent(span(2, trace=4, parent=1, kind=2), span(3, trace=4)),
    )
    assert _with_gaps(lab) == ["04", "03", "02"]
    lab.write(sent(span(3, trace=3, parent=2, kind=3)))
    assert _with_gaps(lab) == ["04", "02"]


@pytest.mark.parametrize("bound", ["_MOST_SUMMARIES", "_MOST_IDS"])
def test_a_gap_is_told_rightly_of_a_trace_that_was_forgotten_meanwhile(
    lab: Any, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(store_traces, bound, 1)
    lab.write(sent(span(2, trace=1, parent=1)), sent(span(1, trace=2)), sent(span(3, trace=1, parent=2)))
    assert _with_gaps(lab) == ["01"]
    lab.write(sent(span(9, trace=3)), sent(span(1, trace=1)))
    assert _with_gaps(lab) == []
