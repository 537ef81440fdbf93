"""The filter language: the vectors that the page's runs as well, on rows and in SQL."""

from __future__ import annotations

import json
import sqlite3
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
def store() -> sqlite3.Connection:
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
    return connection


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
