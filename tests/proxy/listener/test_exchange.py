"""An exchange pairs any two protocols: here HTTP/1.1 with one that exists in this file alone.

How it behaves between two HTTP/1.1 connections is in `http1/test_exchange` and `http1/test_states`.
"""

from __future__ import annotations

from typing import cast

import pytest
from lab.others import OtherAsker, OtherRequest, OtherResponse, other_plane
from lab.pairs import Pair, Plane

from proxy.listener import sides
from proxy.listener.dispatch import open_exchange
from proxy.listener.exchange import Exchange
from proxy.listener.sides import HEARD, PERHAPS, UNHEARD
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.deadlines import NEVER

pytestmark = pytest.mark.skipif(
    not cast(str, sides.__file__).endswith(".py"), reason="compiled classes have no subclass in Python"
)

OK = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"


async def test_another_protocols_request_leaves_in_http1() -> None:
    plane = Plane()
    pair, asker = Pair(plane), OtherAsker()
    exchange = open_exchange(plane.listener, asker, OtherRequest(b"POST", None))
    exchange.begin(b"12", False, [])
    exchange.send_content(b"3", True, [b"x-c: 3"])
    head, content = pair.far.take().split(b"\r\n\r\n", 1)
    assert head.split(b"\r\n") == [
        b"POST /a?b HTTP/1.1",
        b"Host: app",
        b"x-a: 1",
        b"traceparent: 00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01",
        b"Via: 2.0 test",
        b"X-Forwarded-For: 10.0.0.1",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: app",
        b"Transfer-Encoding: chunked",
    ]
    assert content == b"2\r\n12\r\n1\r\n3\r\n0\r\nx-c: 3\r\n\r\n"
    pair.upstream.data_received(OK)
    assert asker.told == [(200, [(b"Date", b"now")], b"ok", True), "over"]
    plane.listener.record(exchange, asker.address, None)
    counted = plane.metrics.exchange("inbound", "app")
    assert (counted.requests[2], counted.bytes_in, counted.bytes_out) == (1, 3, 2)


async def test_another_protocols_response_arrives_in_http1() -> None:
    _, pool, pair = other_plane()
    pair.client.data_received(b"GET / HTTP/1.1\r\nHost: app\r\nX-A: 1\r\n\r\n")
    (answerer,) = pool.answerers
    assert answerer.told == [(b"GET", [(b"X-A", b"1")], b"", True, [])]
    answerer.receiver.on_interim(OtherResponse(103, None))
    assert pair.near.take() == b"HTTP/1.1 103 \r\nx-b: 2\r\n\r\n"
    answerer.receiver.on_response(OtherResponse(200, None), b"ok", False, [])
    head, content = pair.near.take().split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 \r\nx-b: 2\r\nDate: ")
    assert head.endswith(b"\r\nTransfer-Encoding: chunked")
    assert content == b"2\r\nok\r\n"
    pair.client.pause_writing()
    pair.client.resume_writing()
    answerer.receiver.on_response_content(b"", True, [b"x-c: 3"])
    assert pair.near.take() == b"0\r\nx-c: 3\r\n\r\n"
    assert answerer.told[1:] == ["pause", "resume", "end"]
    assert "waiting" in repr(pair.client)


@pytest.mark.parametrize(
    ("method", "heard", "is_retried"),
    [
        (b"POST", UNHEARD, True),  # RFC 9113, 8.7: by the upstream's own word
        (b"POST", PERHAPS, False),
        (b"PUT", PERHAPS, True),
        (b"PUT", HEARD, False),
    ],
)
async def test_what_the_upstream_has_heard_decides_on_a_retry(method: bytes, heard: int, is_retried: bool) -> None:
    """With all of its content, once."""
    _, pool, pair = other_plane()
    pair.client.data_received(method + b" / HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\nab")
    lost = Refusal(Fault.CONNECTION_LOST, "gone")
    pool.answerers[0].receiver.on_upstream_failed(lost, heard)
    if is_retried:
        assert pool.answerers[1].told == pool.answerers[0].told == [(method, [], b"ab", True, [])]
        pool.answerers[1].receiver.on_upstream_failed(lost, heard)
    assert pool.retries == is_retried == len(pool.answerers) - 1
    assert pair.near.take().startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(("size", "retries"), [(64 * 1024, 1), (64 * 1024 + 1, 0)])
async def test_content_is_remembered_for_a_retry_up_to_64_kib(size: int, retries: int) -> None:
    _, pool, pair = other_plane()
    pair.client.data_received(b"PUT / HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    pool.answerers[0].receiver.on_upstream_failed(Refusal(Fault.CONNECTION_LOST, "gone"), PERHAPS)
    assert pool.retries == retries


async def test_an_upstream_that_takes_no_more_of_a_request_has_the_time_of_a_response() -> None:
    """Once it takes more, the client has its time again, until the request is whole or the response has begun."""
    plane, pool, pair = other_plane()
    pair.client.data_received(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100002\r\n\r\nab")
    (answerer,) = pool.answerers
    wait_s = answerer.receiver.terms.timeouts.response_head_s
    answerer.receiver.on_upstream_full(True)
    assert (answerer.deadline, answerer.timeout) == (plane.ticker.now + wait_s, Fault.RESPONSE_TIMEOUT)
    assert not pair.near.is_reading()
    answerer.receiver.on_upstream_full(False)
    assert answerer.deadline == NEVER
    assert pair.near.is_reading()
    pair.client.data_received(bytes(100000))
    waits_until = answerer.deadline
    assert waits_until == plane.ticker.now + wait_s
    answerer.receiver.on_upstream_full(False)
    assert answerer.deadline == waits_until


async def test_while_it_answers_as_well() -> None:
    """Its silence is that of a response, and the time for it stays."""
    plane, pool, pair = other_plane()
    pair.client.data_received(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100002\r\n\r\nab")
    (answerer,) = pool.answerers
    answerer.receiver.on_response(OtherResponse(200, None), b"ok", False, [])
    answerer.timeout = Fault.BODY_TIMEOUT
    answerer.receiver.on_upstream_full(True)
    assert answerer.timeout == Fault.RESPONSE_TIMEOUT
    answerer.receiver.on_upstream_full(False)
    assert answerer.deadline == plane.ticker.now + answerer.receiver.terms.timeouts.response_head_s
    answerer.receiver.on_response_content(b"", True, [])
    answerer.receiver.on_upstream_full(True)  # when the exchange is over, nobody waits for it


async def test_what_it_says_of_itself() -> None:
    _, pool, pair = other_plane()
    pair.client.data_received(b"PUT /a?b HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\nab")
    receiver = pool.answerers[0].receiver
    assert repr(receiver) == "<Exchange PUT /a?b asking, status 0, 2 bytes in, 0 out>"
    receiver.on_response(OtherResponse(200, None), b"okay", False, [])
    assert repr(receiver) == "<Exchange PUT /a?b answering, status 200, 2 bytes in, 4 out>"
    receiver.on_response_content(b"", True, [])
    assert repr(receiver) == "<Exchange PUT /a?b over, status 200, 2 bytes in, 4 out>"


async def test_a_request_that_waited_too_long_leaves_the_queue() -> None:
    """Once: what comes later in the same tick finds it gone."""
    _, pool, pair = other_plane()
    pool.is_full = True
    pair.client.data_received(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    (receiver,) = pool.waiting
    for _ in range(2):
        cast(Exchange, receiver).on_deadline()
        assert (pool.waiting, pool.timeouts) == ([], 1)
    assert pair.near.take().startswith(b"HTTP/1.1 503 ")


async def test_it_knows_whether_more_of_the_response_has_come() -> None:
    _, pool, pair = other_plane()
    pair.client.data_received(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    (answerer,) = pool.answerers
    exchange = cast(Exchange, answerer.receiver)
    exchange.on_response(OtherResponse(200, None), b"ok", False, [])
    assert not exchange.is_arriving()
    answerer.is_behind = True
    assert exchange.is_arriving()
    exchange.on_response_content(b"", True, [])
    assert not exchange.is_arriving()
