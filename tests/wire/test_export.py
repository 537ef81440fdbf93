"""Where spans go, and what never depends on whether they arrive."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from lab.collectors import Collector, attributes, collecting
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged
from lab.spans import B3, S, T, ids, request, value
from lab.wire import Wire

import proxy.listener.records.spans as spans_module

pytestmark = pytest.mark.logs


def test_a_reload_switches_export_on_and_off(
    exporting: Callable[..., Wire], collector: Collector, upstream: Upstream
) -> None:
    wire = exporting()
    client = wire.client()
    wire.exchange(client, request(B3))
    collector.spans(1)
    off = {
        "inbound": {"listen": LISTEN, "app": upstream.url},
        "outbound": {"listen": "off"},
        "admin": {"listen": "off"},
    }
    wire.sidecar.replace(off)
    assert value(wire.exchange(client, request(B3)), "traceparent") == f"00-{T}-{S}-01"
    on = merged(off, {"export": {"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001}})
    wire.sidecar.replace(on)
    wire.exchange(client, request(B3))
    assert [ids(span)[0] for span in collector.spans(1)] == [T]


COMPILED = not cast(str, spans_module.__file__).endswith(".py")
in_source = pytest.mark.skipif(COMPILED, reason="compiled functions call each other: none can be put between them")


@in_source
def test_a_bug_in_making_a_span_costs_the_span_alone(
    exporting: Callable[..., Wire], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = exporting()
    client = wire.client()

    def broken(*_: object, **__: object) -> bytes:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patched:
        patched.setattr("proxy.listener.records.spans._encoded", broken)
        wire.exchange(client, request(B3))
        wire.exchange(client, request(B3))
    wire.exchange(client, request(B3))
    assert len(collector.spans(1)) == 1
    assert wire.sidecar.metrics.exchange("inbound", "app").translation.errors == {"RuntimeError": 2}


_OTLP = "proxy.telemetry.otlp"


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(f"{_OTLP}.span.peer_attributes", marks=in_source),
        pytest.param(f"{_OTLP}.span.SpanEncoder.encode", marks=in_source),
        f"{_OTLP}.exporter.Exporter._send_metrics",
        pytest.param(f"{_OTLP}.buffer.SpanBuffer.add", marks=in_source),
        f"{_OTLP}.buffer.SpanBuffer.flush",
        f"{_OTLP}.sender.Sender.on_tick",
        f"{_OTLP}.pipeline.export_request",
    ],
)
def test_a_bug_in_any_part_of_export_reaches_no_exchange(
    exporting: Callable[..., Wire], collector: Collector, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """And once it is over, spans leave again."""
    export = {"metrics": True, "metrics_interval_s": 0.05}
    wire = exporting(export=export)
    client = wire.client()
    broke: list[str] = []

    def broken(*_: object, **__: object) -> object:
        broke.append(part)
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patched:
        patched.setattr(part, broken)
        for _ in range(3):
            wire.exchange(client, request(B3))
        wire.sidecar.until(lambda: broke)
    wire.exchange(client, request(B3, b"/after"))
    while True:
        head, body = collector.next()
        if head.startswith(b"POST /v1/traces") and b"/after" in body:
            break


@pytest.mark.parametrize("ending", ["is gone", "hangs up"])
def test_a_collector_changes_no_response(ending: str, start: Callable[..., Sidecar], upstream: Upstream) -> None:
    with collecting(lambda _: None) as silent:
        port = 1 if ending == "is gone" else silent.port
        export = {
            "endpoint": f"http://127.0.0.1:{port}",
            "delay_s": 0.001,
            "flush_s": 0,
            "queue_spans": 2,
            "batch_spans": 1,
        }
        wire = Wire(start({"inbound": {"app": upstream.url}, "export": export}), upstream)
        client = wire.client()
        for _ in range(10):
            wire.exchange(client, request(B3))


# --- each setting


def exported(collector: Collector) -> Any:
    """The only ResourceSpans of the next request."""
    (resource,) = collector.next_request().resource_spans
    return resource


def test_the_resource_is_the_service(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting(service={"name": "shop", "attributes": {"deployment.environment.name": "test"}})
    wire.exchange(wire.client(), request(B3))
    described = attributes(exported(collector).resource)
    assert (described["service.name"], described["deployment.environment.name"]) == ("shop", "test")


def test_requests_to_the_collector_are_as_set(
    start: Callable[..., Sidecar], upstream: Upstream, collector: Collector
) -> None:
    export = {
        "endpoint": "http://127.0.0.1:1",
        "traces_endpoint": f"http://127.0.0.1:{collector.port}/in/traces",
        "headers": {"X-Token": "t-1"},
        "compression": "gzip",
        "delay_s": 0.001,
    }
    wire = Wire(start({"inbound": {"app": upstream.url}, "export": export}), upstream)
    wire.exchange(wire.client(), request(B3))
    head, body = collector.next()
    assert head.startswith(b"POST /in/traces HTTP/1.1\r\n")
    assert b"X-Token: t-1" in head
    assert b"Content-Encoding: gzip" in head
    assert T.encode() not in body
    assert bytes.fromhex(T) in gzip.decompress(body)


def test_traces_can_be_switched_off(exporting: Callable[..., Wire], collector: Collector) -> None:
    """Then the sidecar translates, as the ids of its spans would lead nowhere."""
    wire = exporting(export={"traces": False})
    seen = wire.exchange(wire.client(), request(B3))
    assert value(seen, "traceparent") == f"00-{T}-{S}-01"


def test_spans_leave_in_batches(exporting: Callable[..., Wire], collector: Collector) -> None:
    """A batch that is full leaves at once; what is left waits for the delay, or for the end."""
    wire = exporting(export={"batch_spans": 3, "delay_s": 3600})
    client = wire.client()
    for _ in range(4):
        wire.exchange(client, request(B3))
    assert len(exported(collector).scope_spans[0].spans) == 3
    wire.sidecar.replace({"outbound": {"listen": "off"}, "admin": {"listen": "off"}, "inbound": {"listen": LISTEN}})
    assert len(exported(collector).scope_spans[0].spans) == 1


def test_a_collector_over_tls(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
    """With an authority and a client certificate of our own; and without the first by switching verification off."""
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(theirs)
    theirs.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("sidecar")
    ca_file, cert_file, key_file = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca_file)
    ours.cert_chain_pems[0].write_to_path(cert_file)
    ours.private_key_pem.write_to_path(key_file)
    for trust in ({"ca_file": str(ca_file)}, {"verify": False}):
        with collecting(tls=theirs) as collector:
            tls = {"cert_file": str(cert_file), "key_file": str(key_file), **trust}
            export = {"endpoint": f"https://127.0.0.1:{collector.port}", "tls": tls, "delay_s": 0.001}
            wire = Wire(start({"inbound": {"app": upstream.url}, "export": export}), upstream)
            wire.exchange(wire.client(), request(B3))
            assert ids(collector.spans(1)[0])[0] == T
