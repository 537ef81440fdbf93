"""A sidecar in a separate process: `python -m proxy run`, as a user starts it."""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import proxy
from lab.peers import WAIT_S, Client
from lab.sidecar import connect
from proxy.plan import Address

PROCESS_WAIT_S = 20.0  # a process that starts on a busy machine takes its time
START_LINE = re.compile(r"\b(?P<name>[a-z][a-z0-9_-]*)\b[^0-9\[]*?(?P<host>127\.0\.0\.1|\[::1\]):(?P<port>[0-9]+)")

# Flags: listeners on free ports, and an end that waits for no app.
ANYWHERE = ("--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0")
NO_LINGER = ("--set", "drain.outbound_linger_s=0")

_FOREIGN = ("OPS_SIDECAR_", "MIRASCOPE_", "OTEL_")  # settings of the person who runs the tests


class SidecarProcess:
    """A process under test. `addresses` are read from its start lines, `log` has every line of its standard error."""

    def __init__(
        self,
        *arguments: str,
        environ: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        stdout: int = subprocess.DEVNULL,
        ready: bool = True,
        close_fds: bool = True,
    ) -> None:
        """`prefix` is a command that becomes the sidecar (`exec`). `ready`: wait until it says so.

        `close_fds=False`: it gets our inheritable file descriptors as well.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        root = Path(proxy.__file__ or "").parents[1]  # the sidecar under test: perhaps a compiled one
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-P", "-m", "proxy", "run", *arguments],
            env={**inherited, "PYTHONPATH": str(root), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            close_fds=close_fds,
        )
        self.log: list[str] = []
        self.addresses: dict[str, Address] = {}
        self._clients: list[Client] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            if ready:
                self.await_line(r"ops-sidecar ready\b")
        except BaseException:
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def await_line(self, pattern: str, timeout_s: float = PROCESS_WAIT_S) -> str:
        """The next line of the log in which the regular expression `pattern` is found."""
        while True:
            line = self._lines.get(timeout=timeout_s)
            assert line is not None, f"the sidecar ended without {pattern!r}: {self.log}"
            if match := START_LINE.search(line):
                self.addresses.setdefault(match["name"], Address(match["host"].strip("[]"), int(match["port"])))
            if re.search(pattern, line):
                return line

    def client(self, listener: str = "inbound") -> Client:
        """A new raw connection to `listener`, closed at the latest with the sidecar."""
        client = Client(connect(self.addresses[listener]))
        self._clients.append(client)
        return client

    def url(self, listener: str = "inbound") -> str:
        return f"http://127.0.0.1:{self.addresses[listener].port}"

    def get(self, path: str, listener: str = "inbound", **headers: str) -> tuple[int, str]:
        """One GET on a connection of its own: status and body. `_` in the name of a header stands for `-`."""
        address = self.addresses[listener]
        connection = http.client.HTTPConnection(address.host, address.port, timeout=PROCESS_WAIT_S)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @contextlib.contextmanager
    def begin_get(self, path: str) -> Iterator[http.client.HTTPConnection]:
        """A GET to the inbound listener on a connection of its own. The block reads the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.addresses["inbound"].port, timeout=PROCESS_WAIT_S)
        connection.request("GET", path)
        try:
            yield connection
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """One sample of /metrics: the first whose line begins with `name`."""
        _, text = self.get("/metrics", "admin")
        return float(next(line for line in text.splitlines() if line.startswith(name)).rsplit(" ", 1)[1])

    def memory_kib(self, field: str) -> int:
        """A line of /proc/PID/status: VmRSS (now) or VmHWM (the highest since the start or the last reset)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1])  # type: ignore[index]

    def reset_peak(self) -> None:
        """Let VmHWM start again from now (proc(5), clear_refs 5)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = PROCESS_WAIT_S) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(WAIT_S)
        return code

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> SidecarProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def sidecar_with(*arguments: str, ready: bool = True, **environ: str) -> SidecarProcess:
    """One that begins with 64 file descriptors. The test may read its standard output; keywords are its environment."""
    prefix = ("/bin/sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh")
    return SidecarProcess(*arguments, environ=environ, prefix=prefix, stdout=subprocess.PIPE, ready=ready)
