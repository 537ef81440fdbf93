"""Shadow: what would differ with other settings is counted, with examples; nothing of it goes out.

Each difference is in `proxy/test_shadow`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
W3C = f"traceparent: 00-{T}-{S}-01\r\n"
B3 = f"b3: {T}-{S}-1\r\n"
STATE = "tracestate: vendor=1\r\n"
SESSION = "X-Mirascope-Session-Id: s-1\r\n"


def get(fields: str) -> bytes:
    return f"GET /x HTTP/1.1\r\nHost: shop\r\n{fields}\r\n".encode()


def found(sidecar: Sidecar, listener: str = "inbound", upstream: str = "app") -> dict[str, int]:
    return sidecar.metrics.exchange(listener, upstream).translation.shadow


def passing(
    propagation: dict[str, Any], fields: str, wired: Callable[..., Wire]
) -> tuple[Wire, dict[str, list[bytes]]]:
    """One request with these settings; the trace fields that the app saw."""
    wire = wired({"propagation": propagation})
    seen = wire.passes(get(fields))
    wire.settle()
    headers: dict[str, list[bytes]] = {}
    for name, value in seen.head.fields:
        headers.setdefault(name.decode().lower(), []).append(value)
    return wire, headers


@pytest.mark.parametrize(
    ("propagation", "shadow", "fields", "differences"),
    [
        ({}, {"inject": ["b3"]}, W3C + STATE, {"headers", "losses"}),
        ({}, {"on_defer": "deny"}, f"b3: {T}-{S}\r\n", {"decision"}),
        ({"mode": "participate"}, {"inject": ["tracecontext"]}, "", {"same"}),
    ],
)
def test_what_would_differ(
    wired: Callable[..., Wire], propagation: dict[str, Any], shadow: dict[str, Any], fields: str, differences: set[str]
) -> None:
    """New span ids are no difference: both get the same ones."""
    wire, _ = passing({**propagation, "shadow": shadow}, fields, wired)
    counts = found(wire.sidecar)
    assert set(counts) == differences
    assert set(counts.values()) == {1}


def test_nothing_of_it_goes_out(wired: Callable[..., Wire]) -> None:
    """The same bytes with a shadow as without one."""
    fields = W3C + STATE + B3.replace(T, "1" * 32) + SESSION + "baggage: a=1\r\nx-datadog-trace-id: 5\r\n"
    _, without = passing({}, fields, wired)
    shadow = {
        "inject": ["b3", "jaeger"],
        "extract": ["b3"],
        "clear": ["datadog"],
        "baggage": "drop",
        "mode": "participate",
    }
    _, seen = passing({"shadow": shadow}, fields, wired)
    assert seen == without


def test_the_last_example_is_kept_without_values_of_baggage(wired: Callable[..., Wire]) -> None:
    fields = W3C + STATE + "baggage: card=4711\r\n"
    wire, _ = passing({"shadow": {"inject": ["b3"]}}, fields, wired)
    examples = wire.sidecar.call(wire.sidecar.plane.shadow_examples)
    assert set(examples) == {("inbound", "app")}
    assert set(examples["inbound", "app"]) == {"headers", "losses"}
    example = examples["inbound", "app"]["losses"]
    assert ("traceparent", f"00-{T}-{S}-01") in example["came"]
    assert ("traceparent", f"00-{T}-{S}-01") in example["goes"]
    assert ("b3", f"{T}-{S}-1") in example["would_go"]
    assert ("tracestate", "vendor=1") in example["goes"]
    assert "4711" not in repr(examples)
    assert ("baggage", "card=***") in example["goes"]


def test_by_upstream(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    billing = {
        "name": "billing",
        "match": ["billing.internal"],
        "target": upstream.url,
        "propagation": {"shadow": {"inject": ["b3"]}},
    }
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "upstreams": [billing]})
    client = sidecar.client("outbound")
    for host in ("billing.internal", upstream.authority.decode()):
        client.send(get(W3C).replace(b"shop", host.encode()))
        upstream.answer()
        assert client.response().status == 200
    sidecar.settle()
    assert found(sidecar, "outbound", "billing") == {"headers": 1}
    assert found(sidecar, "outbound", "other") == {}


def test_carry_over_as_if_it_were_off(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream) -> None:
    """What the app's format cannot carry would not be put back on its call."""
    sidecar = start(
        {
            "inbound": {"app": upstream.url, "propagation": {"inject": ["b3"]}},
            "outbound": {"listen": LISTEN, "propagation": {"shadow": {"carry_over": False}}},
        }
    )
    client = sidecar.client()
    client.send(get(W3C + STATE))
    app = upstream.busy()
    app.stream.request()
    out = sidecar.client("outbound")
    out.send(get(B3).replace(b"shop", billing.authority))
    assert billing.answer().head.value("tracestate") == b"vendor=1"
    assert out.response().status == 200
    app.reply(b"ok")
    assert client.response().status == 200
    sidecar.settle()
    assert found(sidecar, "outbound", "other") == {"headers": 1, "tracestate": 1}


def test_a_bug_in_it_breaks_nothing(wired: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError

    monkeypatch.setattr("proxy.shadow.Shadow.compare", broken)
    wire, seen = passing({"shadow": {"inject": ["b3"]}}, W3C, wired)
    assert seen["traceparent"] == [f"00-{T}-{S}-01".encode()]
    assert found(wire.sidecar) == {"error": 1}


def test_examples_of_what_is_no_longer_compared_are_forgotten(wired: Callable[..., Wire]) -> None:
    wire, _ = passing({"shadow": {"inject": ["b3"]}}, W3C, wired)
    address = str(wire.sidecar.addresses["inbound"])
    off = {"outbound": {"listen": "off"}, "admin": {"listen": "off"}}
    wire.sidecar.replace({"inbound": {"app": wire.upstream.url, "listen": address}, **off})
    assert wire.sidecar.call(wire.sidecar.plane.shadow_examples) == {}
