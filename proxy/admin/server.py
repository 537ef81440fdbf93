"""The admin application and its listening socket: /healthz, /readyz, /metrics. GET and HEAD only, nothing cached.

May know aiohttp, State, and a function that renders the metrics. Must not know the data plane.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from proxy.errors import StartError
from proxy.plan import Address
from proxy.telemetry.state import Phase, State

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS = {"Server": "ops-sidecar", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PATHS = ("/healthz", "/readyz", "/metrics")


def application(state: State, render_metrics: Callable[[], str], metrics_type: str) -> web.Application:
    """The routes. `render_metrics` gives the text of /metrics, `metrics_type` its content type."""

    async def healthz(_: web.Request) -> web.Response:
        return _text("ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return _text(f"{state.phase}\n", 200 if state.phase is Phase.READY else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=render_metrics().encode(), headers={**_HEADERS, "Content-Type": metrics_type})

    async def index(_: web.Request) -> web.Response:
        return _text("ops-sidecar\n" + "".join(f"{path}\n" for path in _PATHS))

    app = web.Application(middlewares=[_errors], client_max_size=1024)
    for path, handler in zip(("/", *_PATHS), (index, healthz, readyz, metrics), strict=True):
        app.router.add_get(path, handler)  # HEAD comes with it
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """aiohttp's own answers (404, 405) as text that is not cached."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        response = _text(f"{error.status} {error.reason}\n", error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, headers=_HEADERS)


class AdminServer:
    """The admin application on one socket."""

    def __init__(self, app: web.Application) -> None:
        log = logging.getLogger(__name__)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=15.0, shutdown_timeout=1.0, logger=log)

    async def listen(self, address: Address) -> Address:
        """Bind `address`; returns it with its real port. Raises StartError where that cannot be."""
        await self._runner.setup()
        site: web.BaseSite
        if address.unix_path:
            site = web.UnixSite(self._runner, address.unix_path)
        else:
            site = web.TCPSite(self._runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            where = f"unix:{address.unix_path}" if address.unix_path else f"{address.host}:{address.port}"
            raise StartError(f"listener admin cannot listen on {where}: {error.strerror or error}") from None
        if address.unix_path:
            return address
        name = self._runner.addresses[0]
        return Address(name[0], name[1])

    async def close(self) -> None:
        """Close the socket and every connection."""
        await self._runner.cleanup()
