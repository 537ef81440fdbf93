"""The demo services behave like services of their time: they hand on what they know, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from proxy.demo import services
from proxy.demo.dialects import SESSION
from proxy.demo.echo import build as build_echo
from proxy.demo.services import SERVICES, Call, build

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
EVERYTHING = {
    "traceparent": f"00-{TRACE}-{SPAN}-01",
    "tracestate": "a=b",
    "X-B3-TraceId": TRACE,
    "X-B3-SpanId": SPAN,
    "X-B3-Sampled": "1",
    "uber-trace-id": f"{TRACE}:{SPAN}:0:1",
    "baggage": "k=v",
    SESSION: "s-1",
}
ACCEPT = {"Accept": "application/json"}  # as the demo's services ask each other
Client = Callable[[web.Application], Awaitable[TestClient[Any, Any]]]


async def next_service(
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]],
) -> tuple[TestServer, list[dict[str, str]]]:
    """A service that keeps what it received and answers as the last of the chain."""
    received: list[dict[str, str]] = []

    async def serve(request: web.Request) -> web.Response:
        received.append(dict(request.headers))
        assert await request.json() == {"item": "book", "amount": 1}
        return web.json_response({"hops": [], "errors": []})

    app = web.Application()
    app.router.add_post("/{path:.*}", serve)
    return await aiohttp_server(app), received


@pytest.mark.parametrize(
    ("name", "path", "own"),
    [
        ("shop", "/checkout", {"traceparent", "tracestate"}),
        ("orders", "/orders", {"X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled"}),
        ("billing", "/charges", {"uber-trace-id"}),
    ],
)
async def test_hands_on_its_own_format_and_the_session_alone(  # type: ignore[no-untyped-def]  # fixtures of pytest-aiohttp
    name: str, path: str, own: set[str], aiohttp_client, aiohttp_server
) -> None:
    server, received = await next_service(aiohttp_server)
    client = await aiohttp_client(build(SERVICES[name], Call(str(server.make_url("/next")))))
    response = await client.post(path, headers={**EVERYTHING, **ACCEPT})
    answer = await response.json()
    (hop,) = answer["hops"]
    assert response.status == 200
    assert {header for header in received[0] if header in EVERYTHING or header.startswith("X-B3")} == own | {SESSION}
    assert received[0][SESSION] == "s-1"
    assert dict(hop["saw"]) == EVERYTHING
    assert (hop["trace_id"], hop["span_id"], hop["session"]) == (TRACE, SPAN, "s-1")
    assert hop["sent_span_id"] != SPAN
    assert [list(pair) for pair in hop["sent"]] == [
        [header, value] for header, value in received[0].items() if header in dict(hop["sent"])
    ]


async def test_starts_a_trace_of_its_own_where_it_understands_nothing(aiohttp_client, aiohttp_server) -> None:  # type: ignore[no-untyped-def]
    server, received = await next_service(aiohttp_server)
    client = await aiohttp_client(build(SERVICES["orders"], Call(str(server.make_url("/next")))))
    response = await client.post("/orders", headers={"traceparent": EVERYTHING["traceparent"], **ACCEPT})
    (hop,) = (await response.json())["hops"]
    assert hop["trace_id"] is None
    assert len(received[0]["X-B3-TraceId"]) == 32
    assert received[0]["X-B3-TraceId"] != TRACE
    assert SESSION not in received[0]


async def test_calls_by_proxy_and_by_host_header(aiohttp_client, aiohttp_server) -> None:  # type: ignore[no-untyped-def]
    server, received = await next_service(aiohttp_server)
    proxied = await aiohttp_client(
        build(SERVICES["shop"], Call("http://orders.internal/orders", proxy=str(server.make_url("/"))))
    )
    assert (await proxied.post("/checkout")).status == 200
    by_host = await aiohttp_client(
        build(SERVICES["billing"], Call(str(server.make_url("/receipts")), host="shop.internal"))
    )
    assert (await by_host.post("/charges")).status == 200
    assert [headers["Host"] for headers in received] == ["orders.internal", "shop.internal"]


async def test_a_call_that_fails_is_told(aiohttp_client, unused_tcp_port: int) -> None:  # type: ignore[no-untyped-def]
    client = await aiohttp_client(build(SERVICES["shop"], Call(f"http://127.0.0.1:{unused_tcp_port}/orders")))
    response = await client.post("/checkout", headers={**EVERYTHING, **ACCEPT})
    answer = await response.json()
    assert response.status == 502
    assert len(answer["hops"]) == 1
    assert "did not answer" in answer["errors"][0]


async def test_an_answer_that_is_none_of_ours_is_told(aiohttp_client, aiohttp_server) -> None:  # type: ignore[no-untyped-def]
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"title": "no route"}, status=502)

    app = web.Application()
    app.router.add_post("/orders", refuse)
    server = await aiohttp_server(app)
    client = await aiohttp_client(build(SERVICES["shop"], Call(str(server.make_url("/orders")))))
    (problem,) = (await (await client.post("/checkout", headers=ACCEPT)).json())["errors"]
    assert "answered 502" in problem
    assert "no route" in problem


async def test_the_shop_also_only_answers(aiohttp_client) -> None:  # type: ignore[no-untyped-def]
    client = await aiohttp_client(build(SERVICES["shop"], Call("http://127.0.0.1:9/never")))
    response = await client.post("/receipts", headers={**EVERYTHING, **ACCEPT})
    (hop,) = (await response.json())["hops"]
    assert hop["sent"] == []
    assert (await response.text()).startswith('{\n  "hops": [\n    {\n      "service"')
    assert (await response.text()).endswith("}\n")
    health = await client.get("/healthz")
    assert (health.status, await health.json()) == (200, {"service": "shop"})


async def test_echo_answers_with_what_is_about_the_trace(aiohttp_server) -> None:  # type: ignore[no-untyped-def]
    server = await aiohttp_server(build_echo())
    every = await aiohttp_server(build_echo(every_header=True))
    async with ClientSession() as session:
        headers = {"traceparent": "00-x", "Accept-Language": "de"}
        assert await (await session.get(server.make_url("/a?b"), headers=headers)).text() == "traceparent: 00-x\n"
        assert "Accept-Language: de\n" in await (await session.get(every.make_url("/"), headers=headers)).text()
        assert await (await session.put(server.make_url("/"))).text() == "no trace header came in\n"


async def test_a_person_with_curl_gets_the_table(aiohttp_client) -> None:  # type: ignore[no-untyped-def]
    client = await aiohttp_client(build(SERVICES["shop"], Call("http://127.0.0.1:9/never")))
    response = await client.post("/receipts", headers={**EVERYTHING, "Accept": "*/*"})
    told = await response.text()
    assert response.content_type == "text/plain"
    assert f"uber-trace-id: {EVERYTHING['uber-trace-id']}" in told
    assert f"  shop     {TRACE}  {SPAN}  accept    sent" in told


async def test_the_table_says_what_failed_too(aiohttp_client, unused_tcp_port: int) -> None:  # type: ignore[no-untyped-def]
    client = await aiohttp_client(build(SERVICES["shop"], Call(f"http://127.0.0.1:{unused_tcp_port}/orders")))
    response = await client.post("/checkout", headers={"Accept": "*/*"})
    assert response.status == 502
    assert "✘ shop: http://127.0.0.1" in await response.text()


@pytest.mark.parametrize(
    ("words", "environ", "dialect", "call", "collector", "where"),
    [
        (["orders"], {}, "b3multi", None, "", ("127.0.0.1", 8080)),
        (["orders", "--speaks", "jaeger", "--listen", "0.0.0.0:7"], {}, "jaeger", None, "", ("0.0.0.0", 7)),
        (["shop", "--call", "http://a/"], {"http_proxy": "http://p"}, "tracecontext", Call("http://a/", "http://p"), "",
         ("127.0.0.1", 8080)),
        (["shop", "--call", "http://a/"],
         {"HTTP_PROXY": "http://q", "http_proxy": "http://p", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"},
         "tracecontext", Call("http://a/", "http://q"), "http://c", ("127.0.0.1", 8080)),
        (["billing", "--call", "http://a/"], {}, "jaeger", Call("http://a/", None), "", ("127.0.0.1", 8080)),
    ],
)  # fmt: skip
def test_one_service_as_a_command(
    words: list[str], environ: dict[str, str], dialect: str, call: Call | None, collector: str, where: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("HTTP_PROXY", "http_proxy", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    built: list[object] = []
    ran: list[object] = []
    monkeypatch.setattr(services, "build", lambda *given: built.append(given))
    monkeypatch.setattr(
        services.web, "run_app", lambda _, *, host, port, loop, **__: ran.append((host, port, loop.close()))
    )
    try:
        services.main(words)
    finally:
        asyncio.set_event_loop(None)
    ((service, given, sent_to),) = built  # type: ignore[misc]  # as `build` takes them
    assert (service.dialect.name, given, sent_to) == (dialect, call, collector)  # type: ignore[has-type]
    assert ran == [(*where, None)]
