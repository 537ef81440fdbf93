"""Lists in pages: a search goes through the table a stretch at a time, and loses nothing between two of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from gates.fleet import Console, fleet

from proxy.console.filter.sql import Columns
from proxy.console.filter.terms import read_filter
from proxy.console.query import pages
from proxy.console.query.pages import BadCursorError, Table, find, read_cursor, read_limit

THINGS = Table("things", "id", "at", Columns({"from": ("name",)}, {}, "0", "", "0", "0", "0"))
NEWEST = read_cursor("")


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """Ten rows at times that grow while ids fall; the odd ones are named `odd`. Three rows are one stretch."""
    monkeypatch.setattr(pages, "_STRETCH", 2)
    with fleet() as (_, made):
        made.connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, at INTEGER, name TEXT)")
        rows = [(100 - n, 1000 + n, "odd" if n % 2 else "even") for n in range(10)]
        made.connection.executemany("INSERT INTO things VALUES (?, ?, ?)", rows)
        yield made


def times(found: pages.Found) -> list[int]:
    return [row[0] - 1000 for row in found.rows]


def test_a_search_goes_on_from_stretch_to_stretch(console: Console) -> None:
    found = find(console.reader, THINGS, read_filter("from:odd"), before=NEWEST, most=9, select="name")
    assert times(found) == [9, 7, 5, 3, 1]
    assert (found.next, found.searched_to) == (None, None)


def test_a_page_ends_with_the_last_row_that_it_shows(console: Console) -> None:
    """And the next one begins after it."""
    first = find(console.reader, THINGS, read_filter("from:odd"), before=NEWEST, most=2, select="name")
    assert (times(first), first.next) == ([9, 7], "1007-93")
    rest = find(console.reader, THINGS, read_filter("from:odd"), before=read_cursor(first.next), most=9, select="name")
    assert times(rest) == [5, 3, 1]


@pytest.mark.parametrize(("budget_s", "rows", "searched_to"), [(0.5, [9, 7], 1007), (1.0, [9, 7, 5], 1004)])
def test_a_search_whose_time_is_up_says_how_far_it_came(
    console: Console, budget_s: float, rows: list[int], searched_to: int
) -> None:
    """Every look at the clock is a second later. A budget may be used up, but not exceeded."""
    clock = map(float, range(99)).__next__
    odd = read_filter("from:odd")
    found = find(console.reader, THINGS, odd, before=NEWEST, most=9, select="name", budget_s=budget_s, clock=clock)
    assert (times(found), found.searched_to) == (rows, searched_to)
    assert found.next == f"{searched_to}-{1100 - searched_to}"


@pytest.mark.parametrize("text", ["x", "1", "-1", "1-", "1-x", "x-1", "²-1", f"1-{(1 << 62) + 1}", "1-" + "0" * 39])
def test_what_is_not_a_cursor(text: str) -> None:
    with pytest.raises(BadCursorError, match="is not the `next` of an answer"):
        read_cursor(text)


def test_a_cursor_is_at_most_40_characters_and_the_newest_position() -> None:
    assert read_cursor("1-" + "0" * 37 + "7") == (1, 7)
    assert read_cursor(f"{1 << 62}-{1 << 62}") == NEWEST == read_cursor(None)


@pytest.mark.parametrize("few", [1, 9])
@pytest.mark.parametrize(
    "asked", ["session:ann", "session:AN,bob", "session:eve", "-session:ann", "session:a from:odd"]
)
def test_sessions_are_found_by_their_index_as_by_walking(
    console: Console, monkeypatch: pytest.MonkeyPatch, asked: str, few: int
) -> None:
    """In pages, too; sessions beyond `few` are walked to."""
    monkeypatch.setattr(pages, "_FEW", few)
    console.connection.executescript(
        "ALTER TABLE things ADD COLUMN session TEXT;"
        "UPDATE things SET session = iif(at % 3, iif(at % 4, 'Ann', 'bob'), iif(at % 2, 'an-other', NULL));"
        "CREATE INDEX things_session ON things (session, at) WHERE session IS NOT NULL;"
    )
    texts = {"from": ("name",), "session": ("session",)}
    walked = Table("things", "id", "at", Columns(texts, {}, "0", "", "0", "0", "0"))
    indexed = replace(walked, sessions="things_session")
    wanted = read_filter(asked)
    expected = times(find(console.reader, walked, wanted, before=NEWEST, most=99, select="name"))
    found, before = [], NEWEST
    while before is not None:
        page = find(console.reader, indexed, wanted, before=before, most=2, select="name")
        found += times(page)
        before = read_cursor(page.next) if page.next else None
    assert found == expected


@pytest.mark.parametrize(("text", "limit"), [(None, 100), ("", 100), ("1", 1), ("500", 500), ("000000007", 7)])
def test_a_limit(text: str | None, limit: int) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize("text", ["0", "501", "0000000007", "-1", "1.5", "²", "١", "x" * 30, "1" * 5000])
def test_what_is_not_a_limit(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"limit is “{text[:20]}”; it may be 1 to 500")):
        read_limit(text)


def test_what_is_not_a_cursor_is_shown_cut() -> None:
    with pytest.raises(BadCursorError, match=f"^“{'x' * 40}” is not"):
        read_cursor("x" * 41)
    with pytest.raises(BadCursorError, match="is not"):
        read_cursor("1-" + "0" * 38 + "7")  # 41 characters
    with pytest.raises(BadCursorError, match="is not"):
        read_cursor(f"{(1 << 62) + 1}-1")


def test_a_filter_with_nothing_to_look_through_needs_no_stretches(console: Console) -> None:
    """Whoever asks for all gets the newest in one go."""
    found = find(console.reader, THINGS, read_filter(""), before=NEWEST, most=9, select="name", budget_s=0.0)
    assert (times(found), found.next) == ([9, 8, 7, 6, 5, 4, 3, 2, 1], "1001-99")
    found = find(console.reader, THINGS, read_filter(""), before=NEWEST, most=10, select="name")
    assert (len(found.rows), found.next) == (10, "1000-100")
    found = find(console.reader, THINGS, read_filter(""), before=NEWEST, most=11, select="name")
    assert (len(found.rows), found.next, found.searched_to) == (10, None, None)


def test_rows_of_one_time_are_told_apart_by_their_ids(console: Console) -> None:
    console.connection.execute("UPDATE things SET at = 7")
    ids, before = [], NEWEST
    while before is not None:
        page = find(console.reader, THINGS, read_filter("from:e,o"), before=before, most=3, select="name")
        ids += [row[1] for row in page.rows]
        before = read_cursor(page.next) if page.next else None
    assert ids == list(range(100, 90, -1))


def test_a_table_may_show_only_some_of_its_rows(console: Console) -> None:
    some = replace(THINGS, only="id > 95")
    assert times(find(console.reader, some, read_filter("from:odd"), before=NEWEST, most=9, select="name")) == [3, 1]


def test_a_stretch_is_10000_rows_and_a_search_has_a_quarter_of_a_second() -> None:
    with fleet() as (_, console):
        console.connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, at INTEGER, name TEXT)")
        console.connection.executemany("INSERT INTO things VALUES (?1, ?1, 'a')", [(n,) for n in range(10_002)])
        for clock, searched_to in (((0.0, 0.25), None), ((0.0, 0.251), 1)):
            found = find(
                console.reader, THINGS, read_filter("from:b"), before=NEWEST, most=9, select="name",
                clock=iter(clock).__next__,
            )  # fmt: skip
            assert found.searched_to == searched_to


@pytest.mark.parametrize(("count", "is_walked"), [(50, False), (51, True)])
def test_50_sessions_are_found_by_their_index(console: Console, count: int, is_walked: bool) -> None:
    """Which no clock is looked at for."""
    console.connection.executescript(
        "ALTER TABLE things ADD COLUMN session TEXT;"
        "CREATE INDEX things_session ON things (session, at) WHERE session IS NOT NULL;"
    )
    rows = [(200 + n, n, f"s{n}") for n in range(count)]
    console.connection.executemany("INSERT INTO things VALUES (?, ?, 'x', ?)", rows)
    columns = Columns({"session": ("session",)}, {}, "0", "", "0", "0", "0")
    table = Table("things", "id", "at", columns, sessions="things_session")
    looked: list[float] = []

    def clock() -> float:
        looked.append(0.0)
        return 0.0

    found = find(console.reader, table, read_filter("session:s"), before=NEWEST, most=99, select="name", clock=clock)
    assert len(found.rows) == count
    assert (len(looked) > 1) is is_walked
