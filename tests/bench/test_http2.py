"""The benchmark of header blocks measures something."""

from __future__ import annotations

from bench.http2 import measure


def test_it_measures() -> None:
    cost = measure(1)
    assert cost.decode_us > 0
    assert cost.encode_us > 0
