"""`make doctor` in small: one framework, all faults."""

from __future__ import annotations

import pytest
from gates.doctor import FAULTS, examine


@pytest.mark.slow
async def test_each_fault_is_named_alone_and_clean_calls_raise_no_alarm() -> None:
    wrong, sentences = await examine("aiohttp", faults=tuple(FAULTS), requests=8, clean=60)
    assert wrong == []
    assert "aiohttp-drops drops the context on every call." in sentences
