"""The pytest plugin `ops_lib`: the fixture `ops_spans`. Every pytest run loads it, so it imports almost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import SpanCapture


@pytest.fixture
def ops_spans() -> Iterator[SpanCapture]:
    """The finished spans of this test, with ids and times that are the same in every run: see testing.SpanCapture."""
    from .testing import capture_spans

    with capture_spans() as captured:
        yield captured
