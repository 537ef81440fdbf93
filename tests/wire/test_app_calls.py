"""What an app does to the context between its requests and its calls is found, counted, and proved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lab.both_sides import BothSides
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged

T, S, OWN = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "00000000000000aa"
OTHER = "1" * 32
W3C = f"traceparent: 00-{T}-{S}-01"


class Both(BothSides):
    """Whose app calls billing in one way."""

    def call(self, *fields: str) -> None:
        """The app calls billing with `fields`."""
        client = self.client("outbound")
        head = ["GET http://billing.internal/ HTTP/1.1", "Host: billing.internal", "Cookie: secret=1", *fields, "", ""]
        client.send("\r\n".join(head).encode())
        self.billing.answer()
        assert client.response().status == 200

    @property
    def findings(self) -> dict[str, int]:
        return self.sidecar.metrics.app_calls

    def proofs(self) -> Any:
        return self.sidecar.call(self.sidecar.plane.app_proofs)


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> Callable[..., Both]:
    def make(**settings: Any) -> Both:
        base = {
            "inbound": {"app": upstream.url},
            "outbound": {"listen": LISTEN},
            "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing.url}],
        }
        return Both(start(merged(base, settings)), upstream, billing)

    return make


@pytest.mark.parametrize(
    ("fields", "findings"),
    [
        ([W3C], {"forwarded": 1}),
        ([W3C, "tracestate: a=1"], {"forwarded": 1}),
        ([f"traceparent: 00-{T}-{OWN}-01"], {"re-parented": 1}),
        ([], {"dropped": 1}),
        ([f"traceparent: 00-{OTHER}-{OWN}-01"], {"another-trace": 1}),
        ([f"traceparent: 00-{T}-{OWN}-00"], {"re-parented": 1, "decision-changed": 1}),
        ([f"traceparent: 00-{T}-{S}-00"], {"forwarded": 1, "decision-changed": 1}),
        ([W3C, f"b3: {OTHER}-{OWN}-1"], {"forwarded": 1, "two-stories": 1, "foreign-format": 1}),
        ([f"b3: {T}-{OWN}-1"], {"re-parented": 1, "foreign-format": 1}),
        ([f"b3: {T}-{OWN}"], {"re-parented": 1, "foreign-format": 1}),
        (["b3: 0"], {}),
    ],
)
def test_what_an_app_does_to_a_context(both: Callable[..., Both], fields: list[str], findings: dict[str, int]) -> None:
    wire = both()
    with wire.at_app(W3C):
        wire.call(*fields)
    assert wire.findings == findings
    assert set(wire.proofs()) == set(findings)


def test_an_encoding_of_the_same_family_is_not_foreign(both: Callable[..., Both]) -> None:
    wire = both(inbound={"propagation": {"inject": ["b3multi"]}})
    with wire.at_app(W3C):
        wire.call(f"b3: {T}-{S}-1")
    assert wire.findings == {"forwarded": 1}


def test_a_reload_that_switches_linking_on_or_off_counts_at_once(both: Callable[..., Both]) -> None:
    """Without linking nothing is found."""
    off = {"linking": {"headers": [], "process": False, "single": False}}
    wire = both(**off)
    with wire.at_app(W3C):
        wire.call(W3C)
    assert wire.findings == {}
    settings = {
        "inbound": {"listen": LISTEN, "app": wire.upstream.url},
        "outbound": {"listen": LISTEN},
        "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": wire.billing.url}],
        "admin": {"listen": "off"},
    }
    wire.sidecar.replace(settings)
    with wire.at_app(W3C):
        wire.call(W3C)
    assert wire.findings == {"forwarded": 1}
    wire.sidecar.replace(settings | off)
    with wire.at_app(W3C):
        wire.call(W3C)
    assert wire.findings == {"forwarded": 1}


def test_who_was_given_nothing_drops_nothing_and_may_begin_a_trace(both: Callable[..., Both]) -> None:
    """Nobody knows whose call it is: maybe of a request without a context, or of one that is not remembered."""
    wire, other = both(), f"traceparent: 00-{OTHER}-{S}-01"
    with wire.at_app():
        wire.call()
        wire.call(W3C)
        with wire.at_app(other):
            wire.call()
            wire.call(W3C)
            assert wire.findings == {}
            wire.call(other)
            assert wire.findings == {"forwarded": 1}
    with wire.at_app(other):
        wire.call()
        wire.call(W3C)
    assert wire.findings == {"forwarded": 1, "dropped": 1, "another-trace": 1}
    small = both(in_flight={"max_requests": 1})
    with small.at_app(W3C), small.at_app(other):
        small.call()
    assert small.findings == {}
    ignored = both(trust=[{"ids": "ignore"}])
    with ignored.at_app(W3C):
        ignored.call()
    assert ignored.findings == {}


def test_who_was_given_a_trace_of_the_sidecars_own_can_drop_it(both: Callable[..., Both]) -> None:
    wire = both(propagation={"mode": "participate"})
    with wire.at_app():
        wire.call()
    assert wire.findings == {"dropped": 1}


def test_while_no_request_is_there_nothing_is_found(both: Callable[..., Both]) -> None:
    wire = both()
    wire.call(W3C)
    wire.call()
    assert (wire.findings, wire.proofs()) == ({}, {})


def test_a_span_of_the_sidecars_own_is_what_the_app_forwards(both: Callable[..., Both]) -> None:
    wire = both(propagation={"mode": "participate"})
    with wire.at_app(W3C) as seen:
        wire.call(f"traceparent: {(seen.head.value('traceparent') or b'').decode()}")
        wire.call(W3C)
    assert wire.findings == {"forwarded": 1, "re-parented": 1}


def test_the_last_proof_is_kept_with_headers_of_ours_alone(both: Callable[..., Both]) -> None:
    wire = both(inbound={"propagation": {"inject": ["tracecontext", "jaeger"]}})
    with wire.at_app(W3C, "baggage: user=alice,plan=x;p=1", "X-Mirascope-Session-Id: s-1", "Authorization: secret"):
        wire.call(W3C, "baggage: old=1")
        wire.call(W3C, "baggage: user=alice, plan=x;p=1", "uberctx-k: secret")
    proof = wire.proofs()["forwarded"]
    given = {name.lower(): value for name, value in proof["given"]}
    assert (given["traceparent"], given["baggage"]) == (f"00-{T}-{S}-01", "user=***,plan=***")
    assert given["uberctx-user"] == "***"
    assert given["x-mirascope-session-id"] == "s-1"
    sent = {name.lower(): value for name, value in proof["sent"]}
    assert sent == {"traceparent": f"00-{T}-{S}-01", "baggage": "user=***,plan=***", "uberctx-k": "***"}
    assert proof["at"] > 0
    assert "secret" not in str(wire.proofs())
    assert "alice" not in str(wire.proofs())


def test_a_proof_is_bounded(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(W3C):
        wire.call(
            W3C,
            "tracestate: " + ",".join(f"k{number}={'v' * 200}" for number in range(10)),
            *[f"uberctx-k{n}: v" for n in range(40)],
        )
    sent = wire.proofs()["forwarded"]["sent"]
    assert len(sent) == 32
    assert max(len(value) for _, value in sent) == 512
