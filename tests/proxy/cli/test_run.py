"""`ops-sidecar run`, up to where the sidecar itself begins (tests/proxy/test_app.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FILLED = """
import os
from proxy.cli.run import _fill_standard_streams
_fill_standard_streams()
next_one = os.open(os.devnull, os.O_RDONLY)
raise SystemExit(0 if next_one > 2 else 3)
"""


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_socket_takes_the_number_of_a_standard_stream(closed: str) -> None:
    """Where the caller has closed it; our lines would go to whoever is at the other end."""
    command = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-P", "-c", FILLED]
    assert subprocess.run(command, check=False, timeout=20).returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_no_reason_not_to_start(closed: str) -> None:
    """It gets as far as the address that cannot be had."""
    arguments = ("--inbound", "unix:/nowhere/a.sock", "--outbound", "off", "--admin", "off")
    command = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-P", "-m", "proxy", "run", *arguments]
    ended = subprocess.run(command, check=False, timeout=20, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ("cannot listen on unix:/nowhere/a.sock" in ended.stderr) is (closed == ">&-")


def test_one_that_is_told_to_stop_while_it_starts_ends_well(tmp_path: Path) -> None:
    """It reads its settings from a pipe whose writer has not finished. To be told to reload then changes nothing."""
    pipe = tmp_path / "settings"
    os.mkfifo(pipe)
    arguments = (sys.executable, "-P", "-m", "proxy", "run", "--config", str(pipe))
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as started:
        try:
            writer = os.open(pipe, os.O_WRONLY)  # once it has begun to read
            try:
                started.send_signal(signal.SIGHUP)
                started.send_signal(signal.SIGTERM)
                _, said = started.communicate(timeout=20)
            finally:
                os.close(writer)
        finally:
            started.kill()
    assert (started.returncode, said) == (0, "")
