"""The list of traces: a row's fields, the histogram's edges, totals and the sentence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from gates.fleet import Console, fleet
from lab.answers import check_named

from proxy.console.query import pages
from proxy.console.query import traces as module
from proxy.console.query.traces import traces

MS = 1_000_000
INSERT = (
    "INSERT INTO traces (key, trace, started, ended, spans, items, errors, root_service, root_name, title, caller, "
    "session, services, names, formats, notes, words) VALUES (:key, :trace, :started, :ended, :spans, 1, :errors, "
    "'shop', 'GET', :title, 'curl', 'ann', '[[\"shop\",2],[\"bank\",1]]', 'shop', ' b3 jaeger ', ' gap retry ', :words)"
)
EDGES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000]


@pytest.fixture
def console() -> Iterator[Console]:
    with fleet() as (_, made):
        yield made


def add(console: Console, key: int, **more: Any) -> None:
    """A trace that began at this millisecond."""
    ms = more.pop("ms", 10)
    row = {
        "key": key, "trace": key.to_bytes(16, "big"), "started": key * MS, "ended": round((key + ms) * MS), "spans": 3,
        "errors": 0, "title": "GET /orders", "words": "odd" if key % 2 else "even", **more,
    }  # fmt: skip
    console.connection.execute(INSERT, row)


def ask(console: Console, **more: Any) -> dict[str, Any]:
    said = traces(console.reader, **more)
    check_named("Page", said)
    return said


def test_a_row(console: Console) -> None:
    add(console, 7, errors=2)
    add(console, 9, title="")
    first, second = ask(console)["items"]
    assert second == {
        "id": f"{7:032x}",
        "title": "GET /orders",
        "root": {"service": "shop", "name": "GET /orders"},
        "from": "curl",
        "start": 7.0,
        "ms": 10.0,
        "session": "ann",
        "errors": 2,
        "spans_count": 3,
        "services": [{"name": "shop", "spans": 2}, {"name": "bank", "spans": 1}],
        "formats": ["b3", "jaeger"],
        "notes": ["gap", "retry"],
    }
    assert (first["title"], first["root"]["name"]) == ("", "GET")


@pytest.mark.parametrize("edge", EDGES[1:-1])
def test_each_edge_of_the_histogram_begins_a_bin(console: Console, edge: int) -> None:
    add(console, 1, ms=edge - 0.001, errors=3)
    add(console, 2, ms=edge)
    bins = ask(console)["histogram"]
    assert [(one["lo"], one["hi"]) for one in bins] == list(pairwise(EDGES))
    filled = {one["lo"]: (one["count"], one["errors"]) for one in bins if one["count"]}
    assert filled == {EDGES[EDGES.index(edge) - 1]: (1, 1), edge: (1, 0)}


def test_what_is_shorter_or_longer_goes_into_the_first_or_last_bin(console: Console) -> None:
    for key, ms in enumerate((0, 0.5, 30_000, 99_000), 1):
        add(console, key, ms=ms)
    counts = [one["count"] for one in ask(console)["histogram"]]
    assert counts == [2, *[0] * 11, 2]


@pytest.mark.parametrize(
    ("count", "q", "sentence", "total"),
    [
        (0, " ", "No trace has come yet.", 0),
        (0, "odd", "No trace fits the filter.", 0),
        (1, "", "1 trace.", 1),
        (2, "", "2 traces.", 2),
        (2, "odd", "1 trace fits the filter.", 1),
        (4, "odd", "2 traces fit the filter.", 2),
    ],
)
def test_how_many_in_a_sentence(console: Console, count: int, q: str, sentence: str, total: int) -> None:
    for key in range(1, count + 1):
        add(console, key)
    said = ask(console, q=q)
    assert (said["sentence"], said["total"], said["searched_to"]) == (sentence, total, None)
    assert (said["histogram"] == []) is (total == 0)


def test_a_trace_of_which_only_logs_came_counts_but_is_not_shown(console: Console) -> None:
    add(console, 1)
    add(console, 2, spans=0)
    said = ask(console)
    assert ([one["start"] for one in said["items"]], said["total"]) == ([1.0], 2)
    assert ask(console, q="even")["total"] == 0


def test_pages(console: Console) -> None:
    """The first has what is told of all of them."""
    for key in range(1, 6):
        add(console, key)
    first = ask(console, limit=2)
    assert [one["start"] for one in first["items"]] == [5.0, 4.0]
    assert (first["next"], first["total"], sum(one["count"] for one in first["histogram"])) == (f"{4 * MS}-4", 5, 5)
    second = ask(console, limit=2, before=first["next"])
    assert [one["start"] for one in second["items"]] == [3.0, 2.0]
    assert (second["next"], second["total"], second["histogram"]) == (f"{2 * MS}-2", None, [])
    assert second["sentence"] == "More traces than are counted."
    assert ask(console, limit=5)["next"] is None


def test_traces_of_one_moment_are_told_apart_by_their_order(console: Console) -> None:
    for key in range(1, 6):
        add(console, key, started=7 * MS, trace=bytes([9 - key]) * 16)
    first = ask(console, limit=2)
    rest = ask(console, limit=9, before=first["next"])
    assert [one["id"][:2] for one in first["items"] + rest["items"]] == ["04", "05", "06", "07", "08"]


def test_100_are_on_a_page_unless_told_otherwise(console: Console) -> None:
    for key in range(1, 102):
        add(console, key)
    said = ask(console)
    assert (len(said["items"]), said["next"]) == (100, f"{2 * MS}-2")


@pytest.mark.parametrize(("most", "total"), [(3, None), (4, 3)])
def test_a_filter_counts_as_far_as_the_histogram_goes(
    console: Console, monkeypatch: pytest.MonkeyPatch, most: int, total: int | None
) -> None:
    monkeypatch.setattr(module, "_MOST_IN_HISTOGRAM", most)
    for key in range(1, 7):
        add(console, key)
    said = ask(console, q="odd")
    assert (said["total"], sum(one["count"] for one in said["histogram"])) == (total, 3)
    assert said["next"] == (f"{1 * MS}-1" if total is None else None)


def test_5000_traces_are_in_the_histogram(console: Console) -> None:
    for key in range(1, 5002):
        add(console, key)
    said = traces(console.reader, limit=1)
    assert (sum(one["count"] for one in said["histogram"]), said["total"]) == (5000, 5001)


def test_a_search_whose_time_is_up_says_how_far_it_came(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_STRETCH", 1)
    monkeypatch.setattr(pages.find, "__kwdefaults__", {**(pages.find.__kwdefaults__ or {}), "budget_s": -1.0})
    for key in range(1, 9):
        add(console, key)
    said = ask(console, q="odd")
    assert ([one["start"] for one in said["items"]], said["searched_to"], said["next"]) == ([7.0], 7.0, f"{7 * MS}-7")
    assert (said["total"], said["sentence"]) == (None, "More traces than are counted.")
    more = ask(console, q="odd", before=said["next"])
    assert ([one["start"] for one in more["items"]], more["searched_to"]) == ([5.0], 5.0)
