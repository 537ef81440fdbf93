"""README.md: what it shows is what happens, and what it links to is there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])


def fences(kind: str) -> list[str]:
    return [body for found, body in FENCE.findall(README) if found == kind]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands are curl's")
def test_five_minutes_pasted_as_one_block() -> None:
    """The commands as they stand, with other ports: curl waits for both programs, then prints what is shown."""
    block = next(body for body in fences("sh") if "curl" in body)
    install, commands = block.split("\n", 1)
    assert install == "make .venv/sidecar.stamp && . .venv/bin/activate"
    for port, free in zip(("8080", "9080"), free_ports(2), strict=True):
        assert port in commands
        commands = commands.replace(port, str(free))
    binaries = Path(sys.executable).parent
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPS_SIDECAR_", "MIRASCOPE_"))}
    environ |= {
        "PATH": f"{binaries}{os.pathsep}{environ['PATH']}",
        "OPS_SIDECAR_OUTBOUND__LISTEN": "off",
        "OPS_SIDECAR_ADMIN__LISTEN": "off",
    }
    script = f"trap 'kill $(jobs -p); wait' EXIT\n{commands}"
    done = subprocess.run(
        ["/bin/bash", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    (shown,) = fences("text")
    assert done.stdout == shown, done.stderr


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def test_the_other_commands_succeed() -> None:
    commands = [line for body in fences("sh") for line in body.splitlines() if line.startswith("ops-sidecar translate")]
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "proxy", *shlex.split(command)[1:]], capture_output=True, timeout=30
        )
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("settings", fences("yaml"))
def test_the_settings_are_valid(settings: str, tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    path.write_text(settings)
    command = [sys.executable, "-m", "proxy", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_library_block_runs() -> None:
    (code,) = fences("python")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of the documentation names a file of the project."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("name", sorted(set(re.findall(r"make ([a-z0-9-]+)", README))))
def test_make_knows_the_targets(name: str) -> None:
    assert re.search(rf"^{re.escape(name)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
