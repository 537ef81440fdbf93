"""What the plan allows a client of HTTP/2, and one request of it. PURE.

May know the plan, and requests. A field section has a bound of its own, in the engine.
"""

from __future__ import annotations

from proxy.http2.engine.budgets import Bucket, Budgets
from proxy.http2.message.request import Request
from proxy.listener.client_bounds import ClientBounds
from proxy.plan import Clients, Limits
from proxy.semantics.faults import Fault, Refusal


def check_limits(request: Request, limits: Limits) -> None:
    """Raises Refusal."""
    if len(request.path) > limits.request_line_bytes:
        raise Refusal(Fault.TARGET_TOO_LONG, f"the path has more than {limits.request_line_bytes} bytes")
    if len(request.plain) + len(request.trace) > limits.header_count:
        raise Refusal(Fault.HEADERS_TOO_LARGE, f"more than {limits.header_count} header fields")
    if limits.body_bytes and request.length is not None and request.length > limits.body_bytes:
        raise Refusal(Fault.BODY_TOO_LARGE, f"the request's content has more than {limits.body_bytes} bytes")


def reset_budget(address: bytes, clients: Clients, bounds: ClientBounds | None, budgets: Budgets) -> Bucket:
    """How many streams it may take back: one budget for all connections of an address.

    Each connection has its own where many clients share the address: a proxy's, or a Unix socket's, which is empty.
    """
    is_many = not address or (bounds is not None and not bounds.is_bounded(address))
    if is_many:
        return Bucket(clients.resets, clients.resets_per_s)
    return budgets(address, clients.resets, clients.resets_per_s)
