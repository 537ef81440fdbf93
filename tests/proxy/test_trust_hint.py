"""A start says once where anyone may come in and is believed."""

from __future__ import annotations

import pytest
from lab.sidecar import plan_of

from proxy.app import _hint_at_trust


@pytest.mark.parametrize(
    ("listen", "trust", "is_told"),
    [
        ("0.0.0.0:0", [], True),
        ("[::]:0", [], True),
        ("8.8.8.8:80", [], True),
        ("127.0.0.1:0", [], False),
        ("10.0.0.1:80", [], False),
        ("unix:/run/a.sock", [], False),
        ("0.0.0.0:0", [{"ids": "ignore"}], False),
    ],
)
def test_the_hint(caplog: pytest.LogCaptureFixture, listen: str, trust: list[dict[str, str]], is_told: bool) -> None:
    settings = {"inbound": {"listen": listen}, "outbound": {"listen": "0.0.0.0:1"}, "trust": trust}
    with caplog.at_level("INFO"):
        _hint_at_trust(plan_of(settings, 1))
    assert len(caplog.records) == is_told
    assert not is_told or "set trust" in caplog.text
