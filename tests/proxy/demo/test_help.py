"""What the demo's commands say of themselves (`help.txt` has what was reviewed), and what their flags default to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab.texts import check_text

from proxy.demo import command, echo, services, visitors

COMMANDS: tuple[Callable[[list[str]], Any], ...] = (command.parse, echo.main, services.main, visitors.main)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions of argparse lay help out otherwise")
def test_help_is_as_reviewed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for one in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            one(["--help"])
        assert ended.value.code == 0
        print("\n----\n")
    check_text(capsys.readouterr().out, Path(__file__).parent / "help.txt")


@pytest.mark.parametrize(
    ("words", "port", "every_header"), [([], 8080, False), (["--port", "7", "--all"], 7, True)], ids=["usual", "other"]
)
def test_an_echo_as_a_command(words: list[str], port: int, every_header: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It listens on loopback alone, and says nothing."""
    ran: list[object] = []
    monkeypatch.setattr(echo, "build", lambda **given: given)

    def run_app(app: object, *, loop: asyncio.AbstractEventLoop, **given: object) -> None:
        loop.close()
        ran.append((app, given))

    monkeypatch.setattr(echo.web, "run_app", run_app)
    try:
        echo.main(words)
    finally:
        asyncio.set_event_loop(None)
    assert ran == [({"every_header": every_header}, {"host": "127.0.0.1", "port": port, "print": None})]
