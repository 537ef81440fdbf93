"""The shape of the settings: every key, its type and its default. The reference for people is docs/settings.md.

May know pydantic and the `kinds` of values.
Must not read files or the environment (`load` does), or check keys against each other (`checks` does).

A section inside a listener or an upstream (`inbound.propagation`, ...) has the same class as the global one.
Only the keys that the user wrote count there (`model_fields_set`); `merge` puts them over the wider section.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ops_lib.propagation import FORMATS, SESSION_EXTRACT_NAMES, SESSION_INJECT_NAME, Format
from proxy.address import Address
from proxy.settings.addresses import TargetUrl
from proxy.settings.export_models import ExportSettings, SamplingSettings, ServiceSettings
from proxy.settings.kinds import (
    Bytes,
    BytesOrZero,
    CertificateNames,
    Count,
    CountOrZero,
    Families,
    Formats,
    HeaderName,
    HeaderNames,
    Host,
    Leniencies,
    Lines,
    Listen,
    Listens,
    Methods,
    Networks,
    OnDefer,
    Patterns,
    ResponseHeader,
    Seconds,
    SecondsOrAuto,
    SecondsOrZero,
    Switch,
    TargetValue,
    read_sections,
)
from proxy.settings.section import ListenTlsSettings, Section, TlsClientSettings


class SessionSettings(Section):
    """The session's header names."""

    inject: HeaderName = SESSION_INJECT_NAME
    extract: HeaderNames = SESSION_EXTRACT_NAMES
    bridge: bool = False


class PropagationSettings(Section):
    """How context and session are read and written."""

    extract: Formats = FORMATS
    inject: Formats = (Format.TRACECONTEXT,)
    mode: Literal["auto", "translate", "participate"] = "auto"  # auto: participate if spans are exported
    session: SessionSettings = SessionSettings()
    baggage: Literal["translate", "pass", "drop"] = "translate"
    on_defer: OnDefer = "accept"
    lossless: bool = True
    clear: Families = ()
    carry_over: bool = True
    response_header: ResponseHeader = ""  # which tells the caller its trace; empty: none


class TlsSettings(TlsClientSettings):
    """Towards an https target."""

    server_name: Host | None = None  # None: the target's host


class LimitSettings(Section):
    """Of one listener."""

    request_line_bytes: Bytes = 8 * 1024
    header_bytes: Bytes = 64 * 1024
    header_count: Count = 100
    refused_methods: Methods = ("TRACE",)
    body_bytes: BytesOrZero = 0  # 0: no limit
    gather_bytes: BytesOrZero = 16 * 1024  # 0: none
    connections: Count = 10_000
    buffer_bytes: Bytes = 64 * 1024


class ClientSettings(Section):
    """What one listener requires of its clients."""

    half_close: Literal["abandon", "serve"] = "abandon"
    send_bytes_per_s: BytesOrZero = 240  # 0: none is asked for
    read_bytes_per_s: BytesOrZero = 240  # 0: none is asked for
    max_connections: CountOrZero = 0  # of one address; 0: no limit
    max_exchanges: CountOrZero = 0  # of one address; 0: no limit
    proxies: Networks = ()


class TimeoutSettings(Section):
    """All in seconds."""

    header_read_s: Seconds = 10.0
    body_read_s: Seconds = 60.0
    idle_s: Seconds = 75.0
    connect_s: Seconds = 5.0
    response_head_s: Seconds = 60.0
    response_body_s: Seconds = 60.0
    tcp_keepalive_s: SecondsOrZero = 60.0  # 0: off
    tunnel_idle_s: Seconds = 3600.0
    queue_s: Seconds = 5.0


class PoolSettings(Section):
    """Keep-alive connections to one upstream address."""

    max_connections: CountOrZero = 0  # 0: no limit of its own
    max_idle: CountOrZero = 64
    idle_s: Seconds = 30.0
    max_queue: CountOrZero = 1024
    dns_refresh_s: Seconds = 30.0


class ForwardingSettings(Section):
    """What the sidecar says about itself: in forwarded requests, and in its own answers."""

    via: Switch = "auto"  # auto: on an outbound listener, not on the inbound one
    x_forwarded: Switch = "auto"  # auto: on the inbound listener, not on an outbound one
    details: bool = True


class InboundSettings(Section):
    """Callers -> the app."""

    listen: Listens = (Address("0.0.0.0", 9080),)
    app: TargetValue = TargetUrl("http", Address("127.0.0.1", 8080))
    host: Literal["preserve", "target"] = "preserve"
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


class OutboundSettings(Section):
    """The app -> other services."""

    listen: Listens = (Address("127.0.0.1", 9081),)
    connect: bool = True
    deny: Patterns = ()  # besides those that the plan denies by itself
    allow: Patterns = ()
    propagation: PropagationSettings = PropagationSettings()
    limits: LimitSettings = LimitSettings()
    clients: ClientSettings = ClientSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    pool: PoolSettings = PoolSettings()
    forwarding: ForwardingSettings = ForwardingSettings()
    sampling: SamplingSettings = SamplingSettings()


class UpstreamSettings(Section):
    """One other service."""

    name: str
    match: Patterns = ()
    target: TargetValue | None = None  # None: the request names it
    listen: Listens = ()
    lenient: Leniencies = ()
    host: Literal["auto", "preserve", "target"] = "auto"  # auto: target on its own listener, else preserve
    tls: TlsSettings = TlsSettings()
    propagation: PropagationSettings = PropagationSettings()
    limits: LimitSettings = LimitSettings()  # of its own listener
    clients: ClientSettings = ClientSettings()  # of its own listener
    timeouts: TimeoutSettings = TimeoutSettings()
    pool: PoolSettings = PoolSettings()
    forwarding: ForwardingSettings = ForwardingSettings()  # of its own listener
    sampling: SamplingSettings = SamplingSettings()


class TrustRule(Section):
    """What peers are believed. Without `peers` and `names` the rule is about anyone."""

    name: str | None = None  # label of metrics; None: the rule's number
    listener: str = "inbound"
    peers: Networks = ()
    names: CertificateNames = ()
    ids: Literal["continue", "restart", "ignore"] = "continue"
    decision: bool = True
    baggage: bool = True
    session: bool = True


class EgressSettings(Section):
    """The hosts to which each may go. None: all hosts."""

    trace: Patterns | None = None
    session: Patterns | None = None
    baggage: Patterns | None = None


class AdminSettings(Section):
    """Health and metrics."""

    listen: Listen = Address("127.0.0.1", 9082)
    hosts: Patterns = ()


class LinkingSettings(Section):
    """How calls of the app that carry no context are joined to requests."""

    headers: HeaderNames = ("X-Request-Id", "X-Correlation-Id")
    process: bool = True
    single: bool = True


class InFlightSettings(Section):
    """What is remembered of requests while they are at the app."""

    max_requests: Count = 10_000
    max_bytes: Bytes = 16 * 1024 * 1024
    max_age_s: Seconds = 3600.0


class DrainSettings(Section):
    """What happens on SIGTERM. All in seconds."""

    grace_s: SecondsOrZero = 0.0
    timeout_s: SecondsOrZero = 30.0
    outbound_linger_s: SecondsOrAuto = "auto"  # timeout_s, if an inbound listener tells of the app


class LogSettings(Section):
    """The log, to standard error, and the access log, to standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    access: Literal["off", "text", "json"] = "off"
    queue_lines: Lines = 10_000


class RestartSettings(Section):
    """How the next process takes over."""

    reuse_port: bool = False


class ReloadSettings(Section):
    """When the settings are reloaded."""

    watch: bool = True
    interval_s: Seconds = 1.0


class Settings(BaseSettings):
    """All of it. Build it with `proxy.settings.load`; `Settings()` alone is the defaults."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    propagation: PropagationSettings = PropagationSettings()
    inbound: InboundSettings = InboundSettings()
    outbound: OutboundSettings = OutboundSettings()
    upstreams: Annotated[tuple[UpstreamSettings, ...], BeforeValidator(read_sections)] = ()
    trust: Annotated[tuple[TrustRule, ...], BeforeValidator(read_sections)] = ()
    egress: EgressSettings = EgressSettings()
    admin: AdminSettings = AdminSettings()
    limits: LimitSettings = LimitSettings()
    clients: ClientSettings = ClientSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    pool: PoolSettings = PoolSettings()
    linking: LinkingSettings = LinkingSettings()
    in_flight: InFlightSettings = InFlightSettings()
    drain: DrainSettings = DrainSettings()
    forwarding: ForwardingSettings = ForwardingSettings()
    service: ServiceSettings = ServiceSettings()
    export: ExportSettings = ExportSettings()
    sampling: SamplingSettings = SamplingSettings()
    log: LogSettings = LogSettings()
    reload: ReloadSettings = ReloadSettings()
    restart: RestartSettings = RestartSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the layers from `from_layers`: pydantic-settings reads nothing by itself."""
        layers = getattr(init_settings, "init_kwargs", {}).get("layers", ())
        return tuple(_LayerSource(settings_cls, data) for data in layers)

    @classmethod
    def from_layers(cls, layers: Sequence[dict[str, Any]]) -> Settings:
        """The settings of these layers, the strongest first. Raises pydantic's ValidationError."""
        values: dict[str, Any] = {"layers": layers}
        return cls(**values)


class _LayerSource(PydanticBaseSettingsSource):
    """One layer (flags, environment, file, ...) for pydantic-settings."""

    def __init__(self, settings_cls: type[BaseSettings], data: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._data = data

    def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
        """One top-level key (unused: `__call__` gives the whole layer)."""
        return self._data.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """The whole layer."""
        return self._data
