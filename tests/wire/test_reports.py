"""What a console is told of each exchange, whatever becomes of its span."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from lab.collectors import attributes, collecting
from lab.peers import Upstream
from lab.reports import Console
from lab.sidecar import LISTEN, Sidecar, merged
from lab.wire import Wire
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
OTHER = "1" * 32
B3 = f"X-B3-TraceId: {T}\r\nX-B3-SpanId: {S}\r\nX-B3-Sampled: 1\r\n".encode()
W3C = f"traceparent: 00-{T}-{S}-01\r\n".encode()


def request(fields: bytes = b"", target: bytes = b"/orders/7?card=4711") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: shop.internal:8080\r\n%b\r\n" % (target, fields)


@pytest.fixture
def console() -> Iterator[Console]:
    with collecting() as made:
        yield Console(made)


@pytest.fixture
def reporting(start: Callable[..., Sidecar], upstream: Upstream, console: Console) -> Callable[..., Wire]:
    """A sidecar that reports to `console`."""

    def make(**settings: Any) -> Wire:
        report = {"endpoint": f"http://127.0.0.1:{console.collector.port}"}
        base = {"inbound": {"app": upstream.url}, "console": {"report": report}, "service": {"name": "shop"}}
        return Wire(start(merged(base, settings)), upstream)

    return make


def test_an_exchange_is_reported_whole_though_it_has_no_span(reporting: Callable[..., Wire], console: Console) -> None:
    wire = reporting()
    fields = (
        b"User-Agent: test/1\r\nAuthorization: Bearer s3cret\r\nX-Mirascope-Session-Id: s-1\r\nbaggage: tier=gold\r\n"
    )
    wire.exchange(wire.client(), request(B3 + fields))
    record = console.record("ops.exchange")
    told = attributes(record)
    assert (record.trace_id.hex(), record.span_id.hex(), record.flags) == (T, S, 1)
    assert record.severity_number == SeverityNumber.SEVERITY_NUMBER_INFO
    assert record.time_unix_nano <= record.observed_time_unix_nano
    duration_us = told.pop("ops.duration_us")
    phases = [told.pop(f"ops.{phase}_us") for phase in ("queue", "connect", "head")]
    assert min(phases) >= 0
    assert 0 < sum(phases) <= duration_us
    assert told.pop("ops.request.id").startswith("r_")
    assert told == {
        "event.name": "ops.exchange",
        "ops.leg": "in",
        "ops.listener": "inbound",
        "ops.upstream": "app",
        "ops.peer.kind": "address",
        "ops.peer": "127.0.0.1",
        "server.address": "shop.internal:8080",
        "http.request.method": "GET",
        "url.path": "/orders/7",
        "http.response.status_code": 200,
        "user_agent.original": "test/1",
        "ops.winner": "b3multi",
        "ops.sampling": "accept",
        "ops.formats.read": ["b3multi"],
        "ops.formats.written": ["tracecontext"],
        "session.id": "s-1",
        "ops.headers.in": [
            f"X-B3-TraceId: {T}",
            f"X-B3-SpanId: {S}",
            "X-B3-Sampled: 1",
            "X-Mirascope-Session-Id: s-1",
            "baggage: tier=***",
        ],
        "ops.headers.out": [f"traceparent: 00-{T}-{S}-01", "X-Mirascope-Session-Id: s-1", "baggage: tier=***"],
        "ops.headers.other": ["User-Agent", "Authorization"],
        "ops.headers.added": ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"],
        "ops.headers.response": ["Date", "Content-Length"],
    }
    assert console.resource["service.name"] == "shop"
    assert console.resource["ops.report.version"] == "1"
    assert len(console.resource["ops.instance"]) == 16


def test_a_request_with_a_span_has_its_id(reporting: Callable[..., Wire], console: Console) -> None:
    wire = reporting(export={"endpoint": "http://127.0.0.1:9", "flush_s": 0})
    wire.exchange(wire.client(), request(B3))
    record = console.record("ops.exchange")
    assert attributes(record)["ops.request.id"] == f"r_{record.span_id.hex()}"
    assert attributes(record)["ops.parent"] == S


@pytest.mark.parametrize(
    ("fields", "read", "winner"),
    [
        (W3C, ["tracecontext"], "tracecontext"),
        (W3C + f"b3: {OTHER}-{S}-1\r\n".encode(), ["tracecontext", "b3~"], "tracecontext"),
        (W3C + f"b3: {T}-{'2' * 16}-1\r\n".encode(), ["tracecontext", "b3^"], "tracecontext"),
        (b"traceparent: 00-xyz\r\n", ["tracecontext!shape"], None),
        (W3C + f"uber-trace-id: {T}:{S}:0:1\r\n".encode(), ["tracecontext", "jaeger?"], "tracecontext"),
        (f"uber-trace-id: {T}:{S}:0:1\r\n".encode(), ["jaeger?"], None),
        (b"x-datadog-trace-id: 7\r\n", ["datadog+"], None),
        (b"", None, None),
    ],
)
def test_each_format_that_came_is_named_with_its_fate(
    reporting: Callable[..., Wire], console: Console, fields: bytes, read: list[str] | None, winner: str | None
) -> None:
    wire = reporting(propagation={"extract": ["tracecontext", "b3"]})
    wire.exchange(wire.client(), request(fields))
    told = console.exchange()
    assert told.get("ops.formats.read") == read
    assert told.get("ops.winner") == winner


def test_a_fault_of_ours_is_reported(
    start: Callable[..., Sidecar], reporting: Callable[..., Wire], console: Console
) -> None:
    wire = reporting(inbound={"app": "http://127.0.0.1:9"})
    client = wire.client()
    client.send(request())
    client.response()
    told = console.exchange()
    assert told["http.response.status_code"] == 502
    assert told["ops.fault"] == "connection-refused"
    assert told["ops.fault.detail"]


def test_the_time_of_a_response_that_comes_late_is_that_of_its_head(
    reporting: Callable[..., Wire], console: Console
) -> None:
    wire = reporting()
    client, far = wire.client(), None
    for number in range(2):
        client.send(request())
        far = far or wire.accept()
        far.request()
        time.sleep(0.03)
        far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        assert b" 200 OK" in client.until(b"\r\n\r\n")  # so the sidecar has seen it, too
        time.sleep(0.02)
        far.send(b"ok")
        assert client.exactly(2) == b"ok"
        told = console.exchange()
        assert told["ops.head_us"] >= 29_000
        assert told["ops.duration_us"] - told["ops.head_us"] >= 19_000  # the content is no part of it
        assert ("ops.connect_us" in told) is (number == 0)  # the second found a connection


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /a?b=c HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"rubbish\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ],
)
def test_a_request_that_is_refused_before_it_goes_anywhere_is_reported(
    reporting: Callable[..., Wire], console: Console, sent: bytes, status: int
) -> None:
    wire = reporting()
    client = wire.client()
    client.send(sent)
    client.response()
    told = console.exchange()
    assert told["http.response.status_code"] == status
    assert told["ops.fault"] and told["ops.fault.detail"]
    assert (told["ops.leg"], told["ops.peer"]) == ("in", "127.0.0.1")
    assert "ops.upstream" not in told and "ops.queue_us" not in told
    assert "?" not in told.get("url.path", "")


def test_another_sidecar_is_known_by_its_name_in_via(reporting: Callable[..., Wire], console: Console) -> None:
    wire = reporting()
    wire.exchange(wire.client(), request(b"Via: 1.1 proxy, 1.1 outbound.0a1b2c.ops-sidecar\r\n"))
    told = console.exchange()
    assert (told["ops.peer.kind"], told["ops.peer"]) == ("sidecar", "0a1b2c")


def test_a_rule_of_trust_names_its_peers(reporting: Callable[..., Wire], console: Console) -> None:
    wire = reporting(trust=[{"name": "partners", "peers": ["127.0.0.0/8"], "decision": False}])
    wire.exchange(wire.client(), request(W3C))
    told = console.exchange()
    assert (told["ops.peer.kind"], told["ops.peer"]) == ("rule", "partners")
    assert told["ops.refused"] == ["decision"]


def test_a_call_of_the_app_names_the_host_that_it_wants(
    reporting: Callable[..., Wire], console: Console, upstream: Upstream
) -> None:
    wire = reporting(outbound={"listen": LISTEN}, inbound={"listen": "off"})
    client = wire.sidecar.client("outbound")
    client.send(b"GET http://%b/ HTTP/1.1\r\nHost: x\r\n%b\r\n" % (upstream.authority, B3))
    upstream.answer()
    client.response()
    told = console.exchange()
    assert (told["ops.leg"], told["ops.upstream"], told["server.address"]) == (
        "out",
        "other",
        upstream.authority.decode(),
    )
    assert "ops.peer" not in told


def test_more_exchanges_than_may_be_told_are_counted(reporting: Callable[..., Wire], console: Console) -> None:
    wire = reporting(console={"report": {"exchanges_per_second": 0}})
    wire.exchange(wire.client(), request(B3))
    channel = wire.sidecar.plane._channel
    assert wire.sidecar.call(lambda: (channel.seen, channel.reported, channel.dropped)) == (1, 0, {"rate": 1})
    assert [row[:4] for row in wire.sidecar.call(channel.formats.listed)] == [["in", "address", "127.0.0.1", "app"]]


def test_a_silent_console_costs_no_request(reporting: Callable[..., Wire]) -> None:
    wire = reporting(console={"report": {"endpoint": "http://127.0.0.1:9", "queue_bytes": 4096}})
    client = wire.client()
    for _ in range(40):
        wire.exchange(client, request(B3))
    channel = wire.sidecar.plane._channel
    assert wire.sidecar.call(lambda: channel.dropped["queue-full"]) > 0


def test_nothing_is_told_unless_it_is_asked_for(
    start: Callable[..., Sidecar], upstream: Upstream, console: Console
) -> None:
    wire = Wire(start({"inbound": {"app": upstream.url}}), upstream)
    wire.exchange(wire.client(), request(B3))
    channel = wire.sidecar.plane._channel
    assert wire.sidecar.call(lambda: (channel.is_on, channel.seen)) == (False, 0)
    assert console.collector.connections == 0


def test_a_request_that_began_before_anybody_asked_is_not_counted_as_one_without_a_context(
    start: Callable[..., Sidecar], upstream: Upstream, console: Console
) -> None:
    base = {"inbound": {"app": upstream.url, "listen": LISTEN}, "outbound": {"listen": "off"}}
    wire = Wire(start(base), upstream)
    (listener,) = wire.sidecar.plane._listeners.values()
    listener._access_log = None  # which would want to know, too
    wire.sidecar.call(listener.choose_what_is_told)
    client = wire.client()
    client.send(request(B3))
    connection = upstream.accept()
    connection.request()
    wire.sidecar.replace(
        merged(base, {"console": {"report": {"endpoint": f"http://127.0.0.1:{console.collector.port}"}}})
    )
    connection.reply()
    assert client.response().status == 200
    assert console.exchange()["url.path"] == "/orders/7"
    assert wire.sidecar.call(wire.sidecar.plane._channel.formats.listed) == []


def test_a_reload_turns_reports_on_and_off(start: Callable[..., Sidecar], upstream: Upstream, console: Console) -> None:
    base = {"inbound": {"app": upstream.url, "listen": LISTEN}, "outbound": {"listen": "off"}}
    wire = Wire(start(base), upstream)
    client = wire.client()
    on = merged(base, {"console": {"report": {"endpoint": f"http://127.0.0.1:{console.collector.port}"}}})
    wire.sidecar.replace(on)
    wire.exchange(client, request(B3, b"/on"))
    assert console.exchange()["url.path"] == "/on"
    wire.sidecar.replace(base)
    wire.exchange(client, request(B3, b"/off"))
    channel = wire.sidecar.plane._channel
    assert wire.sidecar.call(lambda: channel.seen) == 1


def test_requests_to_the_console_are_as_set(
    start: Callable[..., Sidecar], upstream: Upstream, console: Console
) -> None:
    report = {"endpoint": f"http://127.0.0.1:{console.collector.port}", "headers": "authorization=Bearer t0ken"}
    wire = Wire(start({"inbound": {"app": upstream.url}, "console": {"report": report}}), upstream)
    wire.exchange(wire.client(), request(B3))
    head, _ = console.collector.next()
    assert b"\r\nauthorization: Bearer t0ken" in head
    assert head.startswith((b"POST /v1/logs ", b"POST /v1/metrics "))


def test_a_console_over_tls(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
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
            report = {"endpoint": f"https://127.0.0.1:{collector.port}", "tls": tls}
            wire = Wire(start({"inbound": {"app": upstream.url}, "console": {"report": report}}), upstream)
            wire.exchange(wire.client(), request(B3))
            assert Console(collector).exchange()["url.path"] == "/orders/7"
