"""gRPC through a proxy: CPU for each unary call, for large answers, and memory for idle streams. `make bench-grpc`.

    python -m bench.grpc [--rounds N] [--quick] [--only REGEX]

The sidecar translates b3multi into tracecontext; nginx (grpc_pass) and Envoy pass the calls on. Both ends are
`programs/calls.c`, compiled at the start: cc and libnghttp2's headers are needed (Debian: libnghttp2-dev).
Proxies take turns, in another order each round. Read the ratios: they hold on a noisy machine, where times do not.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import machine
from bench.call import Peer as Caller
from bench.children import Child, ChildError, free_port
from bench.peers import COMPILED_NAME, COMPILED_TREE, PEERS, ROOT, Place, find
from proxy.http2.engine import frames
from proxy.http2.engine.codes import PREFACE

PROGRAM: Final = ROOT / "bench" / "programs" / "calls.c"
OURS: Final = {"compiled": "sidecar", "pure": "sidecar-pure", "jit": "sidecar-jit"}  # as `peers` calls them
_MIB: Final = 100
_IDLE: Final = 1000  # streams


class Scenario(NamedTuple):
    """How calls come."""

    title: str
    connections: int
    streams: int
    calls: int
    rate: int = 0  # a second; 0: as many at a time as there are streams


SCENARIOS: Final = (
    Scenario("4 × 25 streams", 4, 25, 24_000),
    Scenario("10 × 1", 10, 1, 10_000),
    Scenario("paced, 4000/s", 8, 0, 12_000, 4000),
)
_SLOWER: Final = 4  # the sidecar that is not compiled makes so many times fewer calls


def _nginx(place: Place) -> tuple[str, ...]:
    paths = " ".join(
        f"{name}_temp_path {place.directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = f"""daemon off; worker_processes 1; pid {place.directory}/pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; http2_max_concurrent_streams 20000; {paths}
client_max_body_size 0;
upstream service {{ server 127.0.0.1:{place.upstream}; keepalive 256; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{place.port} http2 backlog=4096; location / {{ grpc_pass grpc://service; }} }} }}"""
    return (_found("nginx"), "-p", str(place.directory), "-c", place.write("nginx.conf", text), "-e", "stderr")


def _envoy(place: Place) -> tuple[str, ...]:
    types = "type.googleapis.com/envoy.extensions"
    options = {"http2_protocol_options": {"max_concurrent_streams": 20000}}

    def at(port: int) -> dict[str, Any]:
        return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}

    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        **options,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}],
                }
            ]
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"}}],
    }
    cluster = {
        "name": "service",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [{"max_requests": 100_000, "max_pending_requests": 100_000}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{types}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": options,
            }
        },
        "load_assignment": {
            "cluster_name": "service",
            "endpoints": [{"lb_endpoints": [{"endpoint": at(place.upstream)}]}],
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    resources = {"listeners": [{"name": "in", **at(place.port), "filter_chains": [{"filters": filters}]}]}
    path = place.write("envoy.json", json.dumps({"static_resources": {**resources, "clusters": [cluster]}}))
    return (_found("envoy"), "-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error")


def _found(program: str) -> str:
    path = find(program)
    if path is None:
        raise ChildError(f"{program} is not installed")
    return path


class Proxy(NamedTuple):
    """One row."""

    key: str
    title: str


PROXIES: Final = (
    Proxy("nginx", "nginx, grpc_pass"),
    Proxy("envoy", "Envoy"),
    Proxy("compiled", "**this sidecar**, compiled, b3multi → tracecontext"),
    Proxy("pure", "this sidecar, pure Python, b3multi → tracecontext"),
    Proxy("jit", "this sidecar, pure Python with its JIT, b3multi → tracecontext"),
)


def _command(proxy: Proxy, place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    if proxy.key == "nginx":
        return _nginx(place), {}
    if proxy.key == "envoy":
        return _envoy(place), {}
    peer = next(peer for peer in PEERS if peer.key == OURS[proxy.key])
    made = peer.command(_found(peer.program), place)
    return (*made.argv, "--set", "limits.streams=20000", "--set", "pool.streams=20000"), dict(made.env)


@contextmanager
def _calls() -> Iterator[str]:
    """The compiled program. Raises ChildError."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ChildError("there is no C compiler")
    with tempfile.TemporaryDirectory(prefix="bench-grpc-") as directory:
        program = str(Path(directory) / "calls")
        made = subprocess.run(
            [compiler, "-O2", str(PROGRAM), "-o", program, "-lnghttp2"], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise ChildError(f"programs/calls.c was not compiled (libnghttp2-dev?): {made.stderr[-300:]}")
        yield program


def _run(program: str, core: int, *words: object) -> dict[str, float]:
    command = ["taskset", "-c", str(core), program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise ChildError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return {key: float(value) for key, value in (pair.split("=") for pair in done.stdout.split())}


def _idle_streams(port: int, child: Child) -> float:
    """MB that `_IDLE` open calls take, over four connections."""
    before = child.rss_bytes()
    with ExitStack() as stack:
        for seed in range(4):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            caller = Caller(seed)  # each call has a trace of its own
            connection.sendall(PREFACE + frames.settings([]))
            for number in range(_IDLE // 4):
                connection.sendall(caller.open(2 * number + 1))
        time.sleep(1)
        return (child.rss_bytes() - before) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, and prints the table; 1 where it could not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--quick", action="store_true", help="two short rounds: noisy")
    parser.add_argument("--only", type=re.compile, metavar="REGEX", help="only the proxies whose key it finds")
    options = parser.parse_args(argv)
    rounds, share = (2, 4) if options.quick else (options.rounds, 1)
    chosen = [proxy for proxy in PROXIES if options.only is None or options.only.search(proxy.key)]
    try:
        with _calls() as program, tempfile.TemporaryDirectory(prefix="bench-grpc-") as name, ExitStack() as stack:
            _measure(program, Path(name), chosen, rounds, share, stack)
    except ChildError as error:
        print(f"bench-grpc: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(program: str, directory: Path, chosen: Sequence[Proxy], rounds: int, share: int, stack: ExitStack) -> None:
    load_core, proxy_core = machine.cores()
    upstream = free_port()
    service = stack.enter_context(
        Child("the service", (program, "serve", str(upstream)), core=load_core, log=directory / "service.log")
    )
    service.wait_ready(upstream)
    running: dict[str, tuple[Child, int]] = {}
    costs: dict[tuple[str, str], list[float]] = {}
    for proxy in chosen:
        place = Place(directory / proxy.key, free_port(), upstream, 0)
        place.directory.mkdir()
        try:
            command, env = _command(proxy, place)
            child = stack.enter_context(
                Child(proxy.title, command, core=proxy_core, log=place.directory / "log", env=env)
            )
            child.wait_ready(place.port)
        except ChildError as error:
            print(f"{proxy.key}: left out: {error}", file=sys.stderr)
            continue
        if proxy.key in OURS and child.has_mapped(COMPILED_NAME) is not (proxy.key == "compiled"):
            print(f"{proxy.key}: left out: not what it says ({COMPILED_TREE})", file=sys.stderr)
            continue
        running[proxy.key] = child, place.port
        _run(program, load_core, "load", place.port, 4, 10, 40)  # the first of everything
        costs[f"{_IDLE} idle streams", proxy.key] = [_idle_streams(place.port, child)]
        _run(program, load_core, "load", place.port, 4, 10, 500)
    shuffled = random.Random(7)
    for _ in range(rounds):
        for scenario in SCENARIOS:
            for key in shuffled.sample(list(running), len(running)):
                child, port = running[key]
                slower = _SLOWER if key in ("pure", "jit") else 1
                calls = scenario.calls // share // slower
                words = (scenario.connections, scenario.streams, calls, scenario.rate)
                before = sum(child.cpu_s())
                told = _run(program, load_core, "load", port, *words)
                used = sum(child.cpu_s()) - before
                costs.setdefault((scenario.title, key), []).append(used / calls * 1e6)
                if key in OURS and told["translated"] != calls:
                    raise ChildError(f"{key}: {calls - told['translated']:.0f} calls were not translated")
        for key, (child, port) in running.items():
            before = sum(child.cpu_s())
            _run(program, load_core, "pull", port, 4, _MIB // share)
            costs.setdefault((f"4 × {_MIB} MiB", key), []).append((sum(child.cpu_s()) - before) * share * 1e6)
    _print(costs, [proxy for proxy in chosen if proxy.key in running])


def _print(costs: dict[tuple[str, str], list[float]], proxies: Sequence[Proxy]) -> None:
    """CPU µs per call, × Envoy, × nginx; CPU s of the large answers; MB of the idle streams."""
    titles = list(dict.fromkeys(title for title, _ in costs))
    print(f"| gRPC | {' | '.join(titles)} |\n|---|{'---|' * len(titles)}")
    for proxy in proxies:
        cells = []
        for title in titles:
            cost = statistics.median(costs[title, proxy.key])
            ratios = [
                f"{cost / statistics.median(costs[title, other]):.2f}"
                for other in ("envoy", "nginx")
                if other != proxy.key and costs.get((title, other)) and statistics.median(costs[title, other]) > 0
            ]
            unit = (
                f"{cost:.1f} MB" if "idle" in title else f"{cost / 1e6:.2f} s" if "MiB" in title else f"{cost:.0f} µs"
            )
            cells.append(f"{unit} ({' / '.join(ratios)})" if ratios else unit)
        print(f"| {proxy.title} | {' | '.join(cells)} |")
    print("\nCPU of the proxy for each unary call, all its processes; in brackets × Envoy / × nginx. Medians.")
    print("Targets: compiled 0.5 × Envoy and 1.2 × nginx, pure 1.0 × Envoy; 0.6 × Envoy for the large answers; 2 MB.")


if __name__ == "__main__":
    sys.exit(main())
