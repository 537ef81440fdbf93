"""What the admin listener answers: health, metrics, and what it can be told to do.

May know State, and functions that do the work. Must not know sockets, or the data plane.
Nothing is cached. GET and HEAD change nothing; what changes something is a POST of its own (`changes`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxy.admin.answers import text
from proxy.admin.changes import Control, control_routes
from proxy.admin.exchange import Request, Response
from proxy.admin.hosts import AdminHosts
from proxy.admin.origins import is_of_another_site
from proxy.admin.routes import Application, Handler, Routes
from proxy.telemetry.state import Phase, State

LIMIT_BODY_BYTES = 64 * 1024
_LIMIT_PUBLIC_BODY_BYTES = 1024
_PATHS = ("/healthz", "/readyz", "/metrics")


RenderMetrics = Callable[[str], tuple[str, str]]
"""The text of /metrics and its content type, for an Accept."""


def health_routes(
    state: State, render_metrics: RenderMetrics, *, is_app_up: Callable[[], Awaitable[bool]]
) -> dict[str, dict[str, Handler]]:
    """Health and metrics: what every admin listener serves. `is_app_up`: whether the app accepts connections."""

    async def healthz(_: Request) -> Response:
        return text("ok\n")

    async def readyz(request: Request) -> Response:
        """With `?app=1`, the app has to accept connections as well."""
        if state.phase is not Phase.READY:
            return text(f"{state.phase}\n", 503)
        if request.query.get("app", ["0"])[0] not in ("", "0", "false") and not await is_app_up():
            return text("the app accepts no connections\n", 503)
        return text(f"{state.phase}\n")

    async def metrics(request: Request) -> Response:
        page, kind = render_metrics(",".join(request.values("accept")))
        return text(page, kind=kind, more=(("Vary", "Accept"),))

    return {path: {"GET": handler} for path, handler in zip(_PATHS, (healthz, readyz, metrics), strict=True)}


def application(
    state: State,
    render_metrics: RenderMetrics,
    *,
    is_app_up: Callable[[], Awaitable[bool]],
    hosts: AdminHosts,
    control: Control | None = None,
) -> Application:
    """What the admin listener answers. The first arguments are those of `health_routes`.

    `hosts`: the names that requests may ask for.
    `control`: shows and changes the sidecar; None: nobody does here.
    """

    def refusal(request: Request) -> Response | None:
        """421 for a name that is not ours (RFC 9110, 15.5.20). A request without Host (HTTP/1.0) is not a browser's."""
        asked_hosts = request.values("host")
        if not all(hosts.allows(host) for host in asked_hosts):
            return text("421 Host is not a name of this sidecar; the setting admin.hosts allows further names\n", 421)
        host = asked_hosts[0] if asked_hosts else ""
        if is_of_another_site(request.values("origin"), request.values("sec-fetch-site"), host):
            return text("403 the request comes from the page of another site\n", 403)
        return None

    async def index(_: Request) -> Response:
        return text("ops-sidecar\n" + "".join(f"{path}\n" for path in told))

    told: Routes = {
        **health_routes(state, render_metrics, is_app_up=is_app_up),
        **(control_routes(control) if control is not None else {}),
    }
    return Application({"/": {"GET": index}, **told}, LIMIT_BODY_BYTES, refusal)


def public_application(
    state: State, render_metrics: RenderMetrics, *, is_app_up: Callable[[], Awaitable[bool]]
) -> Application:
    """Health and metrics alone, for any Host: for an address that others can reach."""
    return Application(health_routes(state, render_metrics, is_app_up=is_app_up), _LIMIT_PUBLIC_BODY_BYTES)
