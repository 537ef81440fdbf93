"""Who takes part: one row per proxy, with what it does, how it is started, and why it cannot be where it cannot.

May know the peers' command lines. Must not measure.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench import machine, peer_files

# floor: moves bytes; forwards: an HTTP proxy; traces: makes spans; translates: b3multi in, traceparent out
Work = Literal["floor", "forwards", "traces", "translates"]

ROOT = Path(__file__).resolve().parent.parent
PEER_VENV = ROOT / ".venv-bench"
JIT_VENV = ROOT / ".venv-jit"  # `make bench JIT_PYTHON=python3.15`
COMPILED_TREE = ROOT / "build" / "compiled"  # `make compiled`
COMPILED_NAME = "ops_sidecar__mypyc"  # of the extension that holds all compiled modules
PROPAGATORS = "tracecontext,baggage,b3multi,jaeger"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one instance runs: a directory of its own and loopback ports."""

    directory: Path
    port: int
    upstream: int
    sink: int

    def write(self, name: str, text: str) -> str:
        """Writes a configuration file; returns its path."""
        path = self.directory / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute, and the environment to add."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the table."""

    key: str
    title: str
    work: Work
    program: str  # what to look for, see `find`
    command: Callable[[str, Place], Command]
    exports: bool = False  # sends a span of every request to the sink
    traced: bool = True  # three of the eight request headers are X-B3-*
    compiled: bool | None = None  # this sidecar: whether its process must have the compiled modules, or must not
    judged: bool = False  # a target compares it: those take turns, see `rounds`
    package: str = ""  # the installed Python package whose version the row names, where it is not the program's


def find(program: str) -> str | None:
    """The path of a peer's program, from the benchmark's virtual environment or the system; None when absent."""
    if program == "python":
        return sys.executable
    if program == "sidecar":
        return machine.distribution_python() or sys.executable
    if program == "make compiled":
        return (machine.distribution_python() or sys.executable) if _is_compiled() else None
    if program == "make compiled, another Python":
        return sys.executable if _is_compiled() and machine.distribution_python() else None
    if program == "Python with a JIT":
        return str(JIT_VENV / "bin" / "python") if (JIT_VENV / "bench.stamp").exists() else None
    if program == "envoy":  # the package's command is a Python script that starts this
        found = sorted(PEER_VENV.glob("lib/python*/site-packages/envoy/_bin/envoy"))
        return str(found[0]) if found else shutil.which(program)
    own = PEER_VENV / "bin" / program
    return (
        str(own)
        if own.exists()
        else shutil.which(program, path="/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin")
    )


def _is_compiled() -> bool:
    return (COMPILED_TREE / ".stamp").exists()


def _sidecar_arguments(place: Place) -> tuple[str, ...]:
    """As anyone runs it, with its admin and outbound listeners, which are part of its memory."""
    inbound, app = f"127.0.0.1:{place.port}", f"http://127.0.0.1:{place.upstream}"
    others = ("--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    return ("run", "--inbound", inbound, "--app", app, *others, "--inject", "tracecontext")


def _sidecar(tree: Path, *, jit: bool = False) -> Callable[[str, Place], Command]:
    """From the sources in `tree`, and with what is installed beside us, whichever Python runs it.

    `jit`: by a Python that has installed what it needs itself, with its JIT compiler switched on.
    """
    path = str(tree) if jit else os.pathsep.join((str(tree), sysconfig.get_path("purelib")))
    env = {"PYTHONPATH": path, **({"PYTHON_JIT": "1"} if jit else {})}

    def command(python: str, place: Place) -> Command:
        return Command((python, "-P", "-m", "proxy", *_sidecar_arguments(place)), env)

    return command


def _sidecar_with_spans(build: str, *, outbound: bool = False) -> Callable[[str, Place], Command]:
    """The same, as a span of each trace, exported to the sink. `outbound`: the load comes as the app's calls."""
    plain = _sidecar(COMPILED_TREE if build == "compiled" else ROOT, jit=build == "jit")

    def command(python: str, place: Place) -> Command:
        made = plain(python, place)
        export = ("--set", f"export.endpoint=http://127.0.0.1:{place.sink}")
        if not outbound:
            return Command((*made.argv, *export), made.env)
        text = peer_files.sidecar_outbound(place.port, place.upstream)
        settings = ("--config", place.write("sidecar.yaml", text), "--inbound", "off", "--outbound", "127.0.0.1:0")
        arguments = (*settings, "--admin", "127.0.0.1:0", "--inject", "tracecontext", *export)
        return Command((*made.argv[: made.argv.index("run") + 1], *arguments), made.env)

    return command


def _module(name: str) -> Callable[[str, Place], Command]:
    def command(binary: str, place: Place) -> Command:
        return Command((binary, "-m", f"bench.programs.{name}", str(place.port), str(place.upstream)))

    return command


def _nginx(binary: str, place: Place) -> Command:
    text = peer_files.nginx_proxy(str(place.directory), place.port, place.upstream)
    return Command((binary, "-p", str(place.directory), "-c", place.write("nginx.conf", text), "-e", "stderr"))


def _haproxy(binary: str, place: Place) -> Command:
    return Command((binary, "-db", "-f", place.write("haproxy.cfg", peer_files.haproxy(place.port, place.upstream))))


def _envoy(tracer: peer_files.EnvoyTracer) -> Callable[[str, Place], Command]:
    def command(binary: str, place: Place) -> Command:
        path = place.write("envoy.json", peer_files.envoy(place.port, place.upstream, place.sink, tracer))
        return Command((binary, "-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"))

    return command


def _traefik(tracing: bool) -> Callable[[str, Place], Command]:
    def command(binary: str, place: Place) -> Command:
        routes = place.write("routes.yaml", peer_files.traefik_routes(place.upstream))
        flags = peer_files.traefik_flags(place.port, routes, place.sink if tracing else None)
        return Command((binary, *flags), {"OTEL_PROPAGATORS": PROPAGATORS} if tracing else {})

    return command


def _caddy(tracing: bool) -> Callable[[str, Place], Command]:
    def command(binary: str, place: Place) -> Command:
        path = place.write("caddy.json", peer_files.caddy(place.port, place.upstream, tracing=tracing))
        env = {"XDG_DATA_HOME": str(place.directory), "XDG_CONFIG_HOME": str(place.directory)}
        if tracing:
            env |= {
                "OTEL_PROPAGATORS": PROPAGATORS,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{place.sink}",
            }
        return Command((binary, "run", "--config", path), env)

    return command


PEERS: tuple[Peer, ...] = (
    Peer("tcp-copy", "blind TCP copy on uvloop (the floor)", "floor", "python", _module("tcp_copy"), package="uvloop"),
    Peer("haproxy", "HAProxy", "forwards", "haproxy", _haproxy),
    Peer("nginx", "nginx, proxy_pass", "forwards", "nginx", _nginx, judged=True),
    Peer(
        "sidecar",
        "**this sidecar**, compiled, b3multi → tracecontext",
        "translates",
        "make compiled",
        _sidecar(COMPILED_TREE),
        compiled=True,
        judged=True,
        package="ops-sidecar",
    ),
    Peer(
        "sidecar-pure",
        "this sidecar, pure Python, b3multi → tracecontext",
        "translates",
        "sidecar",
        _sidecar(ROOT),
        compiled=False,
        package="ops-sidecar",
    ),
    Peer(
        "sidecar-jit",
        "this sidecar, pure Python with its JIT, b3multi → tracecontext",
        "translates",
        "Python with a JIT",
        _sidecar(ROOT, jit=True),
        compiled=False,
        package="ops-sidecar",
    ),
    Peer(
        "sidecar-venv",
        "this sidecar, compiled, b3multi → tracecontext, on the virtual environment's Python",
        "translates",
        "make compiled, another Python",
        _sidecar(COMPILED_TREE),
        compiled=True,
        package="ops-sidecar",
    ),
    Peer(
        "sidecar-untraced",
        "this sidecar, compiled, requests without trace headers",
        "forwards",
        "make compiled",
        _sidecar(COMPILED_TREE),
        traced=False,
        compiled=True,
        package="ops-sidecar",
    ),
    *(
        Peer(
            f"sidecar-spans{'-outbound' if outbound else ''}{ending}",
            f"this sidecar, {title}, b3multi → tracecontext, one {'client' if outbound else 'server'} span per request",
            "translates",
            program,
            _sidecar_with_spans(build, outbound=outbound),
            exports=True,
            compiled=build == "compiled",
            judged=True,
            package="ops-sidecar",
        )
        for outbound in (False, True)
        for build, ending, title, program in (
            ("compiled", "", "compiled", "make compiled"),
            ("pure", "-pure", "pure Python", "sidecar"),
            ("jit", "-jit", "pure Python with its JIT", "Python with a JIT"),
        )
    ),
    Peer("envoy", "Envoy, plain", "forwards", "envoy", _envoy("none"), judged=True),
    Peer(
        "envoy-otel",
        "Envoy, OpenTelemetry tracer",
        "traces",
        "envoy",
        _envoy("opentelemetry"),
        exports=True,
        judged=True,
    ),
    Peer("envoy-zipkin", "Envoy, Zipkin tracer, B3 + W3C", "translates", "envoy", _envoy("zipkin"), exports=True),
    Peer("traefik", "Traefik, plain", "forwards", "traefik", _traefik(False)),
    Peer("traefik-otel", f"Traefik, {PROPAGATORS}", "translates", "traefik", _traefik(True), exports=True),
    Peer("caddy", "Caddy, plain", "forwards", "caddy", _caddy(False)),
    Peer("caddy-otel", f"Caddy, {PROPAGATORS}", "translates", "caddy", _caddy(True), exports=True),
    Peer(
        "aiohttp", "aiohttp server + ClientSession", "forwards", "python", _module("aiohttp_proxy"), package="aiohttp"
    ),
)
