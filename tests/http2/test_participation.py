"""Trust, egress, evidence for the doctor and for links, over HTTP/2 on both sides: as over HTTP/1.1."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from lab.h2 import HEADERS, App, Fields, Frame, Peer
from lab.rpc import SERVICE, Service
from lab.sidecar import LISTEN, Sidecar, merged

T, S, OWN, OTHER = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "00000000000000aa", "1" * 32
W3C = ("traceparent", f"00-{T}-{S}-01")
CAME: Fields = [
    ("b3", f"{T}-{S}-1"),
    ("x-mirascope-session-id", "s-1"),
    ("baggage", "k=v"),
    ("x-datadog-trace-id", "7"),
]

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]


def seen_of(client: Peer, app: App, fields: Fields) -> dict[str, str]:
    """What the app gets of a call with these fields."""
    stream = client.call(fields=fields, end=True)
    peer = app.accept()
    seen = peer.frame(HEADERS)
    peer.headers(seen.stream, [(":status", "200"), ("grpc-status", "0")], end=True)
    assert client.answer(stream).field("grpc-status") == "0"
    return dict(seen.fields)


# --- trust


def test_who_is_ignored_leaves_no_trace(start: Start, app: App, knock: Knock) -> None:
    sidecar = start({"inbound": {"app": app.url}, "trust": [{"ids": "ignore"}]})
    seen = seen_of(knock(sidecar), app, CAME)
    assert not {"traceparent", "b3", "x-datadog-trace-id"} & set(seen)
    assert (seen["x-mirascope-session-id"], seen["baggage"]) == ("s-1", "k=v")
    refused = sidecar.metrics.exchange("inbound", "app").translation.refused
    assert refused == {("0", "ids"): 1, ("0", "decision"): 1, ("0", "families"): 1}


@pytest.mark.parametrize(("peers", "is_believed"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
def test_a_rule_is_about_a_peer(start: Start, app: App, knock: Knock, peers: str, is_believed: bool) -> None:
    rules = [{"peers": [peers], "name": "inside"}, {"ids": "ignore"}]
    seen = seen_of(knock(start({"inbound": {"app": app.url}, "trust": rules})), app, CAME)
    assert (seen.get("traceparent") == f"00-{T}-{S}-01") is is_believed


@pytest.mark.parametrize(("name", "is_believed"), [("caller.internal", True), ("other.internal", False)])
def test_a_rule_is_about_the_name_in_a_certificate(
    start: Start, service: Service, tmp_path: Path, name: str, is_believed: bool
) -> None:
    """A caller of gRPC with a certificate of its own, over h2."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours, theirs = ca.issue_cert("127.0.0.1"), ca.issue_cert(name)
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    ours.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    listen_tls = {
        "cert_file": str(tmp_path / "cert.pem"),
        "key_file": str(tmp_path / "key.pem"),
        "client_ca_file": str(tmp_path / "ca.pem"),
        "client_certificates": "required",
    }
    rules = [{"names": ["caller.internal"]}, {"ids": "ignore"}]
    sidecar = start({"inbound": {"app": service.url, "listen_tls": listen_tls}, "trust": rules})
    credentials = grpc.ssl_channel_credentials(
        ca.cert_pem.bytes(), theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes()
    )
    with grpc.secure_channel(f"127.0.0.1:{sidecar.addresses['inbound'].port}", credentials) as channel:
        assert channel.unary_unary(f"/{SERVICE}/Echo")(b"hi", timeout=10, metadata=(W3C,)) == b"hi"
    assert ("traceparent" in service.seen[0]) is is_believed


# --- egress


def test_nothing_leaves_for_a_host_that_is_not_listed(start: Start, app: App, knock: Knock) -> None:
    nowhere = {"trace": ["*.internal"], "session": [], "baggage": []}
    upstreams = [
        {"name": "outside", "listen": LISTEN, "target": app.url, "http2": "always"},
    ]
    sidecar = start({"inbound": {"listen": "off"}, "upstreams": upstreams, "egress": nowhere})
    binary = ("grpc-trace-bin", "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE")
    seen = seen_of(knock(sidecar, "outside"), app, [*CAME, W3C, binary, ("x-mine", "stays")])
    assert seen["x-mine"] == "stays"
    ours = {"b3", "traceparent", "tracestate", "x-mirascope-session-id", "baggage", "x-datadog-trace-id"}
    assert not (ours | {"grpc-trace-bin"}) & set(seen)
    assert set(sidecar.metrics.exchange("outside", "outside").translation.withheld) == {"trace", "session", "baggage"}


# --- what the app does between its requests and its calls


class Both:
    """An app with requests at it, which calls billing, all over HTTP/2."""

    def __init__(self, sidecar: Sidecar, app: App, billing: App, knock: Knock) -> None:
        self.sidecar = sidecar
        self._callers = knock(sidecar)
        self._app = app
        self._billing = billing
        self._out = knock(sidecar, "billing")
        self._far: Peer | None = None

    def ask(self, *fields: tuple[str, str]) -> tuple[Peer, Frame]:
        """A request that stays at the app."""
        self._callers.call(fields=list(fields), end=True)
        peer = self._app.accept()
        return peer, peer.frame(HEADERS)

    def call(self, *fields: tuple[str, str]) -> dict[str, str]:
        """A call of the app; what billing gets."""
        stream = self._out.call(fields=list(fields), end=True)
        if self._far is None:
            self._far = self._billing.accept()
        seen = self._far.frame(HEADERS)
        self._far.headers(seen.stream, [(":status", "200"), ("grpc-status", "0")], end=True)
        assert self._out.answer(stream).field("grpc-status") == "0"
        return dict(seen.fields)


@pytest.fixture
def both(start: Start, app: App, knock: Knock) -> Any:
    made: list[App] = []

    def make(**settings: Any) -> Both:
        billing = App()
        made.append(billing)
        upstream = {"name": "billing", "listen": LISTEN, "target": billing.url, "http2": "always"}
        base = {"inbound": {"app": app.url}, "upstreams": [upstream]}
        return Both(start(merged(base, settings)), app, billing, knock)

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("fields", "findings"),
    [
        ([W3C], {"forwarded": 1}),
        ([("traceparent", f"00-{T}-{OWN}-01")], {"re-parented": 1}),
        ([], {"dropped": 1}),
        ([("traceparent", f"00-{OTHER}-{OWN}-01")], {"another-trace": 1}),
        ([W3C, ("b3", f"{OTHER}-{OWN}-1")], {"forwarded": 1, "two-stories": 1, "foreign-format": 1}),
    ],
)
def test_the_doctor_has_its_evidence(both: Callable[..., Both], fields: Fields, findings: dict[str, int]) -> None:
    wire = both()
    wire.ask(W3C)
    wire.call(*fields)
    assert wire.sidecar.metrics.app_calls == findings
    assert set(wire.sidecar.call(wire.sidecar.plane.app_proofs)) == set(findings)


def test_a_call_that_carries_nothing_is_joined_to_the_only_request_there(both: Callable[..., Both]) -> None:
    wire = both(linking={"single": True, "headers": [], "process": False})
    wire.ask(W3C)
    assert wire.call()["traceparent"] == f"00-{T}-{S}-01"
    assert wire.sidecar.metrics.exchange("billing", "billing").translation.linked == {"single": 1}


def test_of_two_requests_none_is_guessed(both: Callable[..., Both], app: App) -> None:
    """Two streams of one connection are two requests."""
    wire = both(linking={"single": True, "headers": [], "process": False})
    peer, _ = wire.ask(W3C)
    wire._callers.call(fields=[("traceparent", f"00-{OTHER}-{S}-01")], end=True)
    peer.frame(HEADERS)
    assert "traceparent" not in wire.call()
    assert wire.sidecar.metrics.exchange("billing", "billing").translation.linked == {"none": 1}


def test_what_the_apps_format_cannot_carry_is_put_back(both: Callable[..., Both]) -> None:
    """Carry-over: tracestate and the session, for an app that knows B3 alone."""
    wire = both(inbound={"propagation": {"inject": ["b3"]}})
    wire.ask(W3C, ("tracestate", "a=1"), ("x-mirascope-session-id", "s-1"))
    seen = wire.call(("b3", f"{T}-{OWN}-1"))
    assert seen["traceparent"] == f"00-{T}-{OWN}-01"
    assert (seen["tracestate"], seen["x-mirascope-session-id"]) == ("a=1", "s-1")


def test_many_callers_at_once_keep_their_own_traces(start: Start, service: Service) -> None:
    sidecar = start({"inbound": {"app": service.url}})
    traces = [f"{number:032x}" for number in range(1, 61)]
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.addresses['inbound'].port}") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Echo")

        def ask(trace: str) -> bytes:
            metadata = (("b3", f"{trace}-{S}-1"), ("x-told", trace))
            return bytes(call(trace.encode(), timeout=10, metadata=metadata))

        with ThreadPoolExecutor(8) as pool:
            assert [answer.decode() for answer in pool.map(ask, traces)] == traces
    assert {seen["x-told"]: seen["traceparent"] for seen in service.seen} == {
        trace: f"00-{trace}-{S}-01" for trace in traces
    }
