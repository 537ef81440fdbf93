"""aiohttp's server: `ops.instrument("aiohttp-server")` traces every request, of applications that exist already too.

A server asks its application for the handler only once, so running servers stay unchanged.
`aiohttp.middleware` does the tracing.
Importable without aiohttp, which `instrument` imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ops_lib.integrations.aiohttp import traced
from ops_lib.integrations.patches import Slot, is_on, missing, remove, switch_on


def instrument(app: object | None = None, *, allow_hosts: str | Iterable[str] | None = None) -> Callable[[], None]:
    """Trace `app`, or every aiohttp application, served from now on; not subapplications.

    `allow_hosts` is for clients, and unused here.
    A second call changes nothing.
    Gives a function that restores the state before.
    Raises ImportError with the pip command.
    """
    try:
        from aiohttp import web
    except ImportError as error:
        raise missing("aiohttp-server", "aiohttp", error) from error
    return switch_on(web.Application, "_handle", _wrap, app)


def uninstrument() -> None:
    """Undo `instrument`, for all applications; nothing happens if it was not called."""
    from aiohttp import web

    remove(web.Application, "_handle")


def _wrap(handle: Any, slot: Slot) -> Any:
    async def traced_handle(app: Any, request: Any) -> Any:
        inner = partial(handle, app)
        return await (traced(request, inner) if is_on(slot, app) else inner(request))

    return traced_handle
