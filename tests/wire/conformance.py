"""Runs the conformance folder against the sidecar and holds it to the bar of that folder's README. `make conformance`.

Knows the command line of the sidecar and the runners' report files, nothing of the inside. The folder is not part of
the project. Where it is missing this ends well, but says that nothing was checked.

    python tests/wire/conformance.py FOLDER

The bar:
- no UNSAFE, VIOLATION or HUNG at any level; no CHECK or OVERSTRICT at level must;
- each LENIENT, and each CHECK or OVERSTRICT below must, stands by name in lenient.json, with its reason;
- vectors of tier consensus pass whole; the others pass or stand in lenient.json too;
- what the field found (found.jsonl) passes whole, through chains of sidecars;
- a name in lenient.json that needs no excuse any more is an error, so that the list never outlives its reasons.
"""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # for `lab`
sys.path.append(str(HERE.parents[1]))  # for the sidecar, where PYTHONPATH names no other (a compiled one)

from lab import stories  # noqa: E402 - behind the path
from lab.process import SidecarProcess  # noqa: E402 - behind the path
from lab.sidecar import LISTEN  # noqa: E402 - behind the path

from ops_lib.propagation import Propagator  # noqa: E402 - behind the path

FORMATS = ("tracecontext", "b3", "jaeger")
SIDECAR = shlex.join(
    [sys.executable, "-P", "-m", "proxy", "run", "--outbound", "off", "--admin", "off", "--set", "reload.watch=false"]
)
NEVER = {"UNSAFE", "VIOLATION", "HUNG"}


def main(folder: Path) -> int:
    """Run everything; 0 where the bar is met."""
    if not (folder / "run_attacks.py").is_file():
        print(f"conformance: NOT CHECKED, nothing is known of the bar: there is no folder {folder}", file=sys.stderr)
        return 0
    excuses: dict[str, str] = json.loads((HERE / "lenient.json").read_text())
    failures, used = attacks(folder, excuses)
    for name in FORMATS:
        more_failures, more_used = vectors(folder, name, excuses)
        failures += more_failures
        used |= more_used
    failures += found(folder / "found.jsonl")
    failures += hpack(folder / stories.FILE)
    failures += [f"{name}: excused in lenient.json, but passes" for name in sorted(set(excuses) - used)]
    for failure in failures:
        print("FAILED", failure)
    print(
        "conformance:", f"{len(failures)} failures" if failures else "the bar is met", f"({len(used)} excused by name)"
    )
    return 1 if failures else 0


def attacks(folder: Path, excuses: dict[str, str]) -> tuple[list[str], set[str]]:
    """The raw messages of http_attacks.jsonl. Returns (failures, names whose excuse was needed)."""
    command = f"{SIDECAR} --inbound 127.0.0.1:{{port}} --app {{upstream}} --set inbound.propagation.inject=tracecontext"
    command += " --set limits.streams=0"  # HTTP/1.1 alone: the preface of HTTP/2 is among the attacks
    results = run([str(folder / "run_attacks.py"), "--proxy-cmd", command])
    failures, used = [], set()
    for result in results:
        name, level, verdict = result["name"], result["level"], result["verdict"]
        if verdict == "PASS":
            continue
        if verdict in NEVER or (level == "must" and verdict != "LENIENT") or name not in excuses:
            failures.append(
                f"{verdict} {level} {name}: client {result['client_status']} {result['flags']} {result['checks']}"
            )
        else:
            used.add(name)
    print("attacks:", dict(Counter(f"{result['level']} {result['verdict']}" for result in results)))
    return failures, used


def vectors(folder: Path, name: str, excuses: dict[str, str]) -> tuple[list[str], set[str]]:
    """The propagation vectors of one format, behind a sidecar that makes a span of its own."""
    command = f"{SIDECAR} --inbound 127.0.0.1:{{port}} --app {{upstream}} --mode participate --extract {extracts(name)}"
    results = run([str(folder / "run_vectors.py"), "--format", name, "--proxy-cmd", command])
    failures, used = [], set()
    for result in results:
        excuse = f"{name}:{result['id']}"
        if result["ok"]:
            continue
        if result["tier"] == "consensus" or excuse not in excuses:
            failures.append(f"{result['tier']} {excuse}: {result['bad']} {str(result['headers'])[:200]}")
        else:
            used.add(excuse)
    print(
        f"vectors {name}:",
        dict(Counter(f"{result['tier']} {'ok' if result['ok'] else 'differs'}" for result in results)),
    )
    return failures, used


def found(file: Path) -> list[str]:
    """Headers through a chain of sidecars that translate, and what the last app has to get. Returns failures."""
    if not file.is_file():
        print("found: NOT CHECKED, there is no", file.name)
        return []
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    failures = []
    with ExitStack() as stack:
        app = stack.enter_context(RecordingApp())
        for case in cases:
            with ExitStack() as chain:
                port = app.port
                for formats in reversed(case["hops"]):
                    target = f"http://127.0.0.1:{port}"
                    flags = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--inject", formats)
                    sidecar = chain.enter_context(SidecarProcess(*flags, "--app", target))
                    port = sidecar.addresses["inbound"].port
                status = send(port, case["headers"])
            got = app.seen.pop() if status == 200 else []
            wanted = case["expected"]
            if status != 200 or (isinstance(wanted, list) and got != sorted(wanted)):
                failures.append(f"found {case['id']}: {status} {got}, not {wanted}")
    print("found:", {"ok": len(cases) - len(failures), "differs": len(failures)})
    return failures


def hpack(file: Path) -> list[str]:
    """Header blocks of other encoders, decoded and encoded again. Returns failures."""
    if not file.is_file():
        print("hpack: NOT CHECKED, there is no", file.name)
        return []
    told = list(stories.read(file))
    failures = [difference for story in told for difference in stories.differences(story)]
    print("hpack:", {"stories": len(told), "blocks": sum(len(story.cases) for story in told), "differs": len(failures)})
    return failures


def send(port: int, lines: list[str]) -> int:
    """A GET with these header lines; its status."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        head = "".join(f"{line}\r\n" for line in lines)
        client.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{head}Connection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        while data := client.recv(65536):
            answer += data
    return int(answer.split(b" ", 2)[1])


class RecordingApp:
    """An app that keeps the trace, session and baggage headers of each request, sorted."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ours = Propagator().owns
                seen.append(sorted(f"{name}: {value}" for name, value in self.headers.items() if ours(name)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> RecordingApp:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def extracts(name: str) -> str:
    """The formats that a vector file of `name` is written in."""
    return "b3,b3multi" if name == "b3" else name


def run(arguments: list[str]) -> list[dict[str, Any]]:
    """Run one of the folder's runners and read its report."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        subprocess.run(
            [sys.executable, *arguments, "--json", str(report)], check=False, timeout=900, stdout=subprocess.DEVNULL
        )
        return json.loads(report.read_text())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("conformance: NOT CHECKED, no folder is given: make conformance CONFORMANCE=folder", file=sys.stderr)
        sys.exit(0)
    sys.exit(main(Path(sys.argv[1]).resolve()))
