"""What bounds and carries traffic, of one listener or one upstream: limits, time, connections, TLS."""

from __future__ import annotations

from typing import Literal

from proxy.settings.kinds import (
    Bytes,
    BytesOrZero,
    Count,
    CountOrZero,
    Host,
    Methods,
    Networks,
    Seconds,
    SecondsOrZero,
    Switch,
)
from proxy.settings.sections.section import Section, TlsClientSettings


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
    streams: CountOrZero = 100  # at a time on one HTTP/2 connection; 0: HTTP/2 is not served
    buffer_bytes: Bytes = 64 * 1024


class ClientSettings(Section):
    """What one listener requires of its clients."""

    half_close: Literal["abandon", "serve"] = "abandon"
    send_bytes_per_s: BytesOrZero = 240  # 0: none is asked for
    read_bytes_per_s: BytesOrZero = 240  # 0: none is asked for
    max_connections: CountOrZero = 0  # of one address; 0: no limit
    max_exchanges: CountOrZero = 0  # of one address; 0: no limit
    resets: Count = 100  # HTTP/2 streams that one address may take back at once
    resets_per_s: Count = 30  # and from then on
    proxies: Networks = ()


class TimeoutSettings(Section):
    """All in seconds."""

    header_read_s: Seconds = 10.0
    body_read_s: Seconds = 60.0
    idle_s: Seconds = 75.0
    connect_s: Seconds = 5.0
    response_head_s: Seconds = 60.0
    response_body_s: Seconds = 60.0
    grpc_idle_s: SecondsOrZero = 0.0  # instead of these, of a gRPC call; 0: no limit
    tcp_keepalive_s: SecondsOrZero = 60.0  # 0: off
    ping_s: SecondsOrZero = 300.0  # HTTP/2; 0: off
    tunnel_idle_s: Seconds = 3600.0
    queue_s: Seconds = 5.0


class PoolSettings(Section):
    """Keep-alive connections to one upstream address."""

    max_connections: CountOrZero = 0  # 0: no limit of its own
    max_idle: CountOrZero = 64
    idle_s: Seconds = 30.0
    max_queue: CountOrZero = 1024
    streams: Count = 100  # at a time on one HTTP/2 connection
    dns_refresh_s: Seconds = 30.0


class ForwardingSettings(Section):
    """What the sidecar says about itself: in forwarded requests, and in its own answers."""

    via: Switch = "auto"  # auto: on an outbound listener, not on the inbound one
    x_forwarded: Switch = "auto"  # auto: on the inbound listener, not on an outbound one
    details: bool = True
