"""The life of a sidecar: start, reload, drain, stop, and the signals that ask for them.

May know the data plane, the admin listener, the plan.
Must not build any of them, or read settings: the composition root passes in functions for that.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Protocol

from proxy.errors import SettingsError, StartError
from proxy.lifecycle.app_watch import has_network, until_gone
from proxy.lifecycle.blocking import BlockingCalls, StillBlockedError
from proxy.lifecycle.generation import Generation, Watch, changes
from proxy.lifecycle.manager import NOBODY, ServiceManager
from proxy.lifecycle.orders import Orders, Problems, Read
from proxy.lifecycle.public_listeners import PUBLIC, PublicListeners
from proxy.plan import Address, Plan
from proxy.telemetry.log import fields
from proxy.telemetry.state import Phase, State

log = logging.getLogger(__name__)
_PATIENCE_S = 10.0  # for files to be read
_ENDING = "the sidecar is ending"
_NOT_RELOADED = "settings not reloaded, the old ones stay"


class DataPlane(Protocol):
    """What the lifecycle needs of `proxy.dataplane.DataPlane`."""

    async def start(self) -> None: ...
    def addresses(self) -> dict[str, tuple[Address, ...]]: ...
    async def replace_plan(self, plan: Plan) -> None: ...
    def in_flight(self, direction: None = None, *, tunnels: bool = True) -> int: ...
    def know_admin(self, admin: Address | None) -> None: ...
    async def drain(self, *, linger: bool) -> bool: ...
    async def stop(self) -> None: ...
    async def is_app_up(self) -> bool: ...


class Admin(Protocol):
    """What the lifecycle needs of `proxy.admin.server.AdminServer`."""

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address: ...
    def pass_on(self) -> None: ...
    async def close(self) -> None: ...


class Lifecycle:
    """Runs one sidecar from its start to its end, in one event loop."""

    def __init__(
        self,
        first: Generation,
        *,
        data_plane: DataPlane,
        make_admin: Callable[[], Admin],
        make_public: Callable[[], Admin] | None = None,
        read: Callable[[int], Generation],
        state: State,
        announce: Callable[[Plan, dict[str, tuple[Address, ...]], Address | None], None],
        clock: Callable[[], float],
        patience_s: float = _PATIENCE_S,
        has_network: Callable[[], bool] = has_network,
        manager: ServiceManager = NOBODY,
    ) -> None:
        """`read(number)` gives a new generation; it may block for `patience_s`. `clock`: seconds since the epoch.

        `manager` is told when the sidecar is ready, reloads, stops, and that it is alive.
        `make_public`: makes what serves health and metrics where others can reach it.
        """
        self._current = first
        self._data_plane = data_plane
        self._make_admin = make_admin
        self._read = read
        self._state = state
        self._announce = announce
        self._clock = clock
        self._blocking = BlockingCalls(patience_s)
        self._has_network = has_network
        self._manager = manager
        self._admin: Admin | None = None
        self._public = PublicListeners(make_public or make_admin)
        self._stop = asyncio.Event()
        self._lingers = True  # for the app; not at Ctrl-C, when a person waits
        self._is_left_alone = False  # the app is gone, so the sidecar exits
        self._stop_now = asyncio.Event()
        self._orders = Orders()
        self._former_admin: Admin | None = None  # until its last answers are out

    async def run(self) -> bool:
        """Start, serve until told to stop, drain, stop. Raises StartError.

        True if it was told to stop and no exchange was cut.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)
        try:
            await self._start()
            self._manager.ready()
            tasks = [
                asyncio.create_task(self._manager.keep_alive(), name="watchdog"),
                asyncio.create_task(self._reload_for_ever(), name="reload"),
                asyncio.create_task(self._end_with_app(), name="end with app"),
            ]
            try:
                await self._stop.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._orders.cancel((_ENDING,))
            return await self._drain() and not self._is_left_alone
        finally:
            await self._data_plane.stop()
            for admin in (self._former_admin, self._admin):
                if admin is not None:
                    await admin.close()
            await self._public.close()
            self._state.phase = Phase.STOPPED

    def _signalled(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP:
            self._orders.add()
        elif not self._stop.is_set():
            hint = "; press Ctrl-C again to stop now" if number == signal.SIGINT else ""
            self._begin_drain(hint, number.name, lingers=number != signal.SIGINT)
        elif number == signal.SIGINT:
            self._stop_now.set()

    def _begin_drain(self, hint: str, asked_by: str, *, lingers: bool) -> None:
        log.info("draining%s", hint, extra=fields(signal=asked_by, in_flight=self._data_plane.in_flight()))
        self._state.phase = Phase.DRAINING
        self._lingers = lingers
        self._stop.set()

    # --- what the admin listener asks

    def drain(self) -> None:
        """End, as on SIGTERM."""
        if not self._stop.is_set():
            self._begin_drain("", "POST /drain", lingers=True)

    async def reload(self, read: Read | None = None) -> Problems:
        """Read the settings again (or make a generation by `read`) and use them. Returns the problems; empty: done."""
        if self._stop.is_set():
            return (_ENDING,)
        return await self._orders.add_and_wait(read)

    async def _end_with_app(self) -> None:
        gone = await until_gone(
            lambda: self._current.plan.exit_with_app_s, self._data_plane.is_app_up, self._has_network
        )
        after_s = self._current.plan.exit_with_app_s
        log.error("the sidecar has outlived its app and ends", extra=fields(lost=gone, after_s=after_s))
        self._state.phase = Phase.DRAINING
        self._lingers = False
        self._is_left_alone = True
        self._stop.set()

    async def _start(self) -> None:
        plan = self._current.plan
        await self._data_plane.start()
        bound = None
        if plan.admin is not None:
            self._admin = self._make_admin()
            bound = await self._admin.listen(plan.admin, reuse_port=plan.reuse_port)
            self._data_plane.know_admin(bound)
        (await self._public.open(plan.public, reuse_port=plan.reuse_port)).use()
        self._state.generation = plan.generation
        self._state.reload_success_time_s = self._state.started_time_s = self._clock()
        if not self._stop.is_set():
            self._state.phase = Phase.READY
        self._state.note_reload(self._clock(), plan.generation, "started")
        self._announce(plan, {**self._data_plane.addresses(), PUBLIC: self._public.addresses()}, bound)

    async def _drain(self) -> bool:
        if self._admin is not None and self._current.plan.reuse_port:
            self._admin.pass_on()
        self._manager.stopping(self._data_plane.in_flight())
        if self._current.plan.reuse_port:
            self._public.pass_on()
        draining = asyncio.create_task(self._data_plane.drain(linger=self._lingers), name="drain")
        hurry = asyncio.create_task(self._stop_now.wait(), name="hurry")
        try:
            await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
            whole = draining.result() if draining.done() else self._data_plane.in_flight(tunnels=False) == 0
        finally:
            draining.cancel()
            hurry.cancel()
            await asyncio.gather(draining, hurry, return_exceptions=True)
        cut = self._data_plane.in_flight(tunnels=False)
        log.log(
            logging.INFO if whole else logging.WARNING,
            "stopped" if whole else "stopped with exchanges cut",
            extra=fields(cut=cut),
        )
        return whole

    async def _reload_for_ever(self) -> None:
        while True:
            watch = self._current.watch
            try:
                async with asyncio.timeout(self._current.interval_s if watch is not None else None):
                    await self._orders.wait()
            except TimeoutError:
                if watch is None or not await self._has_changed(watch):
                    continue
            order = self._orders.take()
            self._manager.reloading()
            try:
                order.over(await self._reload_once(order.read or self._read))
            finally:
                order.over((_ENDING,))
            self._manager.ready()
            former, self._former_admin = self._former_admin, None
            if former is not None:  # one of its requests may have been the order
                await former.close()

    async def _has_changed(self, watch: Watch) -> bool:
        try:
            return await self._blocking.run(watch.changed)
        except StillBlockedError:
            return False  # it will be seen when the files can be read again

    async def _reload_once(self, read: Read) -> Problems:
        """Make a generation and use it. If anything is wrong with it, the old plan stays. Returns the problems."""
        number = self._state.generation + 1
        try:
            new = await self._blocking.run(lambda: read(number))
            await self._replace(new)
        except SettingsError as error:
            problems = tuple(map(str, error.problems))
            for problem in error.problems:
                log.error(_NOT_RELOADED, extra=fields(problem=problem))
            if error.more:
                log.error(_NOT_RELOADED, extra=fields(problem=f"and {error.more} more"))
        except (StartError, OSError, StillBlockedError) as error:
            problems = (str(error),)
            log.error(_NOT_RELOADED, extra=fields(problem=error))
        except Exception as error:  # a bug of ours: the outermost edge of a reload
            problems = (f"a bug of the sidecar: {type(error).__name__}",)
            log.exception(_NOT_RELOADED)
        else:
            old, self._current = self._current, new
            self._state.generation = new.plan.generation
            self._state.reloads_ok += 1
            self._state.reload_success_time_s = self._clock()
            changed = changes(old.values, new.values)
            log.info("settings reloaded", extra=fields(generation=new.plan.generation, changed=changed))
            self._state.note_reload(self._clock(), new.plan.generation, changed)
            return ()
        self._state.reloads_failed += 1
        self._state.note_reload(self._clock(), 0, "; ".join(problems))
        return problems

    async def _replace(self, new: Generation) -> None:
        """Apply all of the new generation, or nothing of it."""
        before = {address for _, address in self._bound()}
        admin, bound = self._admin, None
        moved = new.plan.admin != self._current.plan.admin
        if moved:
            admin = None
            if new.plan.admin is not None:
                admin = self._make_admin()
                bound = await admin.listen(new.plan.admin, reuse_port=new.plan.reuse_port)
        public = None
        try:
            public = await self._public.open(new.plan.public, reuse_port=new.plan.reuse_port)
            await self._data_plane.replace_plan(new.plan)
        except BaseException:
            if moved and admin is not None:
                await admin.close()
            if public is not None:
                await public.give_up()
            raise
        await public.close_others()
        if moved:
            self._data_plane.know_admin(bound)
            self._former_admin, self._admin = self._admin, admin
        new.apply()
        opened = [(name, address) for name, address in self._bound() if address not in before]
        for name, address in [*opened, *([("admin", bound)] if bound is not None else [])]:
            log.info("listener opened", extra=fields(listener=name, address=address))

    def _bound(self) -> list[tuple[str, Address]]:
        return [(name, address) for name, found in self._data_plane.addresses().items() for address in found]
