"""The filter language: the vectors that the page's runs as well, on rows and in SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.console.filter.rows import fits
from proxy.console.filter.sql import REQUESTS, TRACES, condition
from proxy.console.filter.terms import MOST_CHARACTERS, MOST_TERMS, read_filter
from proxy.console.store.open import Place, open_store
from proxy.console.store.requests import put_request
from proxy.console.store.summary import COLUMNS, Summary

FILE = Path(__file__).parents[3] / "vectors" / "filter" / "rows.jsonl"
LINES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines() if line.strip()]
ROWS = {line["row"]: line["is"] for line in LINES if "row" in line}
CASES = [line for line in LINES if "matches" in line]
ERRORS = [line for line in LINES if "error" in line]


@pytest.fixture(scope="module")
def store() -> Iterator[sqlite3.Connection]:
    connection = open_store(Place(None, 1 << 30))
    for row in ROWS.values():
        if "root" in row:
            summary = Summary(1, bytes.fromhex(row["id"]), title=row["title"], caller=row["from"])
            summary.started, summary.ended = int(row["start"] * 1e6), int((row["start"] + row["ms"]) * 1e6)
            summary.spans, summary.errors, summary.session = 1, row["errors"], row["session"]
            summary.root_service, summary.root_name = row["root"]["service"], row["root"]["name"]
            summary.services = {one["name"]: one["spans"] for one in row["services"]}
            summary.formats, summary.notes = dict.fromkeys(row["formats"]), dict.fromkeys(row["notes"])
            values = summary.columns()
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO traces ({COLUMNS}) VALUES ({marks})", values)
        elif "via" not in row:
            put_request(connection, row)
    yield connection
    connection.close()


def in_sql(store: sqlite3.Connection, row: dict[str, Any], text: str) -> bool:
    is_trace = "root" in row
    test, values = condition(read_filter(text), TRACES if is_trace else REQUESTS)
    table, key, wanted = ("traces", "hex(trace)", row["id"].upper()) if is_trace else ("requests", "rid", row["id"])
    return store.execute(f"SELECT 1 FROM {table} WHERE {key} = ? AND {test}", (wanted, *values)).fetchone() is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["filter"])
def test_vectors(case: dict[str, Any], store: sqlite3.Connection) -> None:
    wanted = read_filter(case["filter"])
    for expected, names in ((True, case["matches"]), (False, case["not"])):
        for name in names:
            assert fits(ROWS[name], wanted) is expected, name
            if "via" not in ROWS[name]:
                assert in_sql(store, ROWS[name], case["filter"]) is expected, name


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case["filter"])
def test_a_mistake_is_told(case: dict[str, Any]) -> None:
    assert read_filter(case["filter"]).error == case["error"]


def test_it_is_bounded() -> None:
    assert read_filter("x" * (MOST_CHARACTERS + 1)).error
    many = read_filter("a " * (MOST_TERMS + 5))
    assert len(many.terms) == MOST_TERMS
    assert many.error


@pytest.mark.parametrize(
    "row",
    [
        *({key: "A Needle"} for key in ("id", "method", "target", "from", "to", "trace", "session", "title", "fault")),
        {"root": {"name": "needles", "service": "x"}},
        {"notes": ["x", "needle"]},
        {"services": ["x", "needle"]},
        {"services": [{"name": "x"}, {"name": "needle"}]},
    ],
)
def test_a_bare_word_is_looked_for_everywhere(row: dict[str, Any]) -> None:
    assert fits(row, read_filter("NEEDLE"))
    assert not fits(row, read_filter("-needle"))
    assert not fits({"sidecar": "needle", "leg": "needle", "root": {"service": "needle"}}, read_filter("needle"))


@pytest.mark.parametrize(
    ("row", "text", "is_fit"),
    [
        ({}, "dur:<0.5ms", True),
        ({"ms": None}, "dur:>0ms", False),
        ({"ms": 0}, "dur:>=0ms", True),
        ({"ms": 5}, "dur:>5ms", False),
        ({"ms": 5}, "dur:>=5ms", True),
        ({"ms": 5}, "dur:<5ms", False),
        ({"ms": 5}, "dur:<=5ms", True),
        ({"status": 499}, "status:error", False),
        ({"status": 500}, "status:error", True),
        ({"status": None}, "status:error", True),
        ({"status": None}, "status:ok", False),
        ({"errors": 1}, "status:error", True),
        ({"errors": 0}, "status:ok", True),
        ({"errors": 1}, "status:500", False),
        ({"status": None}, "status:xxx", False),
        ({"status": None}, "status:cut", True),
        ({"status": 200}, "status:cut", False),
        ({"status": 204}, "status:2x4", True),
        ({"in": ["b3"], "out": ["b3"]}, "is:changed", False),
        ({"in": ["b3"]}, "is:changed", True),
        ({"trace": "1"}, "is:traced", True),
        ({"root": {}}, "is:traced", True),
        ({"trace": None}, "is:untraced", True),
        ({"probe": True}, "is:probe", True),
        ({"notes": ["probe"]}, "is:probe", True),
        ({"probe": False}, "is:probe", False),
        ({"probe": True}, "is:retry", False),
        ({"notes": ["retry"]}, "is:retry", True),
        ({"in": [], "out": []}, "format:none", True),
        ({"in": [], "out": ["b3"]}, "in:none", True),
        ({"in": [], "formats": ["b3"]}, "in:b3", False),
        ({"formats": ["b3"]}, "out:b3", True),
        ({"formats": ["jaeger"], "in": ["b3"]}, "format:jaeger", True),
        ({"via": "x", "id": "ann"}, "session:ann", True),
        ({"id": "ann"}, "session:ann", False),
        ({"root": {}, "id": "4bf9"}, "trace:4bf9", True),
        ({"id": "4bf9"}, "trace:4bf9", False),
    ],
)
def test_one_row(row: dict[str, Any], text: str, is_fit: bool) -> None:
    assert fits(row, read_filter(text)) is is_fit
