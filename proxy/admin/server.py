"""The admin application and its listening socket: /healthz, /readyz, /metrics. GET and HEAD only, nothing cached.

May know aiohttp, State, and a function that renders the metrics. Must not know the data plane.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from proxy.admin.hosts import AdminHosts
from proxy.plan import Address
from proxy.telemetry.state import Phase, State
from proxy.transport.binding import (
    FileIdentity,
    cannot_listen,
    file_identity,
    pass_on,
    path_to_bind,
    remove_own_socket,
    take_path,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS = {"Server": "ops-sidecar", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PATHS = ("/healthz", "/readyz", "/metrics")
MOST_CONNECTIONS = 32


def health_routes(
    state: State, render_metrics: Callable[[str], tuple[str, str]], *, is_app_up: Callable[[], Awaitable[bool]]
) -> dict[str, Handler]:
    """Health and metrics: what every admin listener serves.

    `render_metrics`: the text of /metrics and its content type, for an Accept.
    `is_app_up`: whether the app accepts connections.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _text("ok\n")

    async def readyz(request: web.Request) -> web.Response:
        """With `?app=1`, the app has to accept connections as well."""
        if state.phase is not Phase.READY:
            return _text(f"{state.phase}\n", 503)
        if request.query.get("app", "0") not in ("", "0", "false") and not await is_app_up():
            return _text("the app accepts no connections\n", 503)
        return _text(f"{state.phase}\n")

    async def metrics(request: web.Request) -> web.Response:
        text, kind = render_metrics(",".join(request.headers.getall("Accept", ())))
        return web.Response(body=text.encode(), headers={**_HEADERS, "Content-Type": kind, "Vary": "Accept"})

    return dict(zip(_PATHS, (healthz, readyz, metrics), strict=True))


def application(
    state: State,
    render_metrics: Callable[[str], tuple[str, str]],
    *,
    is_app_up: Callable[[], Awaitable[bool]],
    hosts: AdminHosts,
) -> web.Application:
    """The routes of the admin listener. The first arguments are those of `health_routes`.

    `hosts`: the names that requests may ask for.
    """

    async def index(_: web.Request) -> web.Response:
        return _text("ops-sidecar\n" + "".join(f"{path}\n" for path in _PATHS))

    @web.middleware
    async def only_for_us(request: web.Request, handler: Handler) -> web.StreamResponse:
        """421 for a name that is not ours (RFC 9110, 15.5.20). A request without Host (HTTP/1.0) is not a browser's."""
        if all(hosts.allows(host) for host in request.headers.getall("Host", ())):
            return await handler(request)
        return _text("421 Host is not a name of this sidecar; the setting admin.hosts allows further names\n", 421)

    app = web.Application(middlewares=[_errors, only_for_us], client_max_size=1024)
    app.router.add_get("/", index)
    _add(app, health_routes(state, render_metrics, is_app_up=is_app_up))
    return app


def public_application(
    state: State, render_metrics: Callable[[str], tuple[str, str]], *, is_app_up: Callable[[], Awaitable[bool]]
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
    """aiohttp's own answers (404, 405) as uncached text."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        response = _text(f"{error.status} {error.reason}\n", error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, headers=_HEADERS)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Replaces aiohttp's answer to a request that it cannot read, which has a traceback and parts of the request."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


class AdminServer:
    """The admin application on one socket."""

    def __init__(self, app: web.Application, state: State, name: str = "admin") -> None:
        """`state` counts the connections that were closed to make room for others. `name`: for messages."""
        self._name = name
        log = logging.getLogger(__name__)
        log.addFilter(_is_worth_a_line)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=15.0, shutdown_timeout=1.0, logger=log)
        self._state = state
        self._connections: web.Server
        self._listening: asyncio.Server | None = None
        self._path = ""
        self._file: FileIdentity | None = None

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address:
        """Bind `address`; returns it with the real port. Raises StartError if that fails.

        `reuse_port`: another process may listen there as well.
        """
        loop = asyncio.get_running_loop()
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = self._runner.server
        try:
            if address.unix_path:
                bound_path = path_to_bind(address.unix_path, reuse_port=reuse_port)
                self._listening = await loop.create_unix_server(self._connection, bound_path)
                take_path(bound_path, address.unix_path)
                self._path, self._file = address.unix_path, file_identity(address.unix_path)
                return address
            self._listening = await loop.create_server(
                self._connection, address.host, address.port, reuse_port=reuse_port
            )
        except OSError as error:
            await self._runner.cleanup()
            raise cannot_listen(self._name, address, error) from None
        return Address(*self._listening.sockets[0].getsockname()[:2])

    def pass_on(self) -> None:
        """Leave new connections to another process that listens here, if one does: it is the one that is ready."""
        for each in self._listening.sockets if self._listening is not None and not self._path else ():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(each.fileno())) as copy:
                pass_on(copy)

    def _connection(self) -> asyncio.Protocol:
        """A new connection.
        Above a limit, the oldest is closed.
        So health checks are answered, and the data plane keeps its file descriptors.
        """
        connections = [one for one in self._connections.connections if one.transport is not None]
        if len(connections) >= MOST_CONNECTIONS:
            connections[0].force_close()
            self._state.admin_connections_cut += 1
        return self._connections()

    async def close(self) -> None:
        """Close the socket and every connection."""
        if self._listening is not None:
            self._listening.close()
            remove_own_socket(self._path, self._file)
        await self._runner.cleanup()
