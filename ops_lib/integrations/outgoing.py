"""Decides what an outgoing request carries, and to which hosts.

Shared by httpx, requests, aiohttp, urllib3 and gRPC. Each of those knows the one method of its library that every
request passes, below redirects and the official OpenTelemetry instrumentation (docs/decisions/003).
May know headers and hosts.
Must not know a client library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context

from ops_lib.headers.propagators import get_propagator, inject_context
from ops_lib.integrations.allow_list import AllowList
from ops_lib.propagation.baggage import UBERCTX
from ops_lib.propagation.carrier import BAGGAGE_NAMES

Pairs = list[tuple[str, str]] | list[tuple[bytes, bytes]]

# Both keys that the official packages honour; exporters set the first while they send.
_SUPPRESS = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")


class Outgoing:
    """The policy of one instrumented library: which hosts receive the context. Immutable."""

    __slots__ = ("_allowed",)

    def __init__(self, allow_hosts: str | Iterable[str] | None = None) -> None:
        """`allow_hosts`: patterns of AllowList.parse, None for every host.

        Raises ValueError for a wrong pattern, and for a wrong format in the environment: here, not at each call.
        """
        self._allowed = None if allow_hosts is None else AllowList.parse(allow_hosts)
        get_propagator()

    def write(self, pairs: Pairs, host: str, port: int | None) -> None:
        """Write the current context into `pairs`, the headers of a request to `host`, in place.

        An exporter's own calls stay unchanged.
        All trace, session and baggage headers are removed from requests to a host outside the allow-list.
        Redirects repeat those of the previous hop, and the official packages write theirs for every host.
        """
        if is_suppressed():
            return
        if self._allowed is not None and not self._allowed.allows(host, port):
            owns = get_propagator().propagator.owns
            _clear(pairs, lambda name: owns(name) or _is_baggage(name))
            return
        if otel_baggage.get_all():  # or the global propagator's would stay beside ours
            _clear(pairs, _is_baggage)
        inject_context(pairs)


def is_suppressed() -> bool:
    """Whether calls made here are an exporter's own, which must not be traced."""
    return any(otel_context.get_value(key) for key in _SUPPRESS)


def _is_baggage(name: str) -> bool:
    name = name.lower()
    return name in BAGGAGE_NAMES or name.startswith(UBERCTX)


def _clear(pairs: Any, goes: Callable[[str], bool]) -> None:
    pairs[:] = [
        pair for pair in pairs if not goes(pair[0].decode("latin-1") if isinstance(pair[0], bytes) else pair[0])
    ]
