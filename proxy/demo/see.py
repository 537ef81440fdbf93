"""The console of a demo that is left running: `ops-sidecar console`, as any user starts it.

Knows the documented command line, and what the command prints. Must not know the console's insides.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import proxy
from proxy.demo.sidecars import START_TIMEOUT_S, STOP_TIMEOUT_S, DemoError

_USUAL_PORT = 9083
_PAGE = re.compile(r"console listening on (\S+)")
_RECEIVES = re.compile(r"OTLP is received on (\S+)")


@dataclass(frozen=True, slots=True)
class DemoConsole:
    """Where its page is, and where it receives spans and reports."""

    page: str
    receives: str

    def trace(self, trace_id: str) -> str:
        """The page of one trace."""
        return f"{self.page}/#/traces/{trace_id}"


@contextlib.asynccontextmanager
async def running_console() -> AsyncIterator[DemoConsole]:
    """Start one, and always end it. Raises DemoError if it does not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "proxy", "console", "--listen", f"127.0.0.1:{_port()}", "--otlp", "127.0.0.1:0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,  # Ctrl-C reaches only us
    )
    assert process.stderr is not None
    reader: asyncio.Task[None] | None = None
    try:
        console = await _started(process.stderr)
        reader = asyncio.create_task(_drain(process.stderr))
        yield console
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _started(log: asyncio.StreamReader) -> DemoConsole:
    page = receives = ""
    lines = []
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            async for raw in log:
                line = raw.decode("utf-8", "replace").rstrip()
                lines.append(line)
                if found := _PAGE.search(line):
                    page = found[1]
                if found := _RECEIVES.search(line):
                    receives = found[1]
                if line.endswith("console ready"):
                    return DemoConsole(page, receives)
    except TimeoutError:
        lines.append(f"not ready after {START_TIMEOUT_S:g} s")
    raise DemoError("the console did not start\n" + "\n".join(f"    {line}" for line in lines))


async def _drain(log: asyncio.StreamReader) -> None:
    """Read its log, so that it never blocks on it."""
    while await log.read(4096):
        pass


def _port() -> int:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", _USUAL_PORT)):
        return _USUAL_PORT
    return 0


def _environment() -> dict[str, str]:
    """The same code in any working directory, and no settings of the caller's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPS_SIDECAR_", "OTEL_"))}
    path = (str(Path(proxy.__path__[0]).parent), os.environ.get("PYTHONPATH"))
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, path))}
