"""The three services of the demo: small aiohttp applications, each with the tracing code of its time.

    python -m proxy.demo.services shop --listen 127.0.0.1:8080 --call http://orders.internal/orders

Like real services, they know only the address of the sidecar that they call through.
Each passes on the trace headers of its format and the session id.
Headers that it does not understand end here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp import web

from proxy.demo.dialects import B3_MULTI, JAEGER, SESSION, W3C, Dialect, child, is_trace_header, new_trace
from proxy.demo.hops import Hop
from proxy.demo.own_spans import document, report
from proxy.demo.table import Style, answer

CALL_TIMEOUT_S = 10.0
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its name, its format, the path that makes it call the next service, and a path that only answers."""

    name: str
    dialect: Dialect
    calls_on_path: str
    answers_path: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """How a service reaches the next one."""

    url: str
    proxy: str | None = None  # what HTTP_PROXY names
    host: str | None = None  # Host header, if the name is not in the URL


SERVICES = {
    service.name: service
    for service in (
        Service("shop", W3C, "/checkout", "/receipts"),
        Service("orders", B3_MULTI, "/orders"),
        Service("billing", JAEGER, "/charges"),
    )
}

DIALECTS = {dialect.name: dialect for dialect in (W3C, B3_MULTI, JAEGER)}

_SESSION = web.AppKey("session", aiohttp.ClientSession)


def build(service: Service, call: Call | None, collector: str = "") -> web.Application:
    """The service as an application; `call` is where it goes for the next step, None for nowhere.

    `collector`: URL of an OTLP receiver, to which it reports its own spans; empty for none.
    """
    app = web.Application()

    async def serve(request: web.Request) -> web.Response:
        goes_on = request.path == service.calls_on_path
        return await _answer(service, request, call if goes_on else None, collector)

    async def healthy(_: web.Request) -> web.Response:
        return web.json_response({"service": service.name})

    app.router.add_route("*", service.calls_on_path, serve)
    if service.answers_path:
        app.router.add_route("*", service.answers_path, serve)
    app.router.add_get("/healthz", healthy)
    app.cleanup_ctx.append(_client)
    return app


async def _client(app: web.Application) -> Any:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)) as session:
        app[_SESSION] = session
        yield


async def _answer(service: Service, request: web.Request, call: Call | None, collector: str) -> web.Response:
    """Read the headers, call the next service from a new span, and report what was seen, here and further on."""
    start_ns = time.time_ns()
    received = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
    by_name = {name.lower(): value for name, value in received}
    span = service.dialect.read(by_name)
    session = by_name.get(SESSION.lower(), "")
    saw = tuple(pair for pair in received if is_trace_header(pair[0]))
    if call is None:
        return _tell(request, [Hop(service.name, service.dialect.name, request.path, saw, span, session)], [])

    own = child(span or new_trace())
    sent = service.dialect.write(own)
    if session:
        sent = (*sent, (SESSION, session))
    hop = Hop(service.name, service.dialect.name, request.path, saw, span, session, sent, own.span_id)
    further, problem = await _call(request.app[_SESSION], call, sent)
    if collector and own.sampling != "deny":
        content = document(service.name, f"{request.method} {request.path}", own, start_ns, time.time_ns())
        await report(request.app[_SESSION], collector, content)
    if problem:
        return _tell(request, [hop], [f"{service.name}: {problem}"])
    return _tell(request, [hop, *(Hop.from_json(item) for item in further["hops"])], further["errors"])


async def _call(
    session: aiohttp.ClientSession, call: Call, sent: Sequence[tuple[str, str]]
) -> tuple[dict[str, Any], str]:
    """The next service's answer, or a sentence on why there is none."""
    headers = [*sent, ("Accept", JSON), *([("Host", call.host)] if call.host else [])]
    try:
        async with session.post(
            call.url, headers=headers, proxy=call.proxy, json={"item": "book", "amount": 1}
        ) as response:
            body = await response.text()
            answer = json.loads(body) if response.content_type == JSON else None
            if isinstance(answer, dict) and "hops" in answer:
                return answer, ""
            return {}, f"{call.url} answered {response.status}: {body[:300]}"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return {}, f"{call.url} did not answer: {type(error).__name__} {error}"


def _tell(request: web.Request, hops: list[Hop], errors: list[str]) -> web.Response:
    """The hops: as JSON for requests that ask for JSON, as the other services do; else as a table, for curl."""
    status = 502 if errors else 200
    if JSON not in request.headers.get("Accept", ""):
        return web.Response(text=answer(hops, errors, Style(unicode=True)), status=status)
    document = {"hops": [hop.to_json() for hop in hops], "errors": errors}
    return web.json_response(document, status=status, dumps=lambda value: json.dumps(value, indent=2) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one service until SIGTERM or Ctrl-C.

    HTTP_PROXY is honoured, as most HTTP clients do; OTEL_EXPORTER_OTLP_ENDPOINT says where its own spans go.
    """
    parser = argparse.ArgumentParser(prog="python -m proxy.demo.services", description="One service of the demo.")
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument(
        "--speaks", choices=sorted(DIALECTS), help="another format than its own, as a new version would"
    )
    parser.add_argument("--call", metavar="URL", help="the next service; without it this one only answers")
    options = parser.parse_args(argv)
    host, _, port = options.listen.rpartition(":")
    proxy = os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy") or None
    call = Call(options.call, proxy) if options.call else None
    collector = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    service = SERVICES[options.service]
    if options.speaks:
        service = replace(service, dialect=DIALECTS[options.speaks])
    web.run_app(build(service, call, collector), host=host, port=int(port), print=None, loop=loop)


if __name__ == "__main__":
    main()
