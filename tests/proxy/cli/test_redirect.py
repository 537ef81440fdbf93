"""`ops-sidecar redirect`: what it prints, and what it says when nft cannot help."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.commands import main

OUT = ["redirect", "--outbound", "80:9081", "--uid", "65532"]


def test_the_rules_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*OUT, "--print", "--exempt", "10.96.0.10"]) == 0
    out = capsys.readouterr().out
    assert "tcp dport { 80 } redirect to :9081" in out
    assert "169.254.0.0/16" in out
    assert "10.96.0.10/32" in out
    assert main(["redirect", "--undo", "--print"]) == 0
    assert capsys.readouterr().out.endswith("delete table inet ops_sidecar\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["redirect"], "give --inbound, --outbound, or --undo"),
        (["redirect", "--outbound", "80:9081"], "--outbound needs --uid"),
        (["redirect", "--outbound", "80"], "expected PORT,...:PORT"),
        ([*OUT, "--exempt", "x"], "'x' does not appear to be"),
        (["redirect", "--outbound", "80:1", "--uid", "root"], "expected the number of a user"),
    ],
)
def test_wrong_arguments(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (None, "nft is not installed"),
        ("#!/bin/sh\necho 'Error: Operation not permitted' >&2\nexit 1\n", "the capability NET_ADMIN"),
        ("#!/bin/sh\ncat >&2\nexit 1\n", "nft refused: add table inet ops_sidecar"),
    ],
)
def test_nft_cannot_help(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str | None,
    told: str,
) -> None:
    if script is not None:
        (tmp_path / "nft").write_text(script, encoding="utf-8")
        (tmp_path / "nft").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script is not None else str(tmp_path))
    assert main(OUT) == 1
    assert told in capsys.readouterr().err
