"""The sidecar as a span of the trace: what a collector is sent for what passes on the wire."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from lab.collectors import Collector, attributes
from lab.peers import Client, Upstream
from lab.sidecar import LISTEN, Sidecar, connect
from lab.spans import B3, OTHER, S, T, ids, request, value
from lab.wire import Wire
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def test_an_inbound_exchange_is_a_server_span(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    before = time.time_ns()
    client = wire.client()
    seen = wire.exchange(client, request(B3 + b"User-Agent: test/1\r\nX-Mirascope-Session-Id: s-1\r\n"))
    (span,) = collector.spans(1)
    trace_id, span_id, flags = value(seen, "traceparent").split("-")[1:]
    assert (trace_id, flags) == (T, "01")
    assert ids(span) == (T, span_id, S)
    assert span_id != S
    assert (span.name, span.kind) == ("GET", Span.SPAN_KIND_SERVER)
    assert before <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns()
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.response.body.size": 2,
        "url.scheme": "http",
        "url.path": "/orders/7",
        "server.address": "shop.internal",
        "server.port": 8080,
        "client.address": "127.0.0.1",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": client.sock.getsockname()[1],
        "network.protocol.version": "1.1",
        "user_agent.original": "test/1",
        "session.id": "s-1",
        "ops.listener": "inbound",
        "ops.upstream": "app",
        "ops.formats.read": ["b3multi"],
        "ops.formats.written": ["tracecontext"],
    }


def test_a_caller_that_connects_with_tls(exporting: Callable[..., Wire], collector: Collector, tmp_path: Path) -> None:
    """`url.scheme` is https."""
    ca = trustme.CA()
    both = tmp_path / "both.pem"
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(both))
    wire = exporting(inbound={"listen_tls": {"cert_file": str(both)}})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    with context.wrap_socket(connect(wire.sidecar.addresses["inbound"]), server_hostname="127.0.0.1") as sock:
        wire.exchange(Client(sock), request(B3))
    (span,) = collector.spans(1)
    assert attributes(span)["url.scheme"] == "https"


def test_an_outbound_exchange_is_a_client_span(
    exporting: Callable[..., Wire], collector: Collector, upstream: Upstream
) -> None:
    billing = {"name": "billing", "match": ["billing.internal"], "target": upstream.url}
    wire = exporting(outbound={"listen": LISTEN}, upstreams=[billing])
    client = wire.client("outbound")
    client.send(
        b"POST http://billing.internal/charges?card=4711 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + B3 + b"\r\nabc"
    )
    seen = upstream.answer(b"no", b"404 Not Found")
    assert client.response("POST").status == 404
    (span,) = collector.spans(1)
    told = attributes(span)
    assert ids(span) == (T, value(seen, "traceparent").split("-")[2], S)
    assert (span.name, span.kind) == ("POST", Span.SPAN_KIND_CLIENT)
    assert told["url.full"] == f"{upstream.url}/charges"
    assert (told["server.address"], told["server.port"]) == ("127.0.0.1", int(upstream.url.rpartition(":")[2]))
    assert (told["network.peer.address"], told["network.peer.port"]) == (told["server.address"], told["server.port"])
    assert (told["http.request.body.size"], told["http.response.body.size"]) == (3, 2)
    assert (told["error.type"], span.status.code) == ("404", Status.STATUS_CODE_ERROR)
    assert told["ops.upstream"] == "billing"


def test_who_is_not_sampled_gets_a_new_span_id_and_no_span(
    exporting: Callable[..., Wire], collector: Collector
) -> None:
    wire = exporting()
    client = wire.client()
    seen = wire.exchange(client, request(f"b3: {T}-{S}-0\r\n".encode()))
    assert value(seen, "traceparent").startswith(f"00-{T}-")
    assert value(seen, "traceparent").endswith("-00")
    assert S not in value(seen, "traceparent")
    wire.exchange(client, request(f"b3: {OTHER}-{S}-1\r\n".encode()))
    assert [span.trace_id.hex() for span in collector.spans(1)] == [OTHER]


@pytest.mark.parametrize("exports", [True, False])
@pytest.mark.parametrize(
    ("name", "form"), [("Server-Timing", 'trace;desc="%s"'), ("server-timing", 'trace;desc="%s"'), ("X-Trace", "%s")]
)
def test_the_caller_is_told_its_trace(
    exporting: Callable[..., Wire], collector: Collector, name: str, form: str, exports: bool
) -> None:
    """In what the app answers, as a further field, and in answers of our own."""
    mode = {} if exports else {"mode": "translate"}
    wire = exporting(propagation={"response_header": name, **mode}, timeouts={"response_head_s": 0.3})
    client = wire.client()
    for sampled in "10":
        client.send(request(f"b3: {T}-{S}-{sampled}\r\n".encode()))
        seen = wire.upstream.answer(b"ok", b"200 OK", b"Server-Timing: db;dur=53")
        told = client.response().head.values(name)
        assert told[-1].decode() == form % value(seen, "traceparent")
        assert told[:-1] == ([b"db;dur=53"] if name.lower() == "server-timing" else [])
    client.send(request(f"b3: {T}-{S}-0\r\n".encode()))
    failed = client.response()
    assert failed.status == 504
    assert f"00-{T}-" in value(failed, name)
    if not exports:  # nobody has a trace, so there is nothing to tell
        other = wire.client()
        other.send(request())
        wire.upstream.answer(b"ok")
        assert not other.response().head.values(name)


def test_a_trace_begins_here_where_none_came(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    seen = wire.exchange(wire.client(), request())
    (span,) = collector.spans(1)
    assert value(seen, "traceparent") == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-03"
    assert span.parent_span_id == b""


def test_the_losers_of_a_conflict_are_links(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    wire.exchange(wire.client(), request(f"traceparent: 00-{T}-{S}-01\r\nb3: {OTHER}-{S}-1\r\n".encode()))
    (span,) = collector.spans(1)
    (linked,) = span.links
    assert (linked.trace_id.hex(), linked.span_id.hex(), attributes(linked)) == (OTHER, S, {"ops.link": "conflict"})
    assert attributes(span)["ops.formats.read"] == ["tracecontext", "b3"]


def test_what_was_malformed_and_what_was_lost_stand_on_the_span(
    exporting: Callable[..., Wire], collector: Collector
) -> None:
    wire = exporting(inbound={"propagation": {"inject": ["b3"]}})
    fields = f"traceparent: 00-{T}-{S}-01\r\ntracestate: a=1\r\nuber-trace-id: nonsense\r\n"
    wire.exchange(wire.client(), request(fields.encode()))
    (span,) = collector.spans(1)
    assert attributes(span)["ops.lost"] == ["b3:tracestate"]
    assert attributes(span)["ops.malformed"] == ["jaeger:shape"]
    assert span.trace_state == "a=1"


def test_a_fault_of_ours_is_an_error_with_its_name(start: Callable[..., Sidecar], collector: Collector) -> None:
    export = {"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001, "flush_s": 0.2}
    sidecar = start({"inbound": {"app": "http://127.0.0.1:1"}, "export": export})
    assert sidecar.ask(request(B3)).status == 502
    (span,) = collector.spans(1)
    assert attributes(span)["error.type"] == "connection-refused"
    assert attributes(span)["http.response.status_code"] == 502
    assert span.status.code == Status.STATUS_CODE_ERROR


def test_a_client_that_leaves_ends_the_span(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    client = wire.client()
    client.send(request(B3))
    app = wire.accept()
    app.request()
    client.reset()
    (span,) = collector.spans(1)
    assert attributes(span)["error.type"] == "client-gone"
    assert "http.response.status_code" not in attributes(span)


def test_an_upgrade_ends_at_its_101(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    client = wire.client()
    client.send(request(B3 + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"))
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    client.until(b"\r\n\r\n")
    (span,) = collector.spans(1)  # while the tunnel is open
    assert attributes(span)["http.response.status_code"] == 101


def test_a_request_that_was_sent_again_says_so(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    client = wire.client()
    wire.exchange(client, request(B3))
    client.send(request(B3))
    wire.upstream.busy().close()  # just when it is used again
    wire.upstream.answer()
    assert client.response().status == 200
    first, second = collector.spans(2)
    assert "http.request.resend_count" not in attributes(first)
    assert attributes(second)["http.request.resend_count"] == 1


def test_secrets_stay_here(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting()
    wire.exchange(wire.client(), request(B3 + b"Authorization: Bearer sesame\r\nCookie: id=sesame\r\n"))
    _, body = collector.next()
    assert b"sesame" not in body
    assert b"4711" not in body


def test_a_call_over_tls_is_told_as_https(exporting: Callable[..., Wire], collector: Collector, tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with contextlib.closing(Upstream(tls=tls)) as billing:
        trusted = {"tls": {"ca_file": str(tmp_path / "ca.pem")}}
        upstreams = [{"name": "billing", "match": ["billing.internal"], "target": billing.url, **trusted}]
        client = exporting(outbound={"listen": LISTEN}, upstreams=upstreams).client("outbound")
        client.send(b"GET http://billing.internal/a HTTP/1.1\r\nHost: x\r\n" + B3 + b"\r\n")
        billing.answer()
        assert client.response().status == 200
        assert billing.url.startswith("https://")
        assert attributes(collector.spans(1)[0])["url.full"] == f"{billing.url}/a"


def test_translating_makes_no_span(exporting: Callable[..., Wire], collector: Collector) -> None:
    """The first span that comes is the first of the listener that takes part."""
    wire = exporting(inbound={"propagation": {"mode": "translate"}}, outbound={"listen": LISTEN})
    seen = wire.exchange(wire.client(), request(B3))
    assert value(seen, "traceparent") == f"00-{T}-{S}-01"
    fields = f"b3: {OTHER}-{S}-1\r\n".encode()
    line = b"GET %b/ HTTP/1.1\r\nHost: x\r\n%b\r\n" % (wire.upstream.url.encode(), fields)
    wire.exchange(wire.client("outbound"), line)
    assert [ids(span)[0] for span in collector.spans(1)] == [OTHER]
    assert wire.sidecar.metrics.exchange("inbound", "app").translation.errors == {}
