"""Makefile: what its commands do where they do less than usual, and that they say so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize(
    ("arguments", "installs"), [("--list", False), ("--help", False), ("--quick", True), ("", True)]
)
def test_what_the_benchmark_only_tells_needs_no_peers(tmp_path: Path, arguments: str, installs: bool) -> None:
    """`-n` prints what would be done; nothing is there yet in the environment named here."""
    command = ["make", "-n", "bench", f"VENV={tmp_path}/venv", f"COMPILED={tmp_path}/compiled", f"ARGS={arguments}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ("bench/requirements.lock" in done.stdout) is installs
    assert ("hatch_build.py" in done.stdout) is installs
    assert f"-m bench {arguments}".strip() in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_a_virtual_environment_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    """Debian's Python without python3-venv fails so; once that is installed, the next try has to start anew."""
    python, venv = tmp_path / "python", tmp_path / "venv"
    half = 'mkdir -p "$3/bin" && touch "$3/bin/python"; exit 1'
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\n{half}\n')
    python.chmod(0o755)
    command = ["make", f"{venv}/bin/python", f"VENV={venv}", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert not venv.exists()


def test_conformance_without_its_folder_says_that_nothing_was_checked(tmp_path: Path) -> None:
    command = [sys.executable, "tests/wire/conformance.py", str(tmp_path / "gone")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "NOT CHECKED" in done.stderr
    assert str(tmp_path / "gone") in done.stderr
