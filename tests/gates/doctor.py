"""The doctor names 8 faults in 5 frameworks, each alone, and raises no alarm over clean requests.

    python -m gates.doctor [--clean 100000] [--only flask,node]

Real apps with the fault seeded, a real sidecar beside each, a real console that all report to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import uvloop
from lab.consoles import running
from lab.process import SidecarProcess

APPS = Path(__file__).parent / "apps"
FRAMEWORKS = {
    "flask": (sys.executable, "calling.py", "flask"),
    "fastapi": (sys.executable, "calling.py", "fastapi"),
    "aiohttp": (sys.executable, "calling.py", "aiohttp"),
    "django": (sys.executable, "calling.py", "django"),
    "node": ("node", "calling.mjs"),
}
FAULTS = {  # and the check that names it
    "drops": "forwards",
    "remints": "same",
    "stories": "once",
    "flips": "decision",
    "state": "state",
    "baggage": "baggage",
    "format": "format",
    "stale": "fresh",
}
CLEAN = "clean"
WAIT_S = 60.0
_AT_A_TIME = 4
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class _Billing(asyncio.Protocol):
    """The service that is called. Its callers send heads alone, one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(_END):
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@contextmanager
def billing() -> Iterator[str]:
    """Its URL."""
    told: queue.SimpleQueue[tuple[str, Callable[[], None]]] = queue.SimpleQueue()

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(_Billing, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        told.put((f"http://127.0.0.1:{port}", lambda: cast(None, loop.call_soon_threadsafe(stop.set))))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
    thread.start()
    url, stop = told.get(timeout=WAIT_S)
    try:
        yield url
    finally:
        stop()
        thread.join(WAIT_S)


@contextmanager
def app(framework: str) -> Iterator[str]:
    """The URL of an app of this framework."""
    process = subprocess.Popen(FRAMEWORKS[framework], cwd=APPS, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "listening on " in line, f"the app of {framework} did not start"
        yield line.split("listening on ")[1].strip()
    finally:
        process.kill()
        process.wait(WAIT_S)
        process.stdout.close()


def sidecar(folder: Path, service: str, app_url: str, billing_url: str, console: str) -> SidecarProcess:
    """A sidecar beside the app, which reports as `service`."""
    file = folder / f"{service}.yaml"
    settings = {
        "inbound": {"listen": "127.0.0.1:0", "app": app_url},
        "outbound": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "off"},
        "propagation": {"extract": ["tracecontext", "b3"]},
        "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing_url}],
        "console": {"report": {"endpoint": console, "interval_s": 1}},
        "service": {"name": service},
        "drain": {"outbound_linger_s": 0},
    }
    file.write_text(json.dumps(settings), encoding="utf-8")
    made = SidecarProcess("--config", str(file), ready=False)
    try:
        made.await_line(r"ops-sidecar ready\b", WAIT_S)  # several start at once
    except BaseException:
        made.kill()
        raise
    return made


def ask(sidecar: SidecarProcess, fault: str, number: int, at_a_time: int = 1) -> None:
    """So many requests, each with a trace of its own."""
    numbers = iter(range(number))
    outbound, address = sidecar.addresses["outbound"].port, sidecar.addresses["inbound"]
    wrong: list[str] = []

    def work() -> None:
        with socket.create_connection((address.host, address.port), WAIT_S) as connection:
            for one in numbers:  # shared by all threads: each takes the next
                if wrong:
                    return
                answer = _answer(connection, _request(fault, one, outbound))
                if not answer.startswith(b"HTTP/1.1 200 "):
                    wrong.append(f"the app answered {answer[:40]!r}")

    threads = [threading.Thread(target=work, daemon=True) for _ in range(at_a_time)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    assert next(numbers, None) is None, "a connection was lost"


def _request(fault: str, one: int, outbound: int) -> bytes:
    return (
        f"GET /{fault} HTTP/1.1\r\nHost: shop.internal\r\n"
        f"traceparent: 00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{'01' if one % 3 else '00'}\r\n"
        f"tracestate: congo=t61rcWkgMzE\r\nbaggage: tier=gold\r\nX-Mirascope-Session-Id: s-{one}\r\n"
        f"X-Outbound: {outbound}\r\n\r\n"
    ).encode()


def _answer(connection: socket.socket, request: bytes) -> bytes:
    """The whole answer, framed by its length or by chunks; less if the connection ends."""
    connection.sendall(request)
    answer = b""
    while True:
        head, end, body = answer.partition(_END)
        length = _LENGTH.search(head)
        if end and (len(body) == int(length[1]) if length else body.endswith(b"0" + _END)):
            return answer
        received = connection.recv(65536)
        if not received:
            return answer
        answer += received


def judge(said: dict[str, Any], framework: str, faults: Sequence[str]) -> list[str]:
    """What is wrong with the doctor's answer."""
    wrong = []
    for fault in faults:
        service = f"{framework}-{fault}"
        found = [one for one in said["findings"] if one["service"] == service]
        checks = sorted(one["check"] for one in found)
        expected = [] if fault == CLEAN else [FAULTS[fault]]
        if checks != expected:
            wrong.append(f"{service}: {checks or 'nothing'} found, expected {expected or 'nothing'}")
        for one in found:
            if not one["proof"]:
                wrong.append(f"{service}: no proof of {one['check']}")
            if not one["fix"]:
                wrong.append(f"{service}: no cure of {one['check']}")
    return wrong


async def examine(framework: str, *, faults: Sequence[str], requests: int, clean: int) -> tuple[list[str], list[str]]:
    """One framework: what is wrong, and the doctor's sentences."""
    async with running() as console:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            billing_url = stack.enter_context(billing())
            app_url = stack.enter_context(app(framework))
            wanted = [*faults, *([CLEAN] if clean else [])]

            def begin(fault: str) -> SidecarProcess:
                made = sidecar(folder, f"{framework}-{fault}", app_url, billing_url, console.otlp)
                stack.callback(made.kill)
                return made

            started = await asyncio.to_thread(lambda: [begin(fault) for fault in wanted])
            for fault, one in zip(wanted, started, strict=True):
                number, at_a_time = (clean, _AT_A_TIME) if fault == CLEAN else (requests, 1)
                await asyncio.to_thread(ask, one, fault, number, at_a_time)
            for one in started:  # its last report says all
                await asyncio.to_thread(one.end)
        said = await console.get("/doctor")
    shown = [one["sentence"] for one in said["findings"]]
    calls = {one["name"]: one["calls"] for one in said["services"]}
    wrong = judge(said, framework, wanted)
    if clean and calls.get(f"{framework}-{CLEAN}", 0) < clean:
        wrong.append(f"{framework}: only {calls.get(f'{framework}-{CLEAN}', 0)} clean calls were looked at")
    return wrong, [*shown, said["sentence"]]


def main() -> int:
    """Run at full size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=int, default=100_000, help="clean requests, over all frameworks")
    parser.add_argument("--only", default=",".join(FRAMEWORKS), help="frameworks, joined by commas")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    wrong: list[str] = []
    for framework in chosen:
        if shutil.which(FRAMEWORKS[framework][0]) is None:
            print(f"{framework}: skipped, {FRAMEWORKS[framework][0]} is not installed")
            continue
        begun = time.monotonic()
        clean = options.clean // len(chosen)
        found, sentences = asyncio.run(examine(framework, faults=tuple(FAULTS), requests=20, clean=clean))
        for sentence in sentences:
            print(f"  {sentence}")
        took = time.monotonic() - begun
        print(f"{framework}: {'FAILED' if found else 'held'}, {clean:,} clean requests, {took:.0f} s", flush=True)
        wrong += found
    for one in wrong:
        print(f"WRONG: {one}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
