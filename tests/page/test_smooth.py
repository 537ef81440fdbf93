"""Frame times in Chromium: 10,000 rows in Live and 5,000 spans in a trace scroll, and rows come in, without a stutter.

A frame is the time between two calls of requestAnimationFrame: with all that the page, style and layout take.
The best of a few tries counts, and of each its median: other work on the machine makes frames longer, and nothing makes
them shorter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from browser import Browser
from stand_in import StandIn
from test_live import ROWS, row
from test_live import opened as open_live
from test_trace import many_spans
from test_trace import opened as open_trace

MOST_MS = 34.0  # of every second frame: at 60 a second, one of two may be dropped
MOST_OF_A_PAGE_MS = 67.0  # where each frame shows nothing of the one before
TRIES = 8
FRAMES = """new Promise(done => {
    const scroller = document.querySelector(%r), frames = [];
    let last = 0, left = 90;
    scroller.scrollTop = 0;
    const step = now => {
        if (last) frames.push(now - last);
        last = now;
        scroller.scrollTop += %d;
        if (left--) requestAnimationFrame(step);
        else done([scroller.scrollTop, ...frames.sort((a, b) => a - b)]);
    };
    requestAnimationFrame(step);
})"""


def check(
    browser: Browser, scroller: str, pixels: int, during: Callable[[], None] = lambda: None, most_ms: float = MOST_MS
) -> None:
    """Scroll by so many pixels a frame, and measure; `during`: what happens meanwhile."""
    found = []
    for _ in range(TRIES):
        thread = threading.Thread(target=during)
        thread.start()
        moved, *frames = browser.run(FRAMES % (scroller, pixels))
        thread.join()
        assert moved >= min(90 * pixels, 1) * 0.9
        found.append(round(frames[len(frames) // 2], 1))
        if found[-1] <= most_ms:
            return
    raise AssertionError(f"half of the frames took at most {found} ms, asked is {most_ms:.0f}")


def ten_thousand(browser: Browser, console: StandIn) -> None:
    """All of them in Live."""
    console.data["requests"] = [row(console, n) for n in range(10_000, 0, -1)]
    open_live(browser, console)
    browser.run(
        """(async () => {
            const grid = document.querySelector('.live-grid');
            for (let i = 0; i < 2000 && grid.scrollHeight < 320000; i++) {
                grid.scrollTop = grid.scrollHeight;
                await new Promise(requestAnimationFrame);
            }
        })()"""
    )
    assert browser.run("document.querySelector('.live-grid').scrollHeight") >= 320_000


def test_ten_thousand_requests_scroll_smoothly(browser: Browser, stand_in: StandIn) -> None:
    ten_thousand(browser, stand_in)
    check(browser, ".live-grid", 64)
    check(browser, ".live-grid", 640, most_ms=MOST_OF_A_PAGE_MS)
    assert browser.run(ROWS) <= 60


def test_new_requests_come_in_smoothly_above_ten_thousand(browser: Browser, stand_in: StandIn) -> None:
    """200 a second, at the top, where each one moves all others."""
    ten_thousand(browser, stand_in)
    numbers = iter(range(20_000, 10**6))

    def come() -> None:
        for _ in range(30):
            stand_in.send("row", *[row(stand_in, next(numbers)) for _ in range(10)])
            pause.wait(0.05)

    pause = threading.Event()
    check(browser, ".live-grid", 0, come)
    browser.wait("document.querySelector('.live-grid .path').innerText.startsWith('/new/2')")


def test_five_thousand_spans_scroll_smoothly(browser: Browser, stand_in: StandIn) -> None:
    trace = many_spans(5000)
    stand_in.data["traces"].insert(0, trace)
    open_trace(browser, stand_in, trace)
    check(browser, ".wf", 56)
    check(browser, ".wf", 560, most_ms=MOST_OF_A_PAGE_MS)
