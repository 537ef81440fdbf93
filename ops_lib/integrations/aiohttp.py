"""aiohttp: every outgoing call carries the context, and every incoming request continues its caller's.

The official `opentelemetry-instrumentation-aiohttp-client` makes client spans.
This module writes the headers, in `ClientRequest.send`, which
sees each hop of a redirect and the handshake of a WebSocket.
Importable without aiohttp.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ref

from ops_lib.headers.propagators import check_propagator
from ops_lib.integrations import client_spans
from ops_lib.integrations.incoming import Incoming, Request
from ops_lib.integrations.outgoing import Outgoing
from ops_lib.integrations.patches import Slot, install, remove

# The traced request. Not a key of the request itself, because keys differ between the versions of aiohttp.
_within: ContextVar[ref[Any] | None] = ContextVar("ops_aiohttp_within", default=None)

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Middleware = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


def instrument(allow_hosts: str | Iterable[str] | None = None, **options: Any) -> Callable[[], None]:
    """Instrument aiohttp's client.
    Every session gets headers.
    Only new sessions get client spans, which aiohttp fixes early.

    `allow_hosts`: the only hosts that may receive trace, session and baggage headers (AllowList.parse); None: all.
    `options` go to the official AioHttpClientInstrumentor (request_hook, response_hook, url_filter, trace_configs).
    A second call takes effect.
    Gives a function that restores the state before.
    Raises ImportError with the pip command, and ValueError for a wrong pattern.
    """
    policy = Outgoing(allow_hosts)
    instrumentor = client_spans.load(
        "aiohttp", "opentelemetry.instrumentation.aiohttp_client", "AioHttpClientInstrumentor"
    )
    from aiohttp import ClientRequest

    slot = install(ClientRequest, "send", _wrap)
    return client_spans.switch_on(slot, policy=policy, instrumentor=instrumentor, options=options, off=uninstrument)


def uninstrument() -> None:
    """Undo `instrument`; nothing happens if it was not called."""
    from aiohttp import ClientRequest

    client_spans.stop(remove(ClientRequest, "send"))


def _wrap(send: Any, slot: Slot) -> Any:
    async def send_with_context(request: Any, connection: Any) -> Any:
        if slot.policy is not None:
            headers = list(request.headers.items())
            slot.policy.write(headers, request.url.raw_host or "", request.url.port)
            request.headers.clear()  # this hop's own copy
            request.headers.extend(headers)
        return await send(request, connection)

    return send_with_context


def middleware() -> Middleware:
    """A middleware for aiohttp's server: `web.Application(middlewares=[middleware()])`, first in the list.

    The handler runs in the caller's trace and session, in a server
    span named by its route; exceptions are recorded and raised again.
    Raises ImportError if aiohttp is missing, ConfigurationError if the environment names an unknown format.
    """
    check_propagator()
    try:
        from aiohttp import web
    except ImportError as error:
        raise ImportError("aiohttp is not installed; pip install 'ops-sidecar[aiohttp]'", name=error.name) from error

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await traced(request, handler)

    return trace


async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer of `handler`, in a server span; without a second span if the request has one.
    Raises what it raises.
    """
    from aiohttp import web

    within = _within.get()
    if within is not None and within() is request:
        return await handler(request)
    # As bytes: aiohttp decodes them differently from all other frameworks.
    incoming = Incoming(list(request.raw_headers), lambda: _request(request))
    token = _within.set(ref(request))
    with incoming.attached():
        try:
            response = await handler(request)
            # If it is not a response, aiohttp complains, with a 500.
            incoming.status(response.status if isinstance(response, web.StreamResponse) else 500)
            return response
        except web.HTTPException as answer:  # how aiohttp code may answer; not an error in itself
            incoming.status(answer.status)
            raise
        except Exception as error:
            incoming.fail(error)
            raise
        finally:
            _within.reset(token)
            incoming.route = _route(request)
            incoming.end()


def _route(request: web.Request) -> str | None:
    """The template of the route; None if none was found, or if the search failed."""
    match = request._match_info  # not `match_info`, which asserts that there is one
    resource = match.route.resource if match is not None else None
    return resource.canonical if resource is not None else None


def _request(request: web.Request) -> Request:
    return Request(
        method=request.method,
        path=request.path,
        scheme=request.scheme,
        host=request.host,
        protocol_version=f"{request.version.major}.{request.version.minor}",
        client=request.remote,
        user_agent=request.headers.get("User-Agent"),
    )
