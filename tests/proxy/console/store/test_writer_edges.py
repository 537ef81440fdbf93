"""The writer's counters, its queue and its log at their edges; what leaves for size or age, and in which steps."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lab.consoles import NOW_NS, WAIT_S, hop, pairs, sent, span
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from proxy.console.intake.decode import read_logs, read_traces
from proxy.console.intake.records import Batch
from proxy.console.store import retention
from proxy.console.store import traces as store_traces
from proxy.console.store import writer as module
from proxy.console.store.open import Place, open_reader, open_store, used_bytes
from proxy.console.store.reader import Reader
from proxy.console.store.retention import trim_age, trim_size
from proxy.console.store.traces import TraceWriter
from proxy.console.store.writer import Writer, WriterCounts

LIMIT = 1 << 30
MS = 1_000_000


class Lab:
    def __init__(self, **more: Any) -> None:
        self.connection = open_store(Place(None, LIMIT))
        self.rows: list[Any] = []
        self.writer = Writer(
            self.connection, threading.RLock(), on_rows=self.rows.extend, **({"limit_bytes": LIMIT} | more)
        )

    def write(self, *batches: Any, **more: Any) -> None:
        for batch in batches:
            done = threading.Event()
            assert self.writer.add(batch, done=done, **more)
            assert done.wait(WAIT_S)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    made.writer.start()
    yield made
    assert made.writer.stop()
    made.connection.close()


def log_of(*traces: int) -> Any:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for number in traces:
        records.add(trace_id=number.to_bytes(16, "big"), span_id=b"1" * 8, time_unix_nano=NOW_NS + number)
    return read_logs(request)


def test_it_begins_with_nothing_but_the_stores_own_size() -> None:
    lab = Lab()
    assert lab.writer.counts == WriterCounts(0, 0, {})
    assert lab.writer.used_bytes == used_bytes(lab.connection) > 0
    assert lab.writer.waiting_bytes == 0
    lab.connection.close()


def test_spans_and_logs_are_kept_with_their_traces(lab: Lab) -> None:
    lab.write(read_traces(sent(span(1), span(2))), log_of(1, 1, 2))
    assert lab.writer.stop()
    assert lab.writer.counts == WriterCounts()
    assert lab.ask("SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM logs)") == [(2, 3)]
    assert lab.ask("SELECT started, spans, items FROM traces ORDER BY key") == [(NOW_NS, 2, 4), (NOW_NS + 2, 0, 1)]


def test_new_requests_are_told_once(lab: Lab) -> None:
    lab.write(read_traces(sent(hop(1), span(2), scope="ops-sidecar")), read_traces(sent(hop(1), scope="ops-sidecar")))
    assert lab.writer.stop()
    assert [row["id"] for row in lab.rows] == [f"r_{1:016x}", f"r_{2:016x}"]


@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False)])
def test_a_queue_is_full_to_the_byte(more: int, is_taken: bool) -> None:
    batch = read_traces(sent(span(1)))
    lab = Lab(queue_bytes=2 * batch.size - more)
    assert lab.writer.add(batch)
    assert lab.writer.add(batch) is is_taken
    assert lab.writer.waiting_bytes == batch.size * (2 if is_taken else 1)
    lab.writer.start()
    assert lab.writer.stop()
    assert not lab.writer.add(batch)  # it has ended
    lab.connection.close()


def test_an_empty_queue_takes_one_of_any_size() -> None:
    lab = Lab(queue_bytes=1)
    assert lab.writer.add(read_traces(sent(span(1))))
    lab.writer.start()
    assert lab.writer.stop()
    assert lab.ask("SELECT count(*) FROM spans") == [(1,)]
    lab.connection.close()


def test_a_queue_has_64_mib_unless_it_is_said_otherwise() -> None:
    lab = Lab()
    taken = [lab.writer.add(Batch(size=size)) for size in (1, 64 * 1024 * 1024, 64 * 1024 * 1024 - 1)]
    assert taken == [True, False, True]
    lab.writer.start()
    assert lab.writer.stop()
    lab.connection.close()


def test_without_an_age_what_is_old_stays(lab: Lab) -> None:
    for number in (1, 2):  # whoever is too old leaves behind each
        lab.write(read_traces(sent(span(number, trace=number, start_ms=-86_400_000))))
    assert lab.ask("SELECT count(*) FROM traces") == [(2,)]


def test_what_replaces_a_trace_leaves_nothing_of_it(lab: Lab) -> None:
    lab.write(read_traces(sent(span(1), span(2))), log_of(1), read_traces(sent(span(9, trace=2))))
    lab.write(read_traces(sent(span(3))), replaces=True)
    assert lab.ask("SELECT trace, spans FROM traces ORDER BY trace") == [
        ((1).to_bytes(16, "big"), 1), ((2).to_bytes(16, "big"), 1),
    ]  # fmt: skip
    assert lab.ask("SELECT count(*) FROM spans") == [(2,)]
    assert lab.ask("SELECT count(*) FROM logs") == [(0,)]
    lab.write(read_traces(sent(span(4, trace=7))), replaces=True)  # it was not there
    assert lab.ask("SELECT count(*) FROM traces") == [(3,)]


def test_failures_are_counted_by_name_and_logged_once_a_minute(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = [sqlite3.OperationalError("disk I/O error"), ValueError("odd"), ValueError("odd")]

    def failing(*_: object) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(TraceWriter, "write", failing)
    with caplog.at_level(logging.ERROR):
        lab.write(read_traces(sent(span(1), span(2))), read_traces(sent(span(3))))
        monkeypatch.setattr(module, "_QUIET_S", 0.0)
        lab.write(read_traces(sent(span(3))))
    assert lab.writer.counts.lost == {"OperationalError": 2, "ValueError": 2}
    assert [record.getMessage() for record in caplog.records] == [
        "the store refused 2 records: OperationalError: disk I/O error",
        "the store refused 1 records: ValueError: odd",
    ]
    assert lab.ask("SELECT count(*) FROM traces") == [(0,)]
    assert lab.writer.waiting_bytes == 0


def test_what_sqlite_refuses_is_counted_by_its_own_name(lab: Lab) -> None:
    lab.connection.execute("PRAGMA query_only = ON")
    lab.write(read_traces(sent(span(1))))
    assert lab.writer.counts.lost == {"SQLITE_READONLY": 1}


def test_a_trace_holds_so_many_spans_and_logs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_traces, "MOST_IN_TRACE", 3)
    lab.write(read_traces(sent(span(1), span(2))), log_of(1, 1), read_traces(sent(span(3))))
    assert lab.writer.stop()
    assert lab.writer.counts.overfull == 2
    assert lab.ask("SELECT spans, items FROM traces") == [(3, 3)]  # what came is counted, what is kept numbered
    numbers = lab.ask("SELECT id & 0xFFFFF FROM spans UNION SELECT id & 0xFFFFF FROM logs ORDER BY 1")
    assert numbers == [(0,), (1,), (2,)]


def test_a_resource_is_kept_once_with_its_newest_trace(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_traces, "_MOST_SOURCES", 2)
    for number, service in enumerate(("a", "b", "a", "c", "a", "b"), 1):
        lab.write(read_traces(sent(span(number, trace=number), service=service)))
    assert lab.ask("SELECT service, last_key FROM resources ORDER BY service") == [("a", 5), ("b", 6), ("c", 4)]
    for number, older in ((9, 1), (10, 5)):  # an older trace does not make it older
        lab.write(read_traces(sent(span(number, trace=older), service="b")))
    assert lab.ask("SELECT last_key FROM resources WHERE service = 'b'") == [(6,)]
    assert {len(digest) for (digest,) in lab.ask("SELECT digest FROM resources")} == {16}
    assert lab.ask("SELECT resource FROM spans WHERE id >> 20 = 1 ORDER BY id") == [(1,), (2,)]


def test_keys_go_on_where_the_store_ended(lab: Lab) -> None:
    lab.write(read_traces(sent(span(1, trace=1))), read_traces(sent(span(1, trace=2))))
    again = TraceWriter(lab.connection)
    batch = read_traces(sent(span(1, trace=3), span(2, trace=2, parent=1)))
    again.write(batch.spans, batch.logs)
    assert lab.ask("SELECT key, spans, notes FROM traces ORDER BY key") == [(1, 1, ""), (2, 2, ""), (3, 1, "")]


@pytest.mark.parametrize(
    ("bound", "most", "written", "forgotten"),
    [
        ("_MOST_SUMMARIES", 2, [(1, 1), (2, 1)], []),
        ("_MOST_SUMMARIES", 2, [(1, 1), (2, 1), (3, 1)], [1]),
        ("_MOST_SUMMARIES", 2, [(1, 1), (2, 1), (1, 1), (3, 1)], [2]),  # the first has gone on
        ("_MOST_IDS", 3, [(1, 2), (2, 1)], []),
        ("_MOST_IDS", 3, [(1, 2), (2, 2)], [1]),
        ("_MOST_IDS", 3, [(1, 1), (2, 1), (3, 2)], [1]),
        ("_MOST_IDS", 3, [(1, 1), (2, 1), (3, 4)], [1, 2]),
        ("_MOST_IDS", 3, [(1, 4)], []),  # the newest is remembered, however large
        ("_MOST_IDS", 3, [(1, 4), (2, 1)], [1]),
    ],
)
def test_the_oldest_traces_are_forgotten_as_far_as_they_have_to_be(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    most: int,
    written: list[tuple[int, int]],
    forgotten: list[int],
) -> None:
    """One that goes on is read again then, which nothing else asks for."""
    monkeypatch.setattr(store_traces, bound, most)
    writer = TraceWriter(lab.connection)
    for trace, count in written:
        batch = read_traces(sent(*(span(number, trace=trace) for number in range(1, count + 1))))
        writer.write(batch.spans, batch.logs)
    monkeypatch.undo()
    read: list[str] = []
    found = []
    for trace in sorted(dict(written)):
        lab.connection.set_trace_callback(read.append)
        batch = read_traces(sent(span(9, trace=trace)))
        writer.write(batch.spans, batch.logs)
        lab.connection.set_trace_callback(None)
        found += [trace] if any(sql.startswith("SELECT body FROM spans") for sql in read) else []
        read.clear()
    assert found == forgotten


# --- what leaves


def fill(connection: sqlite3.Connection, *, traces: int = 0, requests: int = 0, ms: int = 1) -> None:
    """Each began at the millisecond of its number, and has one span and one log."""
    connection.executemany(
        "INSERT INTO traces (key, trace, started, ended, spans, items, errors, root_service, root_name, title, "
        "services, names, formats, notes, words) VALUES (?1, ?1, ?2, ?3, 1, 2, 0, '', '', '', '', '', '', '', '')",
        [(number, number * MS, (number + ms) * MS) for number in range(1, traces + 1)],
    )
    for table in ("spans", "logs"):
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, 1, '', '')", [(number << 20,) for number in range(1, traces + 1)]
        )
    connection.executemany(
        "INSERT INTO requests (rid, at, sidecar, leg, source, target_service, method, target, ms, formats_in, "
        "formats_out, short, notes, probe, retries, words) "
        "VALUES (?1, ?1 * 1000000, '', '', '', '', '', '', 0, '', '', 0, '', 0, 0, '')",
        [(number,) for number in range(1, requests + 1)],
    )
    connection.executemany(
        "INSERT INTO resources VALUES (?1, ?1, '', '', ?1)", [(number,) for number in range(1, traces + 1)]
    )


def there(connection: sqlite3.Connection) -> dict[str, tuple[Any, ...]]:
    """Of each table how many rows there are, and its first."""
    keys = {"traces": "key", "spans": "id >> 20", "logs": "id >> 20", "requests": "id", "resources": "id"}
    return {
        table: connection.execute(f"SELECT count(*), min({key}) FROM {table}").fetchone() for table, key in keys.items()
    }


@pytest.fixture
def store() -> Iterator[sqlite3.Connection]:
    connection = open_store(Place(None, LIMIT))
    yield connection
    connection.close()


def test_nothing_leaves_below_the_aim(store: sqlite3.Connection) -> None:
    fill(store, traces=3, requests=3)
    used = used_bytes(store)
    assert trim_size(store, int(used / 0.95) + 2) == 0
    assert there(store)["traces"] == (3, 1)
    assert trim_size(store, int(used / 0.95) - 2) > 0


def test_200_traces_leave_at_once_with_all_that_is_older(store: sqlite3.Connection) -> None:
    fill(store, traces=301, requests=301)
    assert trim_size(store, 1) == 400
    kept = (101, 201)
    assert there(store) == {"traces": kept, "spans": kept, "logs": kept, "requests": kept, "resources": kept}


def test_of_few_traces_the_requests_leave_first(store: sqlite3.Connection) -> None:
    """A twentieth of them, but 200 at least; then all traces, if nothing else is left."""
    fill(store, traces=200, requests=4021)
    assert trim_size(store, 1) == 201
    assert there(store)["requests"] == (3820, 202)
    store.execute("DELETE FROM requests WHERE id > 602")
    assert trim_size(store, 1) == 200
    assert there(store)["requests"] == (201, 402)
    assert trim_size(store, 1) == 200
    assert trim_size(store, 1) == 1
    assert there(store)["traces"] == (200, 1)
    assert trim_size(store, 1) == 200
    assert there(store) == dict.fromkeys(("traces", "spans", "logs", "requests", "resources"), (0, None))
    assert trim_size(store, 1) == 0


def test_what_is_older_leaves_200_traces_and_2000_requests_at_a_time(store: sqlite3.Connection) -> None:
    fill(store, traces=300, requests=2300, ms=10)
    assert trim_age(store, 251 * MS) == 200 + 250
    assert there(store)["traces"] == (100, 201)
    assert there(store)["spans"] == there(store)["logs"] == (100, 201)
    assert there(store)["requests"] == (2050, 251)
    assert trim_age(store, 251 * MS) == 40  # those that have ended as well
    assert there(store)["traces"] == (60, 241)
    assert trim_age(store, 251 * MS) == 0
    assert trim_age(store, 9000 * MS) == 60 + 2000
    assert trim_age(store, 9000 * MS) == 50


@pytest.mark.parametrize("trim", [trim_size, trim_age])
def test_a_step_that_fails_changes_nothing(
    store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, trim: Any
) -> None:
    fill(store, traces=300, requests=300)
    before = there(store)

    def failing(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(retention, "_remove_items", failing)
    with pytest.raises(sqlite3.OperationalError):
        trim(store, 200 * MS if trim is trim_age else 1)
    assert not store.in_transaction
    assert there(store) == before


def test_a_store_that_cannot_let_go_of_the_oldest_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(module, "trim_age", failing)
    lab = Lab(max_age_s=3600.0)
    lab.writer.start()
    with caplog.at_level(logging.ERROR):
        lab.write(read_traces(sent(span(1))), read_traces(sent(span(2))))
        assert lab.writer.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "the store refused 0 records: OperationalError: disk I/O error"
    ]
    assert lab.writer.counts.lost == {"OperationalError": 0}
    assert lab.ask("SELECT count(*) FROM spans") == [(2,)]
    lab.connection.close()


def test_what_leaves_is_counted_and_forgotten() -> None:
    lab = Lab(max_age_s=3600.0, clock_ns=lambda: NOW_NS)
    lab.writer.start()
    edge = -3_600_000
    lab.write(
        read_traces(sent(*(span(number, trace=number, start_ms=edge - 20) for number in (1, 2)))),
        read_traces(sent(span(3, trace=3, start_ms=edge + 1))),
    )
    assert lab.writer.stop()
    assert lab.writer.counts.removed == 2
    assert lab.ask("SELECT key FROM traces") == [(3,)]
    lab.connection.close()


def test_a_store_that_is_too_small_keeps_the_newest() -> None:
    lab = Lab(limit_bytes=0)
    empty = lab.writer.used_bytes
    lab.writer.start()
    lab.write(read_traces(sent(span(1), attributes_of(2))))
    assert lab.writer.stop()
    assert lab.writer.counts.removed == 1
    assert lab.writer.used_bytes == used_bytes(lab.connection) <= 2 * empty
    lab.connection.close()


def attributes_of(number: int) -> Any:
    made = span(number)
    made.attributes.extend(pairs({"text": "x" * 50_000}))
    return made


# --- opening, reading


def test_what_sqlite_is_told(tmp_path: Any) -> None:
    def settings(connection: sqlite3.Connection, *names: str) -> list[Any]:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
        connection.close()
        return found

    place = Place(tmp_path / "a.db", LIMIT)
    names = ("page_size", "journal_mode", "synchronous", "wal_autocheckpoint", "journal_size_limit", "cache_size")
    assert settings(open_store(place), *names, "temp_store", "busy_timeout", "query_only") == [
        8192, "wal", 1, 4096, 33_554_432, -32_768, 2, 5000, 0,
    ]  # fmt: skip
    assert settings(open_reader(place), "cache_size", "busy_timeout", "query_only") == [-32_768, 5000, 1]
    assert settings(open_store(Place(None, LIMIT)), "page_size", "journal_mode", "cache_size", "temp_store") == [
        8192, "memory", -32_768, 2,
    ]  # fmt: skip
    assert (str(place), str(Place(None, 1))) == (str(tmp_path / "a.db"), "memory")


def test_each_thread_reads_a_file_by_a_connection_of_its_own(tmp_path: Any) -> None:
    place = Place(tmp_path / "a.db", LIMIT)
    connection = open_store(place)
    reader = Reader(place, connection, threading.RLock())
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(reader.all("SELECT 1"))) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert (reader.one("SELECT 2"), reader.one("SELECT 3"), reader.one("SELECT 1 WHERE 0")) == ((2,), (3,), None)
    assert found == [[(1,)]] * 2
    assert len(reader._opened) == 3
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        reader.all("SELECT * FROM nowhere")
    assert reader.timeouts == 0
    reader.close()
    assert reader._opened == []
    connection.close()


def test_what_a_failed_transaction_wrote_is_written_anew(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its resource and its trace's row went with it."""
    write = TraceWriter.write

    def failing(self: TraceWriter, spans: Any, logs: Any) -> None:
        write(self, spans, logs)
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(TraceWriter, "write", failing)
        lab.write(read_traces(sent(span(1), service="shop")))
    lab.write(read_traces(sent(span(2), service="shop")))
    assert lab.ask("SELECT spans, items FROM traces") == [(1, 1)]
    assert lab.ask("SELECT service FROM spans JOIN resources ON resource = resources.id") == [("shop",)]


def test_requests_that_cannot_leave_stay_all_of_them(store: sqlite3.Connection) -> None:
    fill(store, requests=300)
    store.execute(
        "CREATE TRIGGER stays BEFORE DELETE ON requests WHEN old.id = 100 BEGIN SELECT RAISE(FAIL, 'it stays'); END"
    )
    with pytest.raises(sqlite3.IntegrityError, match="it stays"):
        trim_size(store, 1)
    assert not store.in_transaction
    assert there(store)["requests"] == (300, 1)


def test_a_transaction_takes_batches_until_it_has_enough_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans, logs and reports are records; the last batch may go beyond."""
    monkeypatch.setattr(module, "_MOST_RECORDS", 2)
    lab = Lab()
    begun: list[int] = []
    lab.connection.set_trace_callback(lambda sql: begun.append(1) if sql == "BEGIN IMMEDIATE" else None)
    ends = [threading.Event() for _ in range(5)]
    batches = (
        read_traces(sent(span(1))),
        log_of(1),
        read_traces(sent(span(2), span(3), span(4))),
        log_of(2),
        log_of(3),
    )
    for batch, end in zip(batches, ends, strict=True):
        assert lab.writer.add(batch, done=end)
    lab.writer.start()
    assert all(end.wait(WAIT_S) for end in ends)
    assert lab.writer.stop()
    assert len(begun) == 3  # 1 and 1, 3, 1 and 1
    lab.connection.close()
