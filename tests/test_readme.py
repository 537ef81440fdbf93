"""README.md: what it shows is what happens, and what it links to is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from harness.sidecar import SidecarProcess

from proxy.demo import echo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])


def fences(kind: str) -> list[str]:
    return [body for found, body in FENCE.findall(README) if found == kind]


async def test_the_first_curl() -> None:
    """The console of "Five minutes", with other ports: the same headers in, the same lines out."""
    console = next(body for body in fences("console") if "curl" in body)
    command, _, shown = console[console.index("$ curl") + 2 :].replace("\\\n", " ").partition("\n")
    arguments = shlex.split(command)
    headers = [arguments[at + 1].split(": ", 1) for at, word in enumerate(arguments) if word == "-H"]
    assert len(headers) >= 4
    async with TestServer(echo.build()) as app:
        sidecar = SidecarProcess(
            *("--app", str(app.make_url("/")).rstrip("/"), "--inbound", "127.0.0.1:0"),
            *("--outbound", "off", "--admin", "off"),
        )
        try:
            address = sidecar.addresses["inbound"]
            async with (
                ClientSession() as client,
                client.get(f"http://{address.host}:{address.port}/", headers=headers) as answer,
            ):
                assert await answer.text() == shown
        finally:
            sidecar.kill()


def test_the_other_commands_succeed() -> None:
    commands = [
        line[2:] for body in fences("console") for line in body.splitlines() if "$ ops-sidecar translate" in line
    ]
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
