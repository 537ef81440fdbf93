"""Other people's frameworks, one file each; nothing is imported here, so that no framework need be installed.

Clients, for `ops.instrument(...)`: httpx, requests, aiohttp, urllib3; each has `instrument` and `uninstrument`.
Servers: `asgi.TraceMiddleware` (FastAPI, Starlette), `wsgi.TraceMiddleware`, `flask.instrument_app`,
`aiohttp.middleware`. What they share: `outgoing` and `client_spans` on the client's side, `incoming` on the server's,
`allow_list` for hosts. May import the library and the heart, and each its own framework when it is used; the library
imports them only by name, when asked.
"""
