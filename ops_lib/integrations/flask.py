"""Flask: the WSGI middleware, and what only Flask knows: the route's template, and the exceptions that it answers.

Importable without Flask; Flask is imported when an app is instrumented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops_lib.integrations.wsgi import INCOMING_KEY, TraceMiddleware

if TYPE_CHECKING:
    from flask import Flask


def instrument_app(app: Flask) -> Flask:
    """Trace every request of `app`: caller's trace and session, a server span named by its route, handled exceptions
    recorded.

    Gives `app` back, so that it can stand where the app is made. A second call changes nothing.
    """
    from flask import got_request_exception, request

    if isinstance(app.wsgi_app, TraceMiddleware):
        return app

    def note_route() -> None:
        if request.url_rule is not None:
            request.environ[INCOMING_KEY].route = request.url_rule.rule

    def note_exception(sender: Any, exception: BaseException, **unused: Any) -> None:
        request.environ[INCOMING_KEY].fail(exception)

    app.wsgi_app = TraceMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # Flask documents this assignment
    app.before_request_funcs.setdefault(None, []).insert(0, note_route)  # first: another may answer by itself
    got_request_exception.connect(note_exception, app, weak=False)
    return app
