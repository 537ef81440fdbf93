"""The headers of outgoing calls: what holds for every client alike, each on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from urllib3.connection import HTTPConnection

import ops_lib as ops
from ops_lib.integrations import aiohttp as ops_aiohttp
from ops_lib.integrations import httpx as ops_httpx
from ops_lib.integrations import requests as ops_requests
from ops_lib.integrations import urllib3 as ops_urllib3
from ops_lib.propagation import Propagator
from tests.ops_lib.integrations.clients import Client, carried
from tests.ops_lib.integrations.servers import Recorder


def test_a_call_carries_trace_and_session(client: Client, server: Recorder, spans: Any) -> None:
    """The client span is the app span's child, and the caller of whoever reads the headers."""
    client.integration.instrument()
    with ops.session(id="s-1"), ops.span("app") as app:
        assert client.get(server.url + "/a?q=1") == 200
    (span,) = spans.client
    assert f"{span.context.trace_id:032x}" == app.trace_id
    assert f"{span.parent.span_id:016x}" == app.span_id
    headers = server.headers()
    assert headers["traceparent"].split("-")[1:3] == [app.trace_id, f"{span.context.span_id:016x}"]
    assert headers["x-mirascope-session-id"] == "s-1"


def test_the_configured_format_replaces_what_stood_there(client: Client, server: Recorder, spans: Any) -> None:
    """Any format, any letter case, and what OpenTelemetry's global propagator writes: one coherent story leaves."""
    ops.set_propagator(ops.ContextPropagator(inject="b3"))
    client.integration.instrument()
    stale = {"TRACEPARENT": f"00-{'1' * 32}-{'2' * 16}-01", "B3": "0", "X-B3-TraceId": "3" * 32}
    with ops.session(id="s-1"), ops.span("app"):
        client.get(server.url, stale | {"x-mirascope-SESSION-id": "stale", "x-other": "kept"})
    (span,) = spans.client
    headers = server.headers()  # asserts as well that no name came twice
    assert carried(headers) == {
        "b3": f"{span.context.trace_id:032x}-{span.context.span_id:016x}-1",
        "x-mirascope-session-id": "s-1",
    }
    assert headers["x-other"] == "kept"


def test_baggage_leaves_once_in_the_configured_format(client: Client, server: Recorder, spans: Any) -> None:
    ops.set_propagator(ops.ContextPropagator(inject="jaeger"))
    client.integration.instrument()
    token = otel_context.attach(otel_baggage.set_baggage("tenant", "acme"))
    try:
        with ops.span("app"):
            client.get(server.url)
    finally:
        otel_context.detach(token)
    assert carried(server.headers()).keys() == {"uber-trace-id", "uberctx-tenant"}


def test_hosts_outside_the_allow_list_get_nothing(
    client: Client, server: Recorder, elsewhere: Recorder, spans: Any
) -> None:
    """Neither trace nor session nor baggage, whoever wrote it; the call is still a span of this process."""
    client.integration.instrument(allow_hosts=["*.internal", f"127.0.0.1:{server.port}"])
    token = otel_context.attach(otel_baggage.set_baggage("tenant", "acme"))
    try:
        with ops.session(id="s-1"), ops.span("app"):
            client.get(elsewhere.url, {"x-other": "kept", "Traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
            client.get(server.url)
    finally:
        otel_context.detach(token)
    assert carried(elsewhere.headers()) == {}
    assert elsewhere.headers()["x-other"] == "kept"
    assert carried(server.headers()).keys() == {"traceparent", "x-mirascope-session-id", "baggage"}
    assert len(spans.client) == 2


def test_a_host_in_another_alphabet_is_compared_in_its_ascii_form(
    client: Client, server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `straße` there are two; the client says which one it calls."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up("127.0.0.1" if name == "xn--strae-oqa.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    client.integration.instrument(allow_hosts=["xn--strae-oqa.example"])
    with ops.span("app"):
        assert client.get(f"http://straße.example:{server.port}/") == 200
    assert carried(server.headers()).keys() == {"traceparent"}


def test_baggage_stays_here_whatever_becomes_of_it_elsewhere(server: Recorder) -> None:
    """Also where a propagator passes baggage untouched, and so does not own it."""
    ops.set_propagator(ops.ContextPropagator(propagator=Propagator(baggage="pass")))
    ops_requests.instrument(allow_hosts=[])
    requests.get(server.url, headers={"baggage": "tenant=acme", "uberctx-tenant": "acme"})
    assert not {"baggage", "uberctx-tenant"} & set(server.headers())


def test_a_wrong_environment_shows_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at each call."""
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "zipkin")
    ops.reset_propagator()
    with pytest.raises(ValueError, match=r"MIRASCOPE_PROPAGATOR.*zipkin"):
        client.integration.instrument()


def test_a_redirect_does_not_carry_the_context_out(
    client: Client, server: Recorder, elsewhere: Recorder, spans: Any
) -> None:
    """A client repeats a request's headers on the next hop; ours stay behind at the border, and come anew inside it."""
    client.integration.instrument(allow_hosts=[f"127.0.0.1:{server.port}"])
    with ops.session(id="s-1"), ops.span("app") as app:
        assert client.get(f"{server.url}/redirect?{elsewhere.url}/end") == 200
        first = server.headers()
        assert client.get(f"{server.url}/redirect?{server.url}/end") == 200
    assert carried(first).keys() == {"traceparent", "x-mirascope-session-id"}
    assert carried(elsewhere.headers()) == {}
    assert server.headers()["traceparent"].split("-")[1] == app.trace_id


def test_without_configuration_real_ids_leave(client: Client, server: Recorder) -> None:
    client.integration.instrument()
    with ops.span("app") as app:
        client.get(server.url)
    trace_id, span_id = server.headers()["traceparent"].split("-")[1:3]
    assert trace_id == app.trace_id
    assert span_id not in (app.span_id, "0" * 16)


def test_suppressed_calls_are_left_alone(client: Client, server: Recorder, spans: Any) -> None:
    """An exporter's own calls: no span, no header."""
    client.integration.instrument()
    with ops.session(id="s-1"), ops.span("app"), suppress_instrumentation():
        client.get(server.url, {"b3": "0"})
    assert carried(server.headers()) == {"b3": "0"}
    assert spans.client == []


def test_uninstrument_leaves_nothing(client: Client, server: Recorder, spans: Any) -> None:
    originals = [owner.__dict__[name] for owner, name in _patched()]
    client.integration.instrument()
    client.integration.instrument()
    client.integration.uninstrument()
    client.integration.uninstrument()
    with ops.session(id="s-1"), ops.span("app"):
        client.get(server.url)
    assert carried(server.headers()) == {}
    assert spans.client == []
    assert [owner.__dict__[name] for owner, name in _patched()] == originals


def _patched() -> list[tuple[Any, str]]:
    import httpcore
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

    return [
        (httpcore.ConnectionPool, "handle_request"),
        (httpcore.AsyncConnectionPool, "handle_async_request"),
        (HTTPAdapter, "send"),
        (requests.Session, "send"),
        (HTTPConnection, "request"),
        (aiohttp.ClientRequest, "send"),
        (aiohttp.ClientSession, "__init__"),
        (httpx.HTTPTransport, "handle_request"),
    ]


def test_a_second_call_takes_effect(client: Client, server: Recorder, elsewhere: Recorder, spans: Any) -> None:
    """One span and one header a call, by the newer options."""
    client.integration.instrument()
    client.integration.instrument(allow_hosts=[])
    with ops.span("app"):
        client.get(server.url)
    assert carried(server.headers()) == {}
    assert len(spans.client) == 1


def test_a_patch_over_ours_survives_uninstrument(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another tool that has patched the same method since keeps its patch; ours is off all the same."""
    from requests.adapters import HTTPAdapter

    ops_requests.instrument()
    ours, calls = HTTPAdapter.send, []

    def theirs(adapter: Any, request: Any, **options: Any) -> Any:
        calls.append(request.url)
        return ours(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", theirs)
    ops_requests.uninstrument()
    with ops.span("app"):
        requests.get(server.url)
        assert len(calls) == 1
        assert carried(server.headers()) == {}
        ops_requests.instrument()
        requests.get(server.url)
        assert len(calls) == 2
        assert carried(server.headers()).keys() == {"traceparent"}
    monkeypatch.setattr(HTTPAdapter, "send", ours)  # they leave
    ops_requests.uninstrument()
    assert not hasattr(HTTPAdapter.send, "__wrapped__")


def test_a_wrong_pattern_is_an_error_and_changes_nothing(client: Client, server: Recorder) -> None:
    with pytest.raises(ValueError, match=r"'https://a\.example' is not a host pattern"):
        client.integration.instrument(allow_hosts=["https://a.example"])
    with ops.span("app"):
        client.get(server.url)
    assert carried(server.headers()) == {}


def test_a_request_that_is_sent_twice(server: Recorder, spans: Any) -> None:
    """The caller's own PreparedRequest is not changed: nothing of the first call is left for the second."""
    ops_requests.instrument()
    with requests.Session() as session:
        prepared = session.prepare_request(requests.Request("GET", server.url))
        with ops.session(id="s-1"):
            session.send(prepared)
        session.send(prepared)
    assert server.headers(-2)["x-mirascope-session-id"] == "s-1"
    assert "x-mirascope-session-id" not in server.headers(-1)


def test_the_end_of_a_tunnel_is_the_host() -> None:
    connection = HTTPConnection("proxy.example", 3128)
    assert ops_urllib3._target(connection, "/path") == ("proxy.example", 3128)
    connection.set_tunnel("meant.example", 8443)
    assert ops_urllib3._target(connection, "/path") == ("meant.example", 8443)


@pytest.mark.parametrize(
    ("url", "pattern", "is_there"),
    [
        ("http://meant.example/", "meant.example:80", True),
        ("http://meant.example/", "meant.example:443", False),
        ("https://meant.example/", "meant.example:443", True),
        ("https://meant.example/", "meant.example:80", False),
        ("http://meant.example:8080/", "meant.example:8080", True),
        ("http://meant.example:8080/", "meant.example:80", False),
        ("ftp://meant.example/", "meant.example", True),
        ("ftp://meant.example/", "meant.example:80", False),
    ],
)
def test_a_url_without_a_port_has_that_of_its_scheme(url: str, pattern: str, is_there: bool, server: Recorder) -> None:
    """As a forwarding proxy is asked for it, with and without headers of the caller's own."""
    ops_urllib3.instrument(allow_hosts=[pattern])
    with ops.session(id="s-1"):
        for headers in (None, {"x-other": "kept"}):
            connection = HTTPConnection("127.0.0.1", server.port)
            connection.request("GET", url, headers=headers)
            assert connection.getresponse().status == 200
            connection.close()
            assert ("x-mirascope-session-id" in server.headers()) is is_there
            assert server.headers().get("x-other") == (headers and "kept")


@pytest.mark.parametrize("pattern", ["meant.example", "meant.example:80"])
def test_proxies_are_not_the_host(pattern: str, server: Recorder, spans: Any) -> None:
    """Through a forwarding proxy the allow-list looks at the host that is meant, not at the proxy."""
    for integration in (ops_urllib3, ops_requests, ops_httpx, ops_aiohttp):
        integration.instrument(allow_hosts=[pattern])
    proxy = server.url

    async def by_aiohttp(host: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}/", proxy=proxy) as response:
            await response.read()

    def by_httpx(host: str) -> None:
        with httpx.Client(proxy=proxy) as client:
            client.get(f"http://{host}/")

    calls: list[Callable[[str], Any]] = [
        lambda host: urllib3.ProxyManager(proxy).request("GET", f"http://{host}/").close(),
        lambda host: requests.get(f"http://{host}/", proxies={"http": proxy}),
        by_httpx,
        lambda host: asyncio.run(by_aiohttp(host)),
    ]
    with ops.span("app"):
        for call in calls:
            call("meant.example")
            assert "traceparent" in server.headers()
            call("other.example")
            assert "traceparent" not in server.headers()
