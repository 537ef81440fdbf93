"""The load: wrk with 32 connections, and single requests for the check.

May know wrk and the request that everyone is measured with. Must not know which proxy answers.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
TRACE_ID = "463ac35c9f6413ad48485a3953bb6124"  # both are replaced request by request, see wrk.lua
SPAN_ID = "a2fb4a1d1a96d312"

# With Host, which every client adds, these are eight.
_PLAIN = {
    "User-Agent": "bench/1.0",
    "Accept": "application/json",
    "Accept-Language": "en-GB,en;q=0.7",
    "Authorization": "Bearer 0f8b9b1e5c1d4c5f9a2b7d3e6f1a8c4b",
}
_B3 = {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, "X-B3-Sampled": "1"}
_OTHER = {"X-Tenant-Id": TRACE_ID, "X-Shard-No": SPAN_ID, "X-Canary-It": "1"}  # as many bytes, no trace

_SCRIPT = str(Path(__file__).with_name("wrk.lua"))


class LoadError(Exception):
    """wrk failed, or some answers were not 200."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of wrk counted."""

    requests: int
    duration_s: float
    p50_ms: float
    p99_ms: float


def request_headers(*, traced: bool) -> dict[str, str]:
    """The headers of every request, without Host; three of them X-B3-* where `traced`."""
    return _PLAIN | (_B3 if traced else _OTHER)


def run(port: int, seconds: float, *, traced: bool) -> Outcome:
    """Loads 127.0.0.1:`port` for about `seconds` (whole ones). Runs on the core of the caller. Raises LoadError."""
    flags = [f"-H{name}: {value}" for name, value in request_headers(traced=traced).items()]
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--latency", *flags]
    argv += ["-s", _SCRIPT, f"http://127.0.0.1:{port}/items?page=1"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30, check=False)
    line = next((line for line in result.stdout.splitlines() if line.startswith("JSON ")), None)
    if result.returncode or line is None:
        raise LoadError(f"wrk ended with {result.returncode}: {result.stderr or result.stdout}")
    counted = json.loads(line.removeprefix("JSON "))
    if counted["bad_status"] or counted["bad_socket"] or not counted["requests"]:
        raise LoadError(f"not every answer was good: {counted}")
    return Outcome(counted["requests"], counted["duration_us"] / 1e6, counted["p50_us"] / 1e3, counted["p99_us"] / 1e3)


def get(port: int, path: str, *, traced: bool = True) -> tuple[int, bytes]:
    """One request to 127.0.0.1:`port`; its status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=request_headers(traced=traced))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
