"""Answers of the admin listener: never cached, never guessed at by browsers. May know aiohttp."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS = {"Server": "ops-sidecar", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PLAIN = "text/plain; charset=utf-8"


def text(content: str, status: int = 200, *, kind: str = _PLAIN, vary: str = "") -> web.Response:
    """`content` of the type `kind`. `vary`: the request header that it depends on."""
    headers = {**_HEADERS, "Content-Type": kind, **({"Vary": vary} if vary else {})}
    return web.Response(body=content.encode(), status=status, headers=headers)


def as_json(content: object, status: int = 200) -> web.Response:
    """`content` as JSON."""
    return text(json.dumps(content, indent=2) + "\n", status, kind="application/json")


def refused(why: str, status: int = 400) -> web.Response:
    """An error, told as JSON."""
    return as_json({"error": why}, status)
