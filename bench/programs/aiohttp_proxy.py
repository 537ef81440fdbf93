"""What one writes first: an aiohttp server that repeats each request with a ClientSession. No tracing, no translation.

`python -m bench.programs.aiohttp_proxy PORT UPSTREAM_PORT`.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


async def serve(port: int, upstream_port: int) -> None:
    """Serves until the process is ended."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.Response:
            headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
            url = f"http://127.0.0.1:{upstream_port}{request.path_qs}"
            body = await request.read() if request.can_read_body else None
            async with session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
                return web.Response(status=answer.status, headers=dict(kept), body=await answer.read())

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        server = web.TCPSite(runner, "127.0.0.1", port)
        await server.start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
