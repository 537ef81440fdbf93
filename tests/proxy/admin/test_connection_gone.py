"""A connection of the admin listener whose client is gone, or that is cut: nothing goes on."""

from __future__ import annotations

import asyncio

import pytest
from lab.admin_talks import GET, POST, SLOW, Talk, told


def ended(talk: Talk, end: str) -> None:
    """The client goes, or the listener leaves or cuts it."""
    if end == "lost":
        talk.connection.connection_lost(None)
    elif end == "left":
        talk.connection.leave()
    else:
        talk.connection.cut()


@pytest.mark.parametrize("is_lost", [False, True], ids=["closing", "lost"])
def test_nobody_hears_the_answer_for_a_client_that_is_gone(is_lost: bool) -> None:
    async def story(talk: Talk) -> None:
        await talk.send(SLOW)
        talk.transport.close()
        if is_lost:
            talk.connection.connection_lost(None)
        talk.goes_on.set()
        await talk.settle()
        assert talk.statuses == []

    told(story)


def test_a_client_that_goes_while_its_answer_is_written_is_left_alone() -> None:
    async def story(talk: Talk) -> None:
        closing = talk.transport.close
        talk.transport.write = lambda _: closing()  # type: ignore[method-assign]
        await talk.send(GET + GET)
        assert (talk.asked, talk.end, talk.transport.is_ended) == ([""], "closed", False)

    told(story)


@pytest.mark.parametrize("end", ["lost", "left", "cut"])
def test_a_request_that_waits_for_its_turn_ends_with_its_connection(end: str) -> None:
    """Nobody is asked for it, and no time runs."""

    async def story(talk: Talk) -> None:
        await talk.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        talk.connection.data_received(b"1\r\nx\r\n" * 40 + b"0\r\n\r\n")
        ended(talk, end)
        await asyncio.sleep(1000.0)
        assert (talk.statuses, talk.asked) == ([], [])

    told(story)


@pytest.mark.parametrize("end", ["lost", "cut"])
def test_the_next_request_is_not_read_where_the_connection_ends_as_its_answer_is_taken(end: str) -> None:
    async def story(talk: Talk) -> None:
        talk.transport.is_jammed = True
        await talk.send(GET + GET)
        assert talk.statuses == [200]
        talk.connection.resume_writing()
        ended(talk, end)
        await asyncio.sleep(1000.0)
        assert (talk.statuses, talk.asked) == ([], [""])

    told(story)


def test_no_time_runs_for_a_client_that_is_gone() -> None:
    async def story(talk: Talk) -> None:
        await talk.send(GET[:9])
        talk.connection.connection_lost(None)
        await asyncio.sleep(1000.0)
        assert (talk.statuses, talk.end) == ([], "")

    told(story)
