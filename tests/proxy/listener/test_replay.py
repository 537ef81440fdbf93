"""A request that its upstream has not seen goes to another connection, as long as all of it is still there."""

from __future__ import annotations

import pytest
from lab.http2 import GET, POST, data, goaway, settings
from lab.http2 import SETTINGS_ACK as ACK
from lab.shared import SharedPlane

from proxy.http2.engine import codes


@pytest.mark.parametrize(("size", "again"), [(0, True), (1, True), (65_536, True), (65_537, False)])
async def test_64_kib_of_content_are_kept_for_another_connection(size: int, again: bool) -> None:
    plane = SharedPlane()
    hello = settings((4, 1 << 20)) + ACK
    first, client = plane.upstream(hello=hello), plane.client()
    client.ask(1, POST, end=False)
    for at in range(0, size, 16_384):
        client.get(data(1, bytes(min(16_384, size - at))))
    first.frames()
    second = plane.upstream(hello=hello)
    first.get(goaway(0))
    asked = second.frames()
    if again:
        assert asked[0].kind == codes.HEADERS
        assert sum(len(one.payload) for one in asked if one.kind == codes.DATA) == min(size, 65_535)
        assert client.frames() == []
    else:
        assert asked == []
        assert client.answer([one for one in client.frames() if one.kind == codes.HEADERS])[b":status"] == b"502"


async def test_a_request_is_tried_again_once() -> None:
    plane = SharedPlane()
    first, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    first.frames()
    second = plane.upstream()
    first.get(goaway(0))
    assert second.frames()[0].kind == codes.HEADERS
    third = plane.upstream()
    second.get(goaway(0))
    assert third.frames() == []
    assert client.answer(client.frames())[b":status"] == b"502"
    assert plane.metrics.upstream("app").retries == 1
