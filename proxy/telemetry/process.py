"""What the operating system says of this process. Reads /proc if there is one."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple


class ProcessUsage(NamedTuple):
    """At one moment."""

    cpu_s: float  # user and system, all threads
    resident_bytes: int
    open_fds: int


def process_usage() -> ProcessUsage:
    """The present figures. Unknown ones are 0 (without /proc, the memory is the highest so far)."""
    times = os.times()
    try:
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        fds = sum(1 for _ in os.scandir("/proc/self/fd"))
    except OSError:
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        fds = 0
    return ProcessUsage(times.user + times.system, resident, fds)
