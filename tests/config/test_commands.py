"""The commands in docs/deploy.md and docs/troubleshooting.md: those that can be run here are run."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.process import SidecarProcess

ROOT = Path(__file__).parents[2]
PAGES = ("deploy.md", "troubleshooting.md")
OURS = re.compile(r"^ops-sidecar (?!run\b)")
OF_CONSOLE = re.compile(r"^ops-sidecar (doctor|traces|trace|migration)\b")
NEEDS = re.compile(r"^ops-sidecar (health|wait)\b")
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every command of the pages' shell blocks, continued lines joined, comments removed."""
    found = []
    for page in PAGES:
        for block in FENCE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#.*$", "", line).strip()
                if command and not command.startswith("#"):
                    found.append(re.sub(r"\s+", " ", command))
    return found


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """With a sidecar that is ready, and its app."""
    with socket.create_server(("127.0.0.1", 0)) as app:
        url = f"http://127.0.0.1:{app.getsockname()[1]}"
        arguments = ("--inbound", "127.0.0.1:0", "--outbound", "off", "--admin", "127.0.0.1:0", "--app", url)
        with SidecarProcess(*arguments) as sidecar:
            admin = sidecar.addresses["admin"]
            yield {**os.environ, "OPS_SIDECAR_ADMIN__LISTEN": str(admin), "THERE": url.removeprefix("http://")}


@pytest.fixture
async def console(start_console: Any) -> Any:
    """One that has seen nothing yet."""
    return await start_console()


@pytest.mark.parametrize("command", [one for one in commands() if OURS.match(one) and not OF_CONSOLE.match(one)])
def test_each_command_of_ours_does_what_it_should(command: str, environ: dict[str, str]) -> None:
    """Addresses of other services are those of one that is there. What it reads is a file of the checkout."""
    command, _, _ = command.partition(" > ")
    command, _, source = command.partition(" < ")
    words = shlex.split(command)[1:]
    there = environ["THERE"]
    words = [there if re.fullmatch(r"(?:127\.0\.0\.1|collector):\d+", word) else word for word in words]
    words = ["/bin/true" if word == "./my-app" else word for word in words]
    asked = {
        name: value for name, value in environ.items() if NEEDS.match(command) or name != "OPS_SIDECAR_ADMIN__LISTEN"
    }
    given = (ROOT / source).read_text(encoding="utf-8") if source else ""
    run = [sys.executable, "-m", "proxy", *words]
    done = subprocess.run(run, cwd=ROOT, env=asked, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [one for one in commands() if OF_CONSOLE.match(one)])
async def test_each_question_to_a_console_is_answered(command: str, console: Any) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", *shlex.split(command)[1:], "--console", console.url),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said
    assert said


def test_the_other_commands_name_what_there_is() -> None:
    """Files of compose, targets of make, units of systemd."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")
    units = {path.name for path in (ROOT / "config" / "systemd").iterdir()}
    for command in commands():
        words = shlex.split(command)
        if words[0] == "make":
            assert re.search(rf"^{re.escape(words[1])}:", makefile, re.MULTILINE), command
        for flag, file in itertools.pairwise(words):
            if flag == "-f" and words[0] == "docker":
                assert (ROOT / file).exists(), command
        if words[0] == "systemctl":
            named = [word for word in words if word.startswith("ops-sidecar")]
            files = [re.sub(r"@\w+", "@", word) for word in named]
            assert {word if "." in word else f"{word}.service" for word in files} <= units, command


def test_the_pages_have_commands() -> None:
    assert len([one for one in commands() if OURS.match(one)]) > 8
