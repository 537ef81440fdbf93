"""Small apps with one fault each, in the frameworks that people use: `python calling.py flask`.

`GET /FAULT` answers after one call of http://billing.internal/, by way of the sidecar at the port in X-Outbound.
What it forwards is decided by the fault. `clean` has a span of its own, and forwards all.
Every tenth request of it makes a second call, behind its answer. Prints the address that it listens on.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import secrets
import sys
import threading
from collections.abc import Mapping
from typing import Any

NAMES = ("traceparent", "tracestate", "baggage", "x-mirascope-session-id")
LATE_S = 0.05

_kept: dict[str, str] = {}
_numbers = itertools.count(1)


def outgoing(fault: str, came: Mapping[str, str]) -> dict[str, str]:
    """The headers of the call. `came`: those of the request, in lower case."""
    headers = {name: came[name] for name in NAMES if name in came}
    version, trace, _, flags = headers["traceparent"].split("-")
    span = secrets.token_hex(8)
    headers["traceparent"] = f"{version}-{trace}-{span}-{flags}"
    if fault == "drops":
        return {}
    if fault == "remints":
        headers["traceparent"] = f"{version}-{secrets.token_hex(16)}-{span}-{flags}"
    elif fault == "stories":
        headers["b3"] = f"{secrets.token_hex(16)}-{span}-1"
    elif fault == "flips":
        headers["traceparent"] = f"{version}-{trace}-{span}-{'00' if flags == '01' else '01'}"
    elif fault == "state":
        del headers["tracestate"]
    elif fault == "baggage":
        del headers["baggage"], headers["x-mirascope-session-id"]
    elif fault == "format":
        return {"uber-trace-id": f"{trace}:{span}:0:1"}
    elif fault == "stale":
        _kept.update({} if _kept else headers)
        return dict(_kept)
    return headers


def call(port: str, headers: Mapping[str, str]) -> None:
    """Blocks until the other has answered."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    connection.request("GET", "/", headers={"Host": "billing.internal", **headers})
    connection.getresponse().read()
    connection.close()


def is_late(fault: str) -> bool:
    """Whether this request goes on behind its answer."""
    return fault == "clean" and next(_numbers) % 10 == 0


def serve(fault: str, came: Mapping[str, str]) -> None:
    """One request, for servers that block."""
    port, headers = came["x-outbound"], outgoing(fault, came)
    call(port, headers)
    if is_late(fault):
        threading.Timer(LATE_S, call, (port, headers)).start()


async def serve_async(fault: str, came: Mapping[str, str]) -> None:
    """The same in an event loop."""
    await asyncio.to_thread(serve, fault, came)


def run_wsgi(app: Any) -> None:
    """Werkzeug's server, a thread for each request."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: object) -> None:
            pass

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


def run_asgi(app: Any) -> None:
    """uvicorn."""
    import socket

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


def run_flask() -> None:
    import flask

    app = flask.Flask(__name__)

    @app.get("/<fault>")
    def handle(fault: str) -> str:
        serve(fault, {name.lower(): value for name, value in flask.request.headers})
        return "ok"

    run_wsgi(app)


def run_django() -> None:
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def handle(request: HttpRequest, fault: str) -> HttpResponse:
        serve(fault, {name.lower(): value for name, value in request.headers.items()})
        return HttpResponse("ok")

    settings.configure(
        ROOT_URLCONF=(path("<str:fault>", handle),), ALLOWED_HOSTS=["*"], SECRET_KEY="of a test", USE_TZ=True
    )
    django.setup()
    run_wsgi(get_wsgi_application())


def run_fastapi() -> None:
    from fastapi import FastAPI, Request

    app = FastAPI()

    async def handle(request: Request, fault: str) -> str:
        await serve_async(fault, dict(request.headers))
        return "ok"

    handle.__annotations__ = {"request": Request, "fault": str}  # they are texts here, of names that are local
    app.get("/{fault}")(handle)
    run_asgi(app)


def run_aiohttp() -> None:
    from aiohttp import ClientSession, web

    async def handle(request: web.Request) -> web.Response:
        fault = request.match_info["fault"]
        came = {name.lower(): value for name, value in request.headers.items()}
        url, headers = f"http://127.0.0.1:{came['x-outbound']}/", outgoing(fault, came)
        headers["Host"] = "billing.internal"
        session: ClientSession = request.app[SESSION]

        async def ask() -> None:
            async with session.get(url, headers=headers) as answer:
                await answer.read()

        async def go_on() -> None:
            await asyncio.sleep(LATE_S)
            await ask()

        await ask()
        if is_late(fault):
            task = asyncio.create_task(go_on())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        return web.Response(text="ok")

    tasks: set[asyncio.Task[None]] = set()
    SESSION = web.AppKey("session", ClientSession)

    async def main() -> None:
        app = web.Application()
        app[SESSION] = ClientSession()
        app.router.add_get("/{fault}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


RUN = {"flask": run_flask, "django": run_django, "fastapi": run_fastapi, "aiohttp": run_aiohttp}

if __name__ == "__main__":
    RUN[sys.argv[1]]()
