"""Runs the W3C Trace Context conformance suite at its strictest level behind a sidecar in participate mode.

    python tests/w3c/run.py PATH/TO/trace-context [--app FORMAT] [name of a test ...]

PATH is a checkout of github.com/w3c/trace-context; the project does not carry a copy. The way of a test's request:

    harness ─▶ sidecar, inbound ─▶ app below ─▶ sidecar, outbound (as HTTP proxy) ─▶ harness

The app does what a service without any tracing library does at best: it copies the headers of its own format, from the
request that it got to the requests that it makes. `--app` says which format that is: its sidecar writes it for the app,
and the suite still speaks W3C on both sides. Loopback only. Exits with the number of failures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import sys
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, web

COPIED = {
    "tracecontext": ("traceparent", "tracestate"),
    "b3": ("b3",),
    "b3multi": ("X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"),
    "jaeger": ("uber-trace-id",),
}
READY_S = 15.0
SUITE_S = 300.0


class App:
    """The service under test."""

    def __init__(self, format: str) -> None:
        self.copied = COPIED[format]

    proxy = ""  # the outbound listener, known only once the sidecar runs

    async def handle(self, request: web.Request) -> web.Response:
        """Posts each {url, arguments} of the body, through the outbound listener, with the caller's context."""
        context = [(name, value) for name in self.copied for value in request.headers.getall(name, [])]
        async with ClientSession(timeout=ClientTimeout(total=10)) as client:
            for action in await request.json():
                call = client.post(action["url"], json=action["arguments"], headers=context, proxy=self.proxy)
                async with call as response:
                    await response.read()
        return web.Response()


def free_port() -> int:
    """A port for the suite's harness, which has to be told one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def start_sidecar(app_url: str, format: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    """The sidecar and the addresses of its listeners, once it says that it is ready."""
    sidecar = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "run", "--app", app_url, "--admin", "off"),
        *("--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0"),
        *("--mode", "participate", "--inject", "tracecontext", "--set", f"inbound.propagation.inject={format}"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert sidecar.stderr is not None
    addresses: dict[str, str] = {}
    async with asyncio.timeout(READY_S):
        while line := (await sidecar.stderr.readline()).decode():
            if found := re.search(r"(inbound|outbound)\b.*?(127\.0\.0\.1:\d+)", line):
                addresses[found[1]] = found[2]
            if "ops-sidecar ready" in line:
                return sidecar, addresses
    raise SystemExit("the sidecar ended before it was ready")


async def run(suite: Path, names: list[str], format: str) -> int:
    """The exit code of the suite."""
    app = App(format)
    application = web.Application()
    application.router.add_post("/test", app.handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sidecar, addresses = await start_sidecar(f"http://127.0.0.1:{runner.addresses[0][1]}", format)
    assert sidecar.stderr is not None
    log = asyncio.create_task(sidecar.stderr.read())
    app.proxy = f"http://{addresses['outbound']}"
    try:
        harness = await asyncio.create_subprocess_exec(
            *(sys.executable, "test.py", f"http://{addresses['inbound']}/test", *names),
            cwd=suite / "test",
            env=os.environ
            | {"STRICT_LEVEL": "2", "SPEC_LEVEL": "2"}
            | {"HARNESS_HOST": "127.0.0.1", "HARNESS_PORT": str(free_port())},
        )
        async with asyncio.timeout(SUITE_S):
            return await harness.wait()
    finally:
        sidecar.kill()
        await sidecar.wait()
        await log
        await runner.cleanup()


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="a checkout of github.com/w3c/trace-context")
    parser.add_argument("names", nargs="*", help="tests to run, e.g. AdvancedTest; all by default")
    parser.add_argument("--app", choices=COPIED, default="tracecontext", help="the format that the app knows")
    options = parser.parse_args()
    if not (options.suite / "test" / "test.py").is_file():
        parser.error(f"{options.suite} is no checkout of github.com/w3c/trace-context: it has no test/test.py")
    return asyncio.run(run(options.suite, options.names, options.app))


if __name__ == "__main__":
    sys.exit(main())
