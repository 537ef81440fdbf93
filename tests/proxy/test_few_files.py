"""A process that may open few files says so at its start."""

from __future__ import annotations

import subprocess
import sys

RUN = (sys.executable, "-m", "proxy", "run", "--inbound", "127.0.0.1:0", "--app", "http://127.0.0.1:1")
RUN = (*RUN, "--admin", "off", "--outbound", "off")


def first_line(limit: int) -> str:
    program = f"import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit})); "
    program += f"os.execv({RUN[0]!r}, {list(RUN)!r})"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
    return line


def test_too_few_for_the_limit_of_connections() -> None:
    assert first_line(256).endswith(
        "WARNING limits.connections is 10000, but the limit of open files (ulimit -n) leaves room for 96 clients\n"
    )


def test_enough() -> None:
    assert first_line(10064).startswith("inbound listening on ")
