"""Reports come from outside, and from sidecars of any version: what can be read is read, and nothing raises."""

from __future__ import annotations

import json
import sqlite3
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.consoles import pairs
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from proxy.console.intake.reports import read_logs
from proxy.console.query.doctor import doctor
from proxy.console.query.explain import explain
from proxy.console.query.migration import migration
from proxy.console.query.requests import request, requests
from proxy.console.query.settings import settings
from proxy.console.store.open import Place, open_store
from proxy.console.store.reader import Reader
from proxy.console.store.reports import write_reports

SENDER = {"service.name": "shop", "ops.instance": "a1", "ops.report.version": "1"}
COUNTS = {"seq": 1, "since": 1, "now": 2, "interval": 10, "formats": [], "calls": {}}
NOW_NS = 10**18
# Documents as a sidecar sends them, to be spoiled in one place.
SHAPES = json.loads((Path(__file__).parent / "shapes.json").read_text(encoding="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def record(event: str, body: object = None, **said: Any) -> LogRecord:
    made = LogRecord(
        event_name=event, attributes=pairs(said), time_unix_nano=NOW_NS, observed_time_unix_nano=NOW_NS + 5
    )
    if body is not None:
        made.body.string_value = body if isinstance(body, str) else json.dumps(body)
    return made


def ask(connection: sqlite3.Connection) -> None:
    """Every question that is answered from reports."""
    reader = Reader(Place(None, 1 << 24), connection, threading.RLock())
    for row in requests(reader)["items"]:
        request(reader, row["id"])
    doctor(reader, NOW_NS)
    migration(reader, NOW_NS)
    settings(reader, NOW_NS)
    explain(reader, "b3: 0", NOW_NS)


def written(*records: LogRecord, **resource: Any) -> list[dict[str, Any]]:
    """The rows that a store makes of them."""
    connection = open_store(Place(None, 1 << 24))
    try:
        connection.execute("BEGIN")
        reports = read_logs({**SENDER, **resource}, "ops-sidecar.report", records)
        rows = list(write_reports(connection, reports, NOW_NS))
        connection.execute("COMMIT")
        ask(connection)
        return rows
    finally:
        connection.close()


@pytest.mark.parametrize(
    "bad",
    [
        record("ops.counts", "not JSON"),
        record("ops.counts", "[" * 100_000),
        record("ops.counts", []),
        record("ops.counts", {}),
        record("ops.counts", {**COUNTS, "seq": "1"}),
        record("ops.counts", {**COUNTS, "seq": 1 << 70}),
        record("ops.counts", {**COUNTS, "interval": "soon"}),
        record("ops.counts", {**COUNTS, "formats": [["in", 1], "x", ["in", "", "", "", "", "", "", -1, 0, 0]]}),
        record("ops.counts", {**COUNTS, "calls": {"dropped": "many"}, "seen": {"dropped": 7}}),
        record("ops.settings", {"not": "a list"}),
        record("ops.health", {"listeners": 7}),
        record("ops.proofs", {"dropped": 7, "stale": {"at": "now"}}),
        record("ops.exchange"),
        record("ops.exchange", **{"ops.request.id": "r_1", "ops.formats.read": "b3", "ops.duration_us": "long"}),
        record("ops.of-tomorrow", {"new": True}),
        record(""),
    ],
)
def test_a_bad_record_spoils_no_other(bad: LogRecord) -> None:
    good = record("ops.exchange", **{"ops.request.id": "r_good", "ops.leg": "in", "ops.duration_us": 5})
    rows = written(bad, good)
    assert rows[-1]["id"] == "r_good"


@given(JSON, st.sampled_from(["ops.counts", "ops.plan", "ops.settings", "ops.health", "ops.proofs", "ops.shadow"]))
def test_nothing_that_is_said_raises(said: object, event: str) -> None:
    written(record(event, said), record(event, {**COUNTS, **said} if isinstance(said, dict) else said))


@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_nothing_in_a_known_shape_spoils_an_answer(event: str, data: st.DataObject) -> None:
    """One value, however deep, is something else than what a sidecar sends."""
    body = deepcopy(SHAPES[event])
    place = body
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = inner
    others = [record(other, shape) for other, shape in SHAPES.items() if other != event]
    written(*others, record(event, body), record(event, body))


EXCHANGE = {
    "ops.request.id": "r_1", "ops.leg": "in", "ops.listener": "in", "ops.upstream": "app", "ops.peer.kind": "address",
    "ops.peer": "10.0.0.1", "server.address": "shop", "http.request.method": "GET", "url.path": "/", "ops.fault": "x",
    "http.response.status_code": 200, "user_agent.original": "a", "ops.duration_us": 5, "ops.retries": 1,
    "ops.fault.detail": "y", "ops.formats.read": ["b3"], "ops.formats.written": ["b3"], "ops.winner": "b3",
    "ops.sampling": "accept", "ops.short": True, "ops.parent": "1", "ops.bare": True, "ops.made": True,
    "ops.lost": ["b3:x"], "ops.carried": ["baggage"], "ops.linked": "single", "ops.link": "a-b", "ops.withheld": ["b"],
    "ops.refused": ["decision"], "ops.headers.in": ["b3: 0"], "ops.headers.out": ["b3: 0"], "session.id": "s",
    "ops.headers.other": ["A"], "ops.headers.added": ["B"], "ops.headers.response": ["C"], "ops.queue_us": 1,
    "ops.connect_us": 1, "ops.head_us": 1, "ops.findings": ["dropped"], "ops.request.of": "r_2",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(EXCHANGE))
@pytest.mark.parametrize("leg", ["in", "out"])
def test_no_attribute_of_an_exchange_spoils_an_answer(key: str, leg: str) -> None:
    for value in ("", "text", "a: \n\x00", -1, 1 << 62, True, [], ["a", 1], [[]], None):
        given = {**EXCHANGE, "ops.leg": leg, key: value}
        said = {name: one for name, one in given.items() if one is not None}
        written(record("ops.counts", {**COUNTS, "calls": {"dropped": 1}}), record("ops.exchange", **said))


def test_a_sidecar_of_tomorrow_is_read_as_far_as_it_is_known() -> None:
    (row,) = written(
        record(
            "ops.exchange",
            **{"ops.request.id": "r_1", "ops.leg": "out", "ops.upstream": "billing", "ops.of-tomorrow": ["x"]},
        ),
        **{"ops.report.version": "2", "of-tomorrow": 7},
    )
    assert (row["from"], row["to"], row["sidecar"]) == ("shop", "billing", "shop")


def test_a_report_of_nobody_is_left_out() -> None:
    assert written(record("ops.exchange", **{"ops.request.id": "r_1"}), **{"ops.instance": ""}) == []
