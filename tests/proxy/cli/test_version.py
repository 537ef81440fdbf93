"""`ops-sidecar version`."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

import pytest

from proxy.cli.commands import main


def test_text_begins_with_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ops-sidecar {version('ops-sidecar')}"
    assert f"  python {platform.python_version()}" in lines


def test_the_flag_does_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ops-sidecar ")


def test_json_names_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ops-sidecar"] == version("ops-sidecar")
    assert found["httptools"] == version("httptools")
    assert found["uvloop"] == version("uvloop")
    assert found["python"] == platform.python_version()
