"""Mirror: a peer is called in the format that it was last seen to speak, and until then in the configured one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.collectors import Collector, attributes, collecting
from lab.messages import Message
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
W3C = f"traceparent: 00-{T}-{S}-01\r\n"
B3 = f"b3: {T}-{S}-1\r\n"
B3MULTI = f"X-B3-TraceId: {T}\r\nX-B3-SpanId: {S}\r\nX-B3-Sampled: 1\r\n"
JAEGER = f"uber-trace-id: {T}:{S}:0:1\r\n"
NAMES = {"traceparent": "tracecontext", "b3": "b3", "x-b3-traceid": "b3multi", "uber-trace-id": "jaeger"}


def spoken(seen: Message) -> list[str]:
    """The formats of a request, in the order in which they were written."""
    names = [name.decode().lower() for name, _ in seen.head.fields]
    return [NAMES[name] for name in names if name in NAMES]


class Both:
    """A sidecar with an app behind it, and services that the app calls."""

    def __init__(self, sidecar: Sidecar, app: Upstream, service: Upstream) -> None:
        self.sidecar, self.app, self.service = sidecar, app, service

    def comes(self, fields: str) -> Message:
        """A request from a caller on 127.0.0.1; as the app sees it."""
        client = self.sidecar.client()
        client.send(f"GET /in HTTP/1.1\r\nHost: app\r\n{fields}\r\n".encode())
        seen = self.app.answer(b"ok")
        assert client.response().status == 200
        self.sidecar.settle()
        return seen

    def calls(self, fields: str, host: str = "") -> Message:
        """The app calls; as the service sees it."""
        client = self.sidecar.client("outbound")
        host = host or self.service.authority.decode()
        client.send(f"GET /out HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
        seen = self.service.answer(b"ok")
        assert client.response().status == 200
        self.sidecar.settle()
        return seen


@pytest.fixture
def service() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, service: Upstream) -> Callable[..., Both]:
    def make(**settings: Any) -> Both:
        base = {"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}, "linking": {"single": False}}
        return Both(start(merged(base, settings)), upstream, service)

    return make


MIRROR = {"propagation": {"mirror": True}}


@pytest.mark.parametrize(
    ("fields", "formats"),
    [
        (W3C, ["tracecontext"]),
        (B3, ["b3"]),
        (B3MULTI, ["b3multi"]),
        (JAEGER, ["jaeger"]),
        (W3C + B3MULTI, ["tracecontext", "b3multi"]),
    ],
)
def test_a_service_is_called_in_what_it_speaks(both: Callable[..., Both], fields: str, formats: list[str]) -> None:
    here = both(outbound=MIRROR)
    assert spoken(here.calls(W3C)) == ["tracecontext"]  # as configured: it has not been seen
    here.comes(fields)
    assert spoken(here.calls(W3C)) == formats
    assert here.sidecar.metrics.exchange("outbound", "other").translation.mirrored == 1


def test_the_last_counts(both: Callable[..., Both]) -> None:
    here = both(outbound=MIRROR)
    for fields, formats in ((B3, ["b3"]), (JAEGER, ["jaeger"]), ("", ["jaeger"]), ("b3: x\r\n", ["jaeger"])):
        here.comes(fields)
        assert spoken(here.calls(W3C)) == formats


def test_the_app_is_called_in_what_it_speaks(both: Callable[..., Both]) -> None:
    """What the app calls with says what it reads, also where nobody has configured it."""
    here = both(inbound=MIRROR)
    assert spoken(here.comes(W3C)) == ["tracecontext"]
    assert spoken(here.calls(B3MULTI)) == ["tracecontext"]  # outbound does not mirror
    assert spoken(here.comes(W3C)) == ["b3multi"]


def test_a_host_is_known_by_the_address_at_which_it_was_reached(both: Callable[..., Both], service: Upstream) -> None:
    """A name says nothing of who calls; the connection to it does."""
    port = service.authority.decode().rpartition(":")[2]
    here = both(outbound=MIRROR)
    here.comes(B3)
    assert spoken(here.calls(W3C, f"localhost:{port}")) == ["tracecontext"]
    assert spoken(here.calls(W3C, f"LocalHost:{port}")) == ["b3"]


def test_an_upstream_alone_mirrors(both: Callable[..., Both], service: Upstream) -> None:
    billing = {"name": "billing", "match": ["billing.internal"], "target": service.url, **MIRROR}
    here = both(upstreams=[billing])
    here.comes(B3)
    assert spoken(here.calls(W3C, "billing.internal")) == ["b3"]
    assert spoken(here.calls(W3C)) == ["tracecontext"]


def test_no_trace_header_is_doubled(both: Callable[..., Both]) -> None:
    """Whatever is mirrored, what came is cleared in every format."""
    here = both(outbound=MIRROR)
    here.comes(B3)
    seen = here.calls(W3C + B3MULTI + JAEGER)
    assert spoken(seen) == ["b3"]
    assert not any(name.lower().startswith(b"x-b3") for name, _ in seen.head.fields)


def test_what_was_seen_outlives_a_reload(both: Callable[..., Both]) -> None:
    here = both(outbound=MIRROR)
    here.comes(B3)
    addresses = {name: {"listen": str(address)} for name, address in here.sidecar.addresses.items()}
    settings = merged({"inbound": {"app": here.app.url}, "outbound": MIRROR, "admin": {"listen": "off"}}, addresses)
    here.sidecar.replace(settings)
    assert spoken(here.calls(W3C)) == ["b3"]


def test_the_span_says_what_was_written(both: Callable[..., Both]) -> None:
    with collecting() as collector:
        made: Collector = collector
        export = {"endpoint": f"http://127.0.0.1:{made.port}", "delay_s": 0.001, "flush_s": 0.2}
        here = both(outbound=MIRROR, export=export)
        here.comes(B3)
        here.calls(W3C)
        server, client = sorted(made.spans(2), key=lambda span: span.kind)
        assert attributes(server)["ops.formats.written"] == ["tracecontext"]
        assert attributes(client)["ops.formats.written"] == ["b3"]
        here.sidecar.stop()


def test_what_the_apps_format_cannot_carry_is_still_put_back(both: Callable[..., Both]) -> None:
    """Carry-over goes by the format that really went to the app."""
    here = both(inbound=MIRROR)
    here.calls(B3MULTI)
    client = here.sidecar.client()
    client.send(f"GET /in HTTP/1.1\r\nHost: app\r\n{W3C}tracestate: vendor=1\r\n\r\n".encode())
    app = here.app.busy()
    seen = app.stream.request()
    assert spoken(seen) == ["b3multi"]
    called = here.calls(B3MULTI)
    assert called.head.value("tracestate") == b"vendor=1"
    app.reply(b"ok")
    assert client.response().status == 200


@pytest.mark.parametrize(
    ("fields", "name", "told"),
    [
        (W3C, "traceresponse", f"00-{T}-{S}-01"),
        (B3, "b3", f"{T}-{S}-1"),
        (B3.replace("-1", "-0"), "b3", f"{T}-{S}-0"),
        (B3.replace("-1", "-d"), "b3", f"{T}-{S}-d"),
        (B3.replace("-1", "").replace(T, T[16:]), "b3", f"{T[16:]}-{S}"),
        (B3MULTI, "b3", f"{T}-{S}-1"),
        (JAEGER, "uber-trace-id", f"{T}:{S}:0:1"),
        (JAEGER + "b3: x\r\n", "uber-trace-id", f"{T}:{S}:0:1"),
        ("", "", ""),
    ],
)
def test_a_caller_is_answered_in_what_it_speaks(
    start: Callable[..., Sidecar], upstream: Upstream, fields: str, name: str, told: str
) -> None:
    """`propagation.response_header: mirror`."""
    sidecar = start({"inbound": {"app": upstream.url}, "propagation": {"response_header": "mirror"}})
    client = sidecar.client()
    client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    upstream.answer(b"ok")
    head = client.response().head
    found = {each: head.value(each) for each in ("traceresponse", "b3", "uber-trace-id") if head.value(each)}
    assert found == ({name: told.encode()} if name else {})
