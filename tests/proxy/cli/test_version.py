"""`ops-sidecar version`."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

import pytest

import proxy.translate
from proxy.cli.commands import main


def test_text_begins_with_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ops-sidecar {version('ops-sidecar')}"
    assert f"  python {platform.python_version()}" in lines


def test_it_says_whether_the_data_plane_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    origin = proxy.translate.__file__
    compiled = origin.endswith(".so")
    assert main(["version"]) == 0
    assert f"  compiled: {'yes' if compiled else 'no'}" in capsys.readouterr().out.splitlines()
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compiled"] is compiled


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
    assert list(found) == [
        "ops-sidecar", "python", "httptools", "uvloop", "h11", "aiohttp", "pydantic-settings", "PyYAML",
        "opentelemetry-api", "compiled",
    ]  # fmt: skip


def test_our_own_version_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    first, compiled, python, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("ops-sidecar ")
    assert compiled.startswith("  compiled: ")
    assert python.startswith("  python ")
