"""Answers of the API: JSON, and problems (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web


def json_answer(said: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """`said` as JSON, uncached."""
    return web.Response(
        body=json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """What is wrong, as a sentence for people."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.Response(
        body=json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"),
        status=status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
