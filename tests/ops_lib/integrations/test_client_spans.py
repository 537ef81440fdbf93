"""Client spans by the official packages: their conventions, their options, and how they get on with ours."""

from __future__ import annotations

import importlib
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from opentelemetry import propagate
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import StatusCode

import ops_lib as ops
from ops_lib.integrations import client_spans
from ops_lib.integrations import httpx as ops_httpx
from ops_lib.integrations import requests as ops_requests
from ops_lib.integrations import urllib3 as ops_urllib3
from tests.ops_lib.integrations.clients import Client, carried
from tests.ops_lib.integrations.servers import Recorder


def test_span_has_the_stable_conventions(client: Client, server: Recorder, spans: Any) -> None:
    client.integration.instrument()
    client.get(server.url + "/broken")
    (span,) = spans.client
    expected = {
        "http.request.method": "GET",
        "url.full": server.url + "/broken",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert expected.items() <= dict(span.attributes).items()
    assert not {"http.method", "http.url", "http.status_code"} & set(span.attributes)
    assert span.status.status_code is StatusCode.ERROR


def test_no_secret_of_a_url_or_an_error_gets_out(client: Client, server: Recorder, spans: Any) -> None:
    """What the official packages record at the start of a span, and as its exception, passes our door."""
    client.integration.instrument()
    client.get(f"{server.url}/missing?page=2&api_key=hush&token=hush")
    with pytest.raises((OSError, httpx.HTTPError, urllib3.exceptions.HTTPError, aiohttp.ClientError)):
        client.get("http://127.0.0.1:1/?api_key=hush")
    found, failed = spans.client
    assert found.attributes["url.full"].startswith(f"{server.url}/missing?page=2&api_key=[scrubbed]")
    told = [
        found.attributes,
        failed.attributes,
        failed.status.description,
        *(dict(e.attributes) for e in failed.events),
    ]
    assert "hush" not in str([dict(said) if hasattr(said, "items") else said for said in told])


def test_configuring_later_takes_effect(client: Client, server: Recorder, request: pytest.FixtureRequest) -> None:
    client.integration.instrument()
    client.get(server.url)
    spans = request.getfixturevalue("spans")
    client.get(server.url)
    assert len(spans.client) == 1


def test_requests_and_urllib3_together(server: Recorder, spans: Any) -> None:
    """requests calls urllib3: one span, each header once, and both say the same span."""
    ops_requests.instrument()
    ops_urllib3.instrument()
    with ops.session(id="s-1"), ops.span("app"):
        requests.get(server.url)
    (span,) = spans.client
    assert span.instrumentation_scope is not None
    assert server.headers()["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"


def test_theirs_at_work_already(server: Recorder, spans: Any) -> None:
    """`opentelemetry-instrument` came first: its spans and options stay, our headers replace those that it writes."""
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

    provider = TracerProvider(shutdown_on_exit=False)
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    try:
        ops.set_propagator(ops.ContextPropagator(inject="b3multi"))
        ops_httpx.instrument()
        with ops.span("app") as app:
            httpx.get(server.url)
        assert carried(server.headers()).keys() == {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"}
        assert server.headers()["x-b3-traceid"] == app.trace_id
        assert server.headers()["x-b3-spanid"] != app.span_id, "the client span of the official package is the caller"
        ops_httpx.uninstrument()
        assert HTTPXClientInstrumentor().is_instrumented_by_opentelemetry
    finally:
        HTTPXClientInstrumentor().uninstrument()


def test_options_reach_the_official_package(server: Recorder, spans: Any) -> None:
    ops_requests.instrument(request_hook=lambda span, request: span.set_attribute("hooked", request.method))
    ops_urllib3.instrument(request_hook=lambda span, pool, request: span.set_attribute("hooked", request.method))
    requests.get(server.url)
    with urllib3.PoolManager() as pool:
        pool.request("GET", server.url)
    assert [span.attributes["hooked"] for span in spans.client] == ["GET", "GET"]
    ops_requests.instrument(request_hook=lambda span, request: span.set_attribute("hooked", "again"))
    requests.get(server.url)
    assert [span.attributes["hooked"] for span in spans.client[2:]] == ["again"]


def test_the_global_state_of_opentelemetry_is_untouched(client: Client) -> None:
    from opentelemetry.instrumentation import _semconv

    before = propagate.get_global_textmap()
    client.integration.instrument()
    assert propagate.get_global_textmap() is before
    stability = _semconv._OpenTelemetrySemanticConventionStability
    http = _semconv._OpenTelemetryStabilitySignalType.HTTP
    assert stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING[http] is _semconv._StabilityMode.DEFAULT


def test_conventions_that_the_user_has_chosen_stay(
    server: Recorder, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.instrumentation import _semconv

    stability = _semconv._OpenTelemetrySemanticConventionStability
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup")
    monkeypatch.setattr(stability, "_initialized", False)  # it reads the variable once for the process
    monkeypatch.setattr(stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    ops_requests.instrument()
    requests.get(server.url)
    assert {"http.method", "http.request.method"} <= set(spans.client[0].attributes)


def test_our_own_exporter_is_not_traced(server: Recorder) -> None:
    """The OTLP exporter sends by requests or urllib3; its calls make no spans and carry no context."""
    exporter_class = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from ops_lib.spans.configured import RUNTIME

    ops_requests.instrument()
    ops_urllib3.instrument()
    exporter: SpanExporter = exporter_class(endpoint=server.url + "/v1/traces")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = RUNTIME.snapshot()
    ops.configure(tracer_provider=provider)
    try:
        seen = len(server.seen)
        with ops.session(id="s-1"), ops.span("outer"), ops.span("inner"):
            pass
        sent = [path for path, _ in server.seen[seen:]]
        assert sent == ["/v1/traces"] * 2, "two spans, two exports, and none for these"
        assert carried(server.headers()) == {}
    finally:
        RUNTIME.restore(before)
        provider.shutdown()


def test_a_version_that_they_do_not_know_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    monkeypatch.setattr(RequestsInstrumentor, "instrumentation_dependencies", lambda self: ("requests < 1",))
    with pytest.raises(ImportError, match="requests < 1"):
        ops_requests.instrument()


OTHERS = {
    "httpx": "requests",
    "httpx-async": "requests",
    "requests": "aiohttp",
    "aiohttp": "urllib3",
    "urllib3": "httpx",
}


def break_official(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on the official package takes no version of the client for the right one."""
    module, instrumentor = {
        "httpx": ("httpx", "HTTPXClientInstrumentor"),
        "requests": ("requests", "RequestsInstrumentor"),
        "aiohttp": ("aiohttp_client", "AioHttpClientInstrumentor"),
        "urllib3": ("urllib3", "URLLib3Instrumentor"),
    }[name]
    official = getattr(importlib.import_module(f"opentelemetry.instrumentation.{module}"), instrumentor)
    monkeypatch.setattr(official, "instrumentation_dependencies", lambda self: (f"{name} < 0",))


def test_a_call_that_fails_leaves_what_an_earlier_one_switched_on(
    client: Client, server: Recorder, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client spans with the options, and the allow-list, of the earlier call; and nothing of the failing one."""
    name = client.name.removesuffix("-async")
    broken = OTHERS[name]
    ops.instrument(name, allow_hosts=["127.0.0.1"])
    break_official(monkeypatch, broken)
    with pytest.raises(ImportError, match="< 0"):
        ops.instrument(name, broken, allow_hosts=["elsewhere.internal"])
    with ops.span("app"):
        client.get(server.url)
    (span,) = spans.client
    assert server.headers()["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"


def test_a_call_that_fails_leaves_nothing_of_its_own(
    client: Client, server: Recorder, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = client.name.removesuffix("-async")
    broken = OTHERS[name]
    break_official(monkeypatch, broken)
    with pytest.raises(ImportError, match="< 0"):
        ops.instrument(name, broken)
    with ops.span("app"):
        client.get(server.url)
    assert spans.client == []
    assert carried(server.headers()) == {}


def test_a_second_call_that_fails_within_leaves_the_first_in_force(
    client: Client, server: Recorder, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same library, whose official package refuses the second time, when its spans are off already."""
    name = client.name.removesuffix("-async")
    ops.instrument(name, allow_hosts=["127.0.0.1"])
    start, failures = client_spans._start, iter([ImportError("not now")])

    def fails_once(*args: Any) -> None:
        for failure in failures:
            raise failure
        start(*args)

    monkeypatch.setattr(client_spans, "_start", fails_once)
    with pytest.raises(ImportError, match="not now"):
        ops.instrument(name, allow_hosts=["elsewhere.internal"])
    with ops.span("app"):
        client.get(server.url)
    assert len(spans.client) == 1
    assert "traceparent" in server.headers()


def test_a_failing_call_restores_the_options(server: Recorder, spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ops.instrument("requests", request_hook=lambda span, request: span.set_attribute("hooked", "first"))
    break_official(monkeypatch, "aiohttp")
    with pytest.raises(ImportError):
        ops.instrument("requests", "aiohttp", request_hook=lambda span, request: span.set_attribute("hooked", "second"))
    requests.get(server.url)
    assert [span.attributes["hooked"] for span in spans.client] == ["first"]
