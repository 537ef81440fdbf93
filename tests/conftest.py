"""What counts as slow: `make test-quick` leaves it out, `make test` runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Other languages, real servers, whole demos, random load: what a change to one module rarely breaks alone.
SLOW = (
    "bench",
    "compiled",
    "cross_language",
    "examples",
    "fuzz",
    "interop",
    "proxy/demo/test_command.py",
    "test_readme.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = [HERE / place for place in SLOW]
    for item in items:
        if any(item.path.is_relative_to(place) for place in slow):
            item.add_marker(pytest.mark.slow)
