"""Which calls of apps that forward nothing are joined to their requests, by what the app runs on.

    python tests/interop/linking.py [requests at a time]

For each runtime: a sidecar beside an app that makes one call for each request, and many requests at once. A wrong
parent is an error; a call that is not joined is not. Prints the table of docs/formats.md.
"""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.process import SidecarProcess
from lab.sidecar import LISTEN

SERVERS = Path(__file__).parent / "servers"
_GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", LISTEN, "--no-control-socket")
RUNTIMES = {
    "Flask, a thread each": (sys.executable, "calling.py"),
    "gunicorn, 4 sync workers": (*_GUNICORN, "--workers", "4", "calling:wsgi"),
    "gunicorn, gthread, 2 workers of 8 threads": (
        *(*_GUNICORN, "--workers", "2", "--worker-class", "gthread", "--threads", "8", "calling:wsgi"),
    ),
    "uvicorn": (sys.executable, "-m", "uvicorn", "--port", "0", "calling:asgi"),
    "Node": ("node", "calling.mjs"),
}
CALL_S = 0.01  # how long the called service takes


@dataclass
class Result:
    """What became of the calls."""

    right: int = 0
    wrong: int = 0
    unlinked: int = 0
    methods: dict[str, int] = field(default_factory=dict)


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


class _Called(BaseHTTPRequestHandler):
    """Notes the trace of each call, which says in its path which request it was made for."""

    protocol_version = "HTTP/1.1"
    seen: dict[int, str]

    def do_GET(self) -> None:
        self.seen[int(self.path[1:])] = self.headers.get("traceparent", "")
        time.sleep(CALL_S)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256


@contextmanager
def called() -> Iterator[tuple[int, dict[int, str]]]:
    """The service that the app calls: its port, and the `traceparent` that each call came with."""
    seen: dict[int, str] = {}
    server = _Server(("127.0.0.1", 0), type("Called", (_Called,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def app(command: tuple[str, ...]) -> Iterator[int]:
    """The app's port."""
    with subprocess.Popen(command, cwd=SERVERS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    threading.Thread(target=process.stdout.read, daemon=True).start()  # nothing waits for its log
                    yield int(found[1])
                    return
            raise RuntimeError(f"{command} did not start: {lines}")
        finally:
            process.terminate()
            process.wait(10)


def measure(command: tuple[str, ...], *, at_once: int, requests: int) -> Result:
    """Send `requests` through a sidecar to the app, `at_once` of them at a time."""
    with (
        called() as (billing, seen),
        app(command) as port,
        SidecarProcess(
            *("--app", f"http://127.0.0.1:{port}", "--inbound", LISTEN, "--outbound", LISTEN, "--admin", LISTEN),
            *("--set", f'upstreams=[{{name: billing, listen: "{LISTEN}", target: "http://127.0.0.1:{billing}"}}]'),
        ) as sidecar,
    ):
        inbound, outbound = sidecar.addresses["inbound"].port, sidecar.addresses["billing"].port

        def ask(number: int) -> None:
            client = http.client.HTTPConnection("127.0.0.1", inbound, timeout=30)
            client.request(
                "GET", f"/{number}?port={outbound}", headers={"traceparent": f"00-{trace_id(number)}-{1:016x}-01"}
            )
            answer = client.getresponse()
            answer.read()
            client.close()
            assert answer.status == 200, (number, answer.status)

        with ThreadPoolExecutor(at_once) as clients:
            list(clients.map(ask, range(requests)))
        result = Result()
        for number in range(requests):
            if not seen[number]:
                result.unlinked += 1
            elif seen[number].split("-")[1] == trace_id(number):
                result.right += 1
            else:
                result.wrong += 1
        admin = http.client.HTTPConnection("127.0.0.1", sidecar.addresses["admin"].port, timeout=30)
        admin.request("GET", "/metrics")
        page = admin.getresponse().read().decode()
        admin.close()
        for method, number_of in re.findall(r'calls_linked_total\{.*method="([a-z]+)"\} (\d+)', page):
            result.methods[method] = int(number_of)
        return result


def main() -> int:
    """See the module. The exit code is the number of wrong parents."""
    at_once = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    wrong = 0
    print(f"| runtime | calls | joined, {at_once} requests at once | joined, one at a time | wrong |")
    print("|---|---|---|---|---|")
    for name, command in RUNTIMES.items():
        if shutil.which(command[0]) is None:
            continue
        many = measure(command, at_once=at_once, requests=8 * at_once)
        one = measure(command, at_once=1, requests=32)
        wrong += many.wrong + one.wrong
        shares = [f"{100 * of.right / (of.right + of.wrong + of.unlinked):.0f} %" for of in (many, one)]
        print(f"| {name} | {8 * at_once} | {shares[0]} | {shares[1]} | {many.wrong + one.wrong} |", flush=True)
        print(f"  {many.methods} {one.methods}", file=sys.stderr)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
