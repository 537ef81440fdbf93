"""How long a client of HTTP/1 is waited for, to the tick: its head, its content, its reading, its next request."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from lab.pairs import Plane

from proxy.plan import Clients, Limits

GET = b"GET /a HTTP/1.1\r\nHost: app\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, bytes(size))


class Case:
    """One client and its upstream; seconds since the beginning."""

    def __init__(self, clients: Clients | None = None) -> None:
        self.plane = Plane(clients=clients)
        (self.pair,) = self.plane.pairs(1)
        self.client, self.near = self.pair.client, self.pair.near
        self.begin = self.plane.ticker.now

    def at(self, seconds: float) -> bytes:
        """It is so late; what the client is told then."""
        self.plane.ticker.now = self.begin + seconds
        if self.client.deadline <= self.plane.ticker.now:
            self.client.on_deadline()
        return self.near.take()

    def faults(self) -> dict[str, int]:
        return self.plane.metrics.exchange("inbound", "app").faults


async def test_a_connection_without_a_request_is_kept_for_75_s() -> None:
    case = Case()
    assert (case.at(74.9), case.near.is_closing()) == (b"", False)
    assert (case.at(75.0), case.near.is_closing()) == (b"", True)


async def test_a_head_that_has_begun_has_10_s() -> None:
    case = Case()
    case.at(70.0)
    case.client.data_received(b"\r\n")  # an empty line does not begin one
    assert case.client.deadline == case.begin + 75
    case.client.data_received(GET[:5])
    case.at(75.0)
    case.client.data_received(GET[5:9])
    assert (case.at(79.9), case.near.is_closing()) == (b"", False)
    said = case.at(80.0)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"the request head was not complete within 10 s" in said


async def test_the_next_request_has_75_s_since_the_answer() -> None:
    case = Case()
    case.at(10.0)
    case.client.data_received(GET)
    assert case.client.deadline == float("inf")
    case.at(20.0)
    case.pair.upstream.data_received(OK)
    assert case.client.deadline == case.begin + 95
    assert (case.at(94.9), case.near.is_closing()) == (b"", False)
    case.at(95.0)
    assert case.near.is_closing()


async def test_content_may_be_silent_for_a_minute() -> None:
    case = Case()
    case.client.data_received(POST + chunk(16_000))
    case.at(1.0)
    case.client.data_received(chunk(1))
    assert case.at(60.9) == b""
    said = case.at(61.0)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"no byte of the request body came for 60 s" in said
    assert case.faults() == {"request-timeout": 1}


@pytest.mark.parametrize(("size", "is_slow"), [(14_400, False), (14_399, True)])
async def test_content_comes_at_240_bytes_a_second(size: int, is_slow: bool) -> None:
    """Over each minute."""
    case = Case()
    case.client.data_received(POST)
    case.at(30.0)
    case.client.data_received(chunk(20_000))
    assert case.at(60.0) == b""
    case.at(61.0)
    case.client.data_received(chunk(size - 1))
    case.at(119.0)
    case.client.data_received(chunk(1))
    said = case.at(120.0)
    assert bool(said) is is_slow
    if is_slow:
        assert b"14399 bytes of the request body came in 60 s, fewer than 240 a second" in said
    else:
        assert case.client.deadline == case.begin + 179


async def test_a_client_may_send_as_slowly_as_the_settings_say() -> None:
    case = Case(Clients(send_bytes_per_s=0))
    case.client.data_received(POST)
    for seconds in (59.0, 60.0, 118.0, 120.0, 177.0):
        case.at(seconds)
        case.client.data_received(chunk(1))
    assert case.at(179.0) == b""


async def test_a_client_that_is_being_answered_may_send_at_any_pace() -> None:
    case = Case()
    case.client.data_received(POST + chunk(20_000))
    case.pair.upstream.data_received(LONG)
    case.near.take()
    for seconds in (59.0, 60.0, 118.0, 120.0):
        case.at(seconds)
        case.client.data_received(chunk(1))
    assert (case.at(121.0), case.faults()) == (b"", {})
    case.at(180.0)
    assert case.faults() == {"request-timeout": 1}


@pytest.mark.parametrize(("taken", "is_slow"), [(18_000, False), (17_999, True)])
async def test_an_answer_is_taken_at_240_bytes_a_second(taken: int, is_slow: bool) -> None:
    """Over each 75 s in which some of it waits."""
    case = Case()
    case.client.data_received(GET)
    case.at(5.0)
    case.pair.upstream.data_received(LONG)
    case.near.buffered = 60_000
    case.client.pause_writing()
    assert case.client.deadline == case.begin + 80
    case.near.buffered -= 18_000
    case.at(80.0)
    assert case.client.deadline == case.begin + 155
    case.near.buffered -= taken
    case.at(155.0)
    assert case.near.is_aborted is is_slow
    assert case.faults() == ({"client-too-slow": 1} if is_slow else {})


async def test_a_client_that_has_sent_all_has_to_take_what_waits_for_it() -> None:
    """Where it is being answered while it sends: from then on its reading counts, not its sending."""
    for is_behind in (True, False):
        case = Case()
        case.client.data_received(POST + chunk(9))
        case.pair.upstream.data_received(LONG)
        if is_behind:
            case.near.buffered = 60_000
            case.client.pause_writing()
        case.at(7.0)
        case.client.data_received(b"0\r\n\r\n")
        assert case.client.deadline == (case.begin + 7 + 75 if is_behind else float("inf"))


async def test_a_client_that_takes_all_is_waited_for_no_longer() -> None:
    case = Case()
    case.client.data_received(GET)
    case.pair.upstream.data_received(LONG)
    case.near.buffered = 60_000
    case.client.pause_writing()
    case.client.resume_writing()
    assert case.client.deadline == float("inf")


# --- a listener that shuts


@pytest.mark.parametrize(("seconds", "is_closed"), [(0.0, False), (0.24, False), (0.25, True), (9.0, True)])
async def test_a_client_has_a_quarter_of_a_second_for_its_next_request(seconds: float, is_closed: bool) -> None:
    case = Case()
    case.client.data_received(GET)
    case.at(10.0)
    case.pair.upstream.data_received(OK)
    case.at(10.0 + seconds)
    case.client.shut()
    if not is_closed:
        assert case.client.deadline == case.begin + 10.25
        case.client.data_received(GET)
        assert case.client.open_exchanges == 1
    else:
        assert not case.client.is_expecting


async def test_a_client_that_has_sent_nothing_yet_has_a_second() -> None:
    case = Case()
    case.at(3.0)
    case.client.shut()
    assert case.client.deadline == case.begin + 4
    case.at(3.5)
    case.client.shut()
    assert case.client.deadline == case.begin + 4
    begun = Case()
    begun.client.data_received(GET[:5])
    begun.client.shut()
    assert begun.client.deadline == begun.begin + 10
    busy = Case()
    busy.client.data_received(GET)
    busy.client.shut()
    assert busy.client.deadline == float("inf")


async def test_the_write_buffer_is_that_of_the_settings() -> None:
    case = Case()
    assert case.near.get_write_buffer_limits() == (0, 65_536)


@pytest.mark.parametrize(
    ("direction", "version", "kept"),
    [("inbound", b"1.0", True), ("outbound", b"1.0", False), ("inbound", b"1.1", True), ("outbound", b"1.1", True)],
)
async def test_an_old_proxy_gets_no_connection_that_is_kept(direction: str, version: bytes, kept: bool) -> None:
    """RFC 9112, 9.3: one that passes on a keep-alive that it does not understand."""
    plane = Plane(rest={"direction": direction})
    (pair,) = plane.pairs(1)
    pair.client.data_received(b"GET / HTTP/" + version + b"\r\nHost: app\r\nConnection: keep-alive\r\n\r\n")
    pair.upstream.data_received(OK)
    plane.outbox.flush()
    said = pair.near.take()
    assert (b"Connection: close" in said, b"Via: 1.1 test" in said) == (not kept, direction == "outbound")
    assert (b"Connection: keep-alive" in said) is (kept and version == b"1.0")


async def test_behind_options_that_end_here_comes_the_next_request() -> None:
    case = Case()
    options = b"OPTIONS * HTTP/1.1\r\nHost: app\r\nMax-Forwards: 0\r\n\r\n"
    case.client.data_received(options + GET)
    await asyncio.sleep(0)  # the next head is read in a turn of its own
    case.plane.outbox.flush()
    assert case.near.take().startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert case.client.open_exchanges == 1
    assert case.pair.far.take().startswith(b"GET /a HTTP/1.1\r\n")
    other = Case()
    other.client.data_received(options)
    assert other.client.is_expecting
    assert other.client.deadline == other.begin + 75


@pytest.mark.parametrize(
    ("rest", "half_close", "is_closed"),
    [
        (GET, "serve", False),
        (GET, "abandon", True),
        (GET + GET, "abandon", True),
        (b"\r\n", "serve", True),
        (GET[:9], "serve", True),
    ],
)
async def test_a_client_that_ended_its_side_behind_several_requests(
    rest: bytes, half_close: str, is_closed: bool
) -> None:
    """What came before is read first. Then a setting says whether it still waits."""
    case = Case(Clients(half_close=cast(Any, half_close)))
    case.client.data_received(b"OPTIONS * HTTP/1.1\r\nHost: app\r\nMax-Forwards: 0\r\n\r\n" + rest)
    assert case.client.eof_received() is True
    for _ in range(4):
        await asyncio.sleep(0)
    assert case.near.is_closing() is is_closed
    if not is_closed:
        case.pair.upstream.data_received(OK)
        assert case.near.is_closing()
        case.plane.outbox.flush()
        assert case.near.take().endswith(b"ok")


async def test_an_upstreams_write_buffer_is_that_of_the_settings() -> None:
    for size, limits in ((4096, Limits(buffer_bytes=4096)), (65_536, Limits())):
        plane = Plane(rest={"limits": limits})
        (pair,) = plane.pairs(1)
        assert pair.near.get_write_buffer_limits() == (0, size)
        pair.client.data_received(GET)
        assert pair.far.get_write_buffer_limits() == (0, size)
