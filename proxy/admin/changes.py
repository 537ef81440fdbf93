"""What the sidecar can be shown and told: its settings, explanations, reload, drain, log level.

May know who does the work, as `Control`. Must not know how, or sockets.
What changes the sidecar is for callers on this machine alone, unless the settings say otherwise.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ops_lib.hosts import unmapped
from proxy.admin.answers import as_json, refused
from proxy.admin.exchange import Request, Response
from proxy.admin.routes import Handler

if TYPE_CHECKING:
    from proxy.explain.by_plan import Question
    from proxy.explain.headers import Header

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


def control_routes(control: Control) -> dict[str, dict[str, Handler]]:
    """What `control` can be asked for."""

    async def config(_: Request) -> Response:
        return as_json(control.config())

    async def shadow(_: Request) -> Response:
        return as_json(control.shadow())

    async def explain(request: Request) -> Response:
        from proxy.admin.asked import read_question
        from proxy.explain.by_plan import UnknownListenerError  # costs memory only if somebody asks
        from proxy.explain.headers import HeaderInputError
        from proxy.explain.question import QuestionError

        try:
            return as_json(control.explain(*read_question(request.content_type, request.query, request.text)))
        except (HeaderInputError, QuestionError, UnknownListenerError) as error:
            return refused(str(error))

    async def reload(request: Request) -> Response:
        if not _may_change(request, control):
            return _FORBIDDEN()
        return _done(await control.reload())

    async def drain(request: Request) -> Response:
        if not _may_change(request, control):
            return _FORBIDDEN()
        control.drain()
        return as_json({"draining": True}, 202)

    async def set_level(request: Request) -> Response:
        if not _may_change(request, control):
            return _FORBIDDEN()
        word = _level(request)
        if word not in (*LEVELS, "settings"):
            return refused(f"{word[:60]!r} is not a level: expected {', '.join(LEVELS)}, or settings for what they say")
        return _done(await control.set_level(word if word != "settings" else None), level=word)

    posts = {"/explain": explain, "/reload": reload, "/drain": drain, "/log-level": set_level}
    return {"/config": {"GET": config}, "/shadow": {"GET": shadow}, **{path: {"POST": posts[path]} for path in posts}}


def _FORBIDDEN() -> Response:
    return refused("only callers on this machine may change the sidecar; the setting admin.changes says otherwise", 403)


def _done(problems: Sequence[str], **more: object) -> Response:
    if problems:
        return as_json({"done": False, "problems": list(problems)}, 409)
    return as_json({"done": True, **more})


def _may_change(request: Request, control: Control) -> bool:
    if control.takes_changes is not None:
        return control.takes_changes
    if not isinstance(request.peer, tuple):
        return True  # a Unix socket
    try:
        return unmapped(ipaddress.ip_address(str(request.peer[0]).partition("%")[0])).is_loopback
    except ValueError:
        return False


def _level(request: Request) -> str:
    """The level that is asked for: `debug`, or `{"level": "debug"}`."""
    body = request.text
    if request.content_type == "application/json":
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return body
        word = asked.get("level") if isinstance(asked, dict) else asked
        return word.strip().lower() if isinstance(word, str) else "settings" if word is None else str(word)
    return body.strip().lower()
