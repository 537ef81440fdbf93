"""How a client's connection ends, by a clock that the test sets."""

from __future__ import annotations

from lab.pairs import Plane


async def test_the_lingering_close_follows_a_client_that_still_sends() -> None:
    """3 s of silence end it, and 30 s in all, whatever comes."""
    plane = Plane()
    [pair] = plane.pairs(1)
    clock = plane.ticker
    begin = clock.now
    pair.client.data_received(b"nonsense\r\n\r\n")
    assert pair.client.deadline == begin + 3
    for second in range(2, 28, 2):
        clock.now = begin + second
        pair.client.data_received(b"more of the body")
        assert pair.client.deadline == begin + second + 3
    for second in (28, 29, 30):
        clock.now = begin + second
        pair.client.data_received(b"more of the body")
        assert pair.client.deadline == begin + 30
