"""A lifecycle with stand-ins for what it owns."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from proxy.errors import StartError
from proxy.lifecycle import Generation, Lifecycle, ServiceManager
from proxy.plan import Address, Plan
from proxy.telemetry.state import Phase, State

ADMIN = Address("127.0.0.1", 1)


class DataPlane:
    """Notes what is asked of it; drains when told to."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.flying = 0
        self.finish = asyncio.Event()
        self.drained_whole = True
        self.refuse: Exception | None = None
        self.app_is_up = True
        self.asked = 0  # whether it is up
        self.admin: Address | None = None
        self.bound: dict[str, tuple[Address, ...]] = {}
        self.next_bound: dict[str, tuple[Address, ...]] = {}  # with the next plan

    async def start(self) -> None:
        self.calls.append("start")
        if self.refuse:
            raise self.refuse

    def addresses(self) -> dict[str, tuple[Address, ...]]:
        return self.bound

    async def replace_plan(self, plan: Plan) -> None:
        if self.refuse:
            raise self.refuse
        self.calls.append(plan.generation)
        self.bound = self.next_bound

    def know_admin(self, admin: Address | None) -> None:
        self.admin = admin

    def in_flight(self, direction: None = None, *, tunnels: bool = True) -> int:
        return self.flying

    async def drain(self, *, linger: bool) -> bool:
        self.calls.append("drain" if linger else "drain without lingering")
        await self.finish.wait()
        return self.drained_whole

    async def stop(self) -> None:
        self.calls.append("stop")

    async def is_app_up(self) -> bool:
        self.asked += 1
        return self.app_is_up


class Admin:
    """One admin listener."""

    def __init__(self, calls: list[object], refuse: list[Address]) -> None:
        self._calls = calls
        self._refuse = refuse
        self._address = Address()

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address:
        if address in self._refuse:
            raise StartError("listener admin cannot listen")
        self._address = address
        self._calls.append(("admin", address.port))
        return address

    def pass_on(self) -> None:
        self._calls.append("admin passes on")

    async def close(self) -> None:
        self._calls.append(("admin closed", self._address.port))


class Manager(ServiceManager):
    """Notes what the service manager is told."""

    def __init__(self) -> None:
        super().__init__({}, 0)
        self.told: list[str] = []

    def ready(self) -> None:
        self.told.append("ready")

    def reloading(self) -> None:
        self.told.append("reloading")

    def stopping(self, in_flight: int) -> None:
        self.told.append(f"stopping, {in_flight} in flight")


class Watch:
    """Changes when told to."""

    def __init__(self) -> None:
        self.change = False
        self.looks = 0
        self.hang: threading.Event | None = None  # a look waits for it

    def changed(self) -> bool:
        self.looks += 1
        if self.hang is not None:
            self.hang.wait()
        change, self.change = self.change, False
        return change


class Bench:
    """A lifecycle with its stand-ins."""

    def __init__(self, **first: object) -> None:
        """`first`: attributes that the first plan is made by."""
        self.data_plane = DataPlane()
        self.calls = self.data_plane.calls
        self.state = State()
        self.watch = Watch()
        self.watches = True
        self.ready = asyncio.Event()
        self.next_admin: Address | None = ADMIN
        self.next_public: tuple[Address, ...] = ()
        self.manager = Manager()
        self.announced: list[tuple[int, dict[str, tuple[Address, ...]], Address | None]] = []
        self.read_error: Exception | None = None
        self.level = "info"
        self.reuse_port = False
        self.patience_s = 0.2
        self.exit_with_app_s = 0.0
        self.hang: threading.Event | None = None  # a reading waits for it
        self.refuse_admin: list[Address] = []
        for name, value in first.items():
            setattr(self, name, value)
        self.life = Lifecycle(
            self.generation(1),
            data_plane=self.data_plane,
            make_admin=lambda: Admin(self.calls, self.refuse_admin),
            read=self.read,
            state=self.state,
            announce=self.announce,
            clock=lambda: 1000.0 + self.state.reloads_ok,
            patience_s=self.patience_s,
            has_network=lambda: True,
            manager=self.manager,
        )

    def announce(self, plan: Plan, addresses: dict[str, tuple[Address, ...]], admin: Address | None) -> None:
        self.announced.append((plan.generation, addresses, admin))
        self.ready.set()

    def generation(self, number: int) -> Generation:
        plan = Plan(
            number,
            (),
            self.next_admin,
            public=self.next_public,
            exit_with_app_s=self.exit_with_app_s,
            reuse_port=self.reuse_port,
        )
        values = {"log.level": self.level}
        watch = self.watch if self.watches else None
        return Generation(plan, watch, 0.01, lambda: self.calls.append(f"apply {number}"), values)

    def read(self, number: int) -> Generation:
        if self.hang is not None:
            self.hang.wait()
        if self.read_error:
            raise self.read_error
        return self.generation(number)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - whatever the condition is about, it has no event
                await asyncio.sleep(0.001)

    async def end(self, running: asyncio.Task[bool]) -> bool:
        self.data_plane.finish.set()
        if self.state.phase is not Phase.DRAINING:
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            return await running


async def started(bench: Bench) -> asyncio.Task[bool]:
    running = asyncio.create_task(bench.life.run())
    async with asyncio.timeout(5):
        await bench.ready.wait()
    return running
