"""Envoy as a peer: passes everything on to one port, as HTTP/2, or with its OpenTelemetry tracer on."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import peer_files

START_S = 30.0
_FLUSH_MS = 100  # of its tracer; the default is 5 s
_TYPES = "type.googleapis.com/envoy.extensions"


def program() -> str | None:
    """Where it is; None on systems for which there is no package."""
    found = importlib.util.find_spec("envoy")  # the package's command is a Python script that starts this
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "_bin" / "envoy"
    return str(path) if path.exists() else None


def _at(port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


def _bootstrap(port: int, target: int) -> dict[str, Any]:
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "service", "timeout": "0s"}}]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "peer",
        "http2_protocol_options": {},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}],
    }
    options = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "service",
        "type": "STATIC",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": "service", "endpoints": [{"lb_endpoints": [{"endpoint": _at(target)}]}]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "in", **_at(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


@contextmanager
def in_front_of(target: int, folder: Path) -> Iterator[str]:
    """Envoy, passing HTTP/2 on to `target`, a port; gives its own address as host:port."""
    found = program()
    assert found is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(_bootstrap(port, target)))
    command = [found, "-c", str(configuration), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    with subprocess.Popen(command) as process:
        try:
            end = time.monotonic() + START_S
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None and time.monotonic() < end, "Envoy does not listen"
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def tracing(folder: Path, upstream: int, otlp: int) -> Iterator[int]:
    """The port of an Envoy before `upstream`, which traces each request to `otlp`."""
    found = program()
    assert found is not None
    bootstrap = json.loads(peer_files.envoy(0, upstream, otlp, "opentelemetry"))
    bootstrap["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    runtime = {"tracing.opentelemetry.flush_interval_ms": _FLUSH_MS}
    bootstrap["layered_runtime"] = {"layers": [{"name": "test", "static_layer": runtime}]}
    file, admin = folder / "envoy.json", folder / "admin"
    file.write_text(json.dumps(bootstrap), encoding="utf-8")
    process = subprocess.Popen(
        [found, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--admin-address-path", str(admin)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "starting main dispatch loop" in line:
                break
        yield _port(admin.read_text())
    finally:
        process.terminate()
        process.communicate(timeout=START_S)


def _port(admin: str) -> int:
    """Of its first listener."""
    host, _, port = admin.strip().rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=START_S)
    try:
        connection.request("GET", "/listeners?format=json")
        said = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return int(said["listener_statuses"][0]["local_address"]["socket_address"]["port_value"])
