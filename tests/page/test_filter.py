"""The page's filter language: tests/vectors/filter/rows.jsonl, which the server's has to pass as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from browser import Browser
from stand_in import StandIn

VECTORS = Path(__file__).parents[1] / "vectors" / "filter" / "rows.jsonl"


def test_the_page_passes_the_vectors(browser: Browser, stand_in: StandIn) -> None:
    lines = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    rows = {line["row"]: line["is"] for line in lines if "row" in line}
    cases = [line for line in lines if "filter" in line]
    browser.open(stand_in.url + "#/explain")
    answers: list[dict[str, Any]] = browser.run(
        f"""(async () => {{
            const {{ compile }} = await import('/js/filter.js'), rows = {json.dumps(rows)};
            return {json.dumps([case["filter"] for case in cases])}.map(text => {{
                const filter = compile(text);
                return {{ error: filter.error, matches: Object.keys(rows).filter(name => filter.match(rows[name])) }};
            }});
        }})()"""
    )
    for case, answer in zip(cases, answers, strict=True):
        if "error" in case:
            assert answer["error"] == case["error"], case
        else:
            found = set(answer["matches"])
            assert set(case["matches"]) <= found, case
            assert not set(case["not"]) & found, case
