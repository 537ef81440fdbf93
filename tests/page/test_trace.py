"""A trace: the waterfall, its keys and marks, a part of it, two of them, in and out as OTLP/JSON."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from browser import Browser
from stand_in import StandIn

NAMES = """[...document.querySelectorAll(".wrow")].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
    .map(row => row.querySelector(".wname .cut").innerText)"""


def many_spans(count: int) -> dict[str, Any]:
    """A trace of `count` spans in five services, four deep."""
    services = ["gateway", "shop", "orders", "billing", "books"]
    spans: list[dict[str, Any]] = []
    for n in range(count):
        parent = None if n == 0 else (n - 1) // 8
        start = 0.0 if parent is None else spans[parent]["start"] + (n - 1) % 8 * spans[parent]["ms"] / 9
        ms = 12_000.0 if parent is None else spans[parent]["ms"] / 9
        spans.append(
            {
                "id": f"{n + 1:016x}",
                "parent": None if parent is None else f"{parent + 1:016x}",
                "service": services[n % 5],
                "name": f"step {n}",
                "kind": "internal",
                "start": start,
                "ms": ms,
                "status": "error" if n == count - 1 else "ok",
            }
        )
    return {
        "id": "b16b00b5" * 4,
        "title": "Many",
        "root": {"service": "gateway", "name": "step 0"},
        "from": "cron",
        "start": 1.8e12,
        "ms": 12_000,
        "session": None,
        "errors": 1,
        "services": [{"name": name, "spans": count // 5} for name in services],
        "formats": [],
        "notes": [],
        "spans": spans,
    }


def opened(browser: Browser, console: StandIn, trace: dict[str, Any], more: str = "") -> None:
    browser.open(f"{console.url}#/traces/{trace['id']}{more}")
    browser.wait("document.querySelector('.wrow')")


def test_five_thousand_spans_stay_smooth(browser: Browser, stand_in: StandIn) -> None:
    trace = many_spans(5000)
    stand_in.data["traces"].insert(0, trace)
    opened(browser, stand_in, trace)
    rows = "document.querySelectorAll('.wrow').length"
    assert browser.run(rows) <= 60
    browser.run("document.querySelector('.wf').scrollTop = 1e6")
    browser.wait("[...document.querySelectorAll('.wrow')].some(r => r.ariaRowIndex === '5001')")
    assert browser.run(rows) <= 60
    browser.press("e")  # the one error is under four parents
    browser.wait("document.querySelector('.wrow[aria-selected=true].origin')")
    browser.write(".field.find input", "step 4321")
    browser.wait("document.querySelector('.field.find .count').innerText === '1'")
    browser.wait("document.querySelector('.wrow.found[aria-selected=true]')")
    assert "find=step" in browser.url()


def test_keys_fold_zoom_and_choose(browser: Browser, stand_in: StandIn) -> None:
    trace = stand_in.data["traces"][0]
    opened(browser, stand_in, trace)
    count = len(trace["spans"])
    browser.press("j", "j", "h")
    browser.wait(f"document.querySelectorAll('.wrow').length < {count}")
    browser.press("l")
    browser.wait(f"document.querySelectorAll('.wrow').length === {count}")
    browser.press("x")
    browser.wait(f"document.querySelectorAll('.wrow').length < {count}")
    browser.press("x", "+")
    browser.wait("!document.querySelector('.lens').hidden")
    browser.press("0")
    browser.wait("document.querySelector('.lens').hidden")
    browser.press("c")
    browser.wait("document.querySelector('.wf.no-crit')")
    browser.press("Escape")
    browser.wait("document.querySelector('.drawer').hidden")


def test_a_span_can_be_the_root_and_the_address_keeps_it(browser: Browser, stand_in: StandIn) -> None:
    trace = stand_in.data["traces"][0]
    part = trace["spans"][1]
    opened(browser, stand_in, trace, f"?span={part['id']}")
    whole = browser.run(NAMES)
    browser.wait("!document.querySelector('.drawer').hidden")
    browser.press("s")
    browser.wait("!document.querySelector('.root-note').hidden")
    assert browser.run(NAMES) == whole[1:]
    assert f"root={part['id']}" in browser.url()
    browser.open(browser.url())
    browser.wait("document.querySelector('.wrow')")
    assert browser.run(NAMES) == whole[1:]
    browser.click(".root-note .btn")
    browser.wait("document.querySelector('.root-note').hidden")
    assert browser.run(NAMES) == whole


def test_the_names_can_be_made_wider(browser: Browser, stand_in: StandIn) -> None:
    """By dragging, by keys; and the place is kept."""
    trace = stand_in.data["traces"][0]
    opened(browser, stand_in, trace)
    width = "document.querySelector('.wname').getBoundingClientRect().width"
    before = browser.run(width)
    browser.drag(".splitter", 120)
    dragged = browser.run(width)
    assert abs(dragged - before - 120) < 12
    browser.run("document.querySelector('.splitter').focus()")
    browser.press("ArrowLeft")
    assert browser.run(width) < dragged
    kept = browser.run("document.querySelector('.splitter').ariaValueNow")
    browser.open(browser.url())
    browser.wait("document.querySelector('.wrow')")
    assert browser.run("document.querySelector('.splitter').ariaValueNow") == kept


def test_logs_lie_on_their_span(browser: Browser, stand_in: StandIn) -> None:
    trace = stand_in.data["traces"][0]
    span = next(s for s in trace["spans"] if s.get("logs"))
    opened(browser, stand_in, trace, f"?span={span['id']}")
    browser.wait_text("stock is low", ".drawer")
    assert browser.run(f"document.querySelectorAll('#span-{CSS(span['id'])} .log').length") == 2


def CSS(span: str) -> str:
    """An id that begins with a digit, as CSS writes it."""
    return f"\\\\{ord(span[0]):x} {span[1:]}" if span[0].isdigit() else span


def test_a_span_that_never_came_is_told(browser: Browser, stand_in: StandIn) -> None:
    trace = next(t for t in stand_in.data["traces"] if any(s.get("missing") for s in t["spans"]))
    missing = next(s for s in trace["spans"] if s.get("missing"))
    opened(browser, stand_in, trace, f"?span={missing['id']}")
    browser.wait_text(missing["sentence"], ".drawer")
    assert browser.run("document.querySelectorAll('.wrow.missing').length") >= 1


def test_two_traces_side_by_side(browser: Browser, stand_in: StandIn) -> None:
    first, second = stand_in.data["traces"][:2]
    opened(browser, stand_in, first)
    browser.click("a[href^='#/traces?compare']")
    browser.wait_text("Choose the trace to compare")
    browser.click(f"a[href='#/compare/{first['id']}..{second['id']}']")
    browser.wait_text("kinds of span differ")
    everything = browser.run("document.querySelectorAll('.win .crow').length")
    browser.press("x")
    browser.wait(f"document.querySelectorAll('.win .crow').length < {everything}")
    assert "only=1" in browser.url()


def test_a_trace_that_is_gone_says_where_to_look(browser: Browser, stand_in: StandIn) -> None:
    browser.open(stand_in.url + "#/traces/" + "0" * 31 + "1")
    browser.wait_text("This trace is not here")
    browser.problems.clear()  # the 404


def test_spans_that_come_late_appear(browser: Browser, stand_in: StandIn) -> None:
    """The newest trace is opened before all of its spans have come. A reader who has begun to read is left alone."""
    trace = many_spans(6)
    late, trace["spans"] = trace["spans"][-2:], trace["spans"][:-2]
    trace["start"] = time.time() * 1000 - trace["ms"]
    stand_in.data["traces"].insert(0, trace)
    opened(browser, stand_in, trace)
    assert browser.run("document.querySelectorAll('.wrow').length") == 4
    trace["spans"] = [*trace["spans"], late[0]]
    browser.wait("document.querySelectorAll('.wrow').length === 5")
    browser.press("j", "Enter")
    browser.wait("document.querySelector('.wrow[aria-selected=true]')")
    trace["spans"] = [*trace["spans"], late[1]]
    asked = f"performance.getEntriesByType('resource').filter(e => e.name.includes('{trace['id']}')).length"
    browser.wait(f"{asked} > {browser.run(asked)} + 1")
    assert browser.run("document.querySelectorAll('.wrow').length") == 5


def test_a_deep_span_keeps_its_name_on_a_phone(browser: Browser, stand_in: StandIn) -> None:
    trace = many_spans(16)
    for parent, span in itertools.pairwise(trace["spans"]):
        span["parent"] = parent["id"]
    stand_in.data["traces"].insert(0, trace)
    browser.resize(390, 844)
    opened(browser, stand_in, trace)
    widths = browser.run(
        "[...document.querySelectorAll('.wrow .wname .cut')].map(c => c.getBoundingClientRect().width)"
    )
    assert len(widths) == 16
    assert min(widths) > 40


def test_trees_from_broken_traces(browser: Browser, stand_in: StandIn) -> None:
    """Circles, two roots, parents that are not there: each span is in exactly one row."""
    browser.open(stand_in.url + "#/explain")

    def rows(*spans: tuple[str, str | None]) -> list[tuple[str, int]]:
        made = [{"id": i, "parent": p, "start": n, "ms": 5, "status": "ok"} for n, (i, p) in enumerate(spans)]
        found = browser.run(
            f"""import('/js/tree.js').then(({{ tree, criticalPath }}) => {{
                const t = tree({json.dumps(made)});
                criticalPath(t.roots[0], t.kids);
                return t.rows.map(r => [r.span.id, r.depth]);
            }})"""
        )
        return [(name, depth) for name, depth in found]

    assert rows(("a", None), ("b", "a"), ("c", "b")) == [("a", 0), ("b", 1), ("c", 2)]
    assert rows(("a", None), ("b", None), ("c", "gone")) == [("a", 0), ("b", 0), ("c", 0)]
    assert sorted(rows(("a", "b"), ("b", "a"), ("c", "c"))) == [("a", 0), ("b", 1), ("c", 0)]
