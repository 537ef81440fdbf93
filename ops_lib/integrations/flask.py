"""Flask: the WSGI middleware, and what only Flask knows: the route's template, and the exceptions that it answers.

Importable without Flask; Flask is imported when an app is instrumented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops_lib.integrations.incoming import Incoming
from ops_lib.integrations.wsgi import INCOMING_KEY, TraceMiddleware

if TYPE_CHECKING:
    from flask import Flask

_DONE = "ops_lib"  # in app.extensions, where Flask keeps who has been at work


def instrument_app(app: Flask) -> Flask:
    """Trace every request of `app`: caller's trace and session, a server span named by its route, handled exceptions
    recorded.

    Gives `app` back, so that it can stand where the app is made. A second call changes nothing.
    """
    from flask import got_request_exception, request

    if _DONE in app.extensions:
        return app
    app.extensions[_DONE] = True

    def incoming() -> Incoming | None:
        # None where no server is: Flask's test_request_context() comes in below the middleware.
        return request.environ.get(INCOMING_KEY)

    def note_route() -> None:
        if request.url_rule is not None and (traced := incoming()) is not None:
            traced.route = request.url_rule.rule

    def note_exception(sender: Any, exception: BaseException, **unused: Any) -> None:
        if (traced := incoming()) is not None:
            traced.fail(exception)

    app.wsgi_app = TraceMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # Flask documents this assignment
    app.before_request_funcs.setdefault(None, []).insert(0, note_route)  # first: another may answer by itself
    got_request_exception.connect(note_exception, app, weak=False)
    return app
