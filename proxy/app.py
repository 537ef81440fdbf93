"""The composition root: the one place where the sidecar's objects are built and wired. Reads like a list."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

import uvloop

from proxy.http1 import DataPlane
from proxy.lifecycle import Admin, Generation, Lifecycle
from proxy.plan import Address, Plan, Target
from proxy.plan.compile import compile_plan
from proxy.plan.tls import TlsContexts
from proxy.settings import Loaded
from proxy.settings.watch import FileWatch
from proxy.telemetry import log, prometheus
from proxy.telemetry.access_log import access_logger
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.process import process_usage
from proxy.telemetry.state import State
from proxy.telemetry.writer import LineWriter

logger = logging.getLogger(__name__)
_STDOUT, _STDERR = 1, 2


def run_sidecar(first: Loaded, read_settings: Callable[[], Loaded]) -> bool:
    """Build a sidecar and run it to its end. True where no exchange was cut; raises StartError."""
    settings = first.settings
    stderr = LineWriter(_STDERR, limit_lines=settings.log.queue_lines, name="log")
    stdout = LineWriter(_STDOUT, limit_lines=settings.log.queue_lines, name="access-log")
    access_log = access_logger(stdout, settings.log.access, time.time) if settings.log.access != "off" else None
    metrics = Metrics()
    state = State()

    contexts = TlsContexts()

    def generation(loaded: Loaded, number: int) -> Generation:
        wanted = loaded.settings.log

        def apply() -> None:
            log.configure(stderr, level=wanted.level, form=wanted.format)
            if (wanted.access, wanted.queue_lines) != (settings.log.access, settings.log.queue_lines):
                logger.warning("log.access and log.queue_lines take effect at the next start")

        return Generation(
            plan=compile_plan(loaded.settings, number, contexts),
            watch=FileWatch(loaded.read) if loaded.settings.reload.watch and loaded.read else None,
            interval_s=loaded.settings.reload.interval_s,
            apply=apply,
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

        return AdminServer(application(state, render_metrics, prometheus.CONTENT_TYPE), state)

    def announce(plan: Plan, addresses: dict[str, Address], admin: Address | None) -> None:
        _set_aside_garbage_collection()
        for line in _listener_lines(plan, addresses, admin):
            stderr.write(log.start_line(line, settings.log.format))

    async def main() -> bool:
        start = generation(first, 1)
        start.apply()
        data_plane = DataPlane(start.plan, metrics=metrics, access_log=access_log, file_limit=_raise_file_limit())
        _warn_of_few_files(start.plan, data_plane.most_clients)
        lifecycle = Lifecycle(
            start,
            data_plane=data_plane,
            make_admin=make_admin,
            read=lambda number: generation(read_settings(), number),
            state=state,
            announce=announce,
            clock=time.time,
        )
        return await lifecycle.run()

    _let_names_hang()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())
    finally:
        stdout.close()
        stderr.close()


def _let_names_hang() -> None:
    """Give the event loop threads enough for look-ups that hang: it keeps 4, uses half of them, and so two names whose
    DNS is silent would stop every other. (16 can hang now; the threads cost 0.2 MB.) libuv, "Thread pool work
    scheduling".
    """
    os.environ.setdefault("UV_THREADPOOL_SIZE", "32")


def _set_aside_garbage_collection() -> None:
    """Take what is there after the start out of every later collection: 54,000 objects, a pause of 9 ms each time."""
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> int:
    """As many open files as the system allows: each exchange holds two, and the usual soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def _warn_of_few_files(plan: Plan, most_clients: int) -> None:
    """Where the limit of connections is far from what can be. (A little less is usual: 20000, 4096.)"""
    wanted = max((listener.limits.connections for listener in plan.listeners), default=0)
    if wanted > 2 * most_clients:
        logger.warning(
            "limits.connections is %d, but the limit of open files (ulimit -n) leaves room for %d clients",
            wanted,
            most_clients,
        )


def _listener_lines(plan: Plan, addresses: dict[str, Address], admin: Address | None) -> Iterator[str]:
    """One line per listener, and `ops-sidecar ready`."""
    for listener in plan.listeners:
        target = listener.router.upstreams()[-1].target
        to = f", sends to {_show_target(target)}" if listener.fixed_upstream and target else ""
        yield f"{listener.name} listening on {addresses[listener.name]}{to}"
    if admin is not None:
        yield f"admin listening on {admin}"
    yield "ops-sidecar ready"


def _show_target(target: Target) -> str:
    return str(target.address) if target.address.unix_path else f"{target.scheme}://{target.authority}"
