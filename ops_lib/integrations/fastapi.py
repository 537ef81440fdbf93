"""FastAPI: `ops.instrument("fastapi")` traces every request, of applications that exist already too.

`asgi` does the tracing. Importable without FastAPI, which `instrument` imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ops_lib.integrations.patches import missing, remove, switch_on
from ops_lib.integrations.starlette import wrap


def instrument(app: object | None = None, *, allow_hosts: str | Iterable[str] | None = None) -> Callable[[], None]:
    """Trace `app`, or every FastAPI application of this process.

    `allow_hosts` is for clients, and unused here.
    A second call changes nothing.
    Gives a function that restores the state before.
    Raises ImportError with the pip command.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise missing("fastapi", "fastapi", error) from error
    return switch_on(FastAPI, "__call__", wrap, app)


def uninstrument() -> None:
    """Undo `instrument`, for all applications; nothing happens if it was not called."""
    from fastapi import FastAPI

    remove(FastAPI, "__call__")
