"""`ops.instrument` for servers: one line, for applications that exist already, undone as if it had never been."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import fastapi
import flask
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

import ops_lib as ops
from ops_lib.integrations.aiohttp import middleware
from ops_lib.integrations.asgi import TraceMiddleware
from ops_lib.integrations.flask import instrument_app
from tests.ops_lib.integrations import django_site
from tests.ops_lib.integrations.servers import serve_asgi, serve_wsgi

TRACE, SPAN = "5af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"Traceparent": f"00-{TRACE}-{SPAN}-01", "X-Mirascope-Session-Id": "s-1"}
ANSWER = {"session": "s-1", "trace_id": TRACE}


def said() -> dict[str, str | None]:
    session = ops.current_session()
    with ops.span("inside") as span:
        return {"session": session.id if session else None, "trace_id": span.trace_id}


def starlette_app() -> Starlette:
    async def read_book(request: Request) -> JSONResponse:
        return JSONResponse(said())

    async def broken(request: Request) -> JSONResponse:
        raise LookupError("out of books")

    return Starlette(routes=[Route("/books/{genre}", read_book), Route("/broken", broken)])


def fastapi_app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/books/{genre}")
    def read_book(genre: str) -> dict[str, str | None]:
        return said()

    @app.get("/broken")
    def broken() -> None:
        raise LookupError("out of books")

    return app


def flask_app() -> flask.Flask:
    app = flask.Flask("books")

    @app.get("/books/<genre>")
    def read_book(genre: str) -> dict[str, str | None]:
        return said()

    @app.get("/broken")
    def broken() -> str:
        raise LookupError("out of books")

    return app


def aiohttp_app() -> web.Application:
    async def read_book(request: web.Request) -> web.Response:
        return web.json_response(said())

    async def broken(request: web.Request) -> web.Response:
        raise LookupError("out of books")

    app = web.Application()
    app.add_routes([web.get("/books/{genre}", read_book), web.get("/broken", broken)])
    return app


@contextmanager
def serve_aiohttp(app: web.Application) -> Iterator[str]:
    """`app` on aiohttp's own server, on a loop in a thread."""
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = TestServer(app)
    asyncio.run_coroutine_threadsafe(server.start_server(), loop).result()
    yield str(server.make_url("")).rstrip("/")
    asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


FRAMEWORKS: dict[str, tuple[Any, Any, str, str]] = {
    "starlette": (starlette_app, serve_asgi, "/books/fantasy", "/books/{genre}"),
    "fastapi": (fastapi_app, serve_asgi, "/books/fantasy", "/books/{genre}"),
    "flask": (flask_app, serve_wsgi, "/books/fantasy", "/books/<genre>"),
    "aiohttp-server": (aiohttp_app, serve_aiohttp, "/books/fantasy", "/books/{genre}"),
    "django": (lambda: django_site.wsgi, serve_wsgi, "/books/fantasy/", "/books/<str:genre>/"),
}


@pytest.fixture(params=FRAMEWORKS)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param
    ops.uninstrument(request.param)


def serve(name: str, app: Any) -> AbstractContextManager[str]:
    served: AbstractContextManager[str] = FRAMEWORKS[name][1](app)
    return served


def test_one_line_for_what_exists_already(name: str, spans: Any) -> None:
    make, _, path, route = FRAMEWORKS[name]
    app = make()
    if name == "aiohttp-server":
        ops.instrument(name)  # its server asks the application once, when it starts
    with serve(name, app) as url:
        if name != "aiohttp-server":
            assert httpx.get(url + path, headers=HEADERS).json()["trace_id"] != TRACE
        ops.instrument(name)
        ops.instrument(name)  # as often as you like
        assert httpx.get(url + path, headers=HEADERS).json() == ANSWER
        assert httpx.get(url + "/broken", headers=HEADERS).status_code == 500
        assert httpx.get(url + "/nowhere", headers=HEADERS).status_code == 404
    served = sorted(spans.server, key=lambda span: span.start_time)
    assert [span.name for span in served] == [f"GET {route}", "GET /broken", "GET"]
    read, broken, nowhere = served
    assert f"{read.parent.span_id:016x}" == SPAN
    assert read.attributes["http.route"] == route
    assert read.attributes["session.id"] == "s-1"
    assert broken.status.status_code is StatusCode.ERROR
    assert [event.attributes["exception.type"] for event in broken.events] == ["LookupError"]
    assert nowhere.attributes["http.response.status_code"] == 404


def test_undone(name: str, spans: Any) -> None:
    make, _, path, _ = FRAMEWORKS[name]
    app = make()
    method = type(app).__call__ if name != "aiohttp-server" else type(app)._handle
    ops.instrument(name)
    assert (type(app).__call__ if name != "aiohttp-server" else type(app)._handle) is not method
    ops.uninstrument(name)
    ops.uninstrument(name)
    assert (type(app).__call__ if name != "aiohttp-server" else type(app)._handle) is method
    with serve(name, app) as url:
        assert httpx.get(url + path, headers=HEADERS).json()["trace_id"] != TRACE
    assert spans.server == []


@pytest.mark.parametrize("name", [name for name in FRAMEWORKS if name != "django"])
def test_one_application_alone(name: str, spans: Any) -> None:
    make, _, path, _ = FRAMEWORKS[name]
    chosen, other = make(), make()
    ops.instrument(name, app=chosen)
    ops.instrument(name, app=chosen)
    with serve(name, chosen) as first, serve(name, other) as second:
        assert httpx.get(first + path, headers=HEADERS).json() == ANSWER
        assert httpx.get(second + path, headers=HEADERS).json()["trace_id"] != TRACE
        assert len(spans.server) == 1
        ops.instrument(name)
        assert httpx.get(second + path, headers=HEADERS).json() == ANSWER
    ops.uninstrument(name)


def test_with_the_middleware_as_well_one_span_a_request(spans: Any) -> None:
    """Two ways at once, and an application within another one."""
    inner = starlette_app()
    outer = fastapi_app()
    outer.add_middleware(TraceMiddleware)
    outer.mount("/inner", inner)
    ops.instrument("fastapi", "starlette")
    with serve_asgi(outer) as url:
        assert httpx.get(url + "/books/fantasy").status_code == 200
        assert httpx.get(url + "/inner/books/fantasy").status_code == 200
    flask_twice = instrument_app(flask_app())
    ops.instrument("flask")
    for path in ("/books/fantasy", "/broken"):
        flask_twice.test_client().get(path).close()
    aiohttp_twice = aiohttp_app()
    aiohttp_twice.middlewares.append(middleware())
    ops.instrument("aiohttp-server")
    with serve_aiohttp(aiohttp_twice) as url:
        assert httpx.get(url + "/books/fantasy").status_code == 200
    ops.uninstrument("fastapi", "starlette", "flask", "aiohttp-server")
    assert sorted(span.name for span in spans.server) == [
        *("GET /books/<genre>", "GET /books/{genre}", "GET /books/{genre}", "GET /broken", "GET /inner/books/{genre}"),
    ]
    (broken,) = (span for span in spans.server if span.name == "GET /broken")
    assert len(broken.events) == 1


def test_two_mounts_of_starlette(spans: Any) -> None:
    app = Starlette(routes=[Mount("/v1", starlette_app())])
    ops.instrument("starlette")
    with serve_asgi(app) as url:
        assert httpx.get(url + "/v1/books/fantasy", headers=HEADERS).json() == ANSWER
    ops.uninstrument("starlette")
    assert [span.name for span in spans.server] == ["GET /v1/books/{genre}"]


def test_starlette_covers_fastapi(spans: Any) -> None:
    ops.instrument("starlette")
    with serve_asgi(fastapi_app()) as url:
        assert httpx.get(url + "/books/fantasy", headers=HEADERS).json() == ANSWER
    ops.uninstrument("starlette")
    assert [span.name for span in spans.server] == ["GET /books/{genre}"]


@pytest.mark.parametrize(("app", "serve_it"), [(django_site.wsgi, serve_wsgi), (django_site.asgi, serve_asgi)])
def test_django_under_both_of_its_servers(
    app: Any, serve_it: Any, spans: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "django")
    ops.instrument("django")
    with serve_it(app) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        for path in ("/books/fantasy/", "/shop/async/fantasy", "/old/fantasy"):
            assert client.get(path).json() == ANSWER
        assert client.get("/broken").status_code == 500
        assert client.get("/missing").status_code == 404
        if app is django_site.wsgi:  # under ASGI Django warns of streams that are not asynchronous
            assert client.get("/stream").text == TRACE
    ops.uninstrument("django")
    served = {span.name: span for span in spans.server}
    assert set(served) >= {
        *("GET /books/<str:genre>/", "GET /shop/async/<str:genre>", r"GET /^old/(?P<genre>\w+)$"),
        *("GET /broken", "GET /missing"),
    }
    assert [event.attributes["exception.type"] for event in served["GET /broken"].events] == ["LookupError"]
    assert served["GET /missing"].events == ()
    assert served["GET /missing"].status.status_code is StatusCode.UNSET


def test_django_in_its_settings() -> None:
    """Where the settings are being read, Django must not be asked for them."""
    code = """
import sys, types
import ops_lib as ops
module = types.ModuleType("site_settings")
sys.modules["site_settings"] = module
import importlib.util, os
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
exec("import ops_lib as ops; ops.instrument('django'); ROOT_URLCONF = 'urls'", module.__dict__)
from django.core.wsgi import get_wsgi_application
from django.core.handlers.wsgi import WSGIHandler
assert isinstance(get_wsgi_application(), WSGIHandler)
print(hasattr(WSGIHandler, "_ops_slot___call__"))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("starlette", "starlette.applications", "starlette"),
        ("fastapi", "fastapi", "fastapi"),
        ("flask", "flask", "flask"),
        ("django", "django.core.handlers.asgi", "django"),
        ("aiohttp-server", "aiohttp", "aiohttp"),
        ("grpc", "grpc", "grpcio"),
    ],
)
def test_what_is_missing_is_named(name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        monkeypatch.context() as patch,
        pytest.raises(
            ImportError, match=rf"ops.instrument\('{name}'\): {package} is not installed; pip install {package}"
        ),
    ):
        patch.setitem(sys.modules, module, None)
        ops.instrument(name)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, module, None)
        ops.uninstrument(name)


def test_all_or_nothing(spans: Any) -> None:
    before = flask.Flask.__call__, Starlette.__call__
    with pytest.raises(ValueError, match="known are: aiohttp, aiohttp-server, django, fastapi, flask, grpc, httpx, "):
        ops.instrument("flask", "gopher")
    with pytest.raises(TypeError):
        ops.instrument("flask", "starlette", gopher=True)
    assert (flask.Flask.__call__, Starlette.__call__) == before


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_fails_later_undoes_what_came_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = type(FRAMEWORKS[name][0]())
    method = "_handle" if name == "aiohttp-server" else "__call__"
    before = getattr(app, method)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ImportError, match="grpcio"):
        ops.instrument(name, "grpc")
    assert getattr(app, method) is before


def test_what_fails_leaves_an_earlier_choice_in_force(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, other = flask_app(), flask_app()
    ops.instrument("flask", app=chosen)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ImportError, match="grpcio"):
        ops.instrument("flask", "grpc")
    for app in (chosen, other):
        app.test_client().get("/books/fantasy").close()
    ops.uninstrument("flask")
    assert len(spans.server) == 1


def test_a_path_and_a_route_are_scrubbed(spans: Any) -> None:
    """A link to reset a password has its token in the path."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
    ops.instrument("flask")
    flask_app().test_client().get(f"/reset/{token}").close()
    ops.uninstrument("flask")
    (served,) = spans.server
    assert served.attributes["url.path"] == "/reset/[scrubbed]"
