"""Other people's frameworks, one file each; nothing is imported here, so that no framework need be installed.

For `ops.instrument(...)`, each has `instrument` and `uninstrument`.
Clients: httpx, requests, aiohttp, urllib3.
Servers: fastapi, starlette, flask, django, aiohttp_server.
Both: grpc.
Middlewares by hand: `asgi.TraceMiddleware`, `wsgi.TraceMiddleware`, `flask.instrument_app`, `aiohttp.middleware`.
What they share: `outgoing` and `client_spans` on the client's side,
`incoming` on the server's, `patches`, `allow_list` for hosts.
May import the library and the heart, and each its own framework
when it is used; the library imports them only by name, when asked.
"""
