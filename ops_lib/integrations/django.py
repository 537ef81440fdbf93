"""Django: `ops.instrument("django")` traces every request, under WSGI and ASGI.

It adds what only Django knows: the route's template, and the exceptions that Django handles itself.
Importable without Django, which `instrument` imports.
Reads no settings: call it in settings.py, manage.py, wsgi.py or asgi.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

from ops_lib.integrations import asgi, starlette, wsgi
from ops_lib.integrations.incoming import Incoming
from ops_lib.integrations.patches import Slot, is_on, missing, remove, switch_on

_SIGNAL_ID = "ops_lib"


def instrument(*, allow_hosts: str | Iterable[str] | None = None) -> Callable[[], None]:
    """Trace every request that Django serves.

    `allow_hosts` is for clients, and unused here.
    A second call changes nothing.
    Gives a function that restores the state before.
    Raises ImportError with the pip command.
    """
    try:
        from django.core.handlers.asgi import ASGIHandler
        from django.core.handlers.base import BaseHandler
        from django.core.handlers.wsgi import WSGIHandler
        from django.core.signals import got_request_exception
    except ImportError as error:
        raise missing("django", "django", error) from error
    undo = ExitStack()
    undo.callback(switch_on(WSGIHandler, "__call__", _wrap_wsgi, None))
    undo.callback(switch_on(ASGIHandler, "__call__", starlette.wrap, None))
    undo.callback(switch_on(BaseHandler, "resolve_request", _wrap_resolve, None))
    got_request_exception.connect(_note_exception, weak=False, dispatch_uid=_SIGNAL_ID)
    return undo.close


def uninstrument() -> None:
    """Undo `instrument`; nothing happens if it was not called."""
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.base import BaseHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.signals import got_request_exception

    remove(WSGIHandler, "__call__")
    remove(ASGIHandler, "__call__")
    remove(BaseHandler, "resolve_request")
    got_request_exception.disconnect(dispatch_uid=_SIGNAL_ID)


def _wrap_wsgi(call: Any, slot: Slot) -> Any:
    def traced_call(handler: Any, environ: wsgi.Environ, start_response: wsgi.StartResponse) -> Iterable[bytes]:
        inner = partial(call, handler)
        app = wsgi.TraceMiddleware(inner) if is_on(slot, handler) else inner
        return app(environ, start_response)

    return traced_call


def _wrap_resolve(resolve: Any, slot: Slot) -> Any:
    def resolve_and_note(handler: Any, request: Any) -> Any:
        match = resolve(handler, request)
        if (traced := _incoming(request)) is not None:
            traced.route = "/" + match.route.lstrip("/")  # Django's templates have no leading slash
        return match

    return resolve_and_note


def _note_exception(sender: Any, request: Any = None, **unused: Any) -> None:
    """Django sends this signal while it handles the exception."""
    error = sys.exc_info()[1]
    if error is not None and (traced := _incoming(request)) is not None:
        traced.fail(error)


def _incoming(request: Any) -> Incoming | None:
    """The request's; None without a server, as with Django's test client."""
    found: Incoming | None = getattr(request, "environ", {}).get(wsgi.INCOMING_KEY)
    return found if found is not None else getattr(request, "scope", {}).get(asgi.INCOMING_KEY)
