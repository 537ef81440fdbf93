"""The listeners and the upstreams, with the sections that each may have of its own."""

from __future__ import annotations

from typing import Literal

from proxy.address import Address
from proxy.settings.addresses import TargetUrl
from proxy.settings.kinds import Leniencies, Listens, Patterns, SecondsOrZero, TargetValue
from proxy.settings.sections.export import SamplingSettings
from proxy.settings.sections.propagation import PropagationSettings
from proxy.settings.sections.section import ListenTlsSettings, Section
from proxy.settings.sections.spans import SpanSettings
from proxy.settings.sections.traffic import (
    ClientSettings,
    ForwardingSettings,
    LimitSettings,
    PoolSettings,
    TimeoutSettings,
    TlsSettings,
)

Http2 = Literal["auto", "always", "never"]


class InboundSettings(Section):
    """Callers -> the app."""

    listen: Listens = (Address("0.0.0.0", 9080),)
    app: TargetValue = TargetUrl("http", Address("127.0.0.1", 8080))
    host: Literal["preserve", "target"] = "preserve"
    transparent: bool = False
    http2: Http2 = "auto"  # towards the app
    exit_with_app_s: SecondsOrZero = 0.0  # 0: never
    lenient: Leniencies = ()
    listen_tls: ListenTlsSettings = ListenTlsSettings()
    tls: TlsSettings = TlsSettings()
    propagation: PropagationSettings = PropagationSettings()
    limits: LimitSettings = LimitSettings()
    clients: ClientSettings = ClientSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    pool: PoolSettings = PoolSettings()
    forwarding: ForwardingSettings = ForwardingSettings()
    sampling: SamplingSettings = SamplingSettings()
    spans: SpanSettings = SpanSettings()


class OutboundSettings(Section):
    """The app -> other services."""

    listen: Listens = (Address("127.0.0.1", 9081),)
    connect: bool = True
    transparent: bool = False
    http2: Http2 = "auto"  # towards upstreams
    deny: Patterns = ()  # besides those that the plan denies by itself
    allow: Patterns = ()
    propagation: PropagationSettings = PropagationSettings()
    limits: LimitSettings = LimitSettings()
    clients: ClientSettings = ClientSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    pool: PoolSettings = PoolSettings()
    forwarding: ForwardingSettings = ForwardingSettings()
    sampling: SamplingSettings = SamplingSettings()
    spans: SpanSettings = SpanSettings()


class UpstreamSettings(Section):
    """One other service."""

    name: str
    match: Patterns = ()
    target: TargetValue | None = None  # None: the request names it
    listen: Listens = ()
    lenient: Leniencies = ()
    host: Literal["auto", "preserve", "target"] = "auto"  # auto: target on its own listener, else preserve
    http2: Http2 | None = None  # None: as outbound has it
    tls: TlsSettings = TlsSettings()
    propagation: PropagationSettings = PropagationSettings()
    limits: LimitSettings = LimitSettings()  # of its own listener
    clients: ClientSettings = ClientSettings()  # of its own listener
    timeouts: TimeoutSettings = TimeoutSettings()
    pool: PoolSettings = PoolSettings()
    forwarding: ForwardingSettings = ForwardingSettings()  # of its own listener
    sampling: SamplingSettings = SamplingSettings()
    spans: SpanSettings = SpanSettings()
