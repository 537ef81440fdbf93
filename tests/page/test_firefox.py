"""The page in Firefox: every view, the keyboard, dragging, the filter's vectors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import FIREFOX, Browser, launched, missing
from stand_in import StandIn
from test_filter import test_the_page_passes_the_vectors as passes_the_vectors
from test_trace import test_the_names_can_be_made_wider as names_can_be_made_wider
from test_views import routes


@pytest.fixture(scope="module")
def firefox() -> Iterator[Browser]:
    reason = missing(FIREFOX)
    if reason:
        pytest.skip(f"the console's page in Firefox: {reason}")
    with launched(FIREFOX) as browser:
        yield browser
        assert browser.problems == []


def test_every_view_opens(firefox: Browser, stand_in: StandIn) -> None:
    for width in (1280, 390):
        firefox.resize(width, 800)
        firefox.open(stand_in.url + "#/compare/gone..gone")
        firefox.wait("document.querySelector('.empty h2')")
        firefox.problems.clear()  # the 404
        for view, (route, filled) in routes(stand_in).items():
            firefox.go(route)
            firefox.wait(f"document.querySelector({filled!r})")
            assert firefox.run("document.scrollingElement.scrollWidth <= innerWidth"), (view, width)


def test_the_stream_the_keys_and_the_language(firefox: Browser, stand_in: StandIn) -> None:
    firefox.resize(1280, 800)
    firefox.open(stand_in.url + "#/live")
    firefox.wait("document.querySelectorAll('.win .lrow').length")
    stand_in.wait_for_streams()
    known = next(row for row in stand_in.data["requests"] if not row["probe"])
    stand_in.data["requests"].insert(0, known | {"id": "r_new", "target": "/new"})
    stand_in.send("row", stand_in.data["requests"][0])
    firefox.wait("document.querySelector('#row-r_new')")
    firefox.press("j", "Enter")
    firefox.wait("location.hash.startsWith('#/requests/') && document.querySelector('.request')")
    passes_the_vectors(firefox, stand_in)
    names_can_be_made_wider(firefox, stand_in)
