"""What the admin listener answers: health, metrics, and what it can be told to do.

May know aiohttp, State, and functions that do the work. Must not know the data plane.
Nothing is cached. GET and HEAD change nothing; what changes something is a POST of its own (`changes`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from proxy.admin.answers import Handler, text
from proxy.admin.changes import Control, add_control
from proxy.admin.hosts import AdminHosts
from proxy.admin.origins import is_of_another_site
from proxy.telemetry.state import Phase, State

MAX_BODY_BYTES = 64 * 1024
_PATHS = ("/healthz", "/readyz", "/metrics")


RenderMetrics = Callable[[str], tuple[str, str]]
"""The text of /metrics and its content type, for an Accept."""


def health_routes(
    state: State, render_metrics: RenderMetrics, *, is_app_up: Callable[[], Awaitable[bool]]
) -> dict[str, Handler]:
    """Health and metrics: what every admin listener serves. `is_app_up`: whether the app accepts connections."""

    async def healthz(_: web.Request) -> web.Response:
        return text("ok\n")

    async def readyz(request: web.Request) -> web.Response:
        """With `?app=1`, the app has to accept connections as well."""
        if state.phase is not Phase.READY:
            return text(f"{state.phase}\n", 503)
        if request.query.get("app", "0") not in ("", "0", "false") and not await is_app_up():
            return text("the app accepts no connections\n", 503)
        return text(f"{state.phase}\n")

    async def metrics(request: web.Request) -> web.Response:
        page, kind = render_metrics(",".join(request.headers.getall("Accept", ())))
        return text(page, kind=kind, vary="Accept")

    return dict(zip(_PATHS, (healthz, readyz, metrics), strict=True))


def application(
    state: State,
    render_metrics: RenderMetrics,
    *,
    is_app_up: Callable[[], Awaitable[bool]],
    hosts: AdminHosts,
    control: Control | None = None,
) -> web.Application:
    """The routes of the admin listener. The first arguments are those of `health_routes`.

    `hosts`: the names that requests may ask for.
    `control`: shows and changes the sidecar; None: nobody does here.
    """

    @web.middleware
    async def only_for_us(request: web.Request, handler: Handler) -> web.StreamResponse:
        """421 for a name that is not ours (RFC 9110, 15.5.20). A request without Host (HTTP/1.0) is not a browser's."""
        if not all(hosts.allows(host) for host in request.headers.getall("Host", ())):
            return text("421 Host is not a name of this sidecar; the setting admin.hosts allows further names\n", 421)
        if is_of_another_site(request.headers.getall("Origin", ()), request.headers):
            return text("403 the request comes from the page of another site\n", 403)
        return await handler(request)

    app = web.Application(middlewares=[_errors, only_for_us], client_max_size=MAX_BODY_BYTES)
    _add(app, health_routes(state, render_metrics, is_app_up=is_app_up))
    told = [*_PATHS, *(add_control(app, control) if control is not None else ())]

    async def index(_: web.Request) -> web.Response:
        return text("ops-sidecar\n" + "".join(f"{path}\n" for path in told))

    app.router.add_get("/", index)
    return app


def public_application(
    state: State, render_metrics: RenderMetrics, *, is_app_up: Callable[[], Awaitable[bool]]
) -> web.Application:
    """Health and metrics alone, for any Host: for an address that others can reach."""
    app = web.Application(middlewares=[_errors], client_max_size=1024)
    _add(app, health_routes(state, render_metrics, is_app_up=is_app_up))
    return app


def _add(app: web.Application, routes: dict[str, Handler]) -> None:
    for path, handler in routes.items():
        app.router.add_get(path, handler)  # adds HEAD as well


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """aiohttp's own answers (404, 405, 413) as uncached text."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        response = text(f"{error.status} {error.reason}\n", error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
