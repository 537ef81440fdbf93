"""What an outgoing request carries, and how a client library is made to carry it.

Shared by httpx, requests, aiohttp and urllib3, which know their library's one method through which every single request
passes, below redirects and below the official OpenTelemetry instrumentation (docs/decisions/003). This knows headers
and hosts, and no client library. A patch keeps its state beside the patched method, in its class: there is no registry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context

from ops_lib.headers.propagators import get_propagator, inject_context
from ops_lib.integrations.allow_list import AllowList
from ops_lib.propagation.baggage import UBERCTX
from ops_lib.propagation.carrier import BAGGAGE_NAMES

Pairs = list[tuple[str, str]] | list[tuple[bytes, bytes]]

# Both spellings that the official packages honour; exporters set the first while they send.
_SUPPRESS = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")
_SLOT = "_ops_slot_"


class Outgoing:
    """The policy of one instrumented library: which hosts receive the context. Immutable."""

    __slots__ = ("_allowed",)

    def __init__(self, allow_hosts: str | Iterable[str] | None = None) -> None:
        """`allow_hosts`: patterns of AllowList.parse, None for every host.

        Raises ValueError for a wrong pattern, and for a wrong format in the environment: here and not at each call.
        """
        self._allowed = None if allow_hosts is None else AllowList.parse(allow_hosts)
        get_propagator()

    def write(self, pairs: Pairs, host: str, port: int | None) -> None:
        """Write the current context into `pairs`, the headers of a request to `host`, in place.

        The exporter's own calls are left as they are. A host outside the allow-list gets no trace, session or baggage
        header, whoever wrote it: a redirect repeats those of the hop before, and the official packages write theirs for
        every host.
        """
        if any(otel_context.get_value(key) for key in _SUPPRESS):
            return
        if self._allowed is not None and not self._allowed.allows(host, port):
            owns = get_propagator().propagator.owns
            _clear(pairs, lambda name: owns(name) or _is_baggage(name))
            return
        if otel_baggage.get_all():  # or else it would stand beside ours, written by the global propagator
            _clear(pairs, _is_baggage)
        inject_context(pairs)


def _is_baggage(name: str) -> bool:
    name = name.lower()
    return name in BAGGAGE_NAMES or name.startswith(UBERCTX)


def _clear(pairs: Any, goes: Callable[[str], bool]) -> None:
    pairs[:] = [
        pair for pair in pairs if not goes(pair[0].decode("latin-1") if isinstance(pair[0], bytes) else pair[0])
    ]


class Slot:
    """The state of one patched method: the policy in force (None: switched off), who makes the client spans, and by
    which options."""

    __slots__ = ("instrumentor", "options", "policy", "wrapper")

    def __init__(self) -> None:
        self.policy: Outgoing | None = None
        self.instrumentor: Any = None
        self.options: dict[str, Any] = {}
        self.wrapper: Any = None


def install(owner: type, method: str, wrap: Callable[[Any, Slot], Any]) -> Slot:
    """Patch `owner.method` with `wrap(original, slot)`, once; gives the slot, of the earlier patch if there is one."""
    slot = vars(owner).get(_SLOT + method)
    if isinstance(slot, Slot):
        return slot
    slot, original = Slot(), getattr(owner, method)
    slot.wrapper = functools.wraps(original)(wrap(original, slot))
    setattr(owner, _SLOT + method, slot)
    setattr(owner, method, slot.wrapper)
    return slot


def remove(owner: type, method: str) -> Slot | None:
    """Take the patch away; where another tool has patched over it since, switch it off and leave the chain whole."""
    slot = vars(owner).get(_SLOT + method)
    if not isinstance(slot, Slot):
        return None
    slot.policy = None
    if getattr(owner, method) is slot.wrapper:
        setattr(owner, method, slot.wrapper.__wrapped__)
        delattr(owner, _SLOT + method)
    return slot
