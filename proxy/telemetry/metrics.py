"""The counters: plain integers in slotted objects, reachable from one `Metrics`.
No locks: only the event loop's thread writes.

May know the heart's names.
Must not know how metrics are shown (`prometheus`), or sockets.
Labels are names from the plan, formats and fixed reasons: never a path, an id or other text from outside.
"""

from __future__ import annotations

from typing import TypeVar

from proxy.telemetry.durations import Durations

_Key = TypeVar("_Key")


def count(counts: dict[_Key, int], key: _Key) -> None:
    """Add one."""
    counts[key] = counts.get(key, 0) + 1


class TranslationMetrics:
    """For one (listener, upstream): what was found in requests, and written for the next hop."""

    __slots__ = (
        "_extracted",
        "_injected",
        "_read",
        "_run",
        "_written",
        "bare_decisions",
        "carried",
        "conflicts",
        "errors",
        "foreign",
        "linked",
        "losses",
        "malformed",
        "mirrored",
        "refused",
        "sessions_carried",
        "sessions_malformed",
        "shadow",
        "span_conflicts",
        "untraced",
        "withheld",
    )

    def __init__(self) -> None:
        self._extracted: dict[str, int] = {}
        self._injected: dict[str, int] = {}
        # Not in those yet: so many requests in turn were read in the same format, and written in the same ones.
        self._run = 0
        self._read = ""
        self._written: tuple[str, ...] = ()
        self.malformed: dict[tuple[str, str], int] = {}  # by (format, reason)
        self.conflicts: dict[tuple[str, str], int] = {}  # by (winner, loser)
        self.span_conflicts: dict[tuple[str, str], int] = {}  # by (winner, loser)
        self.losses: dict[tuple[str, str], int] = {}  # by (format, what)
        self.foreign: dict[tuple[str, str], int] = {}  # by (family not translated, passed or removed)
        self.refused: dict[tuple[str, str], int] = {}  # by (rule of trust, what was not believed, or "nothing")
        self.withheld: dict[str, int] = {}  # by what may not go to the host: trace, session, baggage
        self.linked: dict[str, int] = {}  # calls without a context, by how they were joined to a request, or "none"
        self.carried: dict[str, int] = {}  # by what was put back because the app's format cannot carry it
        self.shadow: dict[str, int] = {}  # by what would differ with the settings of the shadow
        self.mirrored = 0  # requests in the format that the peer was seen to speak
        self.bare_decisions = 0  # requests with a sampling decision without ids
        self.untraced = 0  # requests without any context or decision
        self.sessions_carried = 0
        self.sessions_malformed: dict[str, int] = {}  # by reason
        self.errors: dict[str, int] = {}  # by exception: our bugs, which the request survived

    def _end_run(self) -> None:
        run, self._run = self._run, 0
        if run:
            self._extracted[self._read] = self._extracted.get(self._read, 0) + run
            for name in self._written:
                self._injected[name] = self._injected.get(name, 0) + run

    @property
    def extracted(self) -> dict[str, int]:
        """Contexts by the format that won."""
        self._end_run()
        return self._extracted

    @property
    def injected(self) -> dict[str, int]:
        """Contexts by format."""
        self._end_run()
        return self._injected


def count_context(metrics: TranslationMetrics, read: str, written: tuple[str, ...]) -> None:
    """Count one that was read in the format `read`, and written in `written`.

    Mostly as the last one: for speed, that is one more of a run, told by the very objects.
    """
    if read is metrics._read and written is metrics._written:
        metrics._run += 1
        return
    metrics._end_run()
    metrics._run, metrics._read, metrics._written = 1, read, written


class ExchangeMetrics:
    """Of one (listener, upstream)."""

    __slots__ = ("bytes_in", "bytes_out", "durations", "faults", "is_server", "requests", "translation")

    def __init__(self, *, is_server: bool = False) -> None:
        self.is_server = is_server  # requests come from callers; else the app makes them
        self.requests = [0] * 6  # by status class: requests[2] are the 2xx answered; requests[0]: the client got none
        self.durations = Durations()  # from the head that was read to the last byte of the response that was written
        self.bytes_in = 0  # request bodies, content only
        self.bytes_out = 0  # response bodies, content only
        self.faults: dict[str, int] = {}  # by label of the fault: exchanges that the sidecar answered or cut
        self.translation = TranslationMetrics()


class Http2Metrics:
    """Of the connections of HTTP/2 of one listener, or towards one upstream. Streams are counted once a tick."""

    __slots__ = ("connections_open", "connections_total", "goaways", "resets", "streams_open", "streams_total")

    def __init__(self) -> None:
        self.connections_open = 0
        self.connections_total = 0
        self.streams_open = 0
        self.streams_total = 0
        self.resets: dict[tuple[str, str], int] = {}  # RST_STREAM, by ("received" or "sent", error code)
        self.goaways: dict[tuple[str, str], int] = {}  # GOAWAY, by the same


class ListenerMetrics:
    """Of one listener."""

    __slots__ = (
        "connections_limit",
        "connections_open",
        "connections_refused",
        "connections_total",
        "http2",
        "protocol_errors",
        "tunnel_bytes_in",
        "tunnel_bytes_out",
        "tunnels_open",
        "tunnels_total",
    )

    def __init__(self) -> None:
        self.http2 = Http2Metrics()  # of those below that speak it
        self.connections_open = 0
        self.connections_limit = 0  # how many may be, by the settings and the file descriptors
        self.connections_total = 0
        self.connections_refused: dict[
            str, int
        ] = {}  # by reason: "limit", "per-client", "file-descriptors", "tls-handshake"
        self.protocol_errors: dict[str, int] = {}  # requests refused before they had an upstream, by label of the fault
        self.tunnels_open = 0
        self.tunnels_total: dict[str, int] = {}  # by kind: "connect" (untraced), "upgrade"
        self.tunnel_bytes_in = 0  # from the client
        self.tunnel_bytes_out = 0  # to the client


class UpstreamMetrics:
    """Of one upstream, over all listeners."""

    __slots__ = (
        "connect_failures",
        "connections_idle",
        "connections_limit",
        "connections_open",
        "connects",
        "http2",
        "idle_closed",
        "moved",
        "queue_refused",
        "queued",
        "retries",
        "reused",
    )

    def __init__(self) -> None:
        self.http2 = Http2Metrics()  # of those below that speak it
        self.connects = 0
        self.connect_failures: dict[str, int] = {}  # by label of the fault
        self.moved = 0  # times that a name led elsewhere, found when none of its remembered addresses could be reached
        self.connections_open = 0  # tunnels are not among them: see ListenerMetrics
        self.connections_limit = 0  # how many may be, to each address, by the settings or the file descriptors
        self.connections_idle = 0
        self.reused = 0  # requests sent on a reused connection
        self.retries = 0
        self.idle_closed: dict[str, int] = {}  # by reason: see docs/metrics.md
        self.queued = 0  # requests waiting for a connection now
        self.queue_refused: dict[str, int] = {}  # by reason: "full", "timeout", "hosts"


class InFlightMetrics:
    """Of the requests that are remembered while they are at the app."""

    __slots__ = ("abandoned", "missing", "remembered", "size_bytes", "unremembered")

    def __init__(self) -> None:
        self.remembered = 0  # now
        self.abandoned = 0  # their clients have left, and the app may still be at them
        self.missing = 0  # requests and tunnels that are at the app now, and not remembered
        self.size_bytes = 0
        self.unremembered: dict[str, int] = {}  # by reason: "no-room", "too-old"


class Metrics:
    """All counters. An entry is made on first use, and lives as long as the process."""

    __slots__ = ("app_calls", "exchanges", "in_flight", "listeners", "mirror_peers", "put_off", "upstreams")

    def __init__(self) -> None:
        self.in_flight = InFlightMetrics()
        self.app_calls: dict[str, int] = {}  # by what the app did to the context of its requests
        self.mirror_peers = 0  # whose format is remembered
        self.put_off = 0  # pieces of work deferred to a later turn of the event loop
        self.exchanges: dict[tuple[str, str], ExchangeMetrics] = {}  # by (listener, upstream)
        self.listeners: dict[str, ListenerMetrics] = {}
        self.upstreams: dict[str, UpstreamMetrics] = {}

    def exchange(self, listener: str, upstream: str, *, is_server: bool = False) -> ExchangeMetrics:
        """The counters of one listener and one upstream. `is_server`: whether callers come to this listener."""
        return self.exchanges.setdefault((listener, upstream), ExchangeMetrics(is_server=is_server))

    def listener(self, name: str) -> ListenerMetrics:
        """The counters of one listener."""
        return self.listeners.setdefault(name, ListenerMetrics())

    def upstream(self, name: str) -> UpstreamMetrics:
        """The counters of one upstream."""
        return self.upstreams.setdefault(name, UpstreamMetrics())
