"""Settings -> ConsolePlan. May know the settings and the plan's values."""

from __future__ import annotations

from proxy.address import Address
from proxy.plan.console import FILE_BYTES, MEMORY_BYTES, ConsolePlan, ForwardPlan
from proxy.settings.models import Settings
from proxy.settings.otlp_values import CollectorUrl, Header
from proxy.settings.sections.console import ForwardSettings
from proxy.settings.sections.console_values import Secret


def console_plan(settings: Settings, usual: Address | None = None) -> ConsolePlan | None:
    """The plan's value of `console`; None: it is off. `usual`: where it listens if the settings do not say."""
    console = settings.console
    listen = console.listen or usual
    if listen is None:
        return None
    is_file = console.store != "memory"
    token = console.token
    return ConsolePlan(
        listen=str(listen),
        otlp=str(console.otlp) if console.otlp is not None else "",
        token=token.value if isinstance(token, Secret) else token,
        otlp_token=console.otlp_token.value if console.otlp_token is not None else "",
        hosts=tuple(str(pattern) for pattern in console.hosts),
        cors_origins=console.cors_origins,
        store=console.store if is_file else "",
        store_bytes=console.store_bytes or (FILE_BYTES if is_file else MEMORY_BYTES),
        max_age_s=console.max_age_s,
        forward=_forward(console.forward),
        log_level=settings.log.level,
        log_format=settings.log.format,
    )


def own_console(settings: Settings) -> CollectorUrl | None:
    """Where the console beside this sidecar receives; None: there is none, or its port is not known before it runs."""
    console = settings.console
    if console.listen is None or console.otlp is None or not console.otlp.port:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(console.otlp.host, console.otlp.host)
    return CollectorUrl("http", host, console.otlp.port, "")


def own_headers(settings: Settings) -> tuple[Header, ...]:
    """What its receiver asks for."""
    token = settings.console.otlp_token
    return (Header("Authorization", f"Bearer {token.value}"),) if token is not None else ()


def _forward(forward: ForwardSettings) -> ForwardPlan:
    if forward.endpoint is None:
        return ForwardPlan()
    return ForwardPlan(
        url=str(forward.endpoint),
        headers={one.name: one.value for one in forward.headers},
        queue_bytes=forward.queue_bytes,
        timeout_s=forward.timeout_s,
        give_up_s=forward.give_up_s,
        ca_file=forward.tls.ca_file,
        verify=forward.tls.verify,
        cert_file=forward.tls.cert_file,
        key_file=forward.tls.key_file,
    )
