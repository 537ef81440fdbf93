"""Requests: the list, and one with its neighbours, its hops and what only its span tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet
from lab.answers import UNTOLD, check_named

from proxy.console.query.requests import request, requests
from proxy.console.store.requests import put_request

T = "463ac35c9f6413ad48485a3953bb6124"
ROW: dict[str, Any] = {
    "id": "r1", "at": 1.0, "sidecar": "shop", "leg": "in", "from": "web", "to": "shop", "method": "GET",
    "target": "/odd", "status": 200, "fault": None, "ms": 1.0, "in": ["b3"], "out": ["tracecontext"], "winner": "b3",
    "trace": None, "span": None, "sampling": "accept", "short": False, "session": None, "notes": [], "probe": False,
    "retries": 0,
}  # fmt: skip


@pytest.fixture
def console() -> Iterator[Console]:
    with fleet() as (_, made):
        yield made


def add(console: Console, number: int, detail: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    target = "/odd" if number % 2 else "/even"
    row = ROW | {"id": f"r{number}", "at": float(number), "target": target} | more
    assert put_request(console.connection, row, detail)
    return row


def test_a_request_that_only_a_span_told_of(console: Console) -> None:
    row = add(console, 1)
    said = request(console.reader, "r1")
    check_named("Request", said)
    assert said == {
        **row,
        **UNTOLD,
        "headers": False,
        "sentence": "B3 came, W3C went out. Headers are not known: the sidecar reports only spans; "
        "set console.report.endpoint there to see them.",
        "hops": [row],
        "newer": None,
        "older": None,
    }
    assert request(console.reader, "r2") is None


def test_a_request_whose_sidecar_reports_and_has_not_reported_it(console: Console) -> None:
    """The report is late, or one of those that are left out; to be told to switch reports on would lead astray."""
    add(console, 1)
    console.connection.execute("INSERT INTO reporting VALUES ('shop', 1)")
    add(console, 2, sidecar="billing")
    said, theirs = request(console.reader, "r1"), request(console.reader, "r2")
    assert said is not None and theirs is not None
    assert said["sentence"] == (
        "B3 came, W3C went out. Headers are not known: the sidecar's report of it has not come. "
        "Of very many requests it reports a part."
    )
    assert "reports only spans" in theirs["sentence"]


@pytest.mark.parametrize(
    ("read", "written", "begins"),
    [
        ([], [], "No trace header came, none went out. "),
        (["b3", "jaeger", "b3"], ["b3", "b3multi"], "B3 and Jaeger came, B3 and B3 multi went out. "),
    ],
)
def test_what_a_span_knows_of_formats(console: Console, read: list[str], written: list[str], begins: str) -> None:
    add(console, 1, **{"in": read, "out": written})
    said = request(console.reader, "r1")
    assert said is not None and said["sentence"].startswith(begins)


def test_what_is_kept_of_a_report_is_read_or_told_as_it_is(console: Console) -> None:
    add(console, 1, {"report": {"ops.headers.added": ["Via"]}})
    said = request(console.reader, "r1")
    assert said is not None
    assert (said["headers"], said["added"]) == (True, [{"name": "Via", "value": ""}])
    assert said["sentence"] == "Untraced: no trace came in, and none was added."
    add(console, 2, {"lost": ["x"], "sentence": "Told before."})
    said = request(console.reader, "r2")
    assert said is not None
    assert (said["headers"], said["lost"], said["sentence"]) == (True, ["x"], "Told before.")


def test_neighbours_are_those_in_time_and_then_by_their_order(console: Console) -> None:
    for number, at in ((1, 5.0), (2, 5.0), (3, 9.0), (4, 5.0), (5, 1.0)):
        add(console, number, at=at)
    found = {}
    for number in range(1, 6):
        said = request(console.reader, f"r{number}")
        assert said is not None
        found[f"r{number}"] = (said["older"], said["newer"])
    assert found == {
        "r5": (None, "r1"), "r1": ("r5", "r2"), "r2": ("r1", "r4"), "r4": ("r2", "r3"), "r3": ("r4", None),
    }  # fmt: skip


def test_hops_are_those_of_its_trace_in_time(console: Console) -> None:
    rows = [add(console, number, at=10.0 - number, trace=T) for number in (1, 2, 3)]
    add(console, 4, trace=T[::-1])
    said = request(console.reader, "r1")
    assert said is not None
    assert said["hops"] == rows[::-1]


def test_200_hops_are_told(console: Console) -> None:
    for number in range(1, 202):
        add(console, number, trace=T)
    said = request(console.reader, "r1")
    assert said is not None
    assert [one["id"] for one in said["hops"]] == [f"r{number}" for number in range(1, 201)]


@pytest.mark.parametrize(
    ("count", "q", "sentence", "total"),
    [
        (0, " ", "No request has come yet.", 0),
        (0, "odd", "No request fits the filter.", None),
        (1, "", "1 request.", 1),
        (3, "", "3 requests.", 3),
        (3, "odd", "The newest requests that fit.", None),
    ],
)
def test_how_many_in_a_sentence(console: Console, count: int, q: str, sentence: str, total: int | None) -> None:
    for number in range(1, count + 1):
        add(console, number)
    said = requests(console.reader, q=q)
    check_named("Page", said)
    assert (said["sentence"], said["total"], said["searched_to"], said["error"]) == (sentence, total, None, None)


def test_pages(console: Console) -> None:
    rows = [add(console, number) for number in range(1, 6)]
    first = requests(console.reader, limit=2)
    assert (first["items"], first["next"], first["total"]) == ([rows[4], rows[3]], "4000000-4", 5)
    second = requests(console.reader, limit=3, before=first["next"])
    assert (second["items"], second["next"], second["total"]) == (rows[2::-1], "1000000-1", None)
    assert requests(console.reader, before=second["next"])["items"] == []
    assert requests(console.reader, q="colour:red")["error"].startswith("There is no key “colour”")


def test_100_are_on_a_page_unless_told_otherwise(console: Console) -> None:
    for number in range(1, 102):
        add(console, number)
    assert len(requests(console.reader)["items"]) == 100
