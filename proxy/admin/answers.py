"""Answers of the admin listener: never cached, never guessed at by browsers. Pure."""

from __future__ import annotations

import json
from typing import Final

from proxy.admin.exchange import REASONS, Response

_HEADERS: Final = (("Server", "ops-sidecar"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
_PLAIN: Final = "text/plain; charset=utf-8"


def text(content: str, status: int = 200, *, kind: str = _PLAIN, more: tuple[tuple[str, str], ...] = ()) -> Response:
    """`content` of the type `kind`. `more`: further headers."""
    return Response(status, (*_HEADERS, ("Content-Type", kind), *more), content.encode())


def plain(status: int, *more: tuple[str, str]) -> Response:
    """The status alone, as text. `more`: further headers."""
    return text(f"{status} {REASONS[status]}\n", status, more=more)


def as_json(content: object, status: int = 200) -> Response:
    """`content` as JSON."""
    return text(json.dumps(content, indent=2) + "\n", status, kind="application/json")


def refused(why: str, status: int = 400) -> Response:
    """An error, told as JSON."""
    return as_json({"error": why}, status)
