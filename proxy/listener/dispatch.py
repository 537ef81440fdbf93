"""From a request to an exchange: decides where it goes, and with which trace fields.

May know the listener, its rules, and exchanges. Must not know any protocol: a request comes as its meaning.
"""

from __future__ import annotations

from proxy.listener.accounting import Extras
from proxy.listener.app_calls.linking import Search
from proxy.listener.exchange import Exchange
from proxy.listener.listener import Listener
from proxy.listener.routes import Route
from proxy.listener.sides import Asker
from proxy.listener.translation import tell
from proxy.participation.linking import Linked
from proxy.participation.mirror import Mirror
from proxy.semantics.request import Request
from proxy.translated import NO_HEADERS, NOTHING, FastTranslation, Translation


def open_exchange(listener: Listener, asker: Asker, request: Request) -> Exchange:
    """An exchange for `request`, ready to begin. Raises Refusal."""
    if listener.bounds is not None:
        listener.bounds.check(asker.address)
    rules = listener.rules
    original = asker.original() if rules.is_transparent else None
    if original is None:
        route = rules.only or rules.route(request)
        pool = route.pool(request)
    else:
        route = rules.only or rules.route_redirected(request, original)
        pool = route.pool_at(request, original)
    rule = rules.rule_of(asker) if rules.has_trust else 0
    is_inbound = listener.is_inbound
    found = None if is_inbound else _whose_call(listener, route, asker, request)
    if found is None:  # first, for speed
        translation = route.translate(request, rule)
    elif isinstance(found, Linked):
        translation = route.translate_linked(request, found, rule)
    else:
        translation = NOTHING  # for now
    exchange = Exchange(asker, route, pool, request, translation.headers, rules.hop(asker.address), listener.ticker)
    if listener.is_reporting:
        exchange.extras = Extras()
    if found is not None and isinstance(found, Search):
        exchange.look_first(found, lambda linked: _go_on(listener, route, exchange, linked, rule))
    elif _is_told(listener, route, translation):
        exchange.translation = translation
        if rules.doctor is not None:
            rules.doctor.note(exchange)
    if rules.mirror is not None:
        _note_what_it_speaks(rules.mirror, listener, route, asker, translation)
    if request.trace and exchange.translation is None and found is None and not rules.keeps_trace:
        request.trace = NO_HEADERS  # nobody reads them again, and an exchange may be open for hours
        if isinstance(translation, FastTranslation):
            translation.forget_what_came()
    if is_inbound and rules.remembers:
        try:
            rules.in_flight.add(exchange, translation, listener.ticker.now)
        except Exception as error:  # a bug of ours: tracing fails open
            tell(route.metrics.translation, error)
    listener.exchanges += 1
    if listener.bounds is not None:
        listener.bounds.began(asker.address)
    return exchange


def _note_what_it_speaks(
    mirror: Mirror, listener: Listener, route: Route, asker: Asker, translation: Translation
) -> None:
    try:
        if listener.is_inbound:
            mirror.heard(asker.address.decode("ascii"), asker.names, translation.read)
        else:
            mirror.heard_app(translation.read)
    except Exception as error:  # a bug of ours: tracing fails open
        tell(route.metrics.translation, error)


def _whose_call(listener: Listener, route: Route, asker: Asker, request: Request) -> Linked | Search | None:
    """To which request at the app this call belongs; None if it says so itself, or if nobody wants to know."""
    linker = listener.rules.linker
    if linker is None or not route.lacks_context(request):
        return None
    try:
        return linker.find(asker, request)
    except Exception as error:  # a bug of ours: tracing fails open
        tell(route.metrics.translation, error)
        return None


def _go_on(listener: Listener, route: Route, exchange: Exchange, linked: Linked, rule: int) -> None:
    """It is known, as far as it can be, whose call `exchange` is."""
    translation = route.translate_linked(exchange.request, linked, rule)
    if _is_told(listener, route, translation):
        exchange.translation = translation
        if listener.rules.doctor is not None:
            listener.rules.doctor.note(exchange)
    exchange.go_on(translation.headers)


def _is_told(listener: Listener, route: Route, translation: Translation) -> bool:
    """Whether anybody wants to know of the translation later."""
    has_span = translation.span is not None and listener.spans.outlet.buffer is not None
    return bool(has_span or listener.is_logging or route.trace_field)
