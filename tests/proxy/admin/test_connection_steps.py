"""One connection of the admin listener, in simulated time: what it waits for, how long, and how it ends."""

from __future__ import annotations

import asyncio

import pytest
from lab.admin_talks import A_MOMENT_S, GET, LAST, POST, SLOW, Talk, told


@pytest.mark.parametrize(
    ("pieces", "seconds", "status", "end"),
    [
        ([], 15.0, [], "closed"),
        ([b"\r\n"], 15.0, [], "closed"),
        ([GET], 15.0, [], "closed"),
        ([GET[:1]], 10.0, [408], "our side"),
        ([GET[:-1]], 10.0, [408], "our side"),
        ([GET + GET[:1]], 10.0, [408], "our side"),
        ([POST + b"Content-Length: 2\r\n\r\n"], 10.0, [408], "our side"),
        ([POST + b"Content-Length: 2\r\n\r\n", b"x"], 10.0, [408], "our side"),
    ],
)
def test_what_does_not_come_in_time(pieces: list[bytes], seconds: float, status: list[int], end: str) -> None:
    """Nothing of a request, its head, its body."""

    async def story(talk: Talk) -> None:
        await talk.send(*pieces)
        assert talk.statuses in ([], [200])
        await asyncio.sleep(seconds - A_MOMENT_S)
        assert (talk.statuses, talk.end) == ([], "")
        await asyncio.sleep(2 * A_MOMENT_S)
        assert (talk.statuses, talk.end) == (status, end)

    told(story)


@pytest.mark.parametrize("begun", [b"", POST + b"Content-Length: 50\r\n\r\n"], ids=["head", "body"])
def test_each_byte_in_time_is_not_enough(begun: bytes) -> None:
    async def story(talk: Talk) -> None:
        await talk.send(begun)
        for at in range(20):
            assert talk.end == ("our side" if at * 0.6 >= 10.0 else "")
            await talk.send(GET[at : at + 1])
            await asyncio.sleep(0.6)
        assert talk.statuses == [408]

    told(story)


def test_time_for_a_body_begins_with_it_and_that_for_the_next_request_with_the_answer() -> None:
    async def story(talk: Talk) -> None:
        await talk.send(POST)
        await asyncio.sleep(9.0)
        await talk.send(b"Content-Length: 1\r\n\r\n")
        await asyncio.sleep(9.0)
        await talk.send(b"x")
        assert talk.statuses == [200]
        await asyncio.sleep(14.0)
        await talk.send(GET)
        await asyncio.sleep(14.0)
        await talk.send(GET[:5])
        await asyncio.sleep(9.0)
        await talk.send(GET[5:])
        assert (talk.statuses, talk.end, talk.asked) == ([200, 200], "", ["x", "", ""])

    told(story)


def test_a_handler_may_take_its_time() -> None:
    """While it does, nothing more is read; what came before is answered then."""

    async def story(talk: Talk) -> None:
        await talk.send(SLOW + GET)
        assert talk.transport.is_reading()
        await talk.send(GET)
        assert not talk.transport.is_reading()
        await asyncio.sleep(1000.0)
        assert (talk.statuses, talk.end, talk.asked) == ([], "", ["slow"])
        talk.goes_on.set()
        await talk.settle()
        assert (talk.statuses, talk.end) == ([200, 200, 200], "")
        assert talk.transport.is_reading()

    told(story)


@pytest.mark.parametrize(("asked", "status"), [(GET, 200), (GET.replace(b"/ ", b"/nothing "), 404)])
def test_a_client_has_30_seconds_to_take_an_answer(asked: bytes, status: int) -> None:
    async def story(talk: Talk) -> None:
        talk.transport.is_jammed = True
        await talk.send(asked * 2)
        assert talk.statuses == [status]
        await asyncio.sleep(30.0 - A_MOMENT_S)
        assert talk.end == ""
        await asyncio.sleep(2 * A_MOMENT_S)
        assert (talk.statuses, talk.end) == ([], "cut")

    told(story)


def test_a_client_that_takes_its_answer_is_served_on() -> None:
    async def story(talk: Talk) -> None:
        talk.transport.is_jammed = True
        await talk.send(GET + GET)
        await asyncio.sleep(29.0)
        talk.transport.is_jammed = False
        talk.connection.resume_writing()
        await talk.settle()
        await talk.send(GET)
        assert talk.statuses == [200, 200, 200]
        await asyncio.sleep(14.0)
        assert talk.end == ""
        talk.connection.pause_writing()
        talk.connection.resume_writing()  # nothing was due
        await talk.send(GET)
        assert talk.statuses == [200]

    told(story)


def test_the_last_answer_ends_our_side_and_two_seconds_later_the_rest() -> None:
    """What still comes is thrown away, and taken from the socket: so no reset overtakes the answer."""

    async def story(talk: Talk) -> None:
        await talk.send(LAST)
        assert (talk.statuses, talk.end) == ([200], "our side")
        await talk.send(GET, GET)
        assert (talk.statuses, talk.asked, talk.transport.is_reading()) == ([], [""], True)
        await asyncio.sleep(2.0 - A_MOMENT_S)
        assert talk.end == "our side"
        await asyncio.sleep(2 * A_MOMENT_S)
        assert talk.end == "cut"
        await talk.send(GET)
        assert talk.asked == [""]

    told(story)


def test_after_a_refusal_the_rest_is_taken_from_the_socket_and_thrown_away() -> None:
    async def story(talk: Talk) -> None:
        await talk.send(POST + b"Content-Length: 101\r\n\r\n" + GET)
        assert (talk.statuses, talk.end, talk.transport.is_reading()) == ([413], "our side", True)
        await talk.send(b"x" * 1000)
        assert (talk.statuses, talk.end, talk.transport.is_reading()) == ([], "our side", True)
        assert not talk.connection.eof_received()  # the transport closes

    told(story)


def test_where_the_client_is_gone_already_our_side_cannot_end() -> None:
    async def story(talk: Talk) -> None:
        talk.transport.cannot_end = True
        await talk.send(LAST)
        assert talk.end == "cut"

    told(story)


@pytest.mark.parametrize(
    ("sent", "is_awaited", "statuses"),
    [
        (b"", False, []),
        (GET, False, [200]),
        (GET[:9], False, []),
        (SLOW, True, [200]),
        (SLOW + GET + GET[:9], True, [200, 200]),
    ],
)
def test_a_client_that_ends_its_side_gets_the_answers_that_are_due(
    sent: bytes, is_awaited: bool, statuses: list[int]
) -> None:
    """The transport closes where none is; else we do, after the last."""

    async def story(talk: Talk) -> None:
        await talk.send(sent)
        assert talk.connection.eof_received() is is_awaited
        talk.goes_on.set()
        await talk.settle()
        assert (talk.statuses, talk.end) == (statuses, "closed" if is_awaited else "")

    told(story)


def test_a_last_request_of_a_client_that_has_ended_its_side() -> None:
    """There is nothing to wait for."""

    async def story(talk: Talk) -> None:
        await talk.send(SLOW.replace(b"1.1", b"1.0"))
        assert talk.connection.eof_received()
        talk.goes_on.set()
        await talk.settle()
        assert (talk.statuses, talk.end) == ([200], "closed")

    told(story)


def test_requests_that_wait_for_their_turn_are_answered_after_the_clients_end() -> None:
    async def story(talk: Talk) -> None:
        talk.connection.data_received(POST + b"Content-Length: 60\r\n\r\n" + b"x" * 60 + b"\r\n" * 40 + GET * 3)
        assert talk.connection.eof_received()
        await talk.settle()
        assert (talk.statuses, talk.end) == ([200] * 4, "closed")

    told(story)


@pytest.mark.parametrize(
    ("sent", "end", "end_later", "statuses"),
    [
        (b"", "closed", "closed", []),
        (GET, "closed", "closed", [200]),
        (GET[:9], "closed", "closed", []),
        (LAST, "closed", "closed", [200]),
        (SLOW, "", "closed", [200]),
        (SLOW + GET, "", "closed", [200]),
    ],
)
def test_to_leave_is_to_close_after_the_answer_that_is_due(
    sent: bytes, end: str, end_later: str, statuses: list[int]
) -> None:
    async def story(talk: Talk) -> None:
        await talk.send(sent)
        talk.connection.leave()
        assert talk.end == end
        talk.goes_on.set()
        await talk.settle()
        assert (b"\r\nConnection: close\r\n" in talk.transport.written) == (end == "" or sent == LAST)
        assert (talk.statuses, talk.end) == (statuses, end_later)
        await asyncio.sleep(100.0)
        assert (talk.statuses, talk.end) == ([], end_later)

    told(story)


def test_much_at_once_is_read_in_turns() -> None:
    """Of 32 steps each, so that others have theirs; and no more is read meanwhile."""

    async def story(talk: Talk) -> None:
        await talk.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        talk.connection.data_received(b"1\r\nx\r\n" * 40)
        assert not talk.transport.is_reading()
        await talk.settle()
        assert talk.transport.is_reading()
        await talk.send(b"0\r\n\r\n")
        assert (talk.statuses, talk.asked) == ([200], ["x" * 40])

    told(story)


def test_100_continue_is_sent_once() -> None:
    async def story(talk: Talk) -> None:
        await talk.send(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n", b"a", b"b")
        assert (talk.statuses, talk.asked) == ([100, 200], ["ab"])

    told(story)


def test_the_oldest_makes_room_for_each_that_comes() -> None:
    """Also where several come at once; and after the end nobody may come."""

    async def story(talk: Talk) -> None:
        there = [talk.transport, *(talk.another()[1] for _ in range(33))]
        assert [one.is_aborted for one in there] == [True, True, *[False] * 32]
        for one in there:
            one.protocol.connection_lost(None)  # type: ignore[attr-defined]
        await talk.server.close()
        assert talk.another()[1].is_aborted

    told(story)
