"""Settings -> Plan. Merges global, listener and upstream settings, key by key.

May know the settings and the plan's values.
Must not know sockets, clocks or the event loop.
Compiling opens no connection.
It reads the certificates that a tls section names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

from ops_lib.hosts import parse_pattern
from proxy.address import Address
from proxy.destinations import Destinations
from proxy.plan.compile_console import console_plan
from proxy.plan.compile_export import export_plan, report_plan
from proxy.plan.compile_propagation import propagation_plan
from proxy.plan.listener import Clients, DrainPlan, Limits, ListenerPlan, Plan
from proxy.plan.participation import EgressPlan, InFlightPlan, LinkingPlan, TrustPlan, TrustRulePlan
from proxy.plan.router import Router
from proxy.plan.tls import TlsContexts
from proxy.plan.upstream import Http2, PoolPlan, PropagationPlan, SpansPlan, Timeouts, UpstreamPlan, UpstreamTarget
from proxy.settings.addresses import TargetUrl
from proxy.settings.models import Settings
from proxy.settings.sections.export import SamplingSettings
from proxy.settings.sections.listeners import InboundSettings, OutboundSettings, UpstreamSettings
from proxy.settings.sections.propagation import PropagationSettings
from proxy.settings.sections.spans import SpanSettings
from proxy.settings.sections.traffic import (
    ClientSettings,
    ForwardingSettings,
    LimitSettings,
    PoolSettings,
    TimeoutSettings,
    TlsSettings,
)

_LINGER_UNTOLD_S = 5.0


class Sections(NamedTuple):
    """The sections that are merged: global < listener < upstream. `exports`: whether spans leave."""

    exports: bool
    sampling: SamplingSettings
    spans: SpanSettings
    propagation: PropagationSettings
    limits: LimitSettings
    clients: ClientSettings
    timeouts: TimeoutSettings
    pool: PoolSettings
    forwarding: ForwardingSettings

    def over(self, *others: Sections) -> Sections:
        """These sections, overridden by those of `others`, in order."""
        merged = self
        for other in others:
            merged = Sections(
                merged.exports,
                merged.sampling.merge(other.sampling),
                merged.spans.merge(other.spans),
                merged.propagation.merge(other.propagation),
                merged.limits.merge(other.limits),
                merged.clients.merge(other.clients),
                merged.timeouts.merge(other.timeouts),
                merged.pool.merge(other.pool),
                merged.forwarding.merge(other.forwarding),
            )
        return merged

    def propagation_plan(self) -> PropagationPlan:
        """Its value in the plan."""
        return propagation_plan(self.propagation, self.sampling, exports=self.exports)

    def spans_plan(self) -> SpansPlan:
        """Its value in the plan."""
        return SpansPlan(self.spans.routes, self.spans.query)

    def listener_timeouts(self) -> Timeouts:
        """The timeouts' value in the plan."""
        return Timeouts(**self.timeouts.model_dump())


_Layered = Settings | InboundSettings | OutboundSettings | UpstreamSettings


def _sections(section: _Layered, *, exports: bool = False) -> Sections:
    return Sections(
        exports,
        section.sampling,
        section.spans,
        section.propagation,
        section.limits,
        section.clients,
        section.timeouts,
        section.pool,
        section.forwarding,
    )


def compile_plan(settings: Settings, generation: int, contexts: TlsContexts | None = None) -> Plan:
    """The plan of valid settings; `contexts` are those of the plans before.

    Raises OSError if a certificate file is gone since the settings were checked.
    """
    contexts = contexts or TlsContexts()
    contexts.next_plan()
    export = export_plan(settings, contexts)
    everywhere = _sections(settings, exports=export.traces is not None)
    listeners = []
    if settings.inbound.listen:
        listeners.append(_inbound(settings, everywhere, settings.inbound.listen, contexts))
    outbound = everywhere.over(_sections(settings.outbound))
    destinations = Destinations(settings.outbound.deny, settings.outbound.allow)
    http2 = settings.outbound.http2
    upstreams = [
        (upstream, _upstream(upstream, outbound, upstream.http2 or http2, destinations, contexts))
        for upstream in settings.upstreams
    ]
    if settings.outbound.listen:
        other = UpstreamPlan(
            "other",
            None,
            outbound.propagation_plan(),
            outbound.listener_timeouts(),
            _pool(outbound, http2, destinations),
            spans=outbound.spans_plan(),
        )
        routes = [(pattern, plan) for upstream, plan in upstreams for pattern in upstream.match]
        listeners.append(
            _listener(
                "outbound",
                settings.outbound.listen,
                Router(other, routes),
                outbound,
                connect=settings.outbound.connect,
                transparent=settings.outbound.transparent,
            )
        )
    for upstream, plan in upstreams:
        if upstream.listen:
            own = outbound.over(_sections(upstream))
            router = Router(replace(plan, preserve_host=upstream.host == "preserve"))
            listeners.append(_listener(upstream.name, upstream.listen, router, own, fixed=True))
    is_explained = settings.log.level == "debug"
    session_names = _session_names(listeners)
    egress = EgressPlan(settings.egress.trace, settings.egress.session, settings.egress.baggage)
    return Plan(
        generation=generation,
        listeners=tuple(
            replace(
                listener,
                explain=is_explained,
                trust=_trust(settings, listener.name),
                egress=egress if listener.direction == "outbound" else listener.egress,
                session_names=session_names,
            )
            for listener in listeners
        ),
        admin=settings.admin.listen,
        public=settings.admin.public_listen,
        drain=_drain(settings),
        reuse_port=settings.restart.reuse_port,
        exit_with_app_s=settings.inbound.exit_with_app_s if settings.inbound.listen else 0.0,
        export=export,
        report=report_plan(settings, contexts),
        console=console_plan(settings),
        console_page=settings.console.listen,
        linking=_linking(settings, listeners),
        in_flight=InFlightPlan(
            settings.in_flight.max_requests,
            settings.in_flight.max_bytes,
            settings.in_flight.max_age_s,
            settings.in_flight.abandoned_s,
        ),
    )


def _linking(settings: Settings, listeners: Iterable[ListenerPlan]) -> LinkingPlan:
    """None of it if the app's calls do not pass here: nothing need be remembered for them."""
    linking = settings.linking
    if all(listener.direction == "inbound" for listener in listeners):
        return LinkingPlan((), False, False)
    return LinkingPlan(tuple(name.lower() for name in linking.headers), linking.process, linking.single)


def _session_names(listeners: Iterable[ListenerPlan]) -> frozenset[str]:
    """The headers that hold a session anywhere in the plan."""
    plans = [upstream.propagation for listener in listeners for upstream in listener.router.upstreams()]
    return frozenset(name for plan in plans for name in (*plan.session_extract, plan.session_inject) if name)


def _trust(settings: Settings, listener: str) -> tuple[TrustRulePlan, ...]:
    return tuple(
        TrustRulePlan(
            name=rule.name or str(number),
            trust=TrustPlan(rule.ids, rule.decision, rule.baggage, rule.session),
            peers=tuple(map(parse_pattern, rule.peers)),
            names=rule.names,
        )
        for number, rule in enumerate(settings.trust)
        if rule.listener == listener
    )


def _drain(settings: Settings) -> DrainPlan:
    drain = settings.drain
    linger_s = drain.outbound_linger_s
    if linger_s == "auto":  # without an inbound listener we do not know the app, and would wait for nothing
        linger_s = drain.timeout_s if settings.inbound.listen else _LINGER_UNTOLD_S
    return DrainPlan(drain.grace_s, drain.timeout_s, linger_s)


def _inbound(
    settings: Settings, everywhere: Sections, listen: tuple[Address, ...], contexts: TlsContexts
) -> ListenerPlan:
    inbound = settings.inbound
    sections = everywhere.over(_sections(inbound))
    app = UpstreamPlan(
        name="app",
        target=_target(inbound.app, inbound.tls, inbound.http2, contexts),
        propagation=sections.propagation_plan(),
        timeouts=sections.listener_timeouts(),
        pool=_pool(sections, inbound.http2),
        preserve_host=inbound.host == "preserve",
        spans=sections.spans_plan(),
        leniency=frozenset(inbound.lenient),
    )
    return ListenerPlan(
        name="inbound",
        direction="inbound",
        binds=listen,
        tls=(
            contexts.get_server(inbound.listen_tls, http2=sections.limits.streams > 0)
            if inbound.listen_tls.cert_file is not None
            else None
        ),
        router=Router(app),
        fixed_upstream=True,
        transparent=inbound.transparent,
        via=_switch(sections.forwarding.via, auto=False),
        x_forwarded=_switch(sections.forwarding.x_forwarded, auto=True),
        details=sections.forwarding.details,
        limits=Limits(**sections.limits.model_dump()),
        clients=Clients(**sections.clients.model_dump()),
        timeouts=sections.listener_timeouts(),
    )


def _listener(
    name: str,
    listen: tuple[Address, ...],
    router: Router,
    sections: Sections,
    *,
    connect: bool = False,
    transparent: bool = False,
    fixed: bool = False,
) -> ListenerPlan:
    return ListenerPlan(
        name=name,
        direction="outbound",
        binds=listen,
        router=router,
        fixed_upstream=fixed,
        connect=connect,
        transparent=transparent,
        via=_switch(sections.forwarding.via, auto=True),
        x_forwarded=_switch(sections.forwarding.x_forwarded, auto=False),
        details=sections.forwarding.details,
        limits=Limits(**sections.limits.model_dump()),
        clients=Clients(**sections.clients.model_dump()),
        timeouts=sections.listener_timeouts(),
    )


def _switch(value: Literal["auto"] | bool, *, auto: bool) -> bool:
    return auto if value == "auto" else bool(value)


def _upstream(
    upstream: UpstreamSettings, outbound: Sections, http2: Http2, destinations: Destinations, contexts: TlsContexts
) -> UpstreamPlan:
    """As the outbound listener sees it."""
    sections = outbound.over(_sections(upstream))
    return UpstreamPlan(
        name=upstream.name,
        target=_target(upstream.target, upstream.tls, http2, contexts) if upstream.target is not None else None,
        propagation=sections.propagation_plan(),
        timeouts=sections.listener_timeouts(),
        pool=_pool(sections, http2, destinations),
        preserve_host=upstream.host != "target",
        spans=sections.spans_plan(),
        leniency=frozenset(upstream.lenient),
    )


def _pool(sections: Sections, http2: Http2, destinations: Destinations | None = None) -> PoolPlan:
    timeouts = sections.timeouts
    return PoolPlan(
        **sections.pool.model_dump(),
        tcp_keepalive_s=timeouts.tcp_keepalive_s,
        ping_s=timeouts.ping_s,
        http2=http2,
        destinations=destinations,
    )


def _target(url: TargetUrl, tls: TlsSettings, http2: Http2, contexts: TlsContexts) -> UpstreamTarget:
    if url.scheme != "https":
        return UpstreamTarget(url.scheme, url.endpoint)
    return UpstreamTarget(
        url.scheme,
        url.endpoint,
        contexts.get(tls, http2),
        tls.server_name or url.endpoint.host,
        contexts.get(tls, "never") if http2 == "auto" else None,
    )
