"""Sidecars under test: in this process (own thread, own uvloop loop), or as a process of its own.

Both are built from settings as a user would write them, so what is tested is the whole way from a setting to bytes on
the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import uvloop

import proxy
from harness.peers import WAIT_S, Client
from proxy.http1 import DataPlane
from proxy.plan import Address, Plan
from proxy.plan.compile import compile_plan
from proxy.settings.models import Settings as CheckedSettings
from proxy.telemetry.metrics import Metrics

T = TypeVar("T")
Settings = dict[str, Any]
LISTEN = "127.0.0.1:0"
START_LINE = re.compile(r"\b(?P<name>[a-z][a-z0-9_-]*)\b[^0-9\[]*?(?P<host>127\.0\.0\.1|\[::1\]):(?P<port>[0-9]+)")


class LoopThread:
    """A uvloop loop in a thread of its own. One serves all tests of a pytest worker."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, context: self.errors.append(repr(context)))
        self._thread = threading.Thread(target=self._run, name="sidecar-under-test", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = WAIT_S) -> T:
        """Run `work` on the loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def call_soon(self, action: Callable[[], None]) -> None:
        """Let the loop call `action` in its next turn."""
        self._loop.call_soon_threadsafe(action)

    def stop(self) -> None:
        self.call_soon(self._loop.stop)
        self._thread.join(WAIT_S)


class Sidecar:
    """A data plane under test, in this process."""

    def __init__(self, thread: LoopThread, settings: Settings) -> None:
        self.thread = thread
        self.metrics = Metrics()
        self._generation = 0
        self._clients: list[Client] = []
        self.plane = thread.run(self._start(self.plan(settings)))
        self.addresses: dict[str, Address] = self.plane.addresses()

    async def _start(self, plan: Plan) -> DataPlane:
        plane = DataPlane(plan, metrics=self.metrics)
        await plane.start()
        return plane

    def plan(self, settings: Settings) -> Plan:
        self._generation += 1
        return plan_of(settings, self._generation)

    def settle(self, turns: int = 8) -> None:
        """Return once the sidecar's loop has gone round a few times: what was in its sockets has been handled."""

        async def go_round() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.thread.run(go_round())

    @contextlib.contextmanager
    def standstill(self) -> Iterator[None]:
        """The sidecar's loop does nothing meanwhile; what happens then, it finds all at once."""
        stands, goes_on = threading.Event(), threading.Event()

        def stand() -> None:
            stands.set()
            goes_on.wait(WAIT_S)

        self.thread.call_soon(stand)
        stands.wait(WAIT_S)
        try:
            yield
        finally:
            goes_on.set()

    def client(self, listener: str = "inbound") -> Client:
        """A new connection to `listener`, closed at the end of the test."""
        sock = connect(self.addresses[listener])
        client = Client(sock, self.settle)
        self._clients.append(client)
        return client

    def replace(self, settings: Settings) -> None:
        """Reload."""
        self.thread.run(self.plane.replace_plan(self.plan(settings)))
        self.addresses = self.plane.addresses()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """Start `work` on the sidecar's loop and give its future."""
        return asyncio.run_coroutine_threadsafe(work, self.thread._loop)  # type: ignore[return-value]

    def stop(self) -> None:
        for client in self._clients:
            if client.sock.fileno() >= 0:
                client.reset()
        self.settle(30)
        left = self.plane.in_flight()
        self.thread.run(self.plane.stop())
        errors, self.thread.errors = self.thread.errors, []
        assert not errors, f"the sidecar's loop reported: {errors}"
        assert not left, f"{left} exchanges in flight, although every client has gone"


def plan_of(settings: Settings, generation: int) -> Plan:
    """Settings in the shape of config/sidecar.yaml -> the plan that the sidecar would run with."""
    return compile_plan(CheckedSettings(layers=[settings]), generation)  # type: ignore[call-arg]


def connect(address: Address, timeout_s: float = WAIT_S) -> socket.socket:
    if address.unix_path:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout_s)
        sock.connect(address.unix_path)
        return sock
    return socket.create_connection((address.host, address.port), timeout_s)


def merged(base: Settings, over: Settings) -> Settings:
    """`over` laid upon `base`, section by section."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class SidecarProcess:
    """`python -m proxy run`, as a user starts it. `addresses` are read from its start lines."""

    def __init__(self, *arguments: str, environ: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> None:
        """`prefix`: a command that becomes the sidecar (`exec`)."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPS_SIDECAR_", "MIRASCOPE_"))
        }
        root = Path(proxy.__file__ or "").parents[1]  # the sidecar that is tested here: maybe a compiled one
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-P", "-m", "proxy", "run", *arguments],
            env={**inherited, "PYTHONPATH": str(root), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self.addresses: dict[str, Address] = {}
        self._clients: list[Client] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            self._lines.put(line)
        self._lines.put(None)

    def _await_ready(self) -> None:
        while "ops-sidecar ready" not in (line := self._lines.get(timeout=20) or "ended"):
            assert line != "ended", f"the sidecar did not start: {self.log}"
            if match := START_LINE.search(line):
                self.addresses.setdefault(match["name"], Address(match["host"].strip("[]"), int(match["port"])))

    def await_line(self, text: str, timeout_s: float = 20) -> str:
        """The next log line that holds `text`."""
        while text not in (line := self._lines.get(timeout=timeout_s) or ""):
            assert line, f"the sidecar ended: {self.log}"
        return line

    def client(self, listener: str = "inbound") -> Client:
        """A new connection to `listener`, closed at the latest with the sidecar."""
        client = Client(connect(self.addresses[listener]))
        self._clients.append(client)
        return client

    def url(self, listener: str = "inbound") -> str:
        return f"http://127.0.0.1:{self.addresses[listener].port}"

    def memory_kib(self, field: str) -> int:
        """A line of /proc/PID/status: VmRSS (now) or VmHWM (the highest since the start or the last reset)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1])  # type: ignore[index]

    def reset_peak(self) -> None:
        """Let VmHWM start again from now (proc(5), clear_refs 5)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = 20) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(WAIT_S)
        return code

    def kill(self) -> None:
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        if self.process.stderr:
            self.process.stderr.close()

    def __enter__(self) -> SidecarProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
