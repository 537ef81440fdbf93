"""The process of a console beside this sidecar: started, restarted, stopped with it.

A process of its own, so that what it does costs the data plane no time of its loop, and no memory where it is off.
May know the plan's value of the console, which it hands over as one line. Its standard input is its lifeline:
when this sidecar dies, whatever the reason, the input ends, and the console with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Final

import proxy
from proxy.plan.console import ConsolePlan, to_json
from proxy.telemetry.log import fields

log = logging.getLogger(__name__)

_STOP_S: Final = 15.0
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_STEADY_S: Final = 30.0  # a console that ran for so long starts anew with the shortest wait


class ConsoleProcess:
    """See the module. `use` tells it of each plan; the event loop calls all of it."""

    def __init__(self) -> None:
        self._wanted: ConsolePlan | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()  # processes that were told to end
        self.restarts = 0

    def use(self, plan: ConsolePlan | None) -> None:
        """Run a console by `plan` from now on; None: none."""
        if plan == self._wanted:
            return
        self._wanted = plan
        self._changed.set()
        if self._task is None and plan is not None:
            self._task = asyncio.create_task(self._keep(), name="console")

    async def stop(self) -> None:
        """End it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*self._ending)

    async def _keep(self) -> None:
        """One process after the other, as the plans want."""
        wait_s = _FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            plan = self._wanted
            if plan is None:
                await self._changed.wait()
                continue
            started = loop.time()
            code = await self._run(plan)
            if code is None:  # another plan
                wait_s = _FIRST_WAIT_S
                continue
            wait_s = _FIRST_WAIT_S if loop.time() - started >= _STEADY_S else wait_s
            log.error("the console has ended and is started again", extra=fields(code=code, wait_s=wait_s))
            self.restarts += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            wait_s = min(_LONGEST_WAIT_S, wait_s * 2)

    async def _run(self, plan: ConsolePlan) -> int | None:
        """Run one until it ends (its exit code) or another plan comes (None)."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "proxy", "console", "--beside-sidecar"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # Ctrl-C reaches this sidecar alone, which ends its console last
        )
        assert process.stdin is not None
        ended = asyncio.ensure_future(process.wait())
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(to_json(plan).encode() + b"\n")
                await process.stdin.drain()
            await asyncio.wait([ended, changed], return_when=asyncio.FIRST_COMPLETED)
            return process.returncode if ended.done() else None
        finally:
            changed.cancel()
            ending = asyncio.create_task(_end(process, ended), name="end of console")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            await asyncio.shield(ending)


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Future[int]) -> None:
    """Close its input, which ends it; kill it if it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_S):
            await asyncio.shield(ended)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await ended


def _environment() -> dict[str, str]:
    """The same code runs in any working directory, and whatever the settings say in variables does not count twice."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPS_SIDECAR_", "OTEL_"))}
    path = (str(Path(proxy.__file__).parents[1]), os.environ.get("PYTHONPATH"))
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, path))}
