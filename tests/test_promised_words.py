"""The words that others read: names of headers, attributes and variables, copied here by hand.

Specifications fix them, or pages promise them. Elsewhere tests use the constants, so none of these may change alone.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ops_lib.propagation import FAMILIES
from ops_lib.propagation.context import Malformed
from ops_lib.propagation.formats import Format, Loss
from tests.test_promised_numbers import constant

WORDS: dict[str, dict[str, Any]] = {
    "ops_lib.propagation.b3": {  # B3 propagation
        "B3": "b3", "TRACE_ID": "X-B3-TraceId", "SPAN_ID": "X-B3-SpanId", "PARENT_SPAN_ID": "X-B3-ParentSpanId",
        "SAMPLED": "X-B3-Sampled", "FLAGS": "X-B3-Flags",
        "CODEC.family": "b3", "MULTI_CODEC.family": "b3", "_PARENT_ZERO": "0" * 16,
    },
    "ops_lib.propagation.baggage": {"BAGGAGE": "baggage", "JAEGER_BAGGAGE": "jaeger-baggage", "UBERCTX": "uberctx-"},
    "ops_lib.propagation.context": {"TRACE_ID_ZERO": "0" * 32, "SPAN_ID_ZERO": "0" * 16},
    "ops_lib.propagation.fast.forms": {"PADDING": "0" * 16},  # of an id of 64 bits, to 128
    "ops_lib.propagation.families": {"SESSION_KEY": "session.id"},
    "ops_lib.propagation.jaeger": {
        "UBER_TRACE_ID": "uber-trace-id", "DEBUG_ID": "jaeger-debug-id", "CODEC.baggage": "jaeger",
    },
    "ops_lib.propagation.ops_member": {"KEY": "ops", "PREFIX": "ops=", "_ZERO_HALF": "0" * 16},
    "ops_lib.propagation.optional.grpc_trace_bin": {"GRPC_TRACE_BIN": "grpc-trace-bin"},
    "ops_lib.propagation.precedence": {"_ZERO_HALF": "0" * 16},
    "ops_lib.propagation.registry": {
        "FORMAT_NAMES": ("tracecontext", "grpc-trace-bin", "b3", "b3multi", "jaeger", "composite"),
    },
    "ops_lib.propagation.session": {
        "INJECT_NAME": "X-Mirascope-Session-Id",
        "EXTRACT_NAMES": ("X-Mirascope-Session-Id", "Mirascope-Session-Id"),
    },
    "ops_lib.propagation.tracecontext": {
        "TRACEPARENT": "traceparent", "TRACESTATE": "tracestate", "CODEC.baggage": "w3c",
    },
    "ops_lib.headers.context_propagator": {
        "FORMAT_VARIABLE": "MIRASCOPE_PROPAGATOR", "INJECT_VARIABLE": "OPS_PROPAGATION_INJECT",
        "EXTRACT_VARIABLE": "OPS_PROPAGATION_EXTRACT",
    },
    "ops_lib.decorator.subject": {
        "ARGUMENTS": "ops.arguments", "RESULT": "ops.result", "FUNCTION": "code.function.name",
        "SPAN_PARAMETER": "trace_ctx",
    },
    "ops_lib.spans.span": {"TAGS": "ops.tags", "SESSION_ATTRIBUTES": "ops.session.attributes"},
    "ops_lib.spans.start": {"SESSION_ID": "session.id"},
    "ops_lib.spans.configured": {"INSTRUMENTATION_NAME": "ops_lib"},
    "ops_lib.spans.failures": {"_log.name": "ops_lib"},
    "ops_lib.context.otel_tracestate": {"_log.name": "ops_lib"},
    "ops_lib.export.processors": {
        "_log.name": "ops_lib", "RECEIVER": ("127.0.0.1", 4318), "NAMES": ("otlp", "console", "none"),
        "_ENDPOINTS": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        "_PROTOCOLS": ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        "_EXPORTER": "OTEL_TRACES_EXPORTER", "_ALIASES": {"otlp_proto_http": "otlp"},
    },
    "ops_lib.export.stopping": {"_log.name": "ops_lib"},
    "ops_lib.export.drawing": {  # ECMA-48, 8.3.117
        "_RESET": "\x1b[0m", "_BOLD": "\x1b[1m", "_DIM": "\x1b[2m", "_RED": "\x1b[31m", "_CYAN": "\x1b[36m",
        "_QUIET": {"code.function.name", "session.id", "error.type"},
    },
    "ops_lib.capture.bounds": {"CUT": "…"},
    "ops_lib.capture.messages": {"UNREADABLE": "[unreadable]"},
    "ops_lib.capture.shapes": {"SCRUBBED": "[scrubbed]"},
    "ops_lib.integrations.asgi": {"INCOMING_KEY": "ops.incoming"},  # beside those of servers and frameworks
    "ops_lib.integrations.wsgi": {"INCOMING_KEY": "ops.incoming"},
    "ops_lib.integrations.flask": {"_DONE": "ops_lib"},  # in app.extensions
    "ops_lib.integrations.django": {"_SIGNAL_ID": "ops_lib"},
    "ops_lib.integrations.incoming": {  # OpenTelemetry, "HTTP spans"
        "METHODS": {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"},
    },
}  # fmt: skip

DEFAULTS: dict[str, dict[str, Any]] = {
    "ops_lib.propagation.propagator:Propagator": {
        "baggage": "translate", "on_defer": 1.0, "grpc_unsampled": "deny",
    },
    "ops_lib.propagation.baggage:Beside": {"fields": 0, "size": 0, "came_fields": 0, "came_size": 0},
    "ops_lib.propagation.baggage:Baggage": {"longest": 0},
    "ops_lib.configuration:flush": {"timeout_s": 30},
    "ops_lib.context.sessions:session": {"on_invalid": "raise"},
    "ops_lib.export.processors:WhenThere.force_flush": {"timeout_millis": 30_000},  # as the SDK has it
    "ops_lib.hosts.patterns:HostPattern": {"port": 0},
    "ops_lib.logs:correlate_logs": {"missing": "-"},
    "ops_lib.testing:SteppedClock": {"start_ns": 1_700_000_000 * 10**9, "step_ns": 1_000_000},
}  # fmt: skip


@pytest.mark.parametrize("module", WORDS)
def test_a_word_is_the_one_that_others_read(module: str) -> None:
    assert {name: constant(f"{module}:{name}") for name in WORDS[module]} == WORDS[module]


def test_the_headers_of_each_family_that_is_not_translated() -> None:
    assert FAMILIES == {
        "datadog": ("x-datadog-*",),
        "xray": ("x-amzn-trace-id",),
        "gcp": ("x-cloud-trace-context",),
        "sentry": ("sentry-trace",),
        "opentracing": ("ot-tracer-*", "ot-baggage-*"),
        "skywalking": ("sw8", "sw8-correlation", "sw8-x"),
        "instana": ("x-instana-*",),
        "grpc-trace-bin": ("grpc-trace-bin",),
    }


def test_the_names_of_formats() -> None:
    assert [Format.TRACECONTEXT, Format.B3, Format.B3MULTI, Format.JAEGER] == [
        "tracecontext",
        "b3",
        "b3multi",
        "jaeger",
    ]


def test_the_labels_of_headers_that_were_not_believed() -> None:
    words = "duplicate shape version zero-id missing-id decision parent-id tracestate no-traceparent empty too-long"
    assert [str(one) for one in Malformed] == [*words.split(), "characters"]


def test_the_labels_of_what_a_format_cannot_say() -> None:
    words = "defer debug width parent tracestate tracestate-cut random bare baggage-cut"
    assert [str(one) for one in Loss] == words.split()


@pytest.mark.parametrize("call", DEFAULTS)
def test_what_a_call_leaves_out_is_this(call: str) -> None:
    parameters = inspect.signature(constant(call)).parameters
    assert {name: parameters[name].default for name in DEFAULTS[call]} == DEFAULTS[call]
