"""`ops-sidecar version`."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

import proxy.translate
from proxy.cli.commands import main

_VERSION = "from proxy.cli.version import run; sys.exit(run([]))"


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


@pytest.mark.parametrize(
    ("jit", "line"), [(None, None), ((False, False), None), ((True, False), "  jit: off"), ((True, True), "  jit: on")]
)
def test_it_says_whether_python_compiles(
    jit: tuple[bool, bool] | None, line: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.13 and older have no such module; it can be there without a compiler, and be off."""
    monkeypatch.delattr(sys, "_jit", raising=False)
    if jit is not None:
        available, enabled = jit
        told = SimpleNamespace(is_available=lambda: available, is_enabled=lambda: enabled)
        monkeypatch.setattr(sys, "_jit", told, raising=False)
    assert main(["version"]) == 0
    lines = [text for text in capsys.readouterr().out.splitlines() if text.startswith("  jit: ")]
    assert len(lines) == (line is not None)
    assert line is None or lines[0].startswith(line)
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jit"] is (None if line is None else "on" in line)


def test_from_sources_it_has_no_version(tmp_path: Path) -> None:
    """No distribution is installed in a Python without site-packages."""
    root = Path(proxy.translate.__file__).parents[1]
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{_VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert done.stdout.splitlines()[0] == "ops-sidecar (run from its sources, not installed)", done.stderr


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
        "opentelemetry-api", "compiled", "jit",
    ]  # fmt: skip


def test_our_own_version_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    first, compiled, python, *_ = [line for line in capsys.readouterr().out.splitlines() if "  jit: " not in line]
    assert first.startswith("ops-sidecar ")
    assert compiled.startswith("  compiled: ")
    assert python.startswith("  python ")
