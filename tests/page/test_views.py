"""Every view: opens by its address, keeps nobody out (axe-core: WCAG 2.2 AA), does not shift, fits 390 px."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser import Browser
from stand_in import StandIn

MODES = {"light": 1440, "dark": 1440, "narrow": 390}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WATCH_SHIFTS = """window.shifted = [], new PerformanceObserver(list => {
    for (const { hadRecentInput, value, sources } of list.getEntries()) if (!hadRecentInput && value > .0005)
        window.shifted.push(`${value}: ${sources.map(s => `${s.node?.nodeName}.${s.node?.className}`).join()}`);
}).observe({ type: 'layout-shift', buffered: true })"""
AXE = """axe.run(document, { runOnly: %s, resultTypes: ['violations'] }).then(result => result.violations.map(
    v => `${v.id}: ${v.nodes.length} × ${v.nodes[0].html.slice(0, 150)}: ${v.nodes[0].failureSummary}`))"""


def routes(console: StandIn) -> dict[str, tuple[str, str]]:
    """View -> its address, and what is there once it is filled."""
    requests, traces = console.data["requests"], console.data["traces"]
    odd = next(row["id"] for row in requests if "conflict" in row["notes"])
    first, second = traces[0], traces[1]
    trace = f"#/traces/{first['id']}"
    return {
        "live": ("#/live", ".win .lrow"),
        "peek": (f"#/live?peek={odd}", ".peek .grp"),
        "request": (f"#/requests/{odd}", ".grp"),
        "traces": ("#/traces", ".trow"),
        "trace": (trace, ".wrow"),
        "span": (f"{trace}?span={first['spans'][2]['id']}", ".drawer header"),
        "subtree": (f"{trace}?root={first['spans'][1]['id']}", ".root-note .btn"),
        "compare": (f"#/compare/{first['id']}..{second['id']}", ".win .crow"),
        "doctor": ("#/doctor", ".finding"),
        "migration": ("#/migration", ".matrix td"),
        "explain": ("#/explain", ".says td"),
        "sessions": ("#/sessions", ".srow"),
        "session": (f"#/sessions/{console.data['sessions'][0]['id']}", ".story li"),
        "settings": ("#/settings", ".settings td"),
    }


def test_migration_shows_what_a_shadow_would_change(browser: Browser, stand_in: StandIn) -> None:
    browser.open(stand_in.url + "#/migration")
    browser.wait("document.querySelector('.trial')")
    cards = browser.run("[...document.querySelectorAll('.trial')].map(x => x.querySelector('h3').innerText)")
    assert cards == [one["sentence"] for one in stand_in.data["migration"]["shadow"]]
    example = "document.querySelector('.trial details')"
    assert browser.run(f"{example}.querySelector('dl').checkVisibility()") is False
    browser.click(".trial summary")
    assert browser.run(f"{example}.querySelector('dl').checkVisibility()") is True
    assert "traceparent" in browser.run(f"{example}.innerText")


def test_a_first_run_and_the_token_keep_nobody_out(browser: Browser, stand_in: StandIn, axe: str) -> None:
    """The same rules where there is nothing to see yet, and before one may see it."""
    stand_in.empty()
    browser.open(stand_in.url + "#/explain")
    browser.load_script(axe)
    found: dict[str, Any] = {}
    for view in ("live", "traces", "sessions", "doctor", "migration", "settings"):
        browser.go(f"#/{view}")
        browser.wait(f"document.querySelector('#main').dataset.view === '{view}' && document.querySelector('.first')")
        found[view] = browser.run(AXE % RULES)
    stand_in.token = "not-yet-known"  # cookies know no ports: not that of another test
    browser.go("#/explain")
    browser.wait("document.querySelector('#token')")
    found["token"] = browser.run(AXE % RULES)
    browser.problems.clear()  # the 401s
    assert not any(found.values()), json.dumps(found, indent=1)


@pytest.mark.parametrize("mode", MODES)
def test_every_view_keeps_nobody_out(browser: Browser, stand_in: StandIn, axe: str, mode: str) -> None:
    """No violation of WCAG 2.0 to 2.2, A and AA, or of axe's best practices; nothing moves while a view fills; nothing
    is wider than the window. In the dark only colours are new."""
    browser.resize(MODES[mode], 844 if mode == "narrow" else 900)
    browser.open(stand_in.url + "#/doctor")
    if mode == "dark":
        browser.click("#nav .who button")
    browser.load_script(axe)
    browser.run(WATCH_SHIFTS)
    rules = ["color-contrast"] if mode == "dark" else RULES
    found: dict[str, Any] = {}
    for view, (route, filled) in routes(stand_in).items():
        browser.go("#/compare/gone..gone")  # so that each view is mounted, not only updated
        browser.wait("document.querySelector('.empty h2')")
        browser.go(route)
        browser.wait(f"document.querySelector({filled!r})")
        violations = browser.run(AXE % rules)
        shifted, wide = browser.run("[window.shifted, document.scrollingElement.scrollWidth - innerWidth]")
        browser.run("window.shifted = []")
        if violations or shifted or wide > 0:
            found[view] = (violations, shifted, wide)
    assert not found, json.dumps(found, indent=1)
