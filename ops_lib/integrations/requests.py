"""requests: every outgoing call carries the context.

The official `opentelemetry-instrumentation-requests` makes client spans.
This module writes the headers, in `HTTPAdapter.send`, which sees each hop of a redirect.
Importable without requests; `instrument` imports both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from ops_lib.integrations import client_spans
from ops_lib.integrations.outgoing import Outgoing
from ops_lib.integrations.patches import Slot, install, remove


def instrument(allow_hosts: str | Iterable[str] | None = None, **options: Any) -> Callable[[], None]:
    """Instrument requests, including existing sessions.

    `allow_hosts`: the only hosts that may receive trace, session and baggage headers (AllowList.parse); None: all.
    `options` go to the official RequestsInstrumentor (request_hook, response_hook, excluded_urls, ...).
    A second call takes effect.
    Gives a function that restores the state before.
    Raises ImportError with the pip command, and ValueError for a wrong pattern.
    """
    policy = Outgoing(allow_hosts)
    instrumentor = client_spans.load("requests", "opentelemetry.instrumentation.requests", "RequestsInstrumentor")
    from requests.adapters import HTTPAdapter

    slot = install(HTTPAdapter, "send", _wrap)
    return client_spans.switch_on(slot, policy=policy, instrumentor=instrumentor, options=options, off=uninstrument)


def uninstrument() -> None:
    """Undo `instrument`; nothing happens if it was not called."""
    from requests.adapters import HTTPAdapter

    client_spans.stop(remove(HTTPAdapter, "send"))


def _wrap(send: Any, slot: Slot) -> Any:
    from requests.structures import CaseInsensitiveDict

    def send_with_context(adapter: Any, request: Any, *args: Any, **options: Any) -> Any:
        if slot.policy is not None:
            url = urlsplit(request.url)
            headers = list((request.headers or {}).items())
            slot.policy.write(headers, url.hostname or "", url.port or {"http": 80, "https": 443}.get(url.scheme))
            request = request.copy()  # the caller may send its own headers again, elsewhere
            request.headers = CaseInsensitiveDict(headers)
        return send(adapter, request, *args, **options)

    return send_with_context
