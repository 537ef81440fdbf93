"""What the checks of composed containers share: how to ask the engine and compose. Standard library only.

Each check is a program:  CHECK DOCKER COMPOSE...      (COMPOSE: the words that run compose, files included)
It prints one line per promise, and exits 1 at the first that does not hold.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

DOCKER, COMPOSE = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("docker", ["docker", "compose"])
UP = ("up", "--no-build", "--detach", "--wait", "--wait-timeout", "120")
PATIENCE_S = 60.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def output(*words: str, ok: tuple[int, ...] = (0,), environ: dict[str, str] | None = None) -> str:
    """What a command prints; AssertionError with its error output where it fails."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=180, check=False, env={**os.environ, **(environ or {})}
    )
    assert done.returncode in ok, f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def container(service: str) -> str:
    """The id of a service's container."""
    return output(*COMPOSE, "ps", "--all", "--quiet", service)


def inspect(service: str) -> dict[str, Any]:
    """All that Docker knows of a container."""
    found: dict[str, Any] = json.loads(output(DOCKER, "inspect", container(service)))[0]
    return found


def started(service: str) -> str:
    """When its container was started last."""
    at: str = inspect(service)["State"]["StartedAt"]
    return at


def kill(service: str) -> None:
    """End its first process, as a crash would. `docker kill` would tell Docker that this was meant."""
    os.kill(inspect(service)["State"]["Pid"], signal.SIGKILL)


def python_in(service: str, code: str) -> str:
    """What a piece of Python prints inside a container."""
    return output(DOCKER, "exec", container(service), "python3", "-c", code)


def url(service: str, port: int) -> str:
    """Where a published port of a service is reached."""
    return f"http://{output(*COMPOSE, 'port', service, str(port))}"


def get(address: str, headers: dict[str, str] | None = None) -> str:
    """The body of a GET that is answered 2xx."""
    with _OPENER.open(urllib.request.Request(address, headers=headers or {}), timeout=20) as response:
        text: str = response.read().decode()
    return text


def get_json(address: str, headers: dict[str, str] | None = None) -> Any:
    """The same, as JSON."""
    return json.loads(get(address, {"Accept": "application/json", **(headers or {})}))


def until(what: str, holds: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Ask again, once a second, until `holds` gives something true and raises nothing.

    `what` is wrong where it never does.
    """
    limit = time.monotonic() + patience_s
    while True:
        problem = ""
        try:
            if holds():
                return
        except (AssertionError, OSError, ValueError, KeyError, IndexError) as error:
            problem = f": {type(error).__name__}: {error}"
        assert time.monotonic() < limit, f"{what}, after {patience_s:g} s{problem}"
        time.sleep(1)


class Skipped(Exception):
    """What a promise needs is not on this machine."""


def run(name: str, checks: Sequence[Callable[[], None]]) -> int:
    """Run the checks of `name` in order; stop at the first that fails."""
    for check in checks:
        said = check.__name__.replace("_", " ")
        try:
            check()
        except Skipped as reason:
            print(f"{name}: skipped {said}: {reason}", flush=True)
            continue
        except (AssertionError, OSError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as error:
            print(f"{name}: FAILED  {said}\n{type(error).__name__}: {error}", file=sys.stderr)
            return 1
        print(f"{name}: ok      {said}", flush=True)
    return 0
