"""Whom the sidecar believes, and what is left of the context of those whom it does not."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from lab.collectors import Collector, attributes
from lab.messages import Message
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, connect, merged
from lab.wire import Wire

from proxy.errors import SettingsError
from proxy.settings.reading import load

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
CAME = f"b3: {T}-{S}-1\r\nX-Mirascope-Session-Id: s-1\r\nbaggage: k=v\r\nx-datadog-trace-id: 7\r\n"


def ask(wire: Wire, fields: str = CAME) -> Message:
    return wire.passes(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())


def value(seen: Message, name: str) -> str:
    return (seen.head.value(name) or b"").decode()


def refused(wire: Wire) -> dict[tuple[str, str], int]:
    return wire.sidecar.metrics.exchange("inbound", "app").translation.refused


@pytest.fixture
def believing(wired: Callable[..., Wire]) -> Callable[..., Wire]:
    """`believing(rule, …)`: an inbound listener with these rules."""
    return lambda *rules, **more: wired({"trust": list(rules), **more})


def test_without_a_rule_everyone_is_believed(wire: Wire) -> None:
    seen = ask(wire)
    assert value(seen, "traceparent") == f"00-{T}-{S}-01"
    assert (value(seen, "x-mirascope-session-id"), value(seen, "baggage")) == ("s-1", "k=v")
    assert refused(wire) == {}


def test_who_is_ignored_leaves_no_trace(believing: Callable[..., Wire]) -> None:
    wire = believing({"ids": "ignore"})
    seen = ask(wire)
    assert (value(seen, "traceparent"), value(seen, "x-datadog-trace-id")) == ("", "")
    assert (value(seen, "x-mirascope-session-id"), value(seen, "baggage")) == ("s-1", "k=v")
    assert refused(wire) == {("0", "ids"): 1, ("0", "decision"): 1, ("0", "families"): 1}


def test_the_first_rule_that_is_about_the_peer_counts(believing: Callable[..., Wire]) -> None:
    ignore = {"ids": "ignore", "name": "edge"}
    wire = believing({"peers": ["127.0.0.0/8"], "name": "inside"}, ignore)
    assert value(ask(wire), "traceparent") == f"00-{T}-{S}-01"
    assert refused(wire) == {("inside", "nothing"): 1}
    assert value(ask(believing({"peers": ["10.0.0.0/8"]}, ignore)), "traceparent") == ""
    assert value(ask(believing({"names": ["caller.internal"]}, ignore)), "traceparent") == ""


def test_a_rule_is_about_one_listener(believing: Callable[..., Wire]) -> None:
    wire = believing({"ids": "ignore", "listener": "outbound"}, outbound={"listen": LISTEN})
    assert value(ask(wire), "traceparent") == f"00-{T}-{S}-01"
    line = f"GET {wire.upstream.url}/ HTTP/1.1\r\nHost: a\r\n{CAME}\r\n"
    assert value(wire.exchange(wire.client("outbound"), line.encode()), "traceparent") == ""


def test_a_decision_is_refused_apart(believing: Callable[..., Wire]) -> None:
    wire = believing({"decision": False}, propagation={"inject": ["b3"]})
    assert value(ask(wire, f"b3: {T}-{S}-d\r\n"), "b3") == f"{T}-{S}"
    assert refused(wire) == {("0", "decision"): 1}


@pytest.mark.parametrize("mode", ["translate", "pass"])
def test_baggage_is_refused_apart(believing: Callable[..., Wire], mode: str) -> None:
    wire = believing({"baggage": False}, propagation={"baggage": mode})
    seen = ask(wire, CAME + "uberctx-a: 1\r\njaeger_baggage: 1\r\nBAGGAGE: b=c\r\nsw8-correlation: 1\r\nsw8: 2\r\n")
    kept = {name.decode().lower() for name, _ in seen.head.fields}
    assert {"traceparent", "x-mirascope-session-id", "sw8"} <= kept
    assert not kept & {"baggage", "uberctx-a", "jaeger_baggage", "sw8-correlation"}
    assert refused(wire)["0", "baggage"] == 1


@pytest.mark.parametrize("mode", ["translate", "pass"])
def test_a_session_is_refused_apart_under_all_its_names(believing: Callable[..., Wire], mode: str) -> None:
    wire = believing({"session": False}, propagation={"baggage": mode})
    fields = "X-Mirascope-Session-Id: s-1\r\nx_mirascope_session_id: s-1\r\nMirascope-Session-Id: s-1\r\n"
    seen = ask(wire, fields + "baggage: k=v,session.id=s-1\r\n")
    assert b"s-1" not in b"".join(value for _, value in seen.head.fields)
    assert value(seen, "baggage") == "k=v"
    assert refused(wire)["0", "session"] == 1


def test_a_restart_is_a_new_trace_with_the_incoming_one_as_a_link(
    believing: Callable[..., Wire], collector: Collector
) -> None:
    export = {"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001}
    wire = believing({"ids": "restart"}, export=export)
    trace_id, span_id, flags = value(ask(wire), "traceparent").split("-")[1:]
    assert (trace_id == T, flags[1]) == (False, "3")  # sampled, as the caller had it, and random
    (span,) = collector.spans(1)
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id) == (trace_id, span_id, b"")
    (link,) = span.links
    assert (link.trace_id.hex(), link.span_id.hex(), attributes(link)) == (T, S, {"ops.link": "restart"})
    assert refused(wire) == {("0", "ids"): 1}


def test_a_reload_changes_who_is_believed_on_open_connections(
    start: Callable[..., Sidecar], upstream: Upstream
) -> None:
    base: dict[str, Any] = {"inbound": {"listen": LISTEN, "app": upstream.url}, "outbound": {"listen": "off"}}
    base |= {"admin": {"listen": "off"}}
    wire = Wire(start(base), upstream)
    client = wire.client()
    line = f"GET / HTTP/1.1\r\nHost: a\r\n{CAME}\r\n".encode()
    assert value(wire.exchange(client, line), "traceparent")
    wire.sidecar.replace(merged(base, {"trust": [{"ids": "ignore"}]}))
    assert value(wire.exchange(client, line), "traceparent") == ""


@pytest.mark.parametrize(
    ("rules", "key", "message"),
    [
        ("[{ids: restart}]", "trust.0.ids", "only where the sidecar takes part"),
        ("[{listener: nowhere}]", "trust.0.listener", "expected one of inbound, outbound"),
        ("[{ids: ignore}, {peers: [10.0.0.0/8]}]", "trust.1", "never reached"),
        ("[{peers: [caller.internal]}]", "trust.0.peers", "an address or a CIDR"),
        ("[{peers: ['10.0.0.1:80']}]", "trust.0.peers", "without a port"),
        ("[{names: ['a.*']}]", "trust.0.names", "a name as in a certificate"),
        ("[{name: a b}]", "trust.0.name", "letters, digits"),
        ("[{name: a, peers: [10.0.0.1]}, {name: a}]", "trust.1.name", "has this name already"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(tmp_path: Path, rules: str, key: str, message: str) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(f"trust: {rules}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as failed:
        load(file, environ={})
    (problem,) = failed.value.problems
    assert problem.key.startswith(key)
    assert message in problem.message


def test_rules_may_come_from_the_environment() -> None:
    loaded = load(None, environ={"OPS_SIDECAR_TRUST": "[{ids: ignore}]", "OPS_SIDECAR_EGRESS__TRACE": "a.internal,*.b"})
    assert loaded.settings.trust[0].ids == "ignore"
    assert [str(pattern) for pattern in loaded.settings.egress.trace or ()] == ["a.internal", "*.b"]


@pytest.mark.parametrize("name", ["caller.internal", "stranger.internal"])
def test_a_client_is_known_by_its_certificate(
    start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path, name: str
) -> None:
    ca = trustme.CA()
    paths = {key: str(tmp_path / f"{key}.pem") for key in ("cert_file", "key_file", "client_ca_file")}
    issued = ca.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(paths["cert_file"])
    issued.private_key_pem.write_to_path(paths["key_file"])
    ca.cert_pem.write_to_path(paths["client_ca_file"])
    listen_tls = {**paths, "client_certificates": "required"}
    rules = [{"names": ["caller.internal"]}, {"ids": "ignore"}]
    sidecar = start({"inbound": {"app": upstream.url, "listen_tls": listen_tls}, "trust": rules})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    ca.issue_cert(name).configure_cert(context)
    with context.wrap_socket(connect(sidecar.addresses["inbound"]), server_hostname="127.0.0.1") as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{CAME}\r\n".encode())
        seen = upstream.answer()
        assert sock.recv(1) == b"H"
    assert bool(value(seen, "traceparent")) == (name == "caller.internal")
