"""Third-party frameworks, one file each. Nothing is imported here, so frameworks are optional.

For `ops.instrument(...)`, each has `instrument` and `uninstrument`.
Clients: httpx, requests, aiohttp, urllib3.
Servers: fastapi, starlette, flask, django, aiohttp_server.
Both: grpc.
Middlewares by hand: `asgi.TraceMiddleware`, `wsgi.TraceMiddleware`, `flask.instrument_app`, `aiohttp.middleware`.
Shared: `outgoing` and `client_spans` for clients, `incoming` for servers, `patches`, `allow_list` for hosts.
May import the library and the heart, and each its own framework on use.
The library imports them only by name, on request.
"""
