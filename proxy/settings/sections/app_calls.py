"""What is remembered of requests at the app, and how its calls are joined to them."""

from __future__ import annotations

from proxy.settings.kinds import Bytes, Count, HeaderNames, Seconds, SecondsOrZero
from proxy.settings.sections.section import Section


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
    abandoned_s: SecondsOrZero = 60.0
