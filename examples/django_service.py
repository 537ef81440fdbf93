"""A Django site, in one file, whose requests continue the trace and session of their callers.

    python examples/django_service.py             # one request to itself
    python examples/django_service.py runserver   # or any other command of Django's

One line does it, in settings.py, manage.py, wsgi.py or asgi.py: `ops.instrument("django")`.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

import ops_lib as ops

ops.instrument("django")

if not settings.configured:
    settings.configure(DEBUG=True, SECRET_KEY="only for this example", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)


def read_book(request: HttpRequest, genre: str) -> JsonResponse:
    session = ops.current_session()
    with ops.span("recommend_book", genre=genre) as span:
        return JsonResponse(
            {"book": f"a {genre} book", "session": session.id if session else None, "trace_id": span.trace_id}
        )


urlpatterns = [path("books/<str:genre>", read_book)]

application = get_wsgi_application()


class Quiet(WSGIRequestHandler):
    """The standard library's server, without a line for each request."""

    def log_message(self, format: str, *args: object) -> None: ...


def main() -> None:
    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with ops.session(id="reader-7"), ops.span("visit") as span:
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/books/fantasy")
        headers: dict[str, str] = {}
        ops.inject_context(headers)
        request.headers.update(headers)
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
    thread.join()
    server.server_close()
    print(answer["book"], answer["session"], "same trace:", answer["trace_id"] == span.trace_id)


if __name__ == "__main__":
    if sys.argv[1:]:
        execute_from_command_line(sys.argv)
    else:
        main()
