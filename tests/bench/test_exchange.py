"""The benchmark without sockets drives the real data plane."""

from __future__ import annotations

import pytest

from bench.exchange import measure


@pytest.mark.parametrize("traced", [True, False])
async def test_an_exchange_passes_and_is_timed(traced: bool) -> None:
    """`measure` itself refuses figures of anything but a translated (or untouched) request and its answer."""
    request_us, response_us = measure(traced=traced, runs=2)
    assert 0 < request_us < 10_000
    assert 0 < response_us < 10_000
