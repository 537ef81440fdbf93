"""httpx: every outgoing call, sync and async, carries the context.

The official `opentelemetry-instrumentation-httpx` makes client spans.
This module writes the headers, in httpcore's connection pools, which see each hop of a redirect.
Neither touches transports without network (ASGITransport, MockTransport).
Importable without httpx; `instrument` imports both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ops_lib.integrations import client_spans
from ops_lib.integrations.outgoing import Outgoing
from ops_lib.integrations.patches import Slot, install, remove


def instrument(allow_hosts: str | Iterable[str] | None = None, **options: Any) -> Callable[[], None]:
    """Instrument httpx, including existing clients.

    `allow_hosts`: the only hosts that may receive trace, session and baggage headers (AllowList.parse); None: all.
    `options` go to the official HTTPXClientInstrumentor (request_hook, async_request_hook, response_hook, ...).
    A second call takes effect.
    Gives a function that restores the state before.
    Raises ImportError with the pip command, and ValueError for a wrong pattern.
    """
    policy = Outgoing(allow_hosts)
    instrumentor = client_spans.load("httpx", "opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor")
    import httpcore

    async_slot = install(httpcore.AsyncConnectionPool, "handle_async_request", _wrap_async)
    slot = install(httpcore.ConnectionPool, "handle_request", _wrap)
    return client_spans.switch_on(
        slot, async_slot, policy=policy, instrumentor=instrumentor, options=options, off=uninstrument
    )


def uninstrument() -> None:
    """Undo `instrument`; nothing happens if it was not called."""
    import httpcore

    remove(httpcore.AsyncConnectionPool, "handle_async_request")
    client_spans.stop(remove(httpcore.ConnectionPool, "handle_request"))


def _wrap(handle_request: Any, slot: Slot) -> Any:
    def handle_with_context(pool: Any, request: Any) -> Any:
        _write(request, slot)
        return handle_request(pool, request)

    return handle_with_context


def _wrap_async(handle_request: Any, slot: Slot) -> Any:
    async def handle_with_context(pool: Any, request: Any) -> Any:
        _write(request, slot)
        return await handle_request(pool, request)

    return handle_with_context


def _write(request: Any, slot: Slot) -> None:
    """Change the headers of a httpcore.Request; httpx makes a new one for each hop."""
    if slot.policy is not None:
        url = request.url
        slot.policy.write(
            request.headers, url.host.decode("ascii"), url.port or {b"http": 80, b"https": 443}.get(url.scheme)
        )
