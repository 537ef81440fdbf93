"""The store stays within its size and age; traces leave whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.consoles import WAIT_S, hop, sent, span

from proxy.console.intake.decode import read_traces
from proxy.console.query.requests import requests
from proxy.console.query.trace import trace
from proxy.console.query.traces import traces
from proxy.console.store.open import Place, open_store, used_bytes
from proxy.console.store.reader import Reader
from proxy.console.store.writer import Writer

MIB = 1024 * 1024


@contextmanager
def writing(limit_bytes: int, max_age_s: float = 0.0) -> Iterator[tuple[Writer, Reader]]:
    place = Place(None, limit_bytes)
    connection = open_store(place)
    lock = threading.RLock()
    writer = Writer(connection, lock, limit_bytes=limit_bytes, max_age_s=max_age_s)
    writer.start()
    try:
        yield writer, Reader(place, connection, lock)
    finally:
        assert writer.stop()
        assert used_bytes(connection) <= limit_bytes
        connection.close()


def write(writer: Writer, *requests: object) -> None:
    for request in requests:
        done = threading.Event()
        assert writer.add(read_traces(request), done=done)  # type: ignore[arg-type]
        assert done.wait(WAIT_S)


def test_the_oldest_leave_whole() -> None:
    filler = {"filler": "x" * 5000}
    with writing(4 * MIB) as (writer, reader):
        for number in range(1, 400):
            first, second = 2 * number, 2 * number + 1
            pair = (
                hop(first, trace=number, start_ms=number, attributes=filler),
                span(second, trace=number, parent=first, start_ms=number, attributes=filler),
            )
            write(writer, sent(*pair, scope="ops-sidecar"))
        newest = traces(reader, limit=500)["items"]
        assert 100 < len(newest) < 399
        for row in newest:
            assert len((trace(reader, row["id"]) or {})["spans"]) == 2
        assert newest[0]["id"] == f"{399:032x}"
        there = requests(reader, limit=500)["items"]
        assert there
        assert min(row["at"] for row in there) >= newest[-1]["start"] - 1
        assert writer.counts.removed > 0
        assert trace(reader, f"{1:032x}") is None
        write(writer, sent(span(1000, trace=1)))  # the writer knew its row, which left
        again = {row["id"]: row["spans_count"] for row in traces(reader, limit=500)["items"]}
        assert again[f"{1:032x}"] == 1


def test_what_is_too_old_leaves() -> None:
    with writing(64 * MIB, max_age_s=3600) as (writer, reader):
        write(writer, sent(span(1, trace=1, start_ms=-7200_000), span(2, trace=2)))
        until = time.monotonic() + WAIT_S
        while len(found := traces(reader)["items"]) > 1 and time.monotonic() < until:
            write(writer, sent(span(3, trace=2)))
        assert [row["id"] for row in found] == [f"{2:032x}"]
