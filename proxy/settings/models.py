"""The shape of the settings: every key, its type and its default. The reference for people is docs/settings.md.

May know pydantic and the `kinds` of values.
Must not read files or the environment (`load` does), or check keys against each other (`checks` does).

A section inside a listener or an upstream (`inbound.propagation`, ...) has the same class as the global one.
Only the keys that the user wrote count there (`model_fields_set`); `merge` puts them over the wider section.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from proxy.settings.kinds import read_sections
from proxy.settings.sections.app_calls import InFlightSettings, LinkingSettings
from proxy.settings.sections.belief import EgressSettings, TrustRule
from proxy.settings.sections.console import ConsoleSettings
from proxy.settings.sections.export import ExportSettings, SamplingSettings, ServiceSettings
from proxy.settings.sections.kubernetes import KubernetesSettings
from proxy.settings.sections.listeners import InboundSettings, OutboundSettings, UpstreamSettings
from proxy.settings.sections.process import AdminSettings, DrainSettings, LogSettings, ReloadSettings, RestartSettings
from proxy.settings.sections.propagation import PropagationSettings
from proxy.settings.sections.spans import SpanSettings
from proxy.settings.sections.traffic import (
    ClientSettings,
    ForwardingSettings,
    LimitSettings,
    PoolSettings,
    TimeoutSettings,
)


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
    spans: SpanSettings = SpanSettings()
    console: ConsoleSettings = ConsoleSettings()
    log: LogSettings = LogSettings()
    reload: ReloadSettings = ReloadSettings()
    restart: RestartSettings = RestartSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()

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
