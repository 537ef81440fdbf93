"""A console as a process, and a client of it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote


class Console:
    """A console as a process, its store in a file."""

    def __init__(self, store: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxy", "console", "--listen", "127.0.0.1:0", "--otlp", "127.0.0.1:0",
             "--store", str(store)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        ports = []
        for line in self._process.stderr:
            if " on http://127.0.0.1:" in line:
                ports.append(int(line.rpartition(":")[2]))
            if "ready" in line:
                break
        self._page = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=60)
        self._otlp = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=60)

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def get(self, path: str) -> tuple[float, Any]:
        """How long it took, in milliseconds, and the answer.

        Without what threads of the console, and we, waited for a core that other work had; at least what they ran.
        """
        ran, waited = self._scheduled_s()
        began = time.perf_counter()
        self._page.request("GET", f"/api/v1{quote(path, safe='/?=&:')}")
        response = self._page.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        assert response.status == 200, (path, body[:200])
        ran_after, waited_after = self._scheduled_s()
        return max(ran_after - ran, took - (waited_after - waited)) * 1000, json.loads(body)

    def send(self, body: bytes) -> None:
        """Again and again, as senders do, while the console is too busy."""
        while True:
            self._otlp.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            response = self._otlp.getresponse()
            response.read()
            if response.status == 200:
                return
            assert response.status == 503, response.status
            time.sleep(0.05)

    def _scheduled_s(self) -> tuple[float, float]:
        """How long threads ran, and waited for a core, so far (Linux: Documentation/scheduler/sched-stats.rst)."""
        files = [*Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"), Path("/proc/thread-self/schedstat")]
        found = [file.read_text().split() for file in files]
        return sum(int(one[0]) for one in found) / 1e9, sum(int(one[1]) for one in found) / 1e9

    def cpu_s(self) -> float:
        """Of the process, so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
