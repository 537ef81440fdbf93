"""The shape of the settings for the console: where it listens, what it keeps, and where it forwards.

May know pydantic and the kinds of values, like `models`, which includes these sections.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainValidator

from proxy.address import Address
from proxy.settings.kinds import (
    Bytes,
    ExportUrl,
    Headers,
    Listen,
    Patterns,
    Seconds,
    StoreBytes,
    StoreSeconds,
    split_items,
)
from proxy.settings.sections import console_values
from proxy.settings.sections.console_values import Secret
from proxy.settings.sections.report import ReportSettings
from proxy.settings.sections.section import Section, TlsClientSettings

Token = Annotated[Secret | Literal["auto", "off"], PlainValidator(console_values.parse_token)]
OptionalToken = Annotated[Secret | None, PlainValidator(console_values.parse_optional_token)]
Origin = Annotated[str, PlainValidator(console_values.parse_origin)]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(split_items)]
Store = Annotated[str, PlainValidator(console_values.parse_store)]


class ForwardSettings(Section):
    """Where the console sends all that it receives, as it came."""

    endpoint: ExportUrl | None = None  # None: nowhere
    headers: Headers = ()
    queue_bytes: Bytes = 64 * 1024 * 1024
    timeout_s: Seconds = 10.0
    give_up_s: Seconds = 300.0
    tls: TlsClientSettings = TlsClientSettings()


class ConsoleSettings(Section):
    """The console, beside a sidecar if `listen` is set or alone; and what a sidecar tells one."""

    listen: Listen = None  # None: no console beside this sidecar
    token: Token = "auto"  # auto: none on loopback, elsewhere one that is made up at the start
    hosts: Patterns = ()
    otlp: Listen = Address("127.0.0.1", 4318)
    otlp_token: OptionalToken = None
    cors_origins: Origins = ()
    store: Store = "memory"
    store_bytes: StoreBytes = 0  # 0: 256 MiB in memory, 2 GiB in a file
    max_age_s: StoreSeconds = 0.0  # 0: until the room is needed
    forward: ForwardSettings = ForwardSettings()
    report: ReportSettings = ReportSettings()
