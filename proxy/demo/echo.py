"""A service for a first try with curl: it answers with the trace and session headers that it received, one per line.

    python -m proxy.demo.echo --port 8080

Knows nothing of the sidecar. `--all` answers with every header.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from aiohttp import web

from proxy.demo.dialects import is_trace_header


def build(*, every_header: bool = False) -> web.Application:
    """The application: any method, any path."""

    async def echo(request: web.Request) -> web.Response:
        pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
        lines = [f"{name}: {value}\n" for name, value in pairs if every_header or is_trace_header(name)]
        return web.Response(text="".join(lines) or "no trace header came in\n")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Serve on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m proxy.demo.echo", description="Answers with the headers it received."
    )
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--all", action="store_true", help="every header, not only those about trace and session")
    options = parser.parse_args(argv)
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    app = build(every_header=options.all)
    web.run_app(app, host="127.0.0.1", port=options.port, print=None, loop=loop)


if __name__ == "__main__":
    main()
