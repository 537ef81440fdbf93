"""Forty services in Doctor, sixty peers in Migration: what matters comes first, the rest is behind a button."""

from __future__ import annotations

from typing import Any

from browser import Browser
from stand_in import StandIn

OK = {"state": "ok", "bad": 0, "of": 10}


def crowd_of_services(data: dict[str, Any], count: int) -> None:
    doctor = data["doctor"]
    ill = doctor["services"][0] | {"name": "ill"}
    healthy = [
        ill | {"name": f"svc-{n}", "sentence": "Passes on all.", "checks": {key: OK for key, *_ in doctor["checks"]}}
        for n in range(count)
    ]
    doctor["services"] = [
        *healthy,
        ill | {"checks": ill["checks"] | {"forwards": {"state": "fail", "bad": 9, "of": 9}}},
    ]


def test_doctor_shows_the_ill_first_and_finds_the_others(browser: Browser, stand_in: StandIn) -> None:
    crowd_of_services(stand_in.data, 40)
    browser.open(stand_in.url + "#/doctor")
    browser.wait("document.querySelector('.checks tbody th')")
    names = "[...document.querySelectorAll('.checks tbody th .svc')].map(x => x.innerText)"
    assert browser.run(names)[0] == "ill"
    assert len(browser.run(names)) < 20
    browser.click(".checks .rest .btn")
    browser.wait(f"({names}).length === 41")
    browser.write(".field.find input", "svc-3")
    browser.wait(f"({names}).every(name => name.startsWith('svc-3')) && ({names}).length === 11")


def test_migration_groups_verdicts_and_peers(browser: Browser, stand_in: StandIn) -> None:
    migration = stand_in.data["migration"]
    cell, verdict = migration["cells"][0], migration["verdicts"][0]
    migration["shadow"] = []
    migration["cells"] = [cell | {"peer": f"peer-{n}", "format": "tracecontext"} for n in range(60)]
    migration["cells"].append(cell | {"peer": "legacy", "format": "b3"})
    migration["verdicts"] = [
        verdict | {"peer": f"peer-{n}", "safe": [True, "soon", False][n % 3], "sentence": f"Verdict {n}."}
        for n in range(60)
    ]
    browser.open(stand_in.url + "#/migration")
    browser.wait("document.querySelector('.matrix tbody th')")
    assert browser.run("[...document.querySelectorAll('section h2')].slice(0, 3).map(h => h.innerText)") == [
        "Safe 20",
        "Wait 20",
        "Not yet 20",
    ]
    cards = "document.querySelectorAll('.verdict-card').length"
    assert browser.run(cards) == 18
    browser.click("section .rest")
    browser.wait(f"{cards} === 32")
    peers = "[...document.querySelectorAll('.matrix tbody th')].map(x => x.innerText)"
    assert browser.run(peers)[0] == "legacy"
    assert len(browser.run(peers)) < 20
    browser.write(".field.find input", "peer-17")
    browser.wait(f"({peers}).join() === 'peer-17'")
    assert browser.run(cards) == 1
    assert "q=peer-17" in browser.url()


def test_a_first_run_says_what_to_do(browser: Browser, stand_in: StandIn) -> None:
    """In every view, with a command to copy."""
    stand_in.empty()
    commands = {
        "live": "curl -H 'b3:",
        "traces": "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
        "sessions": "X-Mirascope-Session-Id",
        "doctor": "ops-sidecar run",
        "migration": "ops-sidecar run",
        "settings": "ops-sidecar run",
    }
    for view, command in commands.items():
        browser.open(f"{stand_in.url}#/{view}")
        browser.wait("document.querySelector('.first code')")
        assert command in browser.text(".first")


def test_the_page_asks_for_the_token_and_keeps_none(browser: Browser, stand_in: StandIn) -> None:
    stand_in.token = "secret"
    browser.open(stand_in.url + "#/doctor")
    browser.wait("document.querySelector('#token')")
    browser.write("#token", "wrong")
    browser.press("Enter")
    browser.wait_text("not the token of this console")
    browser.write("#token", "secret")
    browser.click(".login .primary")
    browser.wait("document.querySelector('.finding')")
    assert "secret" not in browser.url()
    assert browser.run("JSON.stringify({ ...localStorage, ...sessionStorage }).includes('secret')") is False
    assert browser.run("document.cookie") == ""
    browser.problems.clear()  # the 401s
