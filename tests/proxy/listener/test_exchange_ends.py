"""How an exchange waits, is retried, keeps connections that know their client, and ends; both sides are fakes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from lab.others import OtherAnswerer, OtherAsker, OtherPool, OtherRequest, OtherResponse, other_plane
from lab.pairs import Plane

from proxy.listener import sides
from proxy.listener.accounting import Extras
from proxy.listener.dispatch import open_exchange
from proxy.listener.exchange import Exchange
from proxy.listener.sides import PERHAPS, UNHEARD
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.deadlines import NEVER

pytestmark = pytest.mark.skipif(
    not cast(str, sides.__file__).endswith(".py"), reason="compiled classes have no subclass in Python"
)

LOST = Refusal(Fault.CONNECTION_LOST, "gone")


class Case:
    """A listener, a pool and a client's side."""

    def __init__(self) -> None:
        self.plane: Plane
        self.pool: OtherPool
        self.plane, self.pool, _ = other_plane()
        self.asker = OtherAsker()
        self.waits = len(self.plane.ticker)  # before anybody does

    def open(self, method: bytes = b"GET", length: int | None = 0, *, binds: bool = False) -> Exchange:
        request = OtherRequest(method, length)
        request.binds_connection = binds
        return open_exchange(self.plane.listener, self.asker, request)

    def ask(self, *, binds: bool = False) -> tuple[Exchange, OtherAnswerer]:
        exchange = self.open(binds=binds)
        exchange.begin(b"", True, [])
        return exchange, self.pool.answerers[-1]


def answered(exchange: Exchange, *, binds: bool = False) -> None:
    response = OtherResponse(200, 2)
    response.binds_connection = binds
    exchange.on_response(response, b"ok", True, [])


async def test_who_waits_is_swept_and_held_until_there_is_an_answer() -> None:
    case = Case()
    case.pool.is_full = True
    for ending in ("connected", "unconnected", "abandoned"):
        case.asker.told.clear()
        exchange = case.open()
        exchange.begin(b"", True, [])
        assert (len(case.plane.ticker), case.asker.told) == (case.waits + 1, [("hold", True)])
        if ending == "connected":
            exchange.on_connected(OtherAnswerer())
            assert case.asker.told[1:] == [("hold", False)]
        elif ending == "unconnected":
            exchange.on_unconnected(LOST)
            assert case.asker.told[1:] == [("hold", False), (Fault.CONNECTION_LOST, False)]
        else:
            case.pool.waiting[:] = [exchange]
            exchange.abandon()
            assert (case.pool.waiting, case.asker.told[1:]) == ([], [])
        assert len(case.plane.ticker) == case.waits


async def test_what_is_over_hears_nothing_more() -> None:
    case = Case()
    exchange, answerer = case.ask()
    answered(exchange)
    told, counted = list(case.asker.told), (exchange.bytes_in, exchange.bytes_out)
    exchange.on_upstream_failed(LOST, UNHEARD)
    exchange.send_content(b"more", True, [])
    exchange.on_unsent()
    exchange.on_client_full(True)
    exchange.abandon()
    assert case.asker.told == told == [(200, [(b"x-b", b"2")], b"ok", True), "over"]
    assert (answerer.told[1:], case.pool.retries) == (["end"], 0)
    assert (exchange.bytes_in, exchange.bytes_out) == counted


async def test_the_time_for_a_response_begins_with_the_end_of_the_request() -> None:
    case = Case()
    exchange = case.open(b"POST", None)
    exchange.begin(b"1", False, [])
    (answerer,) = case.pool.answerers
    answerer.deadline = NEVER
    exchange.send_content(b"2", False, [])
    assert answerer.deadline == NEVER
    exchange.send_content(b"3", True, [])
    assert answerer.deadline == case.plane.ticker.now + exchange.terms.timeouts.response_head_s
    exchange.on_response(OtherResponse(200, None), b"", False, [])


async def test_a_request_that_ends_behind_its_response_gives_no_new_time() -> None:
    case = Case()
    exchange = case.open(b"POST", None)
    exchange.begin(b"1", False, [])
    (answerer,) = case.pool.answerers
    answerer.deadline = NEVER
    exchange.on_response(OtherResponse(200, None), b"", False, [])
    exchange.send_content(b"3", True, [])
    assert answerer.deadline == NEVER


@pytest.mark.parametrize("is_careful", [True, False])
async def test_a_request_that_is_under_way_is_retried_where_its_upstream_can_say_it_heard_nothing(
    is_careful: bool,
) -> None:
    case = Case()
    case.pool.is_full = True
    exchange = case.open(b"PUT", None)
    exchange.begin(b"1", False, [])
    first = OtherAnswerer()
    first.is_careful = is_careful
    exchange.on_connected(first)
    exchange.send_content(b"2", False, [])
    case.pool.is_full = False
    exchange.on_upstream_failed(LOST, UNHEARD)
    assert case.pool.retries == is_careful
    if is_careful:
        assert case.pool.answerers[0].told == [(b"PUT", [(b"x-a", b"1")], b"12", False, [])]
        case.pool.answerers[0].is_careful = True
        exchange.on_upstream_failed(LOST, UNHEARD)  # once
    assert (case.pool.retries, case.asker.told[-1]) == (is_careful, (Fault.CONNECTION_LOST, False))


async def test_a_retry_that_waits_is_held_as_well() -> None:
    case = Case()
    exchange, _ = case.ask()
    case.pool.is_full = True
    exchange.on_upstream_failed(LOST, PERHAPS)
    assert (exchange.wants_fresh, exchange.resends, case.pool.waiting) == (True, 1, [exchange])
    assert (len(case.plane.ticker), case.asker.told) == (case.waits + 1, [("hold", True)])


@pytest.mark.parametrize("by_request", [True, False])
async def test_a_connection_that_knows_its_client_serves_nobody_else(by_request: bool) -> None:
    """RFC 4559, 6: it was logged in by a request, or asked for that in its response."""
    case = Case()
    exchange, first = case.ask(binds=by_request)
    answered(exchange, binds=not by_request)
    assert (case.asker.pinned, first.is_pinned, first.told[1:]) == (first, True, ["end"])
    first.is_ready = True
    exchange, last = case.ask(binds=True)
    assert (last, len(case.pool.answerers)) == (first, 1)
    assert first.told[2:] == [(b"GET", [(b"x-a", b"1")], b"", True, [])]
    answered(exchange)
    assert first.told[3:] == ["end"]  # the same again is not closed
    first.is_ready = False
    exchange, second = case.ask(binds=True)
    answered(exchange)
    assert (case.asker.pinned, first.told[4:], second.told[1:]) == (second, ["close"], ["end"])


async def test_a_connection_without_credentials_is_nobodys() -> None:
    case = Case()
    exchange, first = case.ask()
    answered(exchange)
    assert (case.asker.pinned, first.is_pinned) == (None, False)


async def test_times_are_told_while_somebody_wants_to_know() -> None:
    case = Case()
    exchange = case.open()
    exchange.extras = timed = Extras()
    case.pool.is_full = True
    exchange.begin(b"", True, [])
    answerer = OtherAnswerer()
    answerer.connect_s = 0.25
    exchange.on_connected(answerer)
    assert (timed.connect_s, answerer.connect_s) == (0.25, 0.0)
    answered(exchange)
    assert 0 <= timed.waited_s <= timed.head_s < 60
    assert timed.response is not None
    case.pool.is_full = False
    untimed, _ = case.ask()
    answered(untimed)
    assert untimed.extras is None


class Search:
    """Looks up a process, and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, on_found: object) -> None:
        self.told.append("begin")

    def give_up(self) -> None:
        self.told.append("give up")

    def cancel(self) -> None:
        self.told.append("cancel")


@pytest.mark.parametrize("end", ["deadline", "abandon"])
async def test_a_call_whose_process_is_looked_up_is_held_for_half_a_second(end: str) -> None:
    case, search = Case(), Search()
    exchange = case.open()
    exchange.look_first(cast(Any, search), lambda _: None)
    exchange.begin(b"", True, [])
    assert (search.told, case.pool.answerers, case.asker.told) == (["begin"], [], [("hold", True)])
    assert (exchange.deadline, len(case.plane.ticker)) == (case.plane.ticker.now + 0.5, case.waits + 1)
    if end == "deadline":
        exchange.on_deadline()
        assert search.told[1:] == ["give up"]
        exchange.go_on([(b"b3", b"0")])
        assert (len(case.pool.answerers), case.asker.told[1:], exchange.trace) == (
            1, [("hold", False)], [(b"b3", b"0")],
        )  # fmt: skip
    else:
        exchange.abandon()
        assert search.told[1:] == ["cancel"]
    assert len(case.plane.ticker) == case.waits


async def test_a_call_whose_process_was_not_found_in_time_may_wait_for_a_connection_as_any() -> None:
    case = Case()
    exchange = case.open()

    class GivesUpAtOnce(Search):
        def give_up(self) -> None:
            exchange.go_on([])

    exchange.look_first(cast(Any, GivesUpAtOnce()), lambda _: None)
    case.pool.is_full = True
    exchange.begin(b"", True, [])
    exchange.on_deadline()
    assert case.asker.told == [("hold", True), ("hold", False), ("hold", True)]
    assert len(case.plane.ticker) == case.waits + 1
