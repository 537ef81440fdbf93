"""One proxy that runs, and what a load costs it.

May know children, load and check. Must not know who is measured when: see `rounds`.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import load, machine, peer_files, steady
from bench.check import CheckError, check
from bench.children import Child, ChildError, free_port
from bench.peers import COMPILED_NAME, ROOT, Peer, Place, find

_OUR_MODULES = {"PYTHONPATH": str(ROOT)}
FAILURES = (
    ChildError,
    CheckError,
    load.LoadError,
    OSError,
    http.client.HTTPException,
)  # of one run, not of the benchmark


@dataclass(frozen=True, slots=True)
class Sample:
    """What one load of one proxy gave."""

    peer: str
    round: int
    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the proxy, its threads and children, per answered request
    cpu_user_us: float  # of these: outside the kernel
    rss_idle_bytes: int  # after start, before the first request
    rss_load_bytes: int  # when the load ends
    exported_bytes: int  # what reached the sink during the run
    foreign_share: float  # of the proxy's core, used by processes that are not the proxy
    steady_p50_ms: float = 0.0  # at a constant rate far below its limit, see `steady`
    steady_p99_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What stays up for the whole benchmark."""

    directory: Path
    upstream_port: int
    sink_port: int
    load_core: int
    proxy_core: int


@contextmanager
def bench() -> Iterator[Bench]:
    """The upstream and the sink, running on the core of the load; everything is ended and removed on the way out.

    We move to that core ourselves, and with us wrk.
    """
    load_core, proxy_core = machine.cores()
    nginx = find("nginx")
    if nginx is None:
        raise ChildError("nginx is needed as the upstream (Debian: apt install nginx-light wrk haproxy)")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        upstream_port, sink_port = free_port(), free_port()
        configuration = directory / "upstream.conf"
        configuration.write_text(peer_files.nginx_upstream(name, upstream_port))
        upstream_argv = (nginx, "-p", name, "-c", str(configuration), "-e", "stderr")
        sink_argv = (sys.executable, "-m", "bench.programs.sink", str(sink_port))
        with (
            Child("the upstream", upstream_argv, core=load_core, log=directory / "upstream.log") as upstream,
            Child("the sink", sink_argv, core=load_core, log=directory / "sink.log", env=_OUR_MODULES) as sink,
        ):
            upstream.wait_ready(upstream_port)
            sink.wait_ready(sink_port)
            usable = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {load_core})
            try:
                yield Bench(directory, upstream_port, sink_port, load_core, proxy_core)
            finally:
                os.sched_setaffinity(0, usable)


class Running:
    """A proxy that is up, checked and warm."""

    def __init__(self, bench: Bench, peer: Peer, place: Place, proxy: Child, rss_idle_bytes: int) -> None:
        self.peer = peer
        self._bench = bench
        self._port = place.port
        self._proxy = proxy
        self._rss_idle_bytes = rss_idle_bytes

    def load(self, round_: int, seconds: float) -> Sample:
        """Loads it for `seconds`. Raises LoadError, or ChildError if it should have exported something."""
        bench, proxy, peer = self._bench, self._proxy, self.peer
        exported = _exported_bytes(bench.sink_port)
        busy_before_s, before_s, start = machine.busy_s(bench.proxy_core), proxy.cpu_s(), time.monotonic()
        outcome = load.run(self._port, seconds, traced=peer.traced)
        wall_s, after_s = time.monotonic() - start, proxy.cpu_s()
        busy_s = machine.busy_s(bench.proxy_core) - busy_before_s
        user_s, cpu_s = after_s[0] - before_s[0], sum(after_s) - sum(before_s)
        exported = _exported_bytes(bench.sink_port) - exported
        if peer.exports and not exported:
            raise ChildError(f"{peer.key} exported nothing: {proxy.last_output()}")
        return Sample(
            peer=peer.key,
            round=round_,
            requests=outcome.requests,
            requests_per_s=outcome.requests / outcome.duration_s,
            p50_ms=outcome.p50_ms,
            p99_ms=outcome.p99_ms,
            cpu_us=cpu_s / outcome.requests * 1e6,
            cpu_user_us=user_s / outcome.requests * 1e6,
            rss_idle_bytes=self._rss_idle_bytes,
            rss_load_bytes=proxy.rss_bytes(),
            exported_bytes=exported,
            foreign_share=max(0.0, (busy_s - cpu_s) / wall_s),
        )

    def with_steady(self, samples: list[Sample], seconds: float) -> list[Sample]:
        """`samples`, with what it delays at a constant rate. Raises OSError."""
        p50_ms, p99_ms = steady.run(self._port, seconds, traced=self.peer.traced)
        return [replace(sample, steady_p50_ms=p50_ms, steady_p99_ms=p99_ms) for sample in samples]


@contextmanager
def running(bench: Bench, peer: Peer, warm_up_s: float) -> Iterator[Running]:
    """Starts `peer`, checks it, warms it up, ends it. Raises ChildError, CheckError or LoadError."""
    binary = find(peer.program)
    if binary is None:
        raise ChildError(f"{peer.program} is not installed")
    directory = Path(tempfile.mkdtemp(prefix=f"{peer.key}-", dir=bench.directory))
    place = Place(directory, free_port(), bench.upstream_port, bench.sink_port)
    command = peer.command(binary, place)
    env = _OUR_MODULES | dict(command.env)
    with Child(peer.title, command.argv, core=bench.proxy_core, log=directory / "log", env=env) as proxy:
        proxy.wait_ready(place.port)
        if peer.compiled is not None and proxy.has_mapped(COMPILED_NAME) is not peer.compiled:
            raise ChildError(f"{peer.key} runs {'without' if peer.compiled else 'with'} the compiled modules")
        time.sleep(0.3)  # let its start-up work end, so that idle memory is what it keeps
        rss_idle_bytes = proxy.rss_bytes()
        check(peer, place.port)
        load.run(place.port, warm_up_s, traced=peer.traced)
        yield Running(bench, peer, place, proxy, rss_idle_bytes)


def _exported_bytes(sink_port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", sink_port, timeout=10)
    try:
        connection.request("GET", "/")
        counted: dict[str, int] = json.loads(connection.getresponse().read())
        return counted["bytes"]
    finally:
        connection.close()
