"""The page through the product's own server, with real traffic: real sidecars, real apps, a real Chromium."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import Browser
from fleet import ConsoleProcess, Fleet, running_fleet

PAGE = Path(__file__).parents[2] / "proxy" / "console" / "page"
TRACE = "80f198ee56343ba864fe8b2a57d3eff7"
B3 = f"{TRACE}-e457b5a2e4d86bd1-1"
SESSION = "sess-ann-7f3k"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """A console and two services with sidecars; one trace has passed, of a session, and one that failed."""
    with running_fleet() as fleet:
        assert fleet.ask("/checkout", b3=B3, X_Mirascope_Session_Id=SESSION) == 200
        assert fleet.ask("/fail") == 502
        yield fleet


def test_a_request_appears_as_it_passes(browser: Browser, fleet: Fleet) -> None:
    browser.open(fleet.console.url + "/#/live")
    browser.wait("document.querySelector('.state').innerText === 'watching'")
    path = f"/checkout/{time.monotonic_ns()}"
    fleet.ask(path, traceparent=f"00-{'4bf92f3577b34da6a3ce929d0e0e4736'}-00f067aa0ba902b7-01")
    row = f"[...document.querySelectorAll('.win .lrow')].find(r => r.innerText.includes({json.dumps(path)}))"
    browser.wait(row)
    assert "W3C" in browser.run(f"{row}.innerText")


def test_a_request_and_its_hops(browser: Browser, fleet: Fleet) -> None:
    browser.open(f"{fleet.console.url}/#/live?q=path:/checkout+trace:{TRACE}")
    browser.wait("document.querySelector('.win .lrow')")
    browser.press("j", "Enter")
    browser.wait("document.querySelectorAll('.way .leg').length >= 2")
    assert "shop" in browser.text(".way")
    assert browser.text("p.verdict")


def test_headers_in_and_out_each_with_its_reason(browser: Browser, fleet: Fleet) -> None:
    """As the sidecar reported them; the span alone says less."""
    browser.open(f"{fleet.console.url}/#/live?q=to:shop+trace:{TRACE}")
    browser.wait("document.querySelector('.win .lrow')")
    browser.press("j", "Enter")
    browser.wait("document.querySelector('.grp[data-verdict=rewritten] .reason')")
    assert TRACE in browser.text(".grp .side.in")
    assert "traceparent" in browser.text(".grp .side.out")
    browser.click("[data-f=span]")
    assert browser.run("document.querySelector('.diff').dataset.only") == "span"
    browser.click(".bar a[href^='#/explain?']")
    browser.wait("document.querySelector('.says .wins')")
    assert browser.text(".says .wins th") == "B3"


def test_explain_tells_what_each_upstream_would_get(browser: Browser, fleet: Fleet) -> None:
    """The plans come from the sidecars' reports."""
    browser.open(fleet.console.url + "/#/explain?h=" + f"b3:%20{B3}")
    browser.wait("document.querySelectorAll('.outs article').length >= 3")
    app = "[...document.querySelectorAll('.outs article')].find(a => a.innerText.startsWith('app (orders)')).innerText"
    assert "X-B3-TraceId" in browser.run(app)


def test_the_doctor_names_who_tells_two_stories(browser: Browser, fleet: Fleet) -> None:
    for _ in range(3):
        fleet.ask("/checkout", b3=B3, traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    fleet.until("doctor", lambda said: said["findings"])
    browser.open(fleet.console.url + "/#/doctor")
    browser.wait("document.querySelector('.finding .proof')")
    assert "two different traces" in browser.text(".finding h2")
    assert browser.text("p.lead")
    browser.click(".finding .proof")
    browser.wait("document.querySelector('.request .grp')")
    assert "conflict" in browser.text(".facts.big")


def test_migration_counts_who_speaks_what(browser: Browser, fleet: Fleet) -> None:
    fleet.until("migration", lambda said: any(cell["format"] == "b3" and cell["count"] for cell in said["cells"]))
    browser.open(fleet.console.url + "/#/migration")
    browser.wait("document.querySelector('.matrix td:not(.never) b')")
    assert "B3" in browser.text(".matrix thead")
    assert browser.text("p.lead")
    browser.click(".seg button[data-k=gets]")
    browser.wait("document.querySelector('.matrix tbody').innerText.includes('orders')")
    assert "role=gets" in browser.url()


def test_settings_of_each_sidecar_with_their_source(browser: Browser, fleet: Fleet) -> None:
    fleet.until("settings", lambda said: len(said["sidecars"]) == 2 and all(s["health"] for s in said["sidecars"]))
    browser.open(fleet.console.url + "/#/settings")
    browser.wait("document.querySelector('.settings tbody tr')")
    assert "flag --set propagation.inject" in browser.text(".settings")
    browser.run(
        "(s => { s.selectedIndex = 1; s.dispatchEvent(new Event('change')); })(document.querySelector('.bar select'))"
    )
    browser.wait("document.querySelector('.settings').innerText.includes('outbound.listen')")
    assert "This console" in browser.text()


def test_the_trace_of_both_services(browser: Browser, fleet: Fleet) -> None:
    browser.open(f"{fleet.console.url}/#/traces/{TRACE}")
    browser.wait("document.querySelectorAll('.wrow:not(.missing)').length >= 3")
    assert {"shop", "orders"} <= set(browser.text(".svcs").split())
    assert browser.text("h1") == "shop GET /checkout"
    came = browser.run("document.querySelectorAll('.wrow:not(.missing)').length")
    assert f"{came} spans" in browser.text(".facts")  # as the sentence counts: the caller outside sent none
    assert f" {came} spans of 2 services; it began at a caller that sent no span" in browser.text(".trace-bar .verdict")
    browser.press("x")
    browser.wait("[...document.querySelectorAll('.wrow .hop')].some(hop => hop.innerText.includes('B3 multi'))")


def test_search_and_histogram_come_from_the_server(browser: Browser, fleet: Fleet) -> None:
    browser.open(fleet.console.url + "/#/traces")
    browser.wait("document.querySelectorAll('.trow').length >= 2")
    browser.write(".filter input", "status:error")
    browser.wait("document.querySelectorAll('.trow').length === 1")
    browser.write(".filter input", f"session:{SESSION}")
    browser.wait(f"document.querySelector('.trow').getAttribute('href') === '#/traces/{TRACE}'")
    browser.click(".histo button:not(:disabled)")
    browser.wait("decodeURIComponent(location.hash).includes('dur:>=')")


def test_a_session_over_time(browser: Browser, fleet: Fleet) -> None:
    browser.open(fleet.console.url + "/#/sessions")
    browser.click(f".srow[href$='{SESSION}']")
    browser.wait(f"document.querySelector('.story a[href=\"#/traces/{TRACE}\"]')")


def test_a_trace_goes_out_as_otlp_and_comes_in_again(browser: Browser, fleet: Fleet) -> None:
    """JSON down from one console, Upload into another."""
    browser.open(f"{fleet.console.url}/#/traces/{TRACE}")
    spans = browser.wait("document.querySelectorAll('.wrow:not(.missing)').length")
    with urlopen(browser.run("document.querySelector('a[download]').href"), timeout=20) as answer:
        text = answer.read().decode()
    assert json.loads(text)["resourceSpans"]
    other = ConsoleProcess()
    try:
        browser.open(other.url + "/#/traces")
        browser.wait("document.querySelector('.first')")
        assert other.otlp in browser.text(".first")  # a first run shows the command of this console
        browser.run(
            f"""(() => {{
                const input = document.querySelector('input[type=file]'), list = new DataTransfer();
                list.items.add(new File([{json.dumps(text)}], 'trace.json'));
                input.files = list.files;
                input.dispatchEvent(new Event('change'));
            }})()"""
        )
        browser.wait(f"location.hash === '#/traces/{TRACE}'")
        browser.wait(f"document.querySelectorAll('.wrow:not(.missing)').length === {spans}")
    finally:
        other.end()


def test_a_console_that_restarts_is_taken_up_again(browser: Browser, fleet: Fleet) -> None:
    console = ConsoleProcess()
    browser.open(console.url + "/#/live")
    browser.wait("document.querySelector('.state').innerText === 'watching'")
    console.end()
    browser.wait("document.querySelector('.state').innerText === 'connection lost, trying again'")
    again = ConsoleProcess(
        listen=console.url.removeprefix("http://"),
        otlp=fleet.console.otlp.removeprefix("http://").rsplit(":", 1)[0] + ":0",
    )
    try:
        browser.wait("document.querySelector('.state').innerText === 'watching'")
    finally:
        again.end()
        browser.problems.clear()  # the refused connections themselves


def test_the_token_leaves_the_address_at_once(browser: Browser) -> None:
    """And is nowhere that a script could read it; without it the page asks."""
    console = ConsoleProcess("--token", "a-secret-token")
    try:
        assert "token=a-secret-token" in console.url
        bare = console.url.partition("?")[0]
        browser.open(bare + "#/traces")
        browser.wait("document.querySelector('#token')")
        browser.problems.clear()  # the 401
        browser.open(console.url + "#/traces")
        browser.wait("document.querySelector('.tlist .empty')")
        assert browser.url() == bare + "#/traces"
        assert browser.run("document.cookie") == ""
        assert "a-secret-token" not in browser.run(
            "JSON.stringify([history.state, { ...sessionStorage }, { ...localStorage }])"
        )
    finally:
        console.end()


def test_files_have_their_type_and_are_asked_for_again(fleet: Fleet) -> None:
    """Each file of the page, under a policy without `unsafe-`, and nothing else of the folder."""
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
    for path in sorted(PAGE.rglob("*")):
        url = f"{fleet.console.url}/{path.relative_to(PAGE).as_posix()}"
        if path.suffix in kinds:
            with urlopen(url, timeout=20) as answer:
                headers = answer.headers
                assert answer.read() == path.read_bytes()
            assert headers["Content-Type"] == f"{kinds[path.suffix]}; charset=utf-8"
            assert headers["Cache-Control"] == "no-cache"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            with pytest.raises(HTTPError, match="304"):
                urlopen(Request(url, headers={"If-None-Match": headers["ETag"]}), timeout=20)
        elif path.is_file():
            with pytest.raises(HTTPError, match="404"):
                urlopen(url, timeout=20)
