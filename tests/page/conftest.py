"""A browser for the tests of the console's page, and a console for it to look at.

Where Chromium is missing, every test here is skipped by name; with OPS_REQUIRE_BROWSER=1 it fails instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # browser, stand_in: nobody else has a use for them

from browser import CHROMIUM, Browser, launched, missing
from lab import npm
from stand_in import StandIn

NODE = Path(__file__).parent / "node"


def skip_or_fail(reason: str, variable: str) -> None:
    if os.environ.get(variable):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """One Chromium for all tests of a worker."""
    reason = missing(CHROMIUM)
    if reason:
        skip_or_fail(f"test of the console's page: {reason}", "OPS_REQUIRE_BROWSER")
    with launched(CHROMIUM) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """The window as a reader opens it for the first time. A test fails on whatever the page's console complains of."""
    window.resize(1280, 800)
    window.problems.clear()
    yield window
    window.run("location.protocol === 'http:' && localStorage.clear()")
    window.command("browsingContext.navigate", context=window.context, url="about:blank", wait="complete")
    problems, window.problems = window.problems, []
    assert problems == []


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A console with made-up answers."""
    console = StandIn()
    yield console
    console.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    reason = npm.reason_it_is_missing(NODE)
    if reason:
        skip_or_fail(f"test of the console's page: {reason}", "OPS_REQUIRE_NODE")
    return (NODE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
