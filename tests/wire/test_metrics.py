"""What `/metrics` says after real exchanges: every figure that they change, and no label that comes from outside."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

from proxy.telemetry.exposition import page as page_of
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.prometheus import families
from proxy.telemetry.state import State

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
OTHER = "1" * 32
W3C = f"traceparent: 00-{T}-{S}-01"
_TRANSLATION = re.compile(r"contexts_|sessions_|bare_|requests_untraced|translation_errors")


def page(sidecar: Sidecar) -> str:
    sidecar.settle()
    usage, exported = ProcessUsage(0, 0, 0), ExportCounts()
    return page_of(families(sidecar.metrics, State(), version="1", process=usage, dropped_lines={}, exported=exported))


def figures(sidecar: Sidecar, which: re.Pattern[str], *known: str) -> dict[str, float]:
    """`name{labels}` -> value, without the prefix, the labels of `known`, and what is 0."""
    found = {}
    for line in page(sidecar).splitlines():
        if not line.startswith("#") and which.search(line):
            name, _, value = line.removeprefix("ops_sidecar_").rpartition(" ")
            for label in known:
                name = name.replace(label, "")
            if float(value):
                found[re.sub(r"\{,?|\}", " ", name).replace('"', "").strip()] = float(value)
    return found


@pytest.mark.parametrize(
    ("propagation", "sent", "wanted"),
    [
        ({}, [W3C], {"extracted_total format=tracecontext": 1, "injected_total format=tracecontext": 1}),
        (
            {"inject": ["composite"]},
            [f"b3: {T}-{S}-1"],
            {"extracted_total format=b3": 1}
            | {f"injected_total format={name}": 1 for name in ("tracecontext", "b3", "b3multi", "jaeger")},
        ),
        (
            {"inject": ["b3"]},
            [W3C, "tracestate: a=1"],
            {
                "extracted_total format=tracecontext": 1,
                "injected_total format=b3": 1,
                "losses_total format=b3,what=tracestate": 1,
            },
        ),
        (
            {},
            [W3C, f"b3: {OTHER}-{S}-1", f"uber-trace-id: {T}:{S}:0:1"],
            {
                "extracted_total format=tracecontext": 1,
                "injected_total format=tracecontext": 1,
                "conflicting_total winner=tracecontext,loser=b3": 1,
            },
        ),
        (
            {},
            ["traceparent: junk", f"b3: {'0' * 32}-{S}-1", "X-B3-TraceId: 1"],
            {
                "malformed_total format=tracecontext,reason=shape": 1,
                "malformed_total format=b3,reason=zero-id": 1,
                "malformed_total format=b3multi,reason=missing-id": 1,
                "requests_untraced_total": 1,
            },
        ),
        (
            {"inject": ["b3multi"]},
            ["b3: 0"],
            {"extracted_total format=b3": 1, "injected_total format=b3multi": 1, "bare_decisions_total": 1},
        ),
        ({}, ["X-Mirascope-Session-Id: s-1"], {"sessions_carried_total": 1, "requests_untraced_total": 1}),
        (
            {},
            ["X-Mirascope-Session-Id: s 1"],
            {"sessions_malformed_total reason=characters": 1, "requests_untraced_total": 1},
        ),
        (
            {},
            [W3C, "X-Mirascope-Session-Id: s-1"],
            {
                "extracted_total format=tracecontext": 1,
                "injected_total format=tracecontext": 1,
                "sessions_carried_total": 1,
            },
        ),
        ({}, [], {"requests_untraced_total": 1}),
        (
            {"mode": "participate"},
            [],
            {"injected_total format=tracecontext": 1, "requests_untraced_total": 1},
        ),
    ],
    ids=lambda value: ";".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_was_found_and_written(
    wired: Callable[..., Wire], propagation: dict[str, Any], sent: list[str], wanted: dict[str, int]
) -> None:
    wire = wired({"propagation": propagation})
    fields = "".join(f"{line}\r\n" for line in sent)
    wire.passes(f"GET /secret?token=hunter2 HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    found = figures(wire.sidecar, _TRANSLATION, 'listener="inbound"', ',upstream="app"')
    assert {name.removeprefix("contexts_"): value for name, value in found.items()} == wanted
    assert not re.search(rf"hunter2|secret|s-1|{T}|{S}", page(wire.sidecar))


def test_requests_by_listener_upstream_and_class(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """One exchange on each way, of each class, with bodies; the name of an upstream is its label."""
    billing = {"name": "billing", "match": ["billing"], "target": upstream.url, "listen": LISTEN}
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}, "upstreams": [billing]})
    ways = [
        ("inbound", b"a", b"200 OK"),
        ("inbound", b"a", b"301 Moved"),
        ("outbound", b"billing", b"404 Not Found"),
        ("billing", b"any", b"500 Oh"),
        ("outbound", upstream.authority, b"201 Created"),
    ]
    for listener, host, status in ways:
        client = sidecar.client(listener)
        client.send(b"POST /x HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 3\r\n\r\nabc")
        upstream.answer(b"12345", status)
        assert client.response("POST").status == int(status[:3])
    labels = {
        ("inbound", "app"): {"2xx": 1, "3xx": 1},
        ("outbound", "billing"): {"4xx": 1},
        ("billing", "billing"): {"5xx": 1},
        ("outbound", "other"): {"2xx": 1},
    }
    wanted: dict[str, float] = {}
    for (listener, name), classes in labels.items():
        where = f"listener={listener},upstream={name}"
        wanted |= {f"requests_total {where},status_class={status}": n for status, n in classes.items()}
        wanted[f"request_duration_seconds_count {where}"] = sum(classes.values())
        wanted[f"request_body_bytes_total {where}"] = 3 * sum(classes.values())
        wanted[f"response_body_bytes_total {where}"] = 5 * sum(classes.values())
    assert figures(sidecar, re.compile(r"requests_total|_body_bytes|sidecar_request_duration_seconds_count")) == wanted
    connections = figures(sidecar, re.compile(r"_connections_(open|total)\{listener"))
    assert connections == {
        f"connections_{what} listener={name}": n
        for name, n in {"inbound": 2, "outbound": 2, "billing": 1}.items()
        for what in ("open", "total")
    }


def test_a_status_of_no_class(wire: Wire) -> None:
    """RFC 9110 15: a status beyond 599 is taken for a 5xx. It is passed on as it came, and counted as one."""
    for _ in range(2):
        client = wire.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.upstream.answer(b"no", b"999 No")
        assert client.until(b"\r\n") == b"HTTP/1.1 999 No"
    assert wire.sidecar.metrics.exchange("inbound", "app").requests == [0, 0, 0, 0, 0, 2]


def test_work_that_was_put_off(wire: Wire) -> None:
    """Pipelined requests: each but the first waits for another turn of the loop."""
    client = wire.client()
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n" * 20)
    assert [client.response("OPTIONS").status for _ in range(20)] == [200] * 20
    wire.sidecar.until(lambda: wire.sidecar.metrics.put_off >= 19)


@pytest.mark.slow
def test_requests_that_the_queue_refuses(wired: Callable[..., Wire]) -> None:
    """By reason: it was full, or the wait was too long."""
    soon = {"queue_s": 1}  # but not before three requests have arrived, on a busy machine
    wire = wired({"pool": {"max_connections": 1, "max_queue": 1}, "timeouts": soon})
    clients = [wire.client() for _ in range(3)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.sidecar.settle()
    metrics = wire.sidecar.metrics.upstream("app")
    assert metrics.queued == 1
    assert [client.response().status for client in clients[1:]] == [503, 503]
    assert (metrics.queue_refused, metrics.queued) == ({"full": 1, "timeout": 1}, 0)


def test_what_the_sidecar_answers_itself(wired: Callable[..., Wire]) -> None:
    wire = wired({"limits": {"header_count": 4}})
    wire.upstream.close()
    for fields in (b"Host: a\r\n", b"", b"A: 1\r\n" * 9):
        wire.client().ask(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    assert figures(wire.sidecar, re.compile("faults|protocol_errors|requests_total|connect_failures")) == {
        "requests_total listener=inbound,upstream=app,status_class=5xx": 1,
        "faults_total listener=inbound,upstream=app,fault=connection-refused": 1,
        "protocol_errors_total listener=inbound,reason=bad-host": 1,
        "protocol_errors_total listener=inbound,reason=headers-too-large": 1,
        "upstream_connect_failures_total upstream=app,reason=connection-refused": 1,
    }


def test_nobody_can_make_the_page_longer(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Methods, paths, hosts, ids and sessions by the hundred: the series are those that the settings allow."""
    wild = {"name": "wild", "match": ["*.example"], "target": upstream.url}
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}, "upstreams": [wild]})
    noise = random.Random(7)

    def word() -> str:
        return "x" + noise.randbytes(6).hex()

    def ask(listener: str, host: str) -> None:
        fields = (
            f"traceparent: 00-{word()}\r\nb3: {word()}\r\nX-B3-TraceId: {word()}\r\nuber-trace-id: {word()}\r\n"
            f"uberctx-{word()}: {word()}\r\nbaggage: {word()}={word()}\r\nX-Mirascope-Session-Id: {word()}\r\n"
        )
        client = sidecar.client(listener)
        client.send(f"{word().upper()} /{word()}?{word()} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
        upstream.answer()
        assert client.response().status == 200
        client.close()

    def series() -> set[str]:
        return {line.rpartition(" ")[0] for line in page(sidecar).splitlines()}

    def ask_all() -> None:
        ask("inbound", f"{word()}.example")
        ask("outbound", f"{word()}.example")
        ask("outbound", upstream.authority.decode())

    ask_all()
    before = series()
    for _ in range(100):
        ask_all()
    assert series() == before
    assert not re.search(r"x[0-9a-f]{12}", page(sidecar), re.IGNORECASE)
