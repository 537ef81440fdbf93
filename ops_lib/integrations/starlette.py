"""Starlette: `ops.instrument("starlette")` traces every request, of applications that exist already too.

`asgi` does the tracing. Importable without Starlette, which `instrument` imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ops_lib.integrations.asgi import Receive, Scope, Send, TraceMiddleware
from ops_lib.integrations.patches import Slot, is_on, missing, remove, switch_on


def instrument(app: object | None = None, *, allow_hosts: str | Iterable[str] | None = None) -> Callable[[], None]:
    """Trace `app`, or every Starlette application of this process, those of FastAPI included.

    `allow_hosts` is for clients, and unused here.
    A second call changes nothing.
    Gives a function that restores the state before.
    Raises ImportError with the pip command.
    """
    try:
        from starlette.applications import Starlette
    except ImportError as error:
        raise missing("starlette", "starlette", error) from error
    return switch_on(Starlette, "__call__", wrap, app)


def uninstrument() -> None:
    """Undo `instrument`, for all applications; nothing happens if it was not called."""
    from starlette.applications import Starlette

    remove(Starlette, "__call__")


def wrap(call: Any, slot: Slot) -> Any:
    """Wraps the `__call__` of an ASGI application's class, which every request passes; it stays a
    coroutine function.
    """

    async def traced_call(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
        inner = partial(call, app)
        await (TraceMiddleware(inner) if is_on(slot, app) else inner)(scope, receive, send)

    return traced_call
