"""What the sidecar can be shown and told: its settings, explanations, reload, drain, log level.

May know aiohttp, and who does the work as `Control`. Must not know how.
What changes the sidecar is for callers on this machine alone, unless the settings say otherwise.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from ops_lib.hosts import unmapped
from proxy.admin.answers import as_json, refused

if TYPE_CHECKING:
    from proxy.explain.by_plan import Question
    from proxy.explain.headers import Header

_BODY_S = 10.0  # for a body to come
LEVELS = ("debug", "info", "warning", "error")


class Control(Protocol):
    """Who does the work."""

    def config(self) -> dict[str, object]:
        """The settings in force, with their sources."""

    def shadow(self) -> dict[str, object]:
        """What would differ with the settings of `propagation.shadow`."""

    def explain(self, headers: Sequence[Header], question: Question) -> dict[str, object]:
        """What the plan in force makes of a request. Raises UnknownListenerError."""

    async def reload(self) -> Sequence[str]:
        """Read the settings again. Returns the problems; then nothing has changed."""

    async def set_level(self, level: str | None) -> Sequence[str]:
        """Log from `level` on, None: as the settings say. Returns the problems."""

    def drain(self) -> None:
        """End, as on SIGTERM."""

    @property
    def takes_changes(self) -> bool | None:
        """Whether callers may change the sidecar. None: those on this machine."""


def add_control(app: web.Application, control: Control) -> tuple[str, ...]:
    """Add the routes. Returns their paths."""

    async def config(_: web.Request) -> web.Response:
        return as_json(control.config())

    async def shadow(_: web.Request) -> web.Response:
        return as_json(control.shadow())

    async def explain(request: web.Request) -> web.Response:
        from proxy.admin.asked import read_question
        from proxy.explain.by_plan import UnknownListenerError  # costs memory only if somebody asks
        from proxy.explain.headers import HeaderInputError
        from proxy.explain.question import QuestionError

        body = await _body(request)
        try:
            return as_json(control.explain(*read_question(request.content_type, request.query, body)))
        except (HeaderInputError, QuestionError, UnknownListenerError) as error:
            return refused(str(error))

    async def reload(request: web.Request) -> web.Response:
        if not _may_change(request, control):
            return _FORBIDDEN()
        return _done(await control.reload())

    async def drain(request: web.Request) -> web.Response:
        if not _may_change(request, control):
            return _FORBIDDEN()
        control.drain()
        return as_json({"draining": True}, 202)

    async def set_level(request: web.Request) -> web.Response:
        if not _may_change(request, control):
            return _FORBIDDEN()
        word = _level(request, await _body(request))
        if word not in (*LEVELS, "settings"):
            return refused(f"{word[:60]!r} is not a level: expected {', '.join(LEVELS)}, or settings for what they say")
        return _done(await control.set_level(word if word != "settings" else None), level=word)

    app.router.add_get("/config", config)
    app.router.add_get("/shadow", shadow)
    posts = {"/explain": explain, "/reload": reload, "/drain": drain, "/log-level": set_level}
    for path, handler in posts.items():
        app.router.add_post(path, handler)
    return ("/config", "/shadow", *posts)


def _FORBIDDEN() -> web.Response:
    return refused("only callers on this machine may change the sidecar; the setting admin.changes says otherwise", 403)


def _done(problems: Sequence[str], **more: object) -> web.Response:
    if problems:
        return as_json({"done": False, "problems": list(problems)}, 409)
    return as_json({"done": True, **more})


def _may_change(request: web.Request, control: Control) -> bool:
    if control.takes_changes is not None:
        return control.takes_changes
    peer = _peer(request)
    if not isinstance(peer, tuple):
        return True  # a Unix socket
    try:
        return unmapped(ipaddress.ip_address(str(peer[0]).partition("%")[0])).is_loopback
    except ValueError:
        return False


def _peer(request: web.Request) -> object:
    return request.transport.get_extra_info("peername") if request.transport is not None else None


async def _body(request: web.Request) -> str:
    """Raises HTTPRequestEntityTooLarge, or HTTPRequestTimeout if it comes too slowly."""
    try:
        async with asyncio.timeout(_BODY_S):
            return (await request.read()).decode("utf-8", "replace")
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _level(request: web.Request, body: str) -> str:
    """The level that is asked for: `debug`, or `{"level": "debug"}`."""
    if request.content_type == "application/json":
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return body
        word = asked.get("level") if isinstance(asked, dict) else asked
        return word.strip().lower() if isinstance(word, str) else "settings" if word is None else str(word)
    return body.strip().lower()
