"""The numbers that pages promise and specifications fix, copied here by hand, beside the words that promise them.

A test at its edge tries each of them elsewhere, mostly by the constant's name: so neither may change without this page.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"
KIB, MIB, GIB = 1024, 1024 * 1024, 1024 * 1024 * 1024

PROMISED: tuple[tuple[str, str, str, Any], ...] = (
    # page, its words, constant, value
    ("settings", "A head has at most 16 KiB and 100 fields", "proxy.admin.conversation:LIMIT_HEAD_BYTES", 16 * KIB),
    ("settings", "A head has at most 16 KiB and 100 fields", "proxy.admin.conversation:LIMIT_HEAD_LINES", 101),
    ("settings", "a body 64 KiB (413; 1 KiB at", "proxy.admin.application:LIMIT_BODY_BYTES", 64 * KIB),
    ("settings", "a body 64 KiB (413; 1 KiB at", "proxy.admin.application:_LIMIT_PUBLIC_BODY_BYTES", KIB),
    ("settings", "each has to come within 10 s (408)", "proxy.admin.connection:HEAD_S", 10),
    ("settings", "each has to come within 10 s (408)", "proxy.admin.connection:BODY_S", 10),
    ("settings", "An idle connection is closed after 15 s", "proxy.admin.connection:IDLE_S", 15),
    ("settings", "It holds 32 connections", "proxy.admin.server:MOST_CONNECTIONS", 32),
    ("settings", "It has at most 1 MiB, 32 levels and 50,000", "proxy.settings.config_file:LIMIT_BYTES", MIB),
    ("settings", "It has at most 1 MiB, 32 levels and 50,000", "proxy.settings.yaml_file:_MAX_DEPTH", 32),
    ("settings", "It has at most 1 MiB, 32 levels and 50,000", "proxy.settings.yaml_file:_MAX_VALUES", 50_000),
    ("settings", "Of more than 100 problems, the first 100 are listed", "proxy.settings.reading:MOST_PROBLEMS", 100),
    ("settings", "At most 4096 peers are remembered", "proxy.participation.mirror:MOST_PEERS", 4096),
    ("settings", "up to 1000 fields instead of 256", "proxy.http1.message.lenient:MOST_FIELDS", 1000),
    ("settings", "for the rest. At most 256", "proxy.path_templates:MAX_TEMPLATES", 256),
    ("settings", "in `url.full` (outbound), at most 2 KiB", "proxy.telemetry.otlp.query:LIMIT_BYTES", 2 * KIB),
    ("settings", "in `url.full` (outbound), at most 2 KiB", "proxy.telemetry.otlp.span:MAX_URL_BYTES", 2 * KIB),
    ("settings", "Method and path are cut at 1024 characters", "proxy.telemetry.access_log:_LONGEST", 1024),
    (
        "settings",
        "a line of more than 4096 characters counts as several",
        "proxy.telemetry.writer:_LINE_CHARACTERS",
        4096,
    ),
    ("settings", "in `Proxy-Status`; 300 characters at most", "proxy.semantics.problem:_LONGEST", 300),
    ("settings", "half of the process's file descriptors (less 64)", "proxy.transport.descriptors:_RESERVED", 64),
    ("settings", "every 10 s (or this, if shorter)", "proxy.transport.sockets:_PROBE_EVERY_S", 10),
    ("settings", "After 6 probes without an answer", "proxy.transport.sockets:_PROBES", 6),
    ("settings", "closes the connection if no answer comes within 20 s", "proxy.http2.connection:PING_S", 20),
    ("settings", "If one does not answer within 250 ms", "proxy.transport.dialling:_STAGGER_S", 0.25),
    ("settings", "for 10 s the silent one comes last", "proxy.transport.connector:_LAST_S", 10),
    ("settings", "0.25 s after its last answer", "proxy.http1.client:_NEXT_REQUEST_S", 0.25),
    ("settings", "so `auto` is 5", "proxy.plan.compile:_LINGER_UNTOLD_S", 5),
    ("settings", "Requests are told within half a second", "proxy.telemetry.report.channel:_DELAY_S", 0.5),
    ("settings", "for two seconds' worth at once", "proxy.telemetry.report.channel:_BURST_S", 2),
    ("settings", "0: 256 MiB in memory, 2 GiB in a file", "proxy.plan.console:MEMORY_BYTES", 256 * MIB),
    ("settings", "0: 256 MiB in memory, 2 GiB in a file", "proxy.plan.console:FILE_BYTES", 2 * GIB),
    ("settings", "is cancelled after 10 seconds", "proxy.lifecycle.lifecycle:_PATIENCE_S", 10),
    (
        "settings",
        "at most once a minute, and only while clients speak HTTP/2",
        "proxy.dataplane.either:_ASK_AGAIN_S",
        60,
    ),
    ("settings", "names more than 64 proxies", "proxy.listener.listener_rules:_MOST_HOPS", 64),
    (
        "conformance",
        "260 bytes at most with its port (a name has 253)",
        "proxy.semantics.authority:MAX_AUTHORITY_BYTES",
        260,
    ),
    ("conformance", "260 bytes at most with its port (a name has 253)", "ops_lib.hosts.names:_LONGEST", 253),
    (
        "conformance",
        "**Trailers** (16 KiB and 128 fields at most)",
        "proxy.http1.message.bodies:_MAX_TRAILERS",
        16 * KIB,
    ),
    ("conformance", "**Trailers** (16 KiB and 128 fields at most)", "proxy.semantics.fields:MAX_TRAILERS", 128),
    ("conformance", "**Connection** has 128 members at most", "proxy.http1.message.lists:MAX_OPTIONS", 128),
    ("conformance", "**Upgrade** and **TE** 16", "proxy.http1.message.lists:_MAX_CHOICES", 16),
    ("conformance", "extensions without end (1 KiB a", "proxy.http1.message.bodies:_MAX_CHUNK_LINE", KIB),
    ("conformance", "16 KiB beyond the content", "proxy.http1.message.bodies:_MAX_OVERHEAD", 16 * KIB),
    ("conformance", "relayed to HTTP/1.1 clients, 32 at most", "proxy.http1.upstream:_MAX_INTERIM", 32),
    ("conformance", "relayed to HTTP/1.1 clients, 32 at most", "proxy.http2.engine.client:_MOST_INTERIM", 32),
    ("conformance", "`X-Forwarded-For` (more than 64 proxies)", "proxy.listener.listener_rules:_MOST_HOPS", 64),
    ("conformance", "or none answers within a second", "proxy.transport.dialling:_SILENCE_S", 1),
    ("conformance", "new is found, at most once a second", "proxy.transport.resolve:_ANEW_EVERY_S", 1),
    ("conformance", "one piece of at most 64 KiB", "proxy.listener.exchange:_MAX_REPLAY_BYTES", 64 * KIB),
    ("conformance", "a second before its end, the connection gets no more", "proxy.http1.pool:_KEEP_ALIVE_MARGIN_S", 1),
    (
        "conformance",
        "64 KiB, up to 256 KiB where it is taken fast",
        "proxy.http2.engine.limits:Limits().most_stream_window",
        256 * KIB,
    ),
    ("conformance", "and 16 MiB a connection", "proxy.http2.engine.limits:Limits().max_held_bytes", 16 * MIB),
    ("conformance", "a quarter of a second later the real one", "proxy.http2.client:_LAST_REQUESTS_S", 0.25),
    ("console", "`limit` (500 at most)", "proxy.console.query.pages:MOST", 500),
    ("console", "larger than 1 MiB", "proxy.console.intake.decode:MOST_RECORD_BYTES", MIB),
    ("console", "a body of more than 32 MiB", "proxy.console.server.intake:MOST_BODY_BYTES", 32 * MIB),
    ("console", "that unpacks to more than 64 MiB", "proxy.console.server.intake:MOST_UNPACKED_BYTES", 64 * MIB),
    ("console", "a connection has 32 calls at once", "proxy.console.server.grpc:_MOST_CALLS", 32),
    ("console", "ends after 5 minutes without one", "proxy.console.server.grpc:_IDLE_S", 300),
    ("console", "One trace holds at most 131,072 spans", "proxy.console.store.schema:MOST_IN_TRACE", 131_072),
    ("console", "20,000 spans of it are shown", "proxy.console.query.trace:MOST_SPANS", 20_000),
    ("console", "requests in 14 days", "proxy.console.query.migration:WINDOW_DAYS", 14),
    ("console", "an age of their own (60 days)", "proxy.console.store.report_counts:_KEPT_DAYS", 60),
    ("console", "silent for three intervals (at least a minute)", "proxy.console.store.senders:_PATIENCE", 3),
    ("console", "silent for three intervals (at least a minute)", "proxy.console.store.senders:_LEAST_NS", 60 * 10**9),
    (
        "console",
        "had no sidecar that reported for five minutes",
        "proxy.console.store.senders:WITHOUT_NS",
        300 * 10**9,
    ),
    ("console", "silent for a whole day", "proxy.console.store.senders:_GIVEN_UP_NS", 86_400 * 10**9),
    ("console", "Values are cut at 512 bytes", "proxy.telemetry.report.exchange:_LONGEST_VALUE", 512),
    ("console", "trace, session and baggage, at most 40", "proxy.telemetry.report.exchange:_MOST_FIELDS", 40),
    ("console", "names alone, at most 60 each", "proxy.telemetry.report.exchange:_MOST_NAMES", 60),
    ("formats", "1 to 256 visible ASCII characters", "ops_lib.propagation.session:MAX_LENGTH", 256),
    ("formats", "the first 512 members are read", "ops_lib.propagation.baggage:MAX_READ", 512),
    ("formats", "| 8192 bytes | `baggage` alone", "ops_lib.propagation.baggage:MAX_BYTES", 8192),
    ("formats", "| 180 members, 64 `uberctx-*`", "ops_lib.propagation.baggage:MAX_MEMBERS", 180),
    ("formats", "| 180 members, 64 `uberctx-*`", "ops_lib.propagation.baggage:MAX_UBERCTX", 64),
    ("formats", "| 8000 bytes, or as much as the longest field", "ops_lib.propagation.baggage:MAX_LINE", 8000),
    ("formats", "| 92 fields and 15.5 KiB", "ops_lib.propagation.baggage:REQUEST_FIELDS", 92),
    ("formats", "| 92 fields and 15.5 KiB", "ops_lib.propagation.baggage:REQUEST_BYTES", 15_872),
    ("formats", "more than 100 or 16 KiB", "ops_lib.propagation.baggage:SERVER_FIELDS", 100),
    ("formats", "more than 100 or 16 KiB", "ops_lib.propagation.baggage:SERVER_BYTES", 16 * KIB),
    ("formats", "`tracestate` over 512 characters", "ops_lib.propagation.tracestate:MAX_LENGTH", 512),
    ("metrics", "Each listener and upstream has at most 256 series", "proxy.telemetry.durations:MOST_SERIES", 256),
    ("kubernetes", "an authority for a year", "proxy.kubernetes.webhook.certificates:AUTHORITY_DAYS", 365),
    ("kubernetes", "a server's certificate for 30 days", "proxy.kubernetes.webhook.certificates:SERVER_DAYS", 30),
    ("kubernetes", "both renewed after two thirds of that", "proxy.kubernetes.webhook.certificates:_DUE", 2 / 3),
    ("library", "| `total` | 2048 characters", "ops_lib.capture.bounds:CaptureLimits().total", 2048),
    ("library", "| `text` | 256 characters", "ops_lib.capture.bounds:CaptureLimits().text", 256),
    ("library", "| `items`, `depth` | 20, 4", "ops_lib.capture.bounds:CaptureLimits().items", 20),
    ("library", "| `items`, `depth` | 20, 4", "ops_lib.capture.bounds:CaptureLimits().depth", 4),
    ("library", "| `stack` | 8192 characters", "ops_lib.capture.bounds:CaptureLimits().stack", 8192),
    ("library", "(fixed) | 256 characters", "ops_lib.capture.scrubbing:LONGEST_NAME", 256),
    ("library", "is shown unfinished after 10, 30, 70 s", "ops_lib.export.console:FIRST_LOOK_S", 10),
    ("library", "by `shutdown_timeout_s` (5 s) at most", "ops_lib.spans.configured:SHUTDOWN_TIMEOUT_S", 5),
)


def constant(name: str) -> Any:
    """`module:NAME` or `module:Class().attribute`."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part.removesuffix("()"))
        found = found() if part.endswith("()") else found
    return found


@pytest.mark.parametrize(
    ("page", "words", "name", "value"), PROMISED, ids=[one[2].rpartition(":")[2] for one in PROMISED]
)
def test_a_page_and_the_code_have_the_same_number(page: str, words: str, name: str, value: Any) -> None:
    text = re.sub(r"\s+", " ", (DOCS / f"{page}.md").read_text(encoding="utf-8"))
    assert words in text, f"docs/{page}.md says it otherwise now: say so here as well"
    assert constant(name) == value


SPECIFIED: dict[str, dict[str, Any]] = {
    "proxy.http2.engine.codes": {  # RFC 9113, 4, 6, 7 and RFC 8441, 3
        "DATA": 0, "HEADERS": 1, "PRIORITY": 2, "RST_STREAM": 3, "SETTINGS": 4, "PUSH_PROMISE": 5, "PING": 6,
        "GOAWAY": 7, "WINDOW_UPDATE": 8, "CONTINUATION": 9,
        "END_STREAM": 1, "ACK": 1, "END_HEADERS": 4, "PADDED": 8, "PRIORITY_FLAG": 32,
        "HEADER_TABLE_SIZE": 1, "ENABLE_PUSH": 2, "MAX_CONCURRENT_STREAMS": 3, "INITIAL_WINDOW_SIZE": 4,
        "MAX_FRAME_SIZE": 5, "MAX_HEADER_LIST_SIZE": 6, "ENABLE_CONNECT_PROTOCOL": 8,
        "NO_ERROR": 0, "PROTOCOL_ERROR": 1, "INTERNAL_ERROR": 2, "FLOW_CONTROL_ERROR": 3, "SETTINGS_TIMEOUT": 4,
        "STREAM_CLOSED": 5, "FRAME_SIZE_ERROR": 6, "REFUSED_STREAM": 7, "CANCEL": 8, "COMPRESSION_ERROR": 9,
        "CONNECT_ERROR": 10, "ENHANCE_YOUR_CALM": 11, "INADEQUATE_SECURITY": 12, "HTTP_1_1_REQUIRED": 13,
        "HEAD_BYTES": 9, "LEAST_MAX_FRAME": 16_384, "MOST_MAX_FRAME": 16_777_215, "LARGEST_WINDOW": 2_147_483_647,
        "DEFAULT_WINDOW": 65_535, "LARGEST_ID": 2_147_483_647,
    },
    "proxy.http2.hpack.field": {"OVERHEAD_BYTES": 32},  # RFC 7541, 4.1
    "proxy.http2.hpack.decoder": {"DEFAULT_TABLE_BYTES": 4096},  # RFC 9113, 6.5.2
    "proxy.http2.message.grpc": {  # gRPC over HTTP/2: TimeoutUnit
        "_UNITS_S": {b"H": 3600, b"M": 60, b"S": 1, b"m": 0.001, b"u": 0.000_001, b"n": 0.000_000_001},
    },
    "proxy.console.server.grpc_call": {  # gRPC: codes of status
        "_INVALID_ARGUMENT": 3, "_DEADLINE_EXCEEDED": 4, "_RESOURCE_EXHAUSTED": 8, "_UNIMPLEMENTED": 12,
        "_INTERNAL": 13, "_PREFIX_BYTES": 5,
    },
    "proxy.console.server.intake": {"GRPC_CODES": {400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 415: 3, 503: 14}},
    "proxy.semantics.websocket": {"_CLOSE": 8, "_GOING_AWAY": b"\x03\xe9"},  # RFC 6455, 5.2 and 7.4.1
    "ops_lib.propagation.tracestate": {"MAX_MEMBERS": 32, "MAX_LENGTH": 512, "LONG_MEMBER": 128},  # W3C, 3.3.1
    "ops_lib.propagation.tracecontext": {"_LENGTH": 55},  # W3C, 3.2.2
    "proxy.participation.ot_member": {"NEVER": 1 << 56, "ALWAYS": 0, "_DIGITS": 14, "_MAX_VALUE": 256},
    "proxy.telemetry.otlp.span": {  # opentelemetry-proto, trace.proto
        "SERVER": 2, "CLIENT": 3, "SAMPLED": 1, "RANDOM": 2, "_PARENT_KNOWN": 256, "_PARENT_REMOTE": 512,
    },
    "proxy.telemetry.otlp.protobuf": {"VARINT": 0, "FIXED64": 1, "BYTES": 2, "FIXED32": 5},
    "proxy.telemetry.otlp.metric": {"_START": 2, "_TIME": 3, "_NUMBER_ATTRIBUTE": 7, "_HISTOGRAM_ATTRIBUTE": 9,
                                    "_CUMULATIVE": 2},
    "proxy.telemetry.otlp.attributes": {"SPAN_ATTRIBUTE": 9, "LINK_ATTRIBUTE": 4, "RESOURCE_ATTRIBUTE": 1,
                                        "_STRING": 1, "_BOOL": 2, "_INT": 3, "_DOUBLE": 4, "_ARRAY": 5},
    "proxy.telemetry.otlp.retry": {"RETRYABLE": {429, 502, 503, 504}},  # OTLP/HTTP, Retryable Response Codes
    "proxy.telemetry.report.record": {"VERSION": 1, "ATTRIBUTE": 6, "INFO": 9, "WARN": 13, "ERROR": 17,
                                      "_BODY_STRING": 1},
    "proxy.transport.handed": {"_FIRST_FD": 3},  # sd_listen_fds(3)
    "proxy.transport.original": {"_SO_ORIGINAL_DST": 80, "_IP6T_SO_ORIGINAL_DST": 80, "_SOCKADDR_IN_BYTES": 16,
                                 "_SOCKADDR_IN6_BYTES": 28},
    "proxy.transport.processes": {"_NETLINK_SOCK_DIAG": 4, "_SOCK_DIAG_BY_FAMILY": 20, "_NLM_F_REQUEST": 1,
                                  "_ANY_COOKIE": bytes([255] * 8), "_INODE_AT": 84, "_TCP_LISTEN": 10},
    "proxy.lifecycle.app_watch": {"_IFF_UP": 1, "_IFF_LOOPBACK": 8},  # netdevice(7)
    "proxy.demo.own_spans": {"_SERVER": 2},  # opentelemetry-proto, trace.proto
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in SPECIFIED.items() for name in names], ids=lambda one: one
)
def test_a_number_is_that_of_its_specification(module: str, name: str) -> None:
    assert constant(f"{module}:{name}") == SPECIFIED[module][name]
