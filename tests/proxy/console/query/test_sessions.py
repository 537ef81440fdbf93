"""Sessions in pages, and one with its traces: times, counts, marks, and where each of them ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet
from lab.answers import check_named

from proxy.console.query.sessions import session, sessions

MS = 1_000_000
INSERT = (
    "INSERT INTO traces (key, trace, started, ended, spans, items, errors, root_service, root_name, title, session, "
    "services, names, formats, notes, words) "
    "VALUES (?1, ?2, ?3, ?4, 1, 1, ?5, 'shop', 'GET', '', ?6, ?7, '', '', '', '')"
)


@pytest.fixture
def console() -> Iterator[Console]:
    with fleet() as (_, made):
        yield made


def add(console: Console, *rows: tuple[int, str | None], ms: int = 5, errors: int = 0, services: Any = ()) -> None:
    """Traces, each with its start in ms, which is its key, and its session."""
    console.connection.executemany(
        INSERT,
        [
            (
                at,
                at.to_bytes(16, "big"),
                at * MS,
                (at + ms) * MS,
                errors,
                name,
                json.dumps([[one, 1] for one in services]),
            )
            for at, name in rows
        ],
    )


def test_a_session_with_all_that_it_did(console: Console) -> None:
    add(console, (10, "ann"), services=("shop", "bank"))
    add(console, (30, "ann"), errors=2, services=("web", "shop"))
    add(console, (20, "ann"), ms=100, services=("web", "shop"))
    add(console, (40, "bob"), (50, None))
    console.connection.execute(
        "INSERT INTO requests (rid, at, sidecar, leg, source, target_service, method, target, ms, formats_in, "
        "formats_out, short, session, notes, probe, retries, words) "
        "VALUES ('r', 0, '', '', '', '', '', '', 0, '', '', 0, 'ann', '', 0, 0, '')"
    )
    said = session(console.reader, "ann")
    assert said is not None
    assert [row["id"] for row in said.pop("traces")] == [f"{one:032x}" for one in (30, 20, 10)]
    assert said == {
        "id": "ann",
        "first": 10.0,
        "last": 120.0,
        "requests": 1,
        "errors": 2,
        "services": ["web", "shop", "bank"],
        "via": "session.id",
        "marks": [
            {"trace": f"{30:032x}", "start": 30.0, "ms": 5.0, "errors": 2},
            {"trace": f"{20:032x}", "start": 20.0, "ms": 100.0, "errors": 0},
            {"trace": f"{10:032x}", "start": 10.0, "ms": 5.0, "errors": 0},
        ],
        "sentence": "3 traces over 110 ms, 2 errors.",
    }
    assert session(console.reader, "eve") is None
    other = session(console.reader, "bob")
    assert other is not None
    assert (other["requests"], other["sentence"]) == (0, "1 trace over 5.0 ms, no error.")


def test_of_a_long_session_the_newest_traces_are_looked_at(console: Console) -> None:
    """500 are told and counted, 50 are marked."""
    add(console, *((at, "ann") for at in range(1, 502)), errors=1)
    said = session(console.reader, "ann")
    assert said is not None
    check_named("SessionTraces", said)
    assert (len(said["traces"]), said["traces"][-1]["start"]) == (500, 2.0)
    assert (len(said["marks"]), said["marks"][-1]["start"]) == (50, 452.0)
    assert (said["first"], said["errors"], said["sentence"][:11]) == (2.0, 500, "500 traces ")


def test_requests_are_counted_up_to_10000(console: Console) -> None:
    add(console, (10, "ann"))
    console.connection.executemany(
        "INSERT INTO requests (rid, at, sidecar, leg, source, target_service, method, target, ms, formats_in, "
        "formats_out, short, session, notes, probe, retries, words) "
        "VALUES (?, 0, '', '', '', '', '', '', 0, '', '', 0, 'ann', '', 0, 0, '')",
        [(number,) for number in range(10_001)],
    )
    (said,) = sessions(console.reader)["items"]
    assert said["requests"] == 10_000


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", ["dora", "Annika", "ann"]),
        ("session:ann", ["Annika", "ann"]),
        ("ANN", ["Annika", "ann"]),
        ("nn ik", ["Annika"]),
        ("session:ann service:none is:error", ["Annika", "ann"]),  # the others do not count
        ("nobody", []),
    ],
)
def test_sessions_are_found_by_a_part_of_their_names(console: Console, q: str, found: list[str]) -> None:
    add(console, (10, "ann"), (20, "Annika"), (30, None), (40, "dora"))
    said = sessions(console.reader, q=q)
    assert [one["id"] for one in said["items"]] == found
    assert (said["total"], said["next"], said["searched_to"], said["error"]) == (len(found), None, None, None)


@pytest.mark.parametrize(
    ("count", "q", "sentence"),
    [
        (0, " ", "No session has come yet."),
        (0, "x", "No session fits the filter."),
        (1, "", "1 session."),
        (2, "", "2 sessions."),
        (3, "", "2 sessions and more."),
    ],
)
def test_how_many_in_a_sentence(console: Console, count: int, q: str, sentence: str) -> None:
    add(console, *((at, f"s{at}") for at in range(1, count + 1)))
    assert sessions(console.reader, q=q, limit=2)["sentence"] == sentence


def test_a_session_goes_on_the_page_of_its_newest_trace_alone(console: Console) -> None:
    add(console, (10, "ann"), (20, "bob"), (30, "ann"), (40, "cid"), (50, "bob"))
    pages, before = [], None
    while True:
        said = sessions(console.reader, before=before, limit=1)
        pages.append([one["id"] for one in said["items"]])
        assert said["total"] is None
        before = said["next"]
        if before is None:
            break
    assert [name for page in pages for name in page] == ["bob", "cid", "ann"]
    first = sessions(console.reader, limit=1)
    assert first["next"] == f"{50 * MS}-50"
    assert sessions(console.reader, limit=3)["total"] == 3


def test_a_page_looks_at_5000_traces(console: Console) -> None:
    add(console, (1, "old"), *((at, "busy") for at in range(2, 5001)))
    assert [one["id"] for one in sessions(console.reader)["items"]] == ["busy", "old"]
    add(console, (5001, "busy"))
    assert [one["id"] for one in sessions(console.reader)["items"]] == ["busy"]
    assert len(sessions(console.reader)["items"][0]["marks"]) == 50


def test_a_page_has_100_sessions_unless_told_otherwise(console: Console) -> None:
    add(console, *((at, f"s{at}") for at in range(1, 102)))
    said = sessions(console.reader)
    assert (len(said["items"]), said["sentence"]) == (100, "100 sessions and more.")
