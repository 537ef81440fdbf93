"""What a person sees who opens the console in a browser: from the list of traces, by a click, to one of them.

It drives Chromium with the harness of tests/page, which is more than the standard library: without that, `reason`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "page"))

WIDTHS = {"light": 1280, "dark": 1280, "narrow": 390}
FILLED = "document.querySelectorAll('.trow').length > 3"
# A row whose spans have all come; the newest may still be on their way.
PICK = """(() => {
    const rows = [...document.querySelectorAll('.trow')].filter(row => row.querySelectorAll('.svc').length >= %d);
    const row = rows.find(row => [...row.querySelectorAll('.svc .dim')].reduce((n, x) => n + +x.innerText, 0) >= %d);
    if (row) row.dataset.picked = '';
    return !!row;
})()"""

NAMES = "[...document.querySelectorAll('.wrow:not(.missing) .wname b')].map(b => b.innerText.trim())"


def reason() -> str:
    """Why no browser can be driven here; empty if one can be."""
    if importlib.util.find_spec("websockets") is None:
        return "this Python has no websockets: run make test once"
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(lacking)} not installed" if lacking else ""


def see(console: str, services: tuple[str, ...], spans: int) -> None:
    """Open the list at `console`, click on a trace of at least so many spans, find all `services` there.

    In light, dark and on a phone; pictures go to the folder that SHOTS names. Raises AssertionError.
    """
    from browser import CHROMIUM, launched

    kept = os.environ.get("SHOTS")
    with tempfile.TemporaryDirectory() as thrown_away, launched(CHROMIUM) as browser:
        folder = Path(kept or thrown_away)
        folder.mkdir(parents=True, exist_ok=True)
        for mode, width in WIDTHS.items():
            browser.resize(width, 844 if mode == "narrow" else 900)
            browser.open(f"{console}/")
            browser.run(f"localStorage.setItem('theme', '{'dark' if mode == 'dark' else 'light'}')")
            browser.open(f"{console}/#/traces")
            browser.wait(FILLED)
            browser.wait(PICK % (len(services), spans))
            browser.screenshot(folder / f"traces-{mode}.png")
            browser.click(".trow[data-picked]")
            browser.wait("location.hash.startsWith('#/traces/') && document.querySelector('.wrow')")
            told = browser.text(".verdict")
            assert f"of {len(services)} services" in told, told
            rows = browser.run(NAMES)
            assert set(rows) >= set(services), rows
            legend = browser.text(".svcs")
            assert all(service in legend for service in services), legend
            browser.screenshot(folder / f"trace-{mode}.png")
        assert browser.problems == [], browser.problems
