"""Makefile: what its commands do where they do less than usual, and that they say so."""

from __future__ import annotations

import os
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


def test_conformance_without_a_name_of_a_folder_says_so() -> None:
    command = [sys.executable, "tests/wire/conformance.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "NOT CHECKED" in done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_nothing_that_a_user_sees_names_a_path_outside_the_project() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "../" not in done.stdout
    assert "../" not in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    skipped = subprocess.run(
        ["tests/compose/run.sh", ""], cwd=ROOT, capture_output=True, text=True, timeout=60, env={"PATH": "/nonexistent"}
    )
    assert "../" not in skipped.stdout + skipped.stderr


def tool(folder: Path, name: str, script: str) -> Path:
    """A stand-in for a program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environ}
    )


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("exit 0", 0, "no vulnerability is known of what is in a.lock b.lock"),
        # pip-audit writes its table to what --output names
        ('while [ "$1" != --output ]; do shift; done; echo "aiohttp 1 CVE-1" > "$2"; exit 1', 1, "aiohttp 1 CVE-1"),
        (
            "echo 'ERROR: no route to host' >&2; exit 1",
            0,
            "NOT CHECKED, the advisories cannot be looked up here (ERROR",
        ),
        ("exit 127", 0, "NOT CHECKED"),
    ],
)
def test_an_audit_fails_for_vulnerabilities_alone(tmp_path: Path, script: str, code: int, told: str) -> None:
    """Where nobody answers it says that nothing was checked."""
    done = run(".ci/audit", "a.lock", "b.lock", PIP_AUDIT=str(tool(tmp_path, "pip-audit", script)))
    assert done.returncode == code
    assert told in done.stdout + done.stderr


DIGEST = f"sha256:{'5' * 64}"


@pytest.mark.parametrize("before", ["python:3.13-slim", f"python:3.13-slim@sha256:{'4' * 64}"])
def test_the_base_image_is_pinned_where_a_registry_answers(tmp_path: Path, before: str) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"# top\nARG PYTHON_IMAGE={before}\nFROM ${{PYTHON_IMAGE}}\n", encoding="utf-8")
    docker = tool(tmp_path, "docker", f'[ "$1" = pull ] || echo python@{DIGEST}')
    assert run(".ci/pin-image", str(file), DOCKER=str(docker)).returncode == 0
    text = f"# top\nARG PYTHON_IMAGE=python:3.13-slim@{DIGEST}\nFROM ${{PYTHON_IMAGE}}\n"
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("script", ["exit 1", '[ "$1" = pull ]', "echo nonsense"])
def test_the_base_image_stays_by_version_where_none_answers(tmp_path: Path, script: str) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("ARG PYTHON_IMAGE=python:3.13-slim\n", encoding="utf-8")
    done = run(".ci/pin-image", str(file), DOCKER=str(tool(tmp_path, "docker", script)))
    assert done.returncode == 1
    assert "no image registry answers for python:3.13-slim" in done.stderr
    assert file.read_text(encoding="utf-8") == "ARG PYTHON_IMAGE=python:3.13-slim\n"


def test_every_phony_target_has_a_rule() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = text.partition(".PHONY:")[2].partition("\n")[0].split()
    assert len(phony) > 20
    assert set(phony) <= {line.partition(":")[0] for line in text.splitlines()}
