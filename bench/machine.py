"""What the figures were taken on: cores, kernel, interpreter, the peers' versions, and how quiet it was.

May read /proc and ask programs for their version. Must not start anything that stays.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

_VERSION_FLAGS = {
    "nginx": "-v",
    "haproxy": "-v",
    "envoy": "--version",
    "traefik": "version",
    "caddy": "version",
    "wrk": "-v",
}
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def distribution_python() -> str | None:
    """The distribution's own CPython, where it is of our minor version and is not what we run on.

    Distributions build it with profile-guided optimisation, as they do not everywhere else; extensions made for one
    build run on the other.
    """
    path = Path("/usr/bin") / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not path.exists() or path.resolve() == Path(sys.executable).resolve():
        return None
    return str(path)


def python_version(binary: str) -> str:
    """Of an interpreter."""
    result = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=True)
    return result.stdout.strip().removeprefix("Python ")


def cores() -> tuple[int, int]:
    """The core for everything else, and the core for the proxy: the first and the last that we may use."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def describe() -> dict[str, str]:
    """The machine, in words fit for the report."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": model[1] if model else platform.machine(),
        "memory": f"{int(memory[1]) // 1024**2} GiB" if memory else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sidecar_python": python_version(distribution_python() or sys.executable),
    }


def version(program: str, binary: str, package: str = "") -> str:
    """The version of an installed Python `package`, or else the one that a program reports; "" when it tells none."""
    if package:
        return metadata.version(package)
    result = subprocess.run([binary, _VERSION_FLAGS[program]], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)+", (result.stdout + result.stderr).replace(binary, ""))
    return found[0] if found else ""


def busy_s(core: int) -> float:
    """Seconds that `core` has been busy since boot, for whomever."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND
    raise ValueError(f"/proc/stat has no line for core {core}")
