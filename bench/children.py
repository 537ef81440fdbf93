"""Child processes: started on one core, measured from /proc, and ended on every way out.

May know: /proc, signals, one core per process. Must not know what the programs do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ChildError(Exception):
    """A program could not be started, or ended before its time. The message carries its last output."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Child:
    """One program in a session of its own, pinned to `core`; a context manager that ends the whole session.

    `argv` as for exec; `env` is added to ours; what it prints goes to `log`.
    """

    def __init__(self, name: str, argv: Sequence[str], *, core: int, log: Path, env: Mapping[str, str] | None = None):
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                preexec_fn=lambda: _settle(core),
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_ready(self, port: int, timeout_s: float = 20.0) -> None:
        """Returns once something accepts on 127.0.0.1:`port`. Raises ChildError when the program ends or time is up."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._process.poll() is not None:
                raise ChildError(f"{self.name} ended with {self._process.returncode}: {self.last_output()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise ChildError(f"{self.name} does not listen after {timeout_s} s: {self.last_output()}") from None
                time.sleep(0.02)

    def last_output(self) -> str:
        """The end of what the program printed."""
        return self._log.read_text(errors="replace")[-1500:].strip() or "(it printed nothing)"

    def cpu_s(self) -> tuple[float, float]:
        """User and system time of the program, its threads and its children so far, in seconds (10 ms steps)."""
        # Fields 14 to 17 of proc(5) stat: utime, stime, cutime, cstime; ours start at field 3.
        user = system = 0
        for stat in self._stats():
            user += int(stat[11]) + int(stat[13])
            system += int(stat[12]) + int(stat[14])
        return user / _TICKS_PER_SECOND, system / _TICKS_PER_SECOND

    def rss_bytes(self) -> int:
        """Resident memory of the program and its children; pages that they share are counted in each."""
        return sum(int(stat[21]) for stat in self._stats()) * _PAGE_BYTES

    def has_mapped(self, name: str) -> bool:
        """Whether the program itself has a file in its memory whose path contains `name`."""
        return name in Path(f"/proc/{self._process.pid}/maps").read_text()

    def stop(self) -> None:
        """Ends the session: TERM, then KILL after 3 s. Safe to call twice."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3)
        with contextlib.suppress(ProcessLookupError):  # nobody of the session is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _stats(self) -> Iterator[list[str]]:
        """Fields 3 and up of /proc/PID/stat of every process in the session."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[3]) == self._process.pid:  # field 6: session
                yield fields


def _settle(core: int) -> None:
    """In the child, before exec: one core, and TERM should the benchmark itself be killed."""
    os.sched_setaffinity(0, {core})
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
