"""examples/client_server.py: the snippet of the issue, run as a program."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "client_server.py"


def test_output() -> None:
    """W3C Trace Context out, the session out, and both in again, with nothing configured."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stderr == ""
    session, traceparent, answer = ran.stdout.splitlines()
    assert session == "X-Mirascope-Session-Id: demo-session"
    assert re.fullmatch(r"traceparent: 00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[13]", traceparent)
    assert answer == "session demo-session"
