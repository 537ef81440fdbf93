"""A data plane under test in this process, in a thread with its own uvloop loop.

It is built from settings as a user writes them, so a test covers the whole way from a setting to bytes on the wire.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import copy
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import uvloop

from lab.messages import Message
from lab.peers import WAIT_S, Client
from proxy.dataplane import DataPlane
from proxy.plan import Address, Plan
from proxy.plan.compile import compile_plan
from proxy.settings.models import Settings as CheckedSettings
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.metrics import Metrics
from proxy.transport.descriptors import NO_LIMIT

T = TypeVar("T")
Settings = dict[str, Any]
LISTEN = "127.0.0.1:0"


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
        return self.begin(work).result(timeout_s)

    def begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start `work` on the loop and return its future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call_soon(self, action: Callable[[], None]) -> None:
        """Let the loop call `action` in its next turn."""
        self._loop.call_soon_threadsafe(action)

    def stop(self) -> None:
        self.call_soon(self._loop.stop)
        self._thread.join(WAIT_S)


class Sidecar:
    """A data plane under test, in this process."""

    def __init__(
        self, thread: LoopThread, settings: Settings, *, file_limit: int = NO_LIMIT, logs: bool = False
    ) -> None:
        """`file_limit`: the file descriptors that the process is said to have; `logs`: what is served, to `records`."""
        self.thread = thread
        self.metrics = Metrics()
        self.records: list[AccessRecord] = []
        self._file_limit = file_limit
        self._access_log = self.records.append if logs else None
        self._generation = 0
        self._clients: list[Client] = []
        self.plane = thread.run(self._start(self.plan(settings)))
        self.addresses: dict[str, Address] = {}  # the first of each listener
        self._note_addresses()

    async def _start(self, plan: Plan) -> DataPlane:
        plane = DataPlane(plan, metrics=self.metrics, access_log=self._access_log, file_limit=self._file_limit)
        await plane.start()
        return plane

    def plan(self, settings: Settings) -> Plan:
        self._generation += 1
        return plan_of(settings, self._generation)

    def _note_addresses(self) -> None:
        self.addresses = {name: found[0] for name, found in self.plane.addresses().items()}

    def call(self, action: Callable[[], T]) -> T:
        """Call `action` on the sidecar's loop, in one turn, and return its result."""

        async def act() -> T:
            return action()

        return self.thread.run(act())

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds, checked on the sidecar's loop: for state without bytes on the wire."""

        async def hold() -> None:
            while not condition():  # noqa: ASYNC110 - the data plane has no event for tests
                await asyncio.sleep(0.002)

        self.thread.run(asyncio.wait_for(hold(), WAIT_S), WAIT_S + 1)

    def settle(self, turns: int = 8) -> None:
        """Return once the sidecar's loop has gone round a few times: what was in its sockets has been handled."""

        async def go_round() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.thread.run(go_round())

    @contextlib.contextmanager
    def standstill(self) -> Iterator[None]:
        """Stops the sidecar's loop during the block; it then sees all events at once."""
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
        self._note_addresses()

    def begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start `work` on the sidecar's loop and return its future."""
        return self.thread.begin(work)

    def ask(self, request: bytes, listener: str = "inbound", method: str = "GET") -> Message:
        """Send `request` on a connection of its own, and return the answer."""
        return self.client(listener).ask(request, method)

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
    """`base`, overridden by `over`, section by section."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
