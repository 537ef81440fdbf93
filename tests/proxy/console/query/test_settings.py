"""The settings of sidecars, as one writes them after `--set key=`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gates.fleet import fleet

from proxy.console.query.settings import _text, settings

S = 1_000_000_000
NOW = 5000 * S


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (True, "true"), (False, "false"), (["b3", "jaeger"], "[b3, jaeger]"), ([], "[]"), (0, "0"), ("", "")],
)
def test_a_value_is_shown_as_it_is_written(value: object, shown: str) -> None:
    assert _text(value) == shown


SILENT, NEWER = {"seen": NOW - 61 * S}, {"newer": 1}
REFUSED = {"health": json.dumps({"reloads": [{"at": 1.0, "ok": False, "message": "bad", "generation": 1}]})}


@pytest.mark.parametrize(
    ("sidecars", "sentence"),
    [
        ([], "No sidecar reports yet: set console.report.endpoint there."),
        ([{}], "1 sidecar reports."),
        ([{}, {"ended": 1}], "1 sidecar reports."),
        ([SILENT], "1 sidecar reports. 1 is silent: a."),
        ([SILENT] * 4, "4 sidecars report. 4 are silent: a, b, c."),
        ([{}, REFUSED], "2 sidecars report. The last reload was refused at b."),
        ([REFUSED] * 4, "4 sidecars report. The last reload was refused at a, b, c."),
        ([NEWER], "1 sidecar reports. 1 sidecar is newer than this console, which shows what it knows."),
        ([NEWER] * 2, "2 sidecars report. 2 sidecars are newer than this console, which shows what it knows."),
    ],
)
def test_how_they_are_is_said_in_a_sentence(sidecars: list[dict[str, Any]], sentence: str) -> None:
    with fleet() as (_, console):
        for name, more in zip("abcd", sidecars, strict=False):
            row = {
                "instance": name, "service": "shop", "name": name, "host": "", "version": "1.2", "newer": 0,
                "seen": NOW, "health": "{}", "health_at": NOW, **more,
            }  # fmt: skip
            names = ", ".join(row)
            console.connection.execute(
                f"INSERT INTO sidecars ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()]
            )
        assert settings(console.reader, NOW)["sentence"] == sentence
