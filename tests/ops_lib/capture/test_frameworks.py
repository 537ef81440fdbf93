"""Objects of frameworks whose `repr`, length or fields would ask a database, read a body or show a whole request."""

from __future__ import annotations

import subprocess
import sys

import starlette.requests
from flask import request
from starlette.datastructures import Headers

from ops_lib.capture.bounds import CaptureSettings
from ops_lib.capture.render import render

DEFAULT = CaptureSettings()


def test_a_request_of_starlette_is_not_its_scope() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-api-key", b"hush")], "secret": "hush"}
    assert render(starlette.requests.Request(scope), DEFAULT) == '"<starlette.requests.Request>"'
    assert render(Headers(scope=scope), DEFAULT) == '"<starlette.datastructures.Headers>"'


def test_a_proxy_of_flask_is_not_followed() -> None:
    assert render(request, DEFAULT) == '"<werkzeug.local.LocalProxy>"'


DJANGO = """
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}, USE_TZ=True,
)
django.setup()
from django.db import connection, models
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
import ops_lib as ops
from ops_lib.testing import capture_spans

class Book(models.Model):
    title = models.CharField(max_length=20)
    class Meta:
        app_label = "books"

with connection.schema_editor() as editor:
    editor.create_model(Book)
Book.objects.create(title="dune")

asked = []
connection.execute_wrappers.append(lambda execute, sql, *rest: (asked.append(sql), execute(sql, *rest))[1])

def load():
    asked.append("lazy")
    return 1

lazy = SimpleLazyObject(load)

@ops.trace
def cheapest(books, book, lazy, text):
    return books.order_by("title")

with capture_spans() as spans:
    cheapest(Book.objects.all(), Book(title="emma"), lazy, gettext_lazy("hello"))
    with ops.span("attributes", books=Book.objects.all(), lazy=lazy, several=[lazy]) as span:
        span.event("found", books=Book.objects.all()).info(lazy).link(lazy)
    try:
        with ops.span(lazy):
            raise ValueError(Book.objects.all())
    except ValueError:
        pass
print(spans.one("cheapest").attributes["ops.arguments"])
print(spans.one("cheapest").attributes["ops.result"])
print(spans.spans[-1].status.description)
print(asked)
"""


def test_a_queryset_is_not_asked_and_a_lazy_object_not_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", DJANGO], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr == ""
    arguments, result, status, asked = ran.stdout.splitlines()
    assert arguments == (
        '{"books": "<django.db.models.query.QuerySet>", "book": "<__main__.Book>",'
        ' "lazy": "<django.utils.functional.SimpleLazyObject>",'
        ' "text": "<django.utils.functional.lazy.<locals>.__proxy__>"}'
    )
    assert result == '"<django.db.models.query.QuerySet>"'
    assert status == "ValueError: <django.db.models.query.QuerySet>"
    assert asked == "[]"
