"""`ops-sidecar run`, up to where the sidecar itself begins (tests/proxy/test_app.py)."""

from __future__ import annotations

import subprocess
import sys

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
