"""The console's HTTP servers: aiohttp, under our own name.

aiohttp names itself and its version in each answer; whoever looks for holes reads that first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

NAME: Final = "ops-sidecar"
_KEEPALIVE_S: Final = 75.0
_SHUTDOWN_S: Final = 1.0


def runner(app: web.Application) -> web.AppRunner:
    """Serves `app`, once it is set up; `protocols` of it go to a listening socket."""
    app.on_response_prepare.append(_name)
    return web.AppRunner(app, shutdown_timeout=_SHUTDOWN_S)


def protocols(runner: web.AppRunner) -> Callable[[], asyncio.Protocol]:
    """Makes one for each connection. `runner` is set up."""
    server = runner.server
    assert server is not None
    loop = asyncio.get_running_loop()
    log = logging.getLogger("proxy.console.http")
    log.addFilter(_is_worth_a_line)

    def make() -> asyncio.Protocol:
        return _Connection(
            server,
            loop=loop,
            keepalive_timeout=_KEEPALIVE_S,
            access_log=None,  # type: ignore[arg-type]  # none, as AppRunner takes it
            logger=log,
            auto_decompress=False,
        )

    return make


class _Connection(web.RequestHandler):
    """What cannot be read as a request is answered before any application hears of it."""

    __slots__ = ()

    def handle_error(self, request: web.BaseRequest, *more: Any, **named: Any) -> web.StreamResponse:
        """The answer, under our name."""
        response = super().handle_error(request, *more, **named)
        response.headers["Server"] = NAME
        return response


async def _name(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = NAME


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Not a request that cannot be read: its line would have a traceback and parts of the request."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)
