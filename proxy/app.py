"""The composition root: the one place where the sidecar's objects are built and wired. Reads like a list."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import uvloop

from proxy.http1 import DataPlane
from proxy.lifecycle import Admin, Generation, Lifecycle
from proxy.plan import Address, Plan
from proxy.plan.compile import compile_plan
from proxy.settings import Loaded
from proxy.settings.watch import FileWatch
from proxy.telemetry import log, prometheus
from proxy.telemetry.access_log import access_logger
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.process import process_usage
from proxy.telemetry.state import State
from proxy.telemetry.writer import LineWriter


def run_sidecar(first: Loaded, read_settings: Callable[[], Loaded]) -> bool:
    """Build a sidecar and run it to its end. True where no exchange was cut; raises StartError."""
    settings = first.settings
    stderr = LineWriter(sys.stderr.fileno(), limit_lines=settings.log.queue_lines, name="log")
    stdout = LineWriter(sys.stdout.fileno(), limit_lines=settings.log.queue_lines, name="access-log")
    access_log = access_logger(stdout, settings.log.access, time.time) if settings.log.access != "off" else None
    metrics = Metrics()
    state = State()

    def generation(loaded: Loaded, number: int) -> Generation:
        wanted = loaded.settings.log
        return Generation(
            plan=compile_plan(loaded.settings, number),
            watch=FileWatch(loaded.read) if loaded.settings.reload.watch and loaded.read else None,
            interval_s=loaded.settings.reload.interval_s,
            apply=lambda: log.configure(stderr, level=wanted.level, form=wanted.format),
        )

    def render_metrics() -> str:
        return prometheus.render(
            metrics,
            state,
            version=version("ops-sidecar"),
            process=process_usage(),
            dropped_lines={"log": stderr.dropped, "access": stdout.dropped},
        )

    def make_admin() -> Admin:
        from proxy.admin.server import AdminServer, application  # costs memory only where there is an admin listener

        return AdminServer(application(state, render_metrics, prometheus.CONTENT_TYPE))

    async def main() -> bool:
        plan = generation(first, 1)
        plan.apply()
        lifecycle = Lifecycle(
            plan,
            data_plane=DataPlane(plan.plan, metrics=metrics, access_log=access_log),
            make_admin=make_admin,
            read=lambda number: generation(read_settings(), number),
            state=state,
            announce=lambda plan, addresses, admin: _announce(stderr, plan, addresses, admin),
            clock=time.time,
        )
        return await lifecycle.run()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())
    finally:
        stdout.close()
        stderr.close()


def _announce(stderr: LineWriter, plan: Plan, addresses: dict[str, Address], admin: Address | None) -> None:
    """One line per listener, and `ops-sidecar ready`."""
    for listener in plan.listeners:
        target = listener.router.upstreams()[-1].target
        to = f", sends to {target.scheme}://{target.authority}" if listener.fixed_upstream and target else ""
        stderr.write(f"{listener.name} listening on {_show(addresses[listener.name])}{to}")
    if admin is not None:
        stderr.write(f"admin listening on {_show(admin)}")
    stderr.write("ops-sidecar ready")


def _show(address: Address) -> str:
    if address.unix_path:
        return f"unix:{address.unix_path}"
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
