"""Which handler answers a request. Pure: no socket, no parser, and no knowledge of what is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from proxy.admin.answers import plain
from proxy.admin.exchange import Request, Response

Handler = Callable[[Request], Awaitable[Response]]
Routes = Mapping[str, Mapping[str, Handler]]
"""The handlers of each path, by method. Whoever answers GET answers HEAD as well."""


def refuse_nobody(_: Request) -> None:
    """For a listener that answers anybody."""


@dataclass(frozen=True, slots=True)
class Application:
    """What one listener answers."""

    routes: Routes
    limit_body_bytes: int
    refusal: Callable[[Request], Response | None] = refuse_nobody
    """The answer to a request that is refused whatever it asks for, judged by its head."""

    def find(self, request: Request) -> Handler | Response:
        """Who answers `request`, or what it gets if nobody does. Looks at the head alone."""
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        handlers = self.routes.get(request.path)
        if handlers is None:
            return plain(404)
        method = "GET" if request.method == "HEAD" else request.method
        if method in handlers:
            return handlers[method]
        return plain(405, ("Allow", ",".join(sorted({*handlers, *(("HEAD",) if "GET" in handlers else ())}))))
