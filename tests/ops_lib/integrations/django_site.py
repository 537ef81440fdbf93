"""A site of Django's, in one file: settings, views, routes. Imported by the tests that serve it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path

import ops_lib as ops

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True, LOGGING_CONFIG=None
    )
    django.setup()


def said(**more: Any) -> JsonResponse:
    session = ops.current_session()
    with ops.span("inside") as span:
        return JsonResponse({"session": session.id if session else None, "trace_id": span.trace_id})


def read_book(request: HttpRequest, genre: str) -> HttpResponse:
    return said()


async def read_book_async(request: HttpRequest, genre: str) -> HttpResponse:
    return said()


def broken(request: HttpRequest) -> HttpResponse:
    raise LookupError("out of books")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("no such book")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        with ops.span("piece") as span:
            yield str(span.trace_id).encode()

    return StreamingHttpResponse(pieces())


urlpatterns = [
    path("books/<str:genre>/", read_book),
    path("shop/", include([path("async/<str:genre>", read_book_async)])),
    re_path(r"^old/(?P<genre>\w+)$", read_book),
    path("broken", broken),
    path("missing", missing),
    path("stream", stream),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
