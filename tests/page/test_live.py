"""Live: the stream, its breaks, many rows, the reader's place, the keyboard."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from browser import Browser
from stand_in import StandIn

ROWS = "document.querySelectorAll('.win .lrow').length"
FIRST = "document.querySelector('.win .lrow[aria-rowindex=\"2\"] .path').innerText"


def row(console: StandIn, number: int, **changes: Any) -> dict[str, Any]:
    known = next(r for r in console.data["requests"] if not r["probe"])
    return known | {"id": f"r_new{number}", "at": time.time() * 1000, "target": f"/new/{number}"} | changes


def opened(browser: Browser, console: StandIn, route: str = "#/live") -> None:
    browser.open(console.url + route)
    browser.wait(ROWS)
    console.wait_for_streams()


def test_a_new_request_comes_in_at_the_top(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    stand_in.send("row", row(stand_in, 1))
    browser.wait(f"{FIRST} === '/new/1'")


def test_a_report_takes_the_place_of_the_row_that_a_span_made(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    stand_in.send("row", row(stand_in, 1), row(stand_in, 2), row(stand_in, 1, target="/new/1?told"))
    browser.wait("document.querySelector('#row-r_new1 .path').innerText === '/new/1?told'")
    assert browser.run("document.querySelectorAll('#row-r_new1').length") == 1
    assert browser.run(FIRST) == "/new/2"


def test_new_rows_wait_while_one_is_selected(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    before = browser.run(FIRST)
    browser.press("j")
    stand_in.send("row", row(stand_in, 1), row(stand_in, 2))
    browser.wait("document.querySelector('.pill').innerText === '2 new'")
    assert browser.run(FIRST) == before
    browser.press("Escape", ".")
    browser.wait(f"{FIRST} === '/new/2'")


def test_the_filter_holds_for_what_comes(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    browser.write(".filter input", "path:/new/ status:5xx")
    browser.wait("document.querySelector('.empty h2')?.innerText === 'Nothing matches'")
    stand_in.send("row", row(stand_in, 1, status=200), row(stand_in, 2, status=503))
    browser.wait(f"{FIRST} === '/new/2'")
    assert browser.run(ROWS) == 1
    assert "q=path" in browser.url()


def test_a_mistake_in_the_filter_is_told(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    browser.write(".filter input", "colour:red")
    browser.wait("document.querySelector('.wrong').innerText.includes('There is no key “colour”')")


def test_a_stream_that_breaks_is_shown_and_mends_itself(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    stand_in.stop()
    browser.wait("document.querySelector('.state').innerText === 'connection lost, trying again'")
    missed = [row(stand_in, n) for n in range(3)]
    stand_in.data["requests"][:0] = reversed(missed)
    stand_in.start()
    browser.wait("document.querySelector('.state').innerText === 'watching'")
    browser.wait(f"{FIRST} === '/new/2'")  # what passed meanwhile is there
    stand_in.wait_for_streams()
    stand_in.send("row", row(stand_in, 9))
    browser.wait(f"{FIRST} === '/new/9'")
    browser.problems.clear()  # the refused connections themselves


def test_a_console_that_is_away_is_told_and_taken_up_again(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    stand_in.stop()
    browser.go("#/doctor")
    browser.wait("!document.querySelector('#away').hidden")
    browser.wait_text("The console does not answer")
    stand_in.start()
    browser.click(".empty .btn")
    browser.wait("document.querySelector('.finding')")
    assert browser.run("document.querySelector('#away').hidden")
    browser.problems.clear()


def test_ten_thousand_rows_stay_smooth(browser: Browser, stand_in: StandIn) -> None:
    """Rows in the page are bounded, and pages come as the reader scrolls."""
    stand_in.data["requests"] = [row(stand_in, n) for n in range(10_000, 0, -1)]
    opened(browser, stand_in)
    assert browser.text(".filter .count") == "10,000"
    counts = browser.run(
        """(async () => {
            const grid = document.querySelector('.live-grid'), counts = [];
            for (let i = 0; i < 400 && !document.querySelector('#row-r_new1'); i++) {
                grid.scrollTop = grid.scrollHeight;
                await new Promise(requestAnimationFrame);
                counts.push(document.querySelectorAll('.win .lrow').length);
            }
            return counts;
        })()"""
    )
    browser.wait("document.querySelector('#row-r_new1')")
    assert max(counts) <= 60
    asked = [query for query in stand_in.asked if query.startswith("/api/v1/requests?")]
    assert len(asked) == 10_000 / 200
    stand_in.send("row", *[row(stand_in, 20_000 + n) for n in range(500)])  # a flood finds the reader far below
    browser.wait("document.querySelector('.pill').innerText === '500 new'")
    assert browser.run(ROWS) <= 60


def test_headers_of_strangers_are_text(browser: Browser, stand_in: StandIn) -> None:
    evil = "<img src=x onerror=alert(1)>"
    opened(browser, stand_in)
    stand_in.send("row", row(stand_in, 1, target=evil, **{"from": evil, "to": evil, "notes": [evil], "session": evil}))
    browser.wait(f"{FIRST} === {json.dumps(evil)}")
    assert browser.run("document.querySelectorAll('#main img').length") == 0


def test_the_keyboard_reaches_everything(browser: Browser, stand_in: StandIn) -> None:
    opened(browser, stand_in)
    browser.press("j", "j", " ")
    browser.wait("document.querySelector('.peek .grp, .peek .verdict')")
    assert "peek=" in browser.url()
    browser.press("Enter")
    browser.wait("location.hash.startsWith('#/requests/') && document.querySelector('.request')")
    before = browser.url()
    browser.press("j")
    browser.wait(f"location.href !== {json.dumps(before)} && document.querySelector('.request')")
    for key, view in (("t", "traces"), ("s", "sessions"), ("d", "doctor"), ("m", "migration"), (",", "settings")):
        browser.press("g", key)
        browser.wait(f"document.title.startsWith('{view.title()}') && document.activeElement.tagName === 'H1'")
        assert browser.run("location.hash") == f"#/{view}"
    browser.press("?")
    browser.wait("document.querySelector('#help').open")
    browser.press("Escape")
    browser.wait("!document.querySelector('#help').open")


def test_a_view_that_was_left_draws_no_more(browser: Browser, stand_in: StandIn) -> None:
    """Its answer may come when another view is shown; and links within a view keep the address alive."""
    first = stand_in.data["traces"][0]
    opened(browser, stand_in)
    stand_in.slow[f"traces/{first['id']}"] = threading.Event()
    browser.go(f"#/traces/{first['id']}")
    browser.go("#/doctor")
    browser.wait("document.querySelector('.finding')")
    stand_in.slow[f"traces/{first['id']}"].set()
    browser.wait("performance.getEntriesByType('resource').some(e => e.name.includes('/traces/') && e.responseEnd)")
    assert browser.run("document.querySelector('h1').innerText") == "Doctor"
    browser.go("#/doctor?service=orders")
    browser.wait("document.querySelector('.checks tr.on')")
    browser.click(".checks tr:not(.on) button")
    browser.wait("!location.hash.includes('orders') && location.hash.includes('service=')")


def test_a_search_that_stops_for_its_time_goes_on(browser: Browser, stand_in: StandIn) -> None:
    """By itself for a while, then when the reader says so."""
    stand_in.cuts = 3
    opened(browser, stand_in)
    stand_in.cuts = 30
    browser.go("#/traces")
    browser.wait_text("Nothing so far")
    browser.wait("document.querySelector('.empty .btn')?.innerText === 'Search on'")
    while stand_in.cuts > 30 - 21:
        browser.run("new Promise(requestAnimationFrame)")
    browser.click(".empty .btn")
    browser.wait("document.querySelector('.trow')")


def test_a_report_that_comes_late_appears(browser: Browser, stand_in: StandIn) -> None:
    """A request of which only its span has come is looked for again; one that is old is not."""
    new, old = row(stand_in, 1), row(stand_in, 2, at=time.time() * 1000 - 60_000)
    stand_in.data["requests"][:0] = [new, old]
    details = next(iter(stand_in.data["details"].values()))
    for number in (1, 2):
        browser.open(f"{stand_in.url}#/requests/r_new{number}")
        browser.wait("document.querySelector('.request .verdict')")
        assert browser.run("document.querySelector('.request .grp')") is None
        stand_in.data["details"][f"r_new{number}"] = details | {"headers": True}
        if number == 1:
            browser.wait("document.querySelector('.request .grp')")
    browser.run("new Promise(done => setTimeout(() => done(1), 1500))")  # longer than between two looks
    asked = "performance.getEntriesByType('resource').filter(e => e.name.includes('r_new2')).length"
    assert browser.run(asked) == 1
