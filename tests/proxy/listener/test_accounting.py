"""What is counted of a request that is over, by status, fault and health; without sockets."""

from __future__ import annotations

import logging

import pytest
from lab.http2 import GET, Fields, rst
from lab.shared import SharedPlane

from proxy.http2.engine import codes
from proxy.plan import PoolPlan

CALL: Fields = [(b":method", b"POST"), *GET[1:], (b"content-type", b"application/grpc"), (b"te", b"trailers")]


@pytest.mark.parametrize(
    ("status", "place"), [(b"200", 2), (b"299", 2), (b"300", 3), (b"404", 4), (b"500", 5), (b"599", 5), (b"999", 5)]
)
async def test_an_answer_counts_by_the_class_of_its_status(status: bytes, place: int) -> None:
    """RFC 9110, 15: one above 599 counts as 5xx."""
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.answer(1, status)
    metrics = plane.metrics.exchange("inbound", "app")
    assert metrics.requests == [int(number == place) for number in range(6)]
    assert metrics.faults == {}


@pytest.mark.parametrize("scheme", [b"http", b"https"])
async def test_the_time_that_it_took_is_told_by_the_scheme_that_the_client_spoke(scheme: bytes) -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, [(name, scheme if name == b":scheme" else value) for name, value in GET])
    upstream.answer(1)
    ((*_, is_tls),) = plane.metrics.exchange("inbound", "app").durations.series
    assert is_tls is (scheme == b"https")


async def test_an_upstream_that_fails_is_told_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.answer(1)
    assert caplog.records == []
    client.ask(3, GET)
    upstream.get(upstream.peer.headers(3, [(b":status", b"200"), (b"connection", b"close")]))
    client.ask(5, GET)
    upstream.answer(5)
    client.ask(7, GET)
    upstream.answer(7)
    told = [(one.levelno, one.getMessage()) for one in caplog.records]
    assert told == [(logging.WARNING, "an upstream fails"), (logging.WARNING, "an upstream is back")]
    metrics = plane.metrics.exchange("inbound", "app")
    assert (metrics.requests, metrics.faults) == ([0, 0, 3, 0, 0, 1], {"bad-response": 1})


async def test_a_client_that_leaves_got_no_status() -> None:
    plane = SharedPlane()
    plane.upstream()
    client = plane.client()
    client.ask(1, GET)
    client.get(rst(1, codes.CANCEL))
    metrics = plane.metrics.exchange("inbound", "app")
    assert (metrics.requests, metrics.faults) == ([1, 0, 0, 0, 0, 0], {"client-gone": 1})
