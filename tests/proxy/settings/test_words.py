"""Every key, and what is said of values at its edges and beyond: held against `keys.txt` and `problems.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from lab.texts import check_text
from pydantic import BaseModel

from proxy.errors import SettingsError
from proxy.settings import Flag, load
from proxy.settings.effective import LAYERED, effective
from proxy.settings.models import Settings
from proxy.settings.unused import without_effect

VALUES = (
    "",
    "x",
    "off",
    "true",
    "-1",
    "0",
    "1",
    "65536",
    "1e12",
    "250ms",
    "64KiB",
    "a,b",
    "http://a:1/x",
    "a:80",
    "deny",
)

CONTRADICTIONS = (
    "inbound: {listen: off}\noutbound: {listen: off}",
    "inbound: {listen: '127.0.0.1:9081'}",
    "inbound: {listen: ['127.0.0.1:1', '[::1]:9082']}\nadmin: {listen: '[::1]:9082'}",
    "admin: {public_listen: '0.0.0.0:9082'}",
    "console: {listen: '127.0.0.1:9080', otlp: '127.0.0.1:9080'}",
    "upstreams: [{name: a, match: a}, {name: A, match: b}]",
    "upstreams: [{name: app, match: a}, {name: other, match: b}, {name: 'a b', match: c}, {name: '', match: d}]",
    "upstreams: [{name: a, match: [X, x]}, {name: b, match: x}]",
    "upstreams: [{name: a}]",
    "upstreams: [{name: a, listen: '127.0.0.1:1'}, {name: b, match: b, host: target}]",
    "upstreams: [{name: a, match: a, target: 'http://127.0.0.1:9081'}]",
    "inbound: {app: 'http://127.0.0.1:9080'}",
    "inbound: {app: 'http://localhost:9082'}",
    "inbound: {listen: 'unix:/a', app: 'unix:/a'}",
    "outbound: {transparent: true}\nforwarding: {via: false}",
    "outbound: {destinations: {allow: ['10.0.0.0/8', x, x]}}",
    "inbound: {app: 'https://a', tls: {ca_file: /gone, verify: false}}",
    "inbound: {app: 'https://a', tls: {cert_file: /gone}}",
    "inbound: {app: 'https://a', tls: {key_file: /gone}}",
    "inbound: {listen_tls: {key_file: /k}}",
    "inbound: {listen_tls: {client_certificates: required}}",
    "inbound: {listen_tls: {cert_file: /gone, client_ca_file: /gone}}",
    "upstreams: [{name: a, match: a, tls: {verify: false}}]",
    "export: {traces: otlp}",
    "export: {endpoint: 'https://a', tls: {ca_file: /gone}}",
    "export: {headers: {a: b}}",
    "export: {batch_spans: 10, queue_spans: 5, endpoint: 'http://a'}",
    "trust: [{name: a, peers: [10.0.0.0/8]}, {name: a}, {name: b, peers: [x]}, {ids: maybe}]",
    "trust: [{name: a}, {name: b}]",
    "trust: [{names: [a]}]",
    "egress: {trace: ['*.internal', '*.internal', '*']}",
    "upstreams: [{name: a, match: a, pool: {http2: always}, target: 'https://a'}]",
    "pool: {http2: always}",
    "propagation: {extract: [], inject: []}",
    "propagation: {extract: [b3, b3], inject: [b3, b4, composite]}",
    "propagation: {session: {inject: Authorization, extract: [Cookie, 'a b', X-Sid, X-Sid]}}",
    "propagation: {shadow: {inject: [b3], extract: [x], baggage: no}}",
    "sampling: {ratio: 2, per_second: -1}",
    "spans: {routes: ['/a/{id}', '/a/{', 'b']}",
    "service: {name: '', attributes: {service.name: x}}",
    "log: {level: verbose, format: xml}",
    "inbund: {}",
    "inbound: {lisen: x, app: {url: x}}",
    "inbound: [a]",
    "timeouts: 5",
    "inbound:\n  app: x\n  app: y\n",
    "a: [",
    "- a",
    "hello",
    "inbound: {app: 'http://user:secret@a'}",
    "export: {headers: {authorization: Bearer secret}}",
    "inbound: {app: 'http://user:secret@a:99999'}",
)

VARIABLES: tuple[dict[str, str], ...] = (
    {"OTEL_TRACES_SAMPLER": "sometimes"},
    {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"},
    {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "x"},
    *({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0.25"} for name in (
        "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
        "parentbased_traceidratio",
    )),
    {"OTEL_TRACES_SAMPLER": "traceidratio"},
    *({name: "http/protobuf"} for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")),
    *({name: "grpc"} for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")),
    *({"OTEL_TRACES_EXPORTER": name} for name in ("otlp", "none", "zipkin", "otlp,console")),
    *({"OTEL_METRICS_EXPORTER": name} for name in ("otlp", "none", "prometheus")),
    *({"OTEL_SDK_DISABLED": word} for word in ("true", "TRUE", "false", "maybe")),
    {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,b=c%20d", "OTEL_SERVICE_NAME": "shop"},
    {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,b=c"},
    {"OTEL_RESOURCE_ATTRIBUTES": "x"},
    *({f"OTEL_EXPORTER_OTLP_{signal}{name}": value} for signal in ("", "TRACES_", "METRICS_") for name, value in (
        ("ENDPOINT", "http://a:4318/base"), ("ENDPOINT", "a:4318"), ("HEADERS", "a=b,c=d%3D"), ("HEADERS", "x"),
        ("COMPRESSION", "gzip"), ("COMPRESSION", "zip"), ("TIMEOUT", "1500"), ("TIMEOUT", "x"), ("TIMEOUT", "-1"),
        ("CERTIFICATE", "/gone"), ("CLIENT_CERTIFICATE", "/gone"), ("CLIENT_KEY", "/gone"),
    )),
    *({f"OTEL_BSP_{name}": value} for name in (
        "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT",
    ) for value in ("0", "100", "x")),
    {"OTEL_METRIC_EXPORT_INTERVAL": "500"},
    {"MIRASCOPE_PROPAGATOR": "b3"},
    {"MIRASCOPE_PROPAGATOR": "b4"},
    {"OPS_SIDECAR_INBOUND__LISEN": "x"},
    {"OPS_SIDECAR_INBOUND": "x"},
    {"OPS_SIDECAR_INBOUND__LISTEN": ""},
    {"OPS_SIDECAR_UPSTREAMS__0__NAME": "a", "OPS_SIDECAR_UPSTREAMS__0__MATCH": "a,b"},
    {"OPS_SIDECAR_UPSTREAMS__1__NAME": "a"},
    {"OPS_SIDECAR_UPSTREAMS": '[{"name": "a", "match": "b"}]'},
)  # fmt: skip


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _said(tmp_path: Path, text: str = "", *, environ: Mapping[str, str] | None = None, **flags: str) -> list[str]:
    """The keys that differ from the defaults, and hints; or all problems."""
    file = tmp_path / "f.yaml"
    file.write_text(text, encoding="utf-8")
    given = [Flag(tuple(key.split(".")), value, f"--set {key}") for key, value in flags.items()]
    try:
        loaded = load(file if text else None, environ=environ or {}, flags=given)
    except SettingsError as error:
        said = [str(problem) for problem in error.problems]
    else:
        said = [f"{one.key} = {one.value!r} ({one.source})" for one in effective(loaded) if one.changed]
        said += [f"unused: {one}" for one in without_effect(loaded)]
    return [line.replace(str(file), "FILE") for line in said]


def _takes(key: str, value: str) -> str:
    """The key's own value then, or the first problem, without the value."""
    try:
        loaded = load(environ={}, flags=[Flag(tuple(key.split(".")), value, f"--set {key}")])
    except SettingsError as error:
        said = [str(problem) for problem in error.problems]
    else:
        said = [f"{one.key} = {one.value!r} ({one.source})" for one in effective(loaded) if one.changed]
    own = next((line for line in said if line.startswith(f"{key} = ")), (said or ["the default"])[0])
    return own.replace(f"= {value} (", "= … (").replace(f"'{value}'", "…")


@pytest.mark.slow
def test_every_key_takes_and_refuses_what_was_reviewed() -> None:
    """Where a range is told, its ends are in it, and what is next to them is not."""
    lines = [f"{one.key} = {one.value!r} ({one.source})" for one in effective(load(environ={}))]
    for key in _leaves(Settings):
        if key.startswith(("inbound.", "outbound.")) and key.split(".")[1] in LAYERED:
            continue  # as the section of all listeners
        by_answer: dict[str, list[str]] = {}
        for value in VALUES:
            by_answer.setdefault(_takes(key, value), []).append(value)
        for lowest, highest in re.findall(r"expected ([\d.,]+) to ([\d.,]*\d)", "".join(by_answer)):
            low, high = (float(end.replace(",", "")) for end in (lowest, highest))
            for number in (low, high):
                by_answer.setdefault(_takes(key, f"{number:g}" if number < 1 else f"{number:.0f}"), []).append("an end")
            for number in (low - 0.0005 if low % 1 else low - 1, high + 1):
                by_answer.setdefault(_takes(key, f"{number:g}" if abs(number) < 1 else f"{number:.0f}"), []).append(
                    "beyond"
                )
            break
        lines += ["", key, *(f"  {' | '.join(values)}: {said}" for said, values in by_answer.items())]
    check_text("\n".join([*lines, ""]), Path(__file__).parent / "keys.txt")


def test_problems_between_keys_and_variables_are_told_in_reviewed_words(tmp_path: Path) -> None:
    lines = []
    for text in CONTRADICTIONS:
        lines += [f"# {text!r}", *_said(tmp_path, text), ""]
    for environ in VARIABLES:
        lines += [f"# {environ}", *_said(tmp_path, environ=environ), ""]
    check_text("\n".join(lines), Path(__file__).parent / "problems.txt")
