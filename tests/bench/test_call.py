"""The benchmark of calls without sockets drives the real data plane."""

from __future__ import annotations

import pytest

from bench.call import measure


@pytest.mark.parametrize("streams", [1, 10])
async def test_a_call_passes_and_is_timed(streams: int) -> None:
    """`measure` itself refuses figures where a call was not answered."""
    request_us, response_us = measure(streams=streams, runs=2)
    assert 0 < request_us < 10_000
    assert 0 < response_us < 10_000
