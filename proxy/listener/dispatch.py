"""From a request to an exchange: decides where it goes, and with which trace fields.

May know the listener, its rules, and exchanges. Must not know any protocol: a request comes as its meaning.
"""

from __future__ import annotations

from proxy.listener.exchange import Exchange
from proxy.listener.listener import Listener
from proxy.listener.sides import Asker
from proxy.semantics.request import Request


def open_exchange(listener: Listener, asker: Asker, request: Request) -> Exchange:
    """An exchange for `request`, ready to begin. Raises Refusal."""
    if listener.bounds is not None:
        listener.bounds.check(asker.address)
    rules = listener.rules
    route = rules.only or rules.route(request)
    pool = route.pool(request)
    translation = route.translate(request)
    exchange = Exchange(asker, route, pool, request, translation.headers, rules.hop(asker.address), listener.ticker)
    if listener.is_logging or route.trace_field or (translation.span is not None and listener.spans.is_on):
        exchange.translation = translation
    if listener.is_inbound:
        entry = route.remember(translation, listener.ticker.now)
        if entry is not None:
            rules.in_flight.begin(entry)
            exchange.in_flight = entry
    listener.exchanges += 1
    if listener.bounds is not None:
        listener.bounds.began(asker.address)
    return exchange
