"""Values of a plan: the listeners, and the plan itself. Immutable.

May know the upstreams and the router. Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Literal

from proxy.address import Address
from proxy.plan.console import ConsolePlan
from proxy.plan.export import ExportPlan
from proxy.plan.participation import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_LINKING,
    EVERYWHERE,
    EgressPlan,
    InFlightPlan,
    LinkingPlan,
    TrustRulePlan,
)
from proxy.plan.report import ReportPlan
from proxy.plan.router import Router
from proxy.plan.upstream import Timeouts

Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one listener."""

    request_line_bytes: int = 8 * 1024  # else 414
    header_bytes: int = 64 * 1024  # else 431
    header_count: int = 100  # else 431
    refused_methods: tuple[str, ...] = ("TRACE",)  # 405
    body_bytes: int = 0  # else 413; 0 = no limit (bodies are streamed)
    gather_bytes: int = (
        16 * 1024
    )  # a request whose content is no longer waits for all of it before its upstream; 0: none
    connections: int = 10_000  # further ones are closed at once and counted
    streams: int = 100  # at a time on one HTTP/2 connection; further ones are refused. 0: HTTP/2 is not served
    buffer_bytes: int = 64 * 1024  # high-water mark per direction and connection


@dataclass(frozen=True, slots=True)
class Clients:
    """What one listener asks of its clients."""

    half_close: Literal["abandon", "serve"] = "abandon"  # one that ends its side behind a request has gone, or waits
    send_bytes_per_s: int = 240  # of content, over each `body_read_s` of a request; else 408. 0: as slowly as it likes
    read_bytes_per_s: int = 240  # of an answer, over each `idle_s` in which it takes less than there is; else it is cut
    max_connections: int = 0  # of one address; further ones are closed at once. 0: any number
    max_exchanges: int = 0  # of one address, tunnels included; else 429. 0: any number
    resets: int = 100  # HTTP/2 streams that one address may take back at once; its connections end beyond that
    resets_per_s: int = 30  # and so many a second come back
    proxies: tuple[str, ...] = ()  # networks of those that stand for many clients, and are not bounded


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """Where one listener accepts, and what it does with requests."""

    name: str  # metric label: "inbound", "outbound", or the name of the upstream it belongs to
    direction: Direction
    binds: tuple[Address, ...]  # one socket each
    router: Router  # inbound and dedicated listeners: one upstream for everything
    fixed_upstream: bool  # True: the request's authority never decides where it goes (inbound, way 3)
    tls: ssl.SSLContext | None = None  # with which clients connect; None: without TLS
    connect: bool = False  # CONNECT allowed (outbound only)
    transparent: bool = False  # connections may be redirected to here
    via: bool = True
    explain: bool = False  # log for each request what was read and written, and why
    x_forwarded: bool = True  # append X-Forwarded-For; and on inbound -Proto and -Host
    details: bool = True  # our own answers say what failed, in words and with addresses
    limits: Limits = Limits()
    clients: Clients = Clients()
    timeouts: Timeouts = field(default_factory=Timeouts)  # of the client's side; an upstream has its own
    trust: tuple[TrustRulePlan, ...] = ()  # the first that is about a peer counts
    egress: EgressPlan = EVERYWHERE
    session_names: frozenset[str] = frozenset()  # headers that may hold a session, here or elsewhere in the plan


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """What happens on SIGTERM. All in seconds."""

    grace_s: float = 0.0  # readiness is red, inbound still accepts
    timeout_s: float = 30.0  # exchanges in flight may finish; then connections are cut
    outbound_linger_s: float = 30.0  # after the last inbound exchange, at most: until the app is gone


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything, for one generation of the settings."""

    generation: int
    listeners: tuple[ListenerPlan, ...]
    admin: Address | None
    public: tuple[Address, ...] = ()  # health and metrics alone, where others can reach them
    drain: DrainPlan = DrainPlan()
    reuse_port: bool = False  # another process may listen at the same addresses
    exit_with_app_s: float = 0.0  # the sidecar exits when its app has been gone for this long; 0: never
    export: ExportPlan = field(default_factory=ExportPlan)
    report: ReportPlan = field(default_factory=ReportPlan)
    console: ConsolePlan | None = None  # beside this sidecar; None: none
    console_page: Address | None = None
    in_flight: InFlightPlan = DEFAULT_IN_FLIGHT
    linking: LinkingPlan = DEFAULT_LINKING

    @property
    def mirrors(self) -> bool:
        """Whether any peer is called in the format that it was seen to speak."""
        return any(one.propagation.mirror for listener in self.listeners for one in listener.router.upstreams())

    @property
    def shadowed(self) -> set[tuple[str, str]]:
        """The listeners and upstreams whose requests are compared with other settings."""
        return {
            (listener.name, one.name)
            for listener in self.listeners
            for one in listener.router.upstreams()
            if one.propagation.shadow is not None
        }
