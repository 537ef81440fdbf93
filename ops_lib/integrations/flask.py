"""Flask: the WSGI middleware, and what only Flask knows: the route's template, and the exceptions that it handles.

Importable without Flask, which is imported when an app is instrumented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ops_lib.integrations.incoming import Incoming
from ops_lib.integrations.patches import Slot, is_on, missing, remove, switch_on
from ops_lib.integrations.wsgi import INCOMING_KEY, Environ, StartResponse, TraceMiddleware

if TYPE_CHECKING:
    from flask import Flask

_DONE = "ops_lib"  # key in app.extensions, where Flask lists its extensions


def instrument(app: object | None = None, *, allow_hosts: str | Iterable[str] | None = None) -> Callable[[], None]:
    """Trace `app`, or every Flask application of this process, including existing ones.

    `allow_hosts` is for clients, and unused here.
    A second call changes nothing.
    Gives a function that restores the state before.
    Raises ImportError with the pip command.
    """
    try:
        from flask import Flask, got_request_exception, request_started
    except ImportError as error:
        raise missing("flask", "flask", error) from error
    request_started.connect(_note_any_route, weak=False)
    got_request_exception.connect(_note_any_exception, weak=False)
    return switch_on(Flask, "__call__", _wrap, app)


def uninstrument() -> None:
    """Undo `instrument`, for all applications; nothing happens if it was not called."""
    from flask import Flask, got_request_exception, request_started

    remove(Flask, "__call__")
    request_started.disconnect(_note_any_route)
    got_request_exception.disconnect(_note_any_exception)


def _wrap(call: Any, slot: Slot) -> Any:
    def traced_call(app: Flask, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        inner = partial(call, app)
        traced = TraceMiddleware(inner) if is_on(slot, app) else inner
        return traced(environ, start_response)

    return traced_call


def instrument_app(app: Flask) -> Flask:
    """Trace every request of `app`, by its `wsgi_app`: later wrappers of that are outside the span.

    Gives `app` back, so that it can stand where the app is made. A second call changes nothing.
    """
    from flask import got_request_exception, request_started

    if _DONE not in app.extensions:
        app.extensions[_DONE] = True
        app.wsgi_app = TraceMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # Flask documents this assignment
        request_started.connect(_note_route, app, weak=False)
        got_request_exception.connect(_note_exception, app, weak=False)
    return app


def _incoming() -> Incoming | None:
    """The request's; None without a server: Flask's test_request_context() bypasses the middleware."""
    from flask import request

    return request.environ.get(INCOMING_KEY)


def _note_route(sender: Any, **unused: Any) -> None:
    from flask import request

    if request.url_rule is not None and (traced := _incoming()) is not None:
        traced.route = request.url_rule.rule


def _note_exception(sender: Any, exception: BaseException, **unused: Any) -> None:
    if (traced := _incoming()) is not None:
        traced.fail(exception)


# Receivers of their own: to disconnect one takes it from every application, also from those of `instrument_app`.
_note_any_route = partial(_note_route)
_note_any_exception = partial(_note_exception)
