"""The demo's console: how it is started, read and ended, whatever it does."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from lab.children import Child, starting

import proxy
from proxy.demo import see
from proxy.demo.see import DemoConsole, running_console
from proxy.demo.sidecars import DemoError

LOG = (
    "info console listening on http://127.0.0.1:9083",
    "info OTLP is received on http://127.0.0.1:4318",
    "info console ready",
)


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port that it takes where it is free; here it is."""
    assert see._USUAL_PORT == 9083
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    monkeypatch.setattr(see, "_USUAL_PORT", port)
    return port


async def test_it_is_started_as_a_user_would(usual: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings of the caller's, in a session of its own, and with the same code."""
    for name in ("OPS_SIDECAR_CONSOLE__TOKEN", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OTHER", "x")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    child = Child(*LOG)
    with starting(child):
        async with running_console() as console:
            assert console == DemoConsole("http://127.0.0.1:9083", "http://127.0.0.1:4318")
            assert console.trace("1f") == "http://127.0.0.1:9083/#/traces/1f"
    assert child.arguments == (
        *(sys.executable, "-P", "-m", "proxy", "console"),
        *("--listen", f"127.0.0.1:{usual}", "--otlp", "127.0.0.1:0"),
    )
    environment = child.options["env"]
    assert not [name for name in environment if name.startswith(("OPS_SIDECAR_", "OTEL_"))]
    assert environment["OTHER"] == "x"
    assert environment["PYTHONPATH"] == f"{Path(proxy.__path__[0]).parent}:/elsewhere"
    assert child.options["start_new_session"] is True
    assert (child.options["stdin"], child.options["stdout"]) == (asyncio.subprocess.DEVNULL, asyncio.subprocess.DEVNULL)
    assert child.options["stderr"] == asyncio.subprocess.PIPE
    assert child.told == ["TERM"]


async def test_any_port_where_the_usual_one_is_taken(usual: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    child = Child(*LOG)
    with socket.create_server(("127.0.0.1", usual)), starting(child):
        async with running_console():
            pass
    assert child.arguments[6] == "127.0.0.1:0"
    assert child.options["env"]["PYTHONPATH"] == str(Path(proxy.__path__[0]).parent)


async def test_its_log_is_read_on(usual: int) -> None:
    """Else it would block on it."""
    child = Child(*LOG)
    with starting(child):
        async with running_console():
            for _ in range(3):
                child.stderr.feed_data(b"x" * 10_000)
            await child.is_read()


async def test_one_that_does_not_end_is_killed(usual: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(see, "STOP_TIMEOUT_S", 0.01)
    child = Child(*LOG, is_deaf=True, leaves_log=True)
    with starting(child):
        async with running_console():
            pass
    assert child.told == ["TERM", "KILL"]


async def test_one_that_has_ended_by_itself(usual: int) -> None:
    child = Child(*LOG)
    with starting(child):
        async with running_console():
            child.end(1)
    assert child.told == []


async def test_one_that_cannot_start_is_told_with_its_log(usual: int) -> None:
    child = Child(LOG[0], "error a port is taken \xe9", code=1)
    with starting(child), pytest.raises(DemoError) as caught:
        async with running_console():
            pass
    assert str(caught.value) == f"the console did not start\n    {LOG[0]}\n    error a port is taken \ufffd"


async def test_one_that_is_never_ready_is_ended(usual: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(see, "START_TIMEOUT_S", 0.01)
    child = Child("info console ready soon")
    with starting(child), pytest.raises(DemoError) as caught:
        async with running_console():
            pass
    assert str(caught.value) == "the console did not start\n    info console ready soon\n    not ready after 0.01 s"
    assert child.told == ["TERM"]
