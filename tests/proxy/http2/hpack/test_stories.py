"""What six other encoders send is read, and goes on as it came. `make conformance` reads all of the stories."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import stories

# Not part of the project: a folder of that name in a folder beside the checkout, if there is one (see the Makefile).
FOUND = sorted(Path(__file__).parents[4].glob("../*/conformance/" + str(stories.FILE)))


@pytest.mark.slow
@pytest.mark.skipif(not FOUND, reason="there is no conformance folder beside the checkout")
def test_stories() -> None:
    told = list(stories.read(FOUND[0]))
    assert len(told) >= 190
    assert [difference for story in told[::6] for difference in stories.differences(story)] == []
