"""Values of a plan: one upstream, its address and its protocol settings. Immutable.

May know the heart. Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal

from ops_lib.propagation import SESSION_EXTRACT_NAMES, SESSION_INJECT_NAME, Format
from proxy.address import Address
from proxy.destinations import Destinations
from proxy.plan.participation import EVERY_TRACE, SamplingPlan

Mode = Literal["translate", "participate"]
Http2 = Literal["auto", "always", "never"]
BaggageMode = Literal["translate", "pass", "drop"]


@dataclass(frozen=True, slots=True)
class PropagationPlan:
    """How context and session are read from one peer and written for another."""

    extract: tuple[Format, ...]
    inject: tuple[Format, ...]
    mode: Mode = "translate"
    session_inject: str = SESSION_INJECT_NAME
    session_extract: tuple[str, ...] = SESSION_EXTRACT_NAMES
    session_bridge: bool = False  # baggage `session.id` in and out
    baggage: BaggageMode = "translate"
    on_defer: float = 1.0  # the ratio of traces for which "no decision" becomes "accept"
    grpc_unsampled: Literal["deny", "defer"] = "deny"  # what a grpc-trace-bin says that is not sampled
    lossless: bool = True
    clear: tuple[str, ...] = ()  # families that we do not translate, whose headers are removed
    response_header: str = ""  # of responses: tells the caller its trace; empty: none
    sampling: SamplingPlan = EVERY_TRACE  # participate mode alone
    carry_over: bool = True  # what the app's own format cannot carry is put back on its calls
    mirror: bool = False  # write what the peer was last seen to speak, and `inject` until then
    shadow: PropagationPlan | None = None  # what else to translate as, to report what would differ


@dataclass(frozen=True, slots=True)
class SpansPlan:
    """What spans and durations say of a request."""

    routes: tuple[str, ...] = ()  # templates of paths
    query: bool = False  # without its secrets


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds."""

    header_read_s: float = 10.0  # request head complete, else 408
    body_read_s: float = 60.0  # longest silence inside a request body, else 408
    idle_s: float = 75.0  # keep-alive without a request
    connect_s: float = 5.0  # to an upstream, name look-up and TLS included, else 504
    response_head_s: float = 60.0  # upstream's response head, else 504
    response_body_s: float = 60.0  # longest silence inside a response body, then the connection is cut
    grpc_idle_s: float = 0.0  # of a gRPC call, instead of the silences above and before its response; 0: no limit
    tcp_keepalive_s: float = 60.0  # silence, before the system asks whether the peer is still there; 0: never
    ping_s: float = 300.0  # silence of an HTTP/2 connection with open streams, before we ask with a PING; 0: never
    tunnel_idle_s: float = 3600.0  # CONNECT and upgraded connections without a byte either way
    queue_s: float = 5.0  # waiting for a free upstream connection, else 503


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Keep-alive connections to one upstream address."""

    max_connections: int = 0  # 0: none of its own; what else is bounded bounds it, clients and file descriptors
    max_idle: int = 64
    idle_s: float = 30.0
    max_queue: int = 1024  # requests waiting for a connection, else 503 with Retry-After
    streams: int = 100  # at a time on one HTTP/2 connection
    dns_refresh_s: float = 30.0
    tcp_keepalive_s: float = 60.0  # the same as among the timeouts
    http2: Http2 = "auto"  # auto: by ALPN, else as the client does; always: nothing else; never: HTTP/1.1 alone
    ping_s: float = 300.0  # the same as among the timeouts
    destinations: Destinations | None = None  # None: where the settings say, and nobody else, as inbound


@dataclass(frozen=True, slots=True)
class UpstreamTarget:
    """The target of requests to an upstream.

    `address.host` may be a name (looked up, refreshed every
    `dns_refresh_s`), an IPv4 or IPv6 literal, or empty for a Unix socket.
    """

    scheme: Literal["http", "https"]
    address: Address
    tls: ssl.SSLContext | None = None  # set if scheme is https
    server_name: str = ""  # for SNI and verification
    tls_http1: ssl.SSLContext | None = None  # set where `tls` offers HTTP/2 as well: the same without that

    @property
    def authority(self) -> str:
        """`host[:port]` as in a Host header: IPv6 in brackets, without the scheme's default port."""
        if self.address.unix_path:
            return "localhost"
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        default = 443 if self.scheme == "https" else 80
        return host if self.address.port == default else f"{host}:{self.address.port}"


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """One upstream as seen from one listener. Propagation is already merged (global < listener < upstream)."""

    name: str  # metric label; "app" on the inbound listener, "other" for hosts that no upstream names
    target: UpstreamTarget | None  # None: send to the authority that the request names, by its scheme
    propagation: PropagationPlan
    timeouts: Timeouts = Timeouts()
    pool: PoolPlan = PoolPlan()
    preserve_host: bool = True  # False: Host becomes target.authority
    leniency: frozenset[str] = frozenset()  # what is forgiven in its responses
    spans: SpansPlan = SpansPlan()
