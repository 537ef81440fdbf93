"""OpenTelemetry's own variables: what each does to the settings, and that every other source is stronger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.errors import SettingsError
from proxy.plan.compile import compile_plan
from proxy.settings import load
from proxy.settings.effective import effective


def settings(**variables: str) -> Any:
    return load(environ=variables).settings


def at(found: Any, key: str) -> Any:
    for step in key.split("."):
        found = getattr(found, step)
    return found


@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "export.endpoint", "http://c:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1/x", "export.traces_endpoint", "http://c:1/x"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:1/x", "export.metrics_endpoint", "http://c:1/x"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "export.compression", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500", "export.timeout_s", "2.5"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500", "export.timeout_s", "2.5"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "export.protocol", "http/protobuf"),
        ("OTEL_SERVICE_NAME", "shop", "service.name", "shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop", "service.name", "shop"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1000", "export.delay_s", "1.0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "30000", "export.give_up_s", "30.0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2048", "export.queue_spans", "2048"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100", "export.batch_spans", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10000", "export.metrics_interval_s", "10.0"),
        ("OTEL_TRACES_EXPORTER", "none", "export.traces", "False"),
        ("OTEL_TRACES_EXPORTER", "otlp", "export.traces", "True"),
        ("OTEL_METRICS_EXPORTER", "otlp", "export.metrics", "True"),
        ("OTEL_SDK_DISABLED", "true", "export.traces", "False"),
        ("OTEL_SDK_DISABLED", "yes", "export.traces", "True"),
        ("OTEL_SDK_DISABLED", "TRUE", "export.metrics", "False"),
    ],
)
def test_a_variable_sets_its_key(variable: str, value: str, key: str, expected: str) -> None:
    assert str(at(settings(**{variable: value}), key)) == expected


@pytest.mark.parametrize("signal", ["", "TRACES_"])
@pytest.mark.parametrize(
    ("ending", "value", "key"),
    [
        ("CERTIFICATE", "/ca.pem", "export.tls.ca_file"),
        ("CLIENT_CERTIFICATE", "/own.pem", "export.tls.cert_file"),
        ("CLIENT_KEY", "/own.key", "export.tls.key_file"),
        ("COMPRESSION", "gzip", "export.compression"),
        ("PROTOCOL", "http/protobuf", "export.protocol"),
    ],
)
def test_the_same_for_all_signals_and_for_traces(signal: str, ending: str, value: str, key: str) -> None:
    assert str(at(settings(**{f"OTEL_EXPORTER_OTLP_{signal}{ending}": value}), key)) == value


def test_certificates_for_collectors_with_tls_do_no_harm_beside_one_without(tmp_path: Path) -> None:
    """They are set for all the services of a host. In the file, the same key is a mistake, which is told."""
    environ = {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
    plan = compile_plan(load(environ=environ).settings, 1).export
    assert plan.traces is not None
    assert plan.traces.tls is None
    file = tmp_path / "sidecar.yaml"
    file.write_text("export: {endpoint: 'http://c:4318', tls: {ca_file: /ca.pem}}\n")
    with pytest.raises(SettingsError, match="only an https collector has TLS"):
        load(file, environ={})


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
def test_headers_are_set_and_hidden(variable: str) -> None:
    loaded = load(environ={variable: "api-key=sesame"})
    assert loaded.settings.export.headers[0].value == "sesame"
    assert "sesame" not in str([entry for entry in effective(loaded) if entry.key == "export.headers"])
    with pytest.raises(SettingsError) as raised:
        load(environ={variable: "api key=sesame"})
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("always_on", "", (1.0, False)),
        ("always_off", "", (0.0, False)),
        ("traceidratio", "0.25", (0.25, False)),
        ("traceidratio", "", (1.0, False)),
        ("parentbased_always_on", "0.5", (1.0, True)),
        ("parentbased_always_off", "", (0.0, True)),
        ("ParentBased_TraceIdRatio", "0.1", (0.1, True)),
    ],
)
def test_samplers(name: str, argument: str, expected: tuple[float, bool]) -> None:
    sampling = settings(OTEL_TRACES_SAMPLER=name, OTEL_TRACES_SAMPLER_ARG=argument).sampling
    assert (sampling.root, sampling.parent_based) == expected


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only supports http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "only supports http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", ""),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "whole number"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "none or gzip"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a", "key=value"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(variable: str, value: str, said: str) -> None:
    environ = {variable: value}
    if variable == "OTEL_TRACES_SAMPLER_ARG":
        environ["OTEL_TRACES_SAMPLER"] = "traceidratio"
    with pytest.raises(SettingsError) as raised:
        load(environ=environ)
    (problem,) = raised.value.problems
    assert problem.source == f"environment variable {variable}"
    assert said in problem.message


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings(OTEL_EXPORTER_OTLP_PROTOCOL="", OTEL_TRACES_SAMPLER=" ") == settings()


def test_every_other_source_is_stronger(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("service: {name: from-file}\n")
    environ = {"OTEL_SERVICE_NAME": "from-otel"}
    assert load(file, environ=environ).settings.service.name == "from-file"
    environ["OPS_SIDECAR_SERVICE__NAME"] = "from-ours"
    assert load(file, environ=environ).settings.service.name == "from-ours"


def test_of_traces_and_of_all_signals_that_of_traces_counts() -> None:
    found = settings(OTEL_EXPORTER_OTLP_TIMEOUT="1000", OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="2000")
    assert found.export.timeout_s == 2
    found = settings(OTEL_EXPORTER_OTLP_COMPRESSION="gzip", OTEL_EXPORTER_OTLP_TRACES_COMPRESSION="none")
    assert found.export.compression == "none"


def test_the_name_of_its_own_variable_counts_over_the_resources() -> None:
    found = settings(OTEL_SERVICE_NAME="a", OTEL_RESOURCE_ATTRIBUTES="service.name=b,host.name=h")
    assert found.service.name == "a"
    assert [str(one) for one in found.service.attributes] == ["host.name=h"]


def test_auto_takes_part_where_spans_leave() -> None:
    def mode(**variables: str) -> str:
        return compile_plan(settings(**variables), 1).listeners[0].router.route("any", 80).propagation.mode

    assert mode() == "translate"
    assert mode(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318") == "participate"
    assert mode(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318", OTEL_SDK_DISABLED="true") == "translate"
    assert mode(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318", OTEL_TRACES_EXPORTER="none") == "translate"
    chosen = {"OPS_SIDECAR_PROPAGATION__MODE": "translate", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
    assert mode(**chosen) == "translate"


def test_endpoints_of_signals() -> None:
    export = compile_plan(
        settings(OTEL_EXPORTER_OTLP_ENDPOINT="https://c/otlp", OTEL_METRICS_EXPORTER="otlp"), 1
    ).export
    assert (str(export.traces), str(export.metrics)) == (
        "https://c:4318/otlp/v1/traces",
        "https://c:4318/otlp/v1/metrics",
    )
    own = compile_plan(settings(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://c:1"), 1).export
    assert (str(own.traces), own.metrics) == ("http://c:1/", None)
