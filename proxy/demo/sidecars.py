"""The demo's sidecars: real processes of `ops-sidecar run`, configured by flags, by a file, and by environment.

Knows the documented command line and settings, and the output of `run`. Must not know the sidecar's insides.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import proxy

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
KEPT_LINES = 40  # lines of a sidecar's log, shown when it fails

_LISTENER_LINE = re.compile(r"(?P<name>[a-z]+) listening on (?P<host>127\.0\.0\.1):(?P<port>[0-9]+)")


class DemoError(Exception):
    """The demo could not start or run. The message says what failed, and shows its log."""


@dataclass(frozen=True, slots=True)
class SidecarSpec:
    """How one sidecar is started: arguments, environment, and the text of a settings file (empty: none)."""

    name: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    file_text: str = ""


@dataclass(slots=True)
class Sidecar:
    """A running sidecar. `addresses` is complete once it is ready: listener name -> (host, port)."""

    name: str
    process: asyncio.subprocess.Process
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, listener: str) -> str:
        """`http://host:port` of a listener; DemoError if the sidecar did not name it."""
        if listener not in self.addresses:
            known = ", ".join(self.addresses) or "none"
            raise DemoError(f"the sidecar of {self.name} has no listener {listener}, only {known}\n{self.tail()}")
        host, port = self.addresses[listener]
        return f"http://{host}:{port}"

    def tail(self) -> str:
        """The last lines of its log, indented."""
        return "\n".join(f"    {line}" for line in self.log)


def specs(
    apps: Mapping[str, int], next_ports: Mapping[str, int], inject: Mapping[str, str], entry: str = "127.0.0.1:0"
) -> tuple[SidecarSpec, ...]:
    """The three sidecars of the demo.

    `apps`: the port of each service.
    `next_ports`: the port where its next service's sidecar is reached.
    `inject`: the format that each service understands.
    `entry`: where the shop's sidecar listens for callers.

    Between two sidecars the wire has W3C, the default of `inject`.
    So each sidecar needs one setting only: the format that its app understands (`inbound.propagation.inject`).
    Reading (`extract`) accepts every format by default.
    """
    anywhere = "127.0.0.1:0"
    shop = SidecarSpec(
        "shop",
        arguments=(
            *("--inbound", entry, "--outbound", anywhere, "--admin", anywhere),
            *("--app", f"http://127.0.0.1:{apps['shop']}"),
            *("--set", f"inbound.propagation.inject={inject['shop']}"),
            *(
                "--set",
                f'upstreams=[{{name: orders, match: [orders.internal], target: "http://127.0.0.1:{next_ports["shop"]}"}}]',
            ),
            *("--set", "drain.outbound_linger_s=0"),
        ),
    )
    orders = SidecarSpec(
        "orders",
        file_text=f"""\
inbound:
  listen: {anywhere}
  app: http://127.0.0.1:{apps["orders"]}
  propagation:
    inject: [{inject["orders"]}]
outbound:
  listen: {anywhere}
upstreams:
  - name: billing
    listen: {anywhere}  # a listener of its own: whatever comes here goes to billing
    target: http://127.0.0.1:{next_ports["orders"]}
admin:
  listen: {anywhere}
drain:
  outbound_linger_s: 0
""",
    )
    billing = SidecarSpec(
        "billing",
        environment={
            "OPS_SIDECAR_INBOUND__LISTEN": anywhere,
            "OPS_SIDECAR_INBOUND__APP": f"http://127.0.0.1:{apps['billing']}",
            "OPS_SIDECAR_INBOUND__PROPAGATION__INJECT": inject["billing"],
            "OPS_SIDECAR_OUTBOUND__LISTEN": anywhere,
            "OPS_SIDECAR_UPSTREAMS": f'[{{name: shop, match: [shop.internal], target: "http://127.0.0.1:{next_ports["billing"]}"}}]',
            "OPS_SIDECAR_ADMIN__LISTEN": anywhere,
            "OPS_SIDECAR_DRAIN__OUTBOUND_LINGER_S": "0",
        },
    )
    return shop, orders, billing


def exporting(spec: SidecarSpec, endpoint: str, *, reports: bool = False) -> SidecarSpec:
    """The same sidecar as a span of each trace, which sends its spans to the collector at `endpoint`.

    `reports`: it is a console, and is told of headers, plans and settings as well.
    """
    standard = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": spec.name,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    if reports:
        standard["OPS_SIDECAR_CONSOLE__REPORT__ENDPOINT"] = endpoint
        standard["OPS_SIDECAR_CONSOLE__REPORT__INTERVAL_S"] = "2"
    return replace(spec, environment={**spec.environment, **standard})


@contextlib.asynccontextmanager
async def running(wanted: Sequence[SidecarSpec]) -> AsyncIterator[dict[str, Sidecar]]:
    """Start all at once, yield them by name when all are ready, and always end them. Raises DemoError if one fails."""
    started: dict[str, Sidecar] = {}
    readers: list[asyncio.Task[None]] = []
    with _scratch_folder() as folder:
        try:
            for spec in wanted:
                sidecar = await _start(spec, folder)
                started[spec.name] = sidecar
                readers.append(asyncio.create_task(_read_log(sidecar)))
            for sidecar in started.values():
                await _wait_ready(sidecar)
            yield started
        finally:
            await _stop(list(started.values()))
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)


@contextlib.contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Where the settings file of one sidecar is written; DemoError if there is none (docker run --read-only)."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="ops-sidecar-demo-")
    except OSError as error:
        raise DemoError(f"no place for one small settings file, set TMPDIR to a folder: {error}") from None
    with folder as name:
        yield Path(name)


async def first_gone(sidecars: Sequence[Sidecar]) -> Sidecar:
    """Wait until one of them ends, and say which; it should not."""
    waits = {asyncio.create_task(sidecar.process.wait()): sidecar for sidecar in sidecars}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return waits[done.pop()]
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _start(spec: SidecarSpec, folder: Path) -> Sidecar:
    arguments = list(spec.arguments)
    if spec.file_text:
        path = folder / f"{spec.name}.yaml"
        path.write_text(spec.file_text, encoding="utf-8")
        arguments = ["--config", str(path), *arguments]
    # Settings in the caller's environment must not leak in.
    # `-P` and PYTHONPATH: the same code runs in any working directory.
    ours = ("OPS_SIDECAR_", "MIRASCOPE_", "OTEL_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    inherited["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(Path(proxy.__path__[0]).parent), os.environ.get("PYTHONPATH")))
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "proxy", "run", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**inherited, **spec.environment},
        start_new_session=True,  # Ctrl-C reaches only us; we end them in order
    )
    return Sidecar(spec.name, process)


async def _read_log(sidecar: Sidecar) -> None:
    """Read the log to its end, so that the sidecar never blocks on it. Find its addresses and `ready`."""
    assert sidecar.process.stderr is not None
    try:
        async for raw in sidecar.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            sidecar.log.append(line)
            if sidecar.ready.is_set():
                continue
            match = _LISTENER_LINE.search(line)
            if match:
                sidecar.addresses.setdefault(match["name"], (match["host"], int(match["port"])))
            if line.endswith("ops-sidecar ready"):
                sidecar.ready.set()
    finally:
        sidecar.ready.set()  # the end of the log ends the wait as well; _wait_ready looks which it was


async def _wait_ready(sidecar: Sidecar) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await sidecar.ready.wait()
    except TimeoutError:
        raise DemoError(
            f"the sidecar of {sidecar.name} is not ready after {START_TIMEOUT_S:g} s\n{sidecar.tail()}"
        ) from None
    if "inbound" not in sidecar.addresses:
        code = await sidecar.process.wait()
        raise DemoError(f"the sidecar of {sidecar.name} ended with exit code {code}\n{sidecar.tail()}")


async def _stop(sidecars: Sequence[Sidecar]) -> None:
    """Send TERM to all, then KILL to those that are left."""
    for sidecar in sidecars:
        with contextlib.suppress(ProcessLookupError):
            sidecar.process.terminate()
    waits = [asyncio.create_task(sidecar.process.wait()) for sidecar in sidecars]
    try:
        if waits:
            await asyncio.wait(waits, timeout=STOP_TIMEOUT_S)
    finally:
        for sidecar in sidecars:
            if sidecar.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    sidecar.process.kill()
        await asyncio.gather(*waits, return_exceptions=True)
