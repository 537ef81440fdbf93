"""The peers' configuration, as values and text: each forwards 127.0.0.1:`port` to 127.0.0.1:`upstream`.

PURE: writes nothing and starts nothing. Every peer runs with one worker, keep-alive on both sides, without an access
log, and else with its defaults; where one would close connections after N requests, N is raised, so that nobody pays
for reconnecting.
"""

from __future__ import annotations

import json
import os
from typing import Any, Literal

_ITEMS = json.dumps({"items": [{"sku": f"sku-{n:04}", "name": "a thing of some kind", "count": n} for n in range(4)]})
ANSWER = f"{_ITEMS:<280}"  # 280 bytes of JSON; the rest is white space

ECHOED = ("traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "uber-trace-id")


def _nginx(directory: str, servers: str) -> str:
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"  {kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""daemon off; {user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
{temporary}  keepalive_requests 1000000000;
{servers}
}}
"""


def nginx_upstream(directory: str, port: int) -> str:
    """The service behind every proxy: `/` answers 280 bytes, `/echo` the trace headers that came in, both JSON."""
    variables = {name: "$http_" + name.replace("-", "_") for name in ECHOED}
    return _nginx(
        directory,
        f"""  server {{
    listen 127.0.0.1:{port} backlog=4096;
    default_type application/json;
    location / {{ return 200 '{ANSWER}'; }}
    location = /echo {{ return 200 '{json.dumps(variables)}'; }}
  }}""",
    )


def nginx_proxy(directory: str, port: int, upstream: int) -> str:
    """nginx as a peer: proxy_pass with keep-alive to the upstream."""
    return _nginx(
        directory,
        f"""  upstream service {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}""",
    )


def haproxy(port: int, upstream: int) -> str:
    """HAProxy in one thread."""
    return f"""global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server one 127.0.0.1:{upstream} pool-max-conn 64
"""


_ENVOY_FILTERS = "type.googleapis.com/envoy.extensions.filters"
EnvoyTracer = Literal["none", "opentelemetry", "zipkin"]


def envoy(port: int, upstream: int, sink: int, tracer: EnvoyTracer) -> str:
    """Envoy's bootstrap as JSON; with a tracer every request is sampled and exported to `sink`."""
    manager: dict[str, Any] = {
        "@type": f"{_ENVOY_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "route_config": {
            "name": "all",
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service", "timeout": "60s"}}],
                }
            ],
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_ENVOY_FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    if tracer != "none":
        manager["tracing"] = {
            "random_sampling": {"value": 100},
            "provider": {"name": f"envoy.tracers.{tracer}", "typed_config": _envoy_tracer(tracer)},
        }
    listener = {
        "name": "front",
        "address": _envoy_address(port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    clusters = [_envoy_cluster("service", upstream), _envoy_cluster("sink", sink)]
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


def _envoy_tracer(tracer: EnvoyTracer) -> dict[str, Any]:
    if tracer == "zipkin":
        return {
            "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
            "collector_cluster": "sink",
            "collector_endpoint": "/api/v2/spans",
            "collector_endpoint_version": "HTTP_JSON",
            "trace_context_option": "USE_B3_WITH_W3C_PROPAGATION",
        }
    uri = {"uri": "http://sink/v1/traces", "cluster": "sink", "timeout": "5s"}
    return {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "http_service": {"http_uri": uri},
        "service_name": "envoy",
    }


def _envoy_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy_cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _envoy_address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def traefik_routes(upstream: int) -> str:
    """Traefik's dynamic configuration (JSON, which YAML contains)."""
    service = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{upstream}"}]}}
    router = {"rule": "PathPrefix(`/`)", "service": "service", "entryPoints": ["front"]}
    return json.dumps({"http": {"routers": {"all": router}, "services": {"service": service}}})


def traefik_flags(port: int, routes_path: str, sink: int | None) -> list[str]:
    """Traefik's static configuration as flags; with a `sink` it traces everything."""
    flags = [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=ERROR",
        f"--entrypoints.front.address=127.0.0.1:{port}",
        f"--providers.file.filename={routes_path}",
        "--providers.file.watch=false",
    ]
    if sink is not None:
        flags += ["--tracing.samplerate=1.0", f"--tracing.otlp.http.endpoint=http://127.0.0.1:{sink}/v1/traces"]
    return flags


def caddy(port: int, upstream: int, *, tracing: bool) -> str:
    """Caddy's JSON configuration; `tracing` puts its tracing handler in front (configured by OTEL_* variables)."""
    proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{upstream}"}]}
    handlers = [{"handler": "tracing", "span": "bench"}, proxy] if tracing else [proxy]
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": handlers}],
        "protocols": ["h1"],
    }
    return json.dumps(
        {
            "admin": {"disabled": True, "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "ERROR"}}},
            "apps": {"http": {"servers": {"front": server}}},
        }
    )


def sidecar_outbound(port: int, upstream: int) -> str:
    """This sidecar's settings: an upstream with a listener of its own, for the app's calls."""
    listen, target = f"127.0.0.1:{port}", f"http://127.0.0.1:{upstream}"
    return json.dumps({"upstreams": [{"name": "upstream", "listen": listen, "target": target}]})
