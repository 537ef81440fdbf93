"""Children of the benchmark are pinned, measured and always ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bench.children import Child, ChildError, free_port

CORE = sorted(os.sched_getaffinity(0))[-1]
PAUSE = "import signal; signal.pause()"


def _alive(pid: int) -> bool:
    """Whether it runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_is_pinned_to_its_core(tmp_path: Path) -> None:
    code = "import os; print(os.sched_getaffinity(0), flush=True)"
    with Child("child", (sys.executable, "-c", code), core=CORE, log=tmp_path / "log") as child:
        with pytest.raises(ChildError):
            child.wait_ready(free_port())
        assert child.last_output() == f"{{{CORE}}}"


def test_the_whole_session_is_ended(tmp_path: Path) -> None:
    """Also a grandchild that ignores TERM and has lost its parent."""
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {PAUSE}"
    code = (
        "import subprocess, sys;"
        f"p = subprocess.Popen([sys.executable, '-c', {stubborn!r}], stdout=subprocess.PIPE); p.stdout.readline();"
        f"print(p.pid, flush=True); {PAUSE}"
    )
    with Child("child", (sys.executable, "-c", code), core=CORE, log=tmp_path / "log") as child:
        while not child.last_output().isdigit():
            time.sleep(0.01)
        grandchild = int(child.last_output())
        assert _alive(grandchild)
        child.stop()
        deadline = time.monotonic() + 5
        while _alive(grandchild):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_program_that_ends_early_says_why(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "raise SystemExit('no such setting')")
    with (
        Child("child", argv, core=CORE, log=tmp_path / "log") as child,
        pytest.raises(ChildError, match="no such setting"),
    ):
        child.wait_ready(free_port())


def test_cpu_and_memory_are_counted(tmp_path: Path) -> None:
    code = f"x = bytearray(50_000_000); [i for i in range(8_000_000)]; print('done', flush=True); {PAUSE}"
    with Child("child", (sys.executable, "-c", code), core=CORE, log=tmp_path / "log") as child:
        while child.last_output() != "done":
            time.sleep(0.01)
        assert sum(child.cpu_s()) > 0.05
        assert child.rss_bytes() > 50_000_000
