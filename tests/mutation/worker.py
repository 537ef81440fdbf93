"""Runs chosen tests in a copy of the tree, again and again, without starting Python each time.

    python -m mutation.worker TREE

Imports once what all tests need, but nothing of the project. Each run is a fork.
Reads a line of JSON for each run: `[limit in seconds, test, ...]`. Writes a line with its exit code, or `timeout`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import hypothesis  # noqa: F401 - only to have it imported, as the others
import opentelemetry.sdk.trace  # noqa: F401
import pytest
import pytest_aiohttp.plugin  # noqa: F401
import pytest_asyncio.plugin  # noqa: F401

POLL_S = 0.02
# pytest warns of plugins that were imported before it could rewrite their assertions.
OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


def main() -> None:
    tree = Path(sys.argv[1])
    os.chdir(tree)
    sys.path[:] = [str(tree), *(place for place in sys.path if not (Path(place) / "proxy").is_dir())]
    assert not {"proxy", "ops_lib"} & set(sys.modules)
    os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1")
    for line in sys.stdin:
        limit_s, *tests = json.loads(line)
        print(run(limit_s, tests), flush=True)


def run(limit_s: float, tests: list[str]) -> str:
    child = os.fork()
    if not child:
        code = 70
        try:
            os.setsid()
            # Of CPU time as well: then an endless loop ends even where nobody is left to end it.
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s), int(limit_s) + 5))
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            code = int(pytest.main([*OPTIONS, *tests]))
        finally:
            os._exit(code)
    ends_at = time.monotonic() + limit_s
    try:
        while time.monotonic() < ends_at:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return "timeout" if code == -signal.SIGXCPU else str(code)
            time.sleep(POLL_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


if __name__ == "__main__":
    main()
