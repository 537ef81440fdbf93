"""The composition root: the only place where the sidecar's objects are built and wired. Reads like a list."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import uvloop

from ops_lib.hosts import read_address
from proxy.admin.hosts import AdminHosts
from proxy.compiling import quieten_coroutines
from proxy.control import LEVEL_SOURCE, SidecarControl
from proxy.dataplane import DataPlane
from proxy.errors import StartError
from proxy.lifecycle import Admin, Generation, Lifecycle, ServiceManager
from proxy.lifecycle.console_process import ConsoleProcess
from proxy.lifecycle.public_listeners import PUBLIC
from proxy.own_version import own_version
from proxy.plan import Address, ListenerPlan, Plan, UpstreamTarget
from proxy.plan.compile import compile_plan
from proxy.plan.tls import TlsContexts
from proxy.reporting import Reporting
from proxy.settings import Loaded
from proxy.settings.effective import effective
from proxy.settings.layers import FLAG, VARIABLE
from proxy.settings.reading import with_level
from proxy.settings.sections.process import LogSettings
from proxy.settings.unused import without_effect
from proxy.settings.watch import FileWatch
from proxy.telemetry import log
from proxy.telemetry.access_log import access_logger
from proxy.telemetry.exposition import (
    CONTENT_TYPE,
    OPENMETRICS_TYPE,
    Family,
    openmetrics_page,
    page,
    wants_openmetrics,
)
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import Exporter
from proxy.telemetry.otlp.metric import metrics as otlp_metrics
from proxy.telemetry.process import process_usage
from proxy.telemetry.prometheus import families
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.state import State
from proxy.telemetry.writer import LineWriter
from proxy.transport.handed import HandedSockets, handed_over

logger = logging.getLogger(__name__)
_STDOUT, _STDERR = 1, 2
_MOST_TOLD = 8  # upstreams in a line


class Output(NamedTuple):
    """Where lines go. Made before everything else and closed after it, so that the last line is written too."""

    log: LineWriter
    access: LineWriter

    def dropped_lines(self) -> dict[str, int]:
        """How many lines each stream dropped."""
        return {"log": self.log.dropped, "access": self.access.dropped}

    def close(self) -> None:
        """Write the waiting lines."""
        self.access.close()
        self.log.close()


def run_sidecar(first: Loaded, read_settings: Callable[[], Loaded]) -> bool:
    """Build a sidecar and run it to its end. True if no exchange was cut; raises StartError."""
    limit_lines = first.settings.log.queue_lines
    output = Output(
        log=LineWriter(_STDERR, limit_lines=limit_lines, name="log"),
        access=LineWriter(_STDOUT, limit_lines=limit_lines, name="access-log"),
    )
    _let_names_hang()
    quieten_coroutines()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(first, read_settings, output))
    finally:
        output.close()


async def _run(first: Loaded, read_settings: Callable[[], Loaded], output: Output) -> bool:
    settings = first.settings
    access_log = access_logger(output.access, settings.log.access, time.time) if settings.log.access != "off" else None
    metrics = Metrics()
    state = State()
    admin_hosts = AdminHosts([socket.gethostname()])
    families = Families(metrics, state, output)
    exporter = families.exporter
    channel = families.channel
    reporting = Reporting(
        channel,
        metrics=metrics,
        state=state,
        exporter=exporter,
        version=families.version,
        dropped_lines=output.dropped_lines,
        metrics_now=families.as_otlp,
    )
    console = ConsoleProcess()
    generations = Generations(settings.log, output.log, admin_hosts, reporting, console)
    start = generations.make(first, 1)
    start.apply()
    data_plane = DataPlane(
        start.plan,
        metrics=metrics,
        access_log=access_log,
        exporter=exporter,
        channel=channel,
        file_limit=_raise_file_limit(),
        handed=_handed_over(start.plan),
    )
    reporting.know(data_plane)
    _warn_of_few_files(start.plan, data_plane.most_clients)
    _warn_of_no_effect(first)
    _warn_of_unreported_ids(start.plan)
    _hint_at_trust(start.plan)
    lifecycle = Lifecycle(
        start,
        data_plane=data_plane,
        make_admin=lambda: _make_admin(state, families, data_plane, admin_hosts, control),
        make_public=lambda: _make_public(state, families, data_plane),
        read=lambda number: generations.make(read_settings(), number),
        state=state,
        announce=lambda plan, addresses, admin: _announce(plan, addresses, admin, output, settings.log),
        clock=time.time,
        manager=ServiceManager(os.environ, os.getpid()),
    )
    control = SidecarControl(
        generations, lambda: lifecycle, metrics=metrics, shadow_examples=data_plane.shadow_examples
    )
    try:
        return await lifecycle.run()
    finally:
        await console.stop()


class Generations:
    """Made from the settings, one per reading."""

    def __init__(
        self,
        first: LogSettings,
        writer: LineWriter,
        admin_hosts: AdminHosts,
        reporting: Reporting,
        console: ConsoleProcess,
    ) -> None:
        """`first`: the log settings at the start; not all of them can change while the sidecar runs."""
        self._first = first
        self._writer = writer
        self._admin_hosts = admin_hosts
        self._reporting = reporting
        self._console = console
        self._contexts = TlsContexts()
        self.level: str | None = None  # replaces that of the settings
        self.loaded: Loaded  # in force
        self.plan: Plan

    def again(self, number: int) -> Generation:
        """The settings in force as the generation `number`."""
        return self.make(self._read, number)

    def make(self, read: Loaded, number: int) -> Generation:
        """The generation `number`."""
        loaded = with_level(read, self.level, LEVEL_SOURCE) if self.level is not None else read
        settings = loaded.settings
        plan = compile_plan(settings, number, self._contexts)
        return Generation(
            plan=plan,
            watch=FileWatch(loaded.read) if settings.reload.watch and loaded.read else None,
            interval_s=settings.reload.interval_s,
            apply=lambda: self._apply(read, loaded, plan),
            values=_values(loaded),
        )

    def _apply(self, read: Loaded, loaded: Loaded, plan: Plan) -> None:
        self._read, self.loaded, self.plan = read, loaded, plan
        settings = loaded.settings
        self._reporting.use(plan, loaded)
        self._console.use(plan.console)
        self._admin_hosts.use(settings.admin.hosts)
        wanted = settings.log
        log.configure(self._writer, level=wanted.level, form=wanted.format)
        if (wanted.access, wanted.queue_lines) != (self._first.access, self._first.queue_lines):
            logger.warning("log.access and log.queue_lines take effect at the next start")


def _values(loaded: Loaded) -> dict[str, str]:
    """Every key as it takes effect, and the state of the certificate files among them."""
    values = {entry.key: str(entry.value) for entry in effective(loaded)}
    for path, looks in loaded.read.items():
        if path != loaded.file:
            values[f"contents of {path}"] = f"of {log.timestamp(looks[3] / 1e9)}" if looks is not None else "gone"
    return values


class Families:
    """All counters, for `/metrics` and for the exporter, which adds its own."""

    def __init__(self, metrics: Metrics, state: State, output: Output) -> None:
        self._metrics = metrics
        self._state = state
        self._output = output
        self.version = own_version()
        self._start_ns = time.time_ns()
        self.exporter = Exporter(self.version, self.as_otlp)
        self.channel = Channel(self.version)

    def __call__(self) -> list[Family]:
        """As they are now."""
        return families(
            self._metrics,
            self._state,
            version=self.version,
            process=process_usage(),
            dropped_lines=self._output.dropped_lines(),
            exported=self.exporter.counts(),
            reported=self.channel.sent(),
        )

    def page(self, accept: str) -> tuple[str, str]:
        """The text of `/metrics`, and its content type, for a request with this Accept."""
        if wants_openmetrics(accept):
            return openmetrics_page(self()), OPENMETRICS_TYPE
        return page(self()), CONTENT_TYPE

    def as_otlp(self) -> list[bytes]:
        """As they are now, as entries of ScopeMetrics.metrics."""
        return otlp_metrics(self(), self._start_ns, time.time_ns())


def _make_admin(
    state: State, families: Families, data_plane: DataPlane, hosts: AdminHosts, control: SidecarControl
) -> Admin:
    from proxy.admin.application import application  # costs memory only if there is an admin listener
    from proxy.admin.server import AdminServer

    routes = application(state, families.page, is_app_up=data_plane.is_app_up, hosts=hosts, control=control)
    return AdminServer(routes, state)


def _make_public(state: State, families: Families, data_plane: DataPlane) -> Admin:
    from proxy.admin.application import public_application
    from proxy.admin.server import AdminServer

    routes = public_application(state, families.page, is_app_up=data_plane.is_app_up)
    return AdminServer(routes, state, "admin.public_listen")


def _announce(
    plan: Plan, addresses: dict[str, tuple[Address, ...]], admin: Address | None, output: Output, settings: LogSettings
) -> None:
    """The start is over: log where everything listens."""
    _set_aside_garbage_collection()
    for line in _listener_lines(plan, addresses, admin):
        output.log.write(log.start_line(line, settings.format))


def _let_names_hang() -> None:
    """Give the event loop enough threads for look-ups that hang.
    By default it has 4 and uses half of them for look-ups, so two names with a silent DNS would block all others.
    See libuv, "Thread pool work scheduling".
    """
    os.environ.setdefault("UV_THREADPOOL_SIZE", "32")


def _set_aside_garbage_collection() -> None:
    """For speed, exclude the objects that exist after the start from later garbage collections."""
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> int:
    """Raise the limit of open files to what the system allows: each exchange holds two, and the usual limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def _handed_over(plan: Plan) -> HandedSockets:
    """The sockets of the service manager. Raises StartError if no listener is at the address of one."""
    handed = handed_over(os.environ, os.getpid())
    wanted = {bind for listener in plan.listeners for bind in listener.binds}
    for address in handed.addresses():
        if address not in wanted:
            there = ", ".join(map(str, sorted(wanted, key=str)))
            raise StartError(
                f"the service manager hands over a socket at {address}, and no listener is there: its unit and the "
                f"settings must name the same address (the listeners are at {there})"
            )
    return handed


def _warn_of_few_files(plan: Plan, most_clients: int) -> None:
    """Where the limit of connections is far from what can be. (A little less is usual: 20000, 4096.)"""
    wanted = max((listener.limits.connections for listener in plan.listeners), default=0)
    if wanted > 2 * most_clients:
        logger.warning(
            "limits.connections is %d, but the limit of open files (ulimit -n) leaves room for %d clients",
            wanted,
            most_clients,
        )


def _warn_of_no_effect(loaded: Loaded) -> None:
    """Warn of settings without effect from flags and the environment.
    A file may say more than takes effect; `check` shows that.
    """
    for one in without_effect(loaded):
        if one.source.startswith((FLAG, VARIABLE)):
            logger.warning("a setting has no effect", extra=log.fields(**one._asdict()))


def _warn_of_unreported_ids(plan: Plan) -> None:
    """Warn if the sidecar takes part but exports nothing: each of its span ids is a gap in the trace."""
    taking_part = [
        listener.name
        for listener in plan.listeners
        if any(upstream.propagation.mode == "participate" for upstream in listener.router.upstreams())
    ]
    if taking_part and plan.export.traces is None:
        logger.warning(
            "propagation.mode is participate (%s) and nothing is exported: nobody will report the sidecar's span ids; "
            "set export.endpoint, or propagation.mode: translate",
            ", ".join(taking_part),
        )


def _hint_at_trust(plan: Plan) -> None:
    """Where anyone may come in, and is believed."""
    for listener in plan.listeners:
        addresses = [read_address(bind.host) for bind in listener.binds]
        is_public = any(one is not None and (one.is_unspecified or one.is_global) for one in addresses)
        if listener.direction == "inbound" and is_public and not listener.trust:
            logger.info(
                "%s listens on %s and believes every caller's trace, session and baggage; "
                "at an edge, set trust (docs/deploy.md)",
                listener.name,
                ", ".join(map(str, listener.binds)),
            )


def _listener_lines(plan: Plan, addresses: dict[str, tuple[Address, ...]], admin: Address | None) -> Iterator[str]:
    """One line per listener, where spans go, and `ops-sidecar ready`."""
    for listener in plan.listeners:
        target = listener.router.upstreams()[-1].target
        to = f", sends to {_show_target(target)}" if listener.fixed_upstream and target else ""
        for address in addresses[listener.name]:
            yield f"{listener.name} listening on {address}{to}, writes {_show_formats(listener)}"
    if admin is not None:
        yield f"admin listening on {admin}"
    for address in addresses.get(PUBLIC, ()):
        yield f"public listening on {address}, for health and metrics"
    if plan.export.traces is not None:
        yield f"spans are exported to {plan.export.traces}"
    yield "ops-sidecar ready"


def _show_formats(listener: ListenerPlan) -> str:
    """The formats that receivers get, with the exceptions, such as `tracecontext (billing: b3)`."""
    *others, default = listener.router.upstreams()
    usual = default.propagation.inject
    told = [f"{one.name}: {','.join(one.propagation.inject)}" for one in others if one.propagation.inject != usual]
    return ",".join(usual) + (f" ({'; '.join(told[:_MOST_TOLD])}{'; ...' * (len(told) > _MOST_TOLD)})" if told else "")


def _show_target(target: UpstreamTarget) -> str:
    return str(target.address) if target.address.unix_path else f"{target.scheme}://{target.authority}"
