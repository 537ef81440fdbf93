"""Whose call it is: what can be said at once, and what waits for a look-up of processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.http1.message.request import Request
from proxy.listener.app_calls.linking import Linker, Search
from proxy.listener.sides import Asker
from proxy.participation.entry import InFlight
from proxy.participation.in_flight import InFlightTable
from proxy.participation.linking import Linked
from proxy.plan.participation import InFlightPlan, LinkingPlan
from proxy.transport.processes import Ends

ONE, TWO = "1" * 32, "2" * 32


def ends(port: int) -> Ends:
    return Ends("127.0.0.1", port, "127.0.0.1", 80)


def request(*lines: bytes) -> Request:
    return Request(b"GET", b"/", 1, list(lines))


def side(port: int | None, process: int = -1) -> Any:
    """Of a connection: its client's, or its upstream's."""
    return SimpleNamespace(process=process, ends=lambda: ends(port) if port is not None else None)


class Case:
    """A linker, the requests at the app, and the processes that a look-up finds."""

    def __init__(self, plan: LinkingPlan | None = None, most: int = 1000) -> None:
        self.table = InFlightTable(InFlightPlan(most, 1 << 30, 60.0))
        self.holders: dict[Ends, int] = {}
        self.looked: list[set[Ends]] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self.linker = Linker(self.table, plan or LinkingPlan(), self.owners)

    def owners(self, wanted: Iterable[Ends]) -> dict[Ends, int]:
        assert threading.current_thread().name.startswith("ops-sidecar-processes")
        self.looked.append(set(wanted))
        self.go.wait(5)
        if self.error is not None:
            raise self.error
        return {each: self.holders[each] for each in self.looked[-1] if each in self.holders}

    def begin(self, trace_id: str, answerer: Any = None, *lines: bytes) -> InFlight:
        entry = InFlight(trace_id.encode(), b"3" * 16, started=0.0)
        entry.exchange = SimpleNamespace(answerer=answerer, request=request(*lines))
        assert self.table.begin(entry)
        return entry

    def find(self, asker: Any, *lines: bytes) -> Linked | Search:
        return self.linker.find(cast(Asker, asker), request(*lines))

    async def found(self, asker: Any) -> Linked:
        """By a look-up."""
        search, told = self.find(asker), asyncio.get_running_loop().create_future()
        assert isinstance(search, Search)
        search.begin(told.set_result)
        assert search.is_waiting
        async with asyncio.timeout(5):
            return cast(Linked, await told)


@pytest.mark.parametrize(
    ("plan", "is_on"),
    [
        (LinkingPlan((), False, False), False),
        (LinkingPlan(("x-a",), False, False), True),
        (LinkingPlan((), True, False), True),
        (LinkingPlan((), False, True), True),
    ],
)
def test_it_is_on_while_any_method_is(plan: LinkingPlan, is_on: bool) -> None:
    assert plan.is_on is is_on


def test_a_call_while_no_request_is_there_belongs_to_none() -> None:
    assert Case().find(side(1)) == Linked(None, "none")


def test_a_header_is_looked_at_first_and_by_the_names_of_the_plan_in_force() -> None:
    case = Case(LinkingPlan(("x-a",)))
    one, two = case.begin(ONE, None, b"X-A: 1", b"X-B: 5"), case.begin(TWO, None, b"x-a: 2", b"x-b: 6")
    assert case.find(side(1), b"x-A: 2") == Linked(two, "header")
    assert isinstance(case.find(side(1), b"x-b: 5"), Search)
    case.linker.use(LinkingPlan(("x-b",)))
    assert case.find(side(1), b"x-b: 5") == Linked(one, "header")
    assert isinstance(case.find(side(1), b"x-a: 2"), Search)


def test_a_process_is_not_looked_up_where_that_cannot_help() -> None:
    """It is switched off, the client's end cannot be known, or a request is not remembered."""
    case = Case()
    one = case.begin(ONE)
    assert case.find(side(1, 0)) == Linked(one, "single")
    case.linker.use(LinkingPlan(process=False))
    assert case.find(side(1)) == Linked(one, "single")
    crowded = Case(most=1)
    one = crowded.begin(ONE)
    crowded.table.begin(InFlight(TWO.encode(), b"3" * 16, started=0.0))
    assert crowded.find(side(1)) == Linked(None, "none", (one,))


@pytest.mark.parametrize(("number", "is_looked_up"), [(256, True), (257, False)])
def test_nor_among_more_than_256_requests(number: int, is_looked_up: bool) -> None:
    case = Case()
    for _ in range(number):
        case.begin(ONE)
    assert isinstance(case.find(side(1)), Search) is is_looked_up


async def test_no_more_than_256_calls_wait_for_a_look_up() -> None:
    case = Case()
    case.go.clear()
    case.begin(ONE, side(8000))
    for number in range(257):  # the first is being looked up
        search = case.find(side(number))
        assert isinstance(search, Search)
        search.begin(lambda _: None)
    assert isinstance(case.find(side(999)), Linked)
    case.linker.stop()
    case.go.set()


async def test_the_process_tells_requests_apart() -> None:
    case = Case()
    one, two = case.begin(ONE, side(8001)), case.begin(TWO, side(8002))
    case.holders = {ends(8001): 7, ends(8002): 8, ends(5): 8}
    assert await case.found(side(5)) == Linked(two, "process")
    assert case.looked == [{ends(5), ends(8001), ends(8002)}]
    caller = side(6, 7)
    assert await case.found(caller) == Linked(one, "process")
    assert case.looked[1:] == [set()]  # the rest is known
    case.linker.stop()


@pytest.mark.parametrize("second", ["unknown", "unix", "over", "answered", "waits", "not sent"])
async def test_a_request_whose_process_is_not_known_may_be_this_one(second: str) -> None:
    """Unless no process has begun with it: it waits to be accepted, is not sent yet, or was answered."""
    case = Case()
    one = case.begin(ONE, side(8001))
    two = case.begin(TWO, side(None if second == "unix" else 8002) if second != "not sent" else None)
    case.holders = {ends(8001): 7, ends(5): 7} | ({ends(8002): 0} if second == "waits" else {})
    search = case.find(side(5))
    assert isinstance(search, Search)
    if second in ("over", "answered"):
        cast(Any, two.exchange).answerer = None
        case.table.end(two, second == "answered")
    told = asyncio.get_running_loop().create_future()
    search.begin(told.set_result)
    async with asyncio.timeout(5):
        linked = await told
    is_known = second in ("answered", "waits", "not sent")
    assert linked == (Linked(one, "process") if is_known else Linked(None, "none", (two, one)))
    case.linker.stop()


@pytest.mark.parametrize("port", [5, None])
async def test_a_client_whose_process_is_not_found_is_not_looked_up_again(port: int | None) -> None:
    case, asker = Case(), side(port)
    one = case.begin(ONE, side(8001))
    case.holders = {ends(8001): 7}
    assert await case.found(asker) == Linked(one, "single")
    assert asker.process == 0
    case.linker.stop()


async def test_look_ups_are_one_at_a_time_each_for_all_who_wait() -> None:
    case = Case()
    case.go.clear()
    case.begin(ONE, side(8001))
    told: list[tuple[int, str]] = []
    searches = []
    for number in range(4):
        search = case.find(side(number))
        assert isinstance(search, Search)
        search.begin(lambda linked, number=number: told.append((number, linked.method)))  # type: ignore[misc]
        searches.append(search)
    searches[1].cancel()
    searches[2].give_up()
    assert told == [(2, "single")]
    assert not searches[1].is_waiting
    case.go.set()
    async with asyncio.timeout(5):
        while len(told) < 3:  # noqa: ASYNC110 - the thread's end is heard of in some turn of the loop
            await asyncio.sleep(0)
    assert told == [(2, "single"), (0, "single"), (3, "single")]
    assert case.looked == [{ends(0), ends(8001)}, {ends(3), ends(8001)}]
    case.linker.stop()


async def test_a_look_up_that_fails_is_told_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    case = Case()
    one = case.begin(ONE, side(8001))
    case.error = OSError("no table")
    assert await case.found(side(5)) == Linked(one, "single")
    assert [one.getMessage() for one in caplog.records if one.levelname == "DEBUG" and "process" in one.msg] == [
        "processes cannot be looked up"
    ]
    case.linker.stop()


async def test_at_the_end_nobody_waits() -> None:
    case = Case()
    case.go.clear()
    case.begin(ONE, side(8001))
    told: list[Linked] = []
    for number in range(2):
        search = case.find(side(number))
        assert isinstance(search, Search)
        search.begin(told.append)
    case.linker.stop()
    assert not search.is_waiting
    case.go.set()


async def test_a_bug_of_ours_joins_the_call_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()
    case.begin(ONE, side(8001, 7))
    search, told = case.find(side(5, 7)), []
    assert isinstance(search, Search)
    search.begin(told.append)
    cast(Any, case.table.entries()[0]).exchange.answerer = object()
    search.give_up()
    assert told == [Linked(None, "none")]
    assert [one.getMessage() for one in caplog.records] == ["a call was not joined, it went on"]
    case.linker.stop()
