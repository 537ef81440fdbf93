"""`ops-sidecar explain`, and `translate --explain` by settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.cli.commands import main

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
TRACEPARENT = f"traceparent: 00-{T}-{S}-01"
FILE = """\
egress: {trace: ["*.internal"]}
trust: [{name: edge, peers: [203.0.113.0/24], ids: ignore}]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "sidecar.yaml"
    path.write_text(FILE)
    return str(path)


def test_what_settings_make_of_a_request(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    question = ["--peer", "203.0.113.7", "--host", "api.stripe.com"]
    assert main(["explain", "--config", file, *question, "--inject", "b3", TRACEPARENT]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "listener inbound: rule edge of trust is about 203.0.113.7: its trace is ignored" in text
    assert "kept back: trace; api.stripe.com is not in egress.trace" in text
    assert T not in text.partition("to app")[2].partition("listener outbound")[0]


def test_as_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["explain", "--config", file, "--json", "--listener", "outbound", "--host", "a.internal", TRACEPARENT])
        == 0
    )
    ((listener),) = json.loads(capsys.readouterr().out)["listeners"]
    (upstream,) = listener["upstreams"]
    assert upstream["headers"] == [["traceparent", f"00-{T}-{S}-01"]]
    assert upstream["egress"] == {"trace": True, "session": True, "baggage": True}


@pytest.mark.parametrize(
    "more", [[], ["--peer-name", "shop.test", "--peer-name", "b.test"], ["--listener", "outbound"]]
)
def test_translate_explains_by_settings_in_the_same_words(
    file: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    question = ["--config", file, "--peer", "203.0.113.7", "--host", "api.stripe.com", *more]
    assert main(["explain", *question, TRACEPARENT]) == 0
    explained = capsys.readouterr().out
    assert main(["translate", "--explain", *question, TRACEPARENT]) == 0
    assert capsys.readouterr().out == explained


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "--peer", "nobody", TRACEPARENT], "is not an address"),
        (["explain", "--listener", "x", TRACEPARENT], "there is no listener 'x'"),
        (["explain", "what is this"], "is not a header"),
        (["explain", "--set", "inbound.listen=x:y:z", TRACEPARENT], "inbound.listen"),
        (["translate", "--peer", "10.0.0.1", TRACEPARENT], "go with --explain"),
    ],
)
def test_what_cannot_be_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(arguments) == 2
    except SystemExit as ended:
        assert ended.code == 2
    assert message in capsys.readouterr().err
