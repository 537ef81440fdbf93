"""urllib3: every outgoing call carries the context.

The official `opentelemetry-instrumentation-urllib3` makes client spans.
This module writes the headers, in `HTTPConnection.request`, below retries and redirects.
Importable without urllib3; `instrument` imports both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from ops_lib.integrations import client_spans
from ops_lib.integrations.outgoing import Outgoing
from ops_lib.integrations.patches import Slot, install, remove


def instrument(allow_hosts: str | Iterable[str] | None = None, **options: Any) -> Callable[[], None]:
    """Instrument urllib3 (2.x), including existing pools.

    `allow_hosts`: the only hosts that may receive trace, session and baggage headers (AllowList.parse); None: all.
    `options` go to the official URLLib3Instrumentor (request_hook, response_hook, url_filter, excluded_urls, ...).
    A second call takes effect.
    Gives a function that restores the state before.
    Raises ImportError with the pip command, and ValueError for a wrong pattern.
    Together with requests, which calls urllib3: one span a call (requests'), and each header once.
    """
    policy = Outgoing(allow_hosts)
    instrumentor = client_spans.load("urllib3", "opentelemetry.instrumentation.urllib3", "URLLib3Instrumentor")
    from urllib3.connection import HTTPConnection

    slot = install(HTTPConnection, "request", _wrap)
    theirs = options.get("request_hook")

    def request_hook(span: Any, pool: Any, request: Any) -> None:
        # Required by the conventions, but missing from the official package (0.66b1).
        span.set_attributes({"server.address": pool.host, "server.port": pool.port})
        if theirs is not None:
            theirs(span, pool, request)

    options = {**options, "request_hook": request_hook}
    return client_spans.switch_on(slot, policy=policy, instrumentor=instrumentor, options=options, off=uninstrument)


def uninstrument() -> None:
    """Undo `instrument`; nothing happens if it was not called."""
    from urllib3.connection import HTTPConnection

    client_spans.stop(remove(HTTPConnection, "request"))


def _wrap(request: Any, slot: Slot) -> Any:
    def request_with_context(
        connection: Any, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        if slot.policy is not None:
            pairs = list((headers or {}).items())
            slot.policy.write(pairs, *_target(connection, url))
            headers = _mapping(pairs)
        return request(connection, method, url, body, headers, **options)

    return request_with_context


def _target(connection: Any, url: str) -> tuple[str, int | None]:
    """The request's host and port; the proxy's only if the proxy itself is the target."""
    if not url.startswith("/"):  # absolute-form: through a forwarding proxy (RFC 9112 section 3.2.2)
        parts = urlsplit(url)
        if parts.hostname:
            return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    tunnel = getattr(connection, "_tunnel_host", None)  # http.client's: the end of a CONNECT tunnel
    return (tunnel, connection._tunnel_port) if tunnel else (connection.host, connection.port)


def _mapping(pairs: list[tuple[str, str]]) -> Any:
    """Headers for urllib3; repeated names survive."""
    from urllib3 import HTTPHeaderDict

    headers = HTTPHeaderDict()
    for name, value in pairs:
        headers.add(name, value)
    return headers
