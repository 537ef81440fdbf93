"""Numbers that no page promises and no specification fixes: bounds of what is kept, times, shares of work.

Each was chosen, and many were measured: so a change is made here as well, where it is seen. A test at its edge, where
there is one, is beside the module. Numbers that pages promise are in `test_promised_numbers`.
"""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientTimeout

KIB, MIB = 1024, 1024 * 1024

CHOSEN: dict[str, dict[str, Any]] = {
    "proxy.http2.client": {"_LAST_BYTES_S": 3},
    "proxy.http2.connection": {"_MOST_DISCARDED": 1 * MIB, "_JOINED_BYTES": 32 * KIB},
    "proxy.http2.engine.budgets": {"_REMEMBERED_CLIENTS": 1024},
    "proxy.http2.engine.client": {"_USUAL_STREAMS": 100, "_UNLIMITED": 1 << 30},
    "proxy.http2.engine.connection": {"_REMEMBERED": 512, "_MOST_DETAIL": 128},
    "proxy.http2.engine.control": {"_MOST_SETTINGS": 64, "_MOST_FRAME_WRITTEN": 64 * KIB},
    "proxy.http2.engine.engine": {
        "_WORK": 512, "_WORK_OF_A_REQUEST": 8, "_WORK_OF_A_RESPONSE": 3, "_MOST_FRAMES_A_BLOCK": 16,
        "_LEAST_BLOCK_BYTES": 32 * KIB,
    },
    "proxy.http2.engine.fields": {
        "BAD": 31, "METHOD": 32, "SCHEME": 64, "PATH": 128, "AUTHORITY": 256, "PROTOCOL": 512, "STATUS": 1024,
        "_MAX_LENGTH_DIGITS": 18, "_MOST_NAMES": 1024, "_LONGEST_NAME": 64,
    },
    "proxy.http2.engine.frames": {"_SMALL": 1025},
    "proxy.http2.engine.output": {
        "_BURST_BYTES": 512 * KIB, "_MOST_UNOPENED_BYTES": 64 * KIB, "_USEFUL_BYTES": 256, "_CREDITS_A_FRAME": 3,
    },
    "proxy.http2.engine.reader": {"_LARGE_BYTES": 16 * KIB},
    "proxy.http2.hpack.decoder": {
        "_MOST_EVICTED": 256, "_MOST_NAMES": 64, "_LONGEST_CODE": 48, "_PATH": 4, "_INDEX": 5, "_MOST_PATHS": 64,
    },
    "proxy.http2.hpack.encoder": {"_MOST_NAMES": 256, "_LONGEST_NAME": 64, "_MOST_EVICTED": 256, "_MOST_PLACES": 64},
    "proxy.http2.hpack.huffman": {"EOS": 256, "_BITS": 12, "_TWO": 32, "_ONE": 16},
    "proxy.http2.hpack.integers": {"MAX_SHIFT": 28},
    "proxy.http2.hpack.static_table": {"SIZE": 61},
    "proxy.http2.message.grpc": {"_LONGEST_MESSAGE": 512},
    "proxy.http2.message.trailers": {"_MOST": 256, "_LONGEST": 64},
    "proxy.http1.awaiting": {"_LAST_TURNS": 16},
    "proxy.http1.client": {"_PIECE_BYTES": 16 * KIB, "_BEGUN_BYTES": 16, "_FIRST_REQUEST_S": 1},
    "proxy.http1.connection": {"_LINGER_S": 3, "_LINGER_LONGEST_S": 30},
    "proxy.http1.kept_connection": {"_LAST_BYTES_S": 3},
    "proxy.http1.message.bodies": {"CHUNKS_A_FEED": 512},
    "proxy.http1.message.grammar": {"_MAX_LENGTH_DIGITS": 18, "_MOST_LENGTHS": 512},
    "proxy.http1.message.repeats": {
        "_MAX_LINES": 32, "_MAX_LINE_BYTES": 256, "_MAX_LINES_BYTES": 2048, "_MOST_VARYING": 12,
    },
    "proxy.http1.message.response": {"_REMEMBERED_STARTS": 256, "_REMEMBERED_START_BYTES": 64},
    "proxy.http1.upstream": {"_LAST_WORDS_BYTES": 256 * KIB},
    "proxy.listener.app_calls.doctor": {"_MOST_OTHERS": 3, "_PATIENCE_S": 60},
    "proxy.listener.app_calls.evidence": {"_MOST_FIELDS": 32, "_MOST_CHARACTERS": 512},
    "proxy.listener.app_calls.linking": {"_MOST_ENTRIES": 256, "_MOST_SEARCHES": 256},
    "proxy.listener.client_bounds": {"_REMEMBERED_CLIENTS": 1024},
    "proxy.listener.exchange": {"_LOOK_S": 0.5},
    "proxy.listener.handshake": {"_LAST_S": 1},
    "proxy.listener.listener_rules": {
        "_REMEMBERED_AUTHORITIES": 1024, "_REMEMBERED_NAMES_CHARACTERS": 256, "_REMEMBERED_CLIENTS": 1024,
    },
    "proxy.listener.records.explanation": {"_LONGEST": 200},
    "proxy.listener.records.spans": {"_MOST_LINKS": 16, "_NANOSECONDS": 1_000_000_000},
    "proxy.listener.reports.facts": {"_SAMPLED": 1},
    "proxy.listener.reports.reporter": {"_NANOSECONDS": 1_000_000_000, "_ID_BITS": (1 << 64) - 1},
    "proxy.listener.trials": {"_MOST_FIELDS": 40, "_MOST_BYTES": 512},
    "proxy.listener.upstream_health": {"TELL_EVERY_S": 60},
    "proxy.listener.upstreams.pools": {"MAX_POOLS": 1024},
    "proxy.transport.binding": {"_SO_ATTACH_REUSEPORT_CBPF": 51, "_RETURN_CONSTANT": 6},
    "proxy.transport.certificates": {"_MOST_NAMES": 64, "_LONGEST": 512},
    "proxy.transport.deadlines": {"TICK_S": 0.1},
    "proxy.transport.dialling": {"_AT_ONCE": 4},
    "proxy.transport.flow": {"OTHER_SIDE_FULL": 1, "BEHIND": 2},
    "proxy.transport.listening": {"_BACKLOG": 1024},
    "proxy.transport.processes": {
        "_MOST_PROCESSES": 1024, "_MOST_FILES": 65_536, "_MOST_TABLE_BYTES": 4 * MIB, "NOBODY": 0, "UNKNOWN": -1,
    },
    "proxy.transport.resolve": {"MAX_LOOKUPS": 256, "_PATIENCE_S": 1},
    "proxy.transport.sockets": {"_READ_BYTES": 64 * KIB, "_MOST_KEEPALIVE_S": 32_767},
    "proxy.transport.tunnel": {"_BUFFER_BYTES": 64 * KIB, "_GOODBYE_S": 1, "_LAST_BYTES_S": 10},
    "proxy.transport.turns": {"PIECES_A_TURN": 4, "FULL_READ_BYTES": 128 * KIB},
    "proxy.telemetry.durations": {
        "BOUNDS_S": [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60],
    },
    "proxy.telemetry.http_metrics": {
        "_BOUNDS_S": (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
    },
    "proxy.telemetry.otlp.attributes": {"MAX_TEXT_BYTES": 1024, "_SHORT": 128},
    "proxy.telemetry.otlp.buffer": {"PIECE_SPANS": 32, "_OVERHEAD_BYTES": 48, "MAX_BATCH_BYTES": 1 * MIB},
    "proxy.telemetry.otlp.collector": {"_MAX_ANSWER_BYTES": 64 * KIB},
    "proxy.telemetry.otlp.exporter": {"_GRACE_S": 5},
    "proxy.telemetry.otlp.request": {"_MAX_MESSAGE": 300},
    "proxy.telemetry.otlp.retry": {"_FIRST_S": 1, "_LONGEST_S": 30, "_LONGEST_ASKED_S": 300},
    "proxy.telemetry.otlp.sender": {"_QUIET_S": 60, "_LOOK_S": 0.5},
    "proxy.telemetry.otlp.span": {
        "_START_TAG": 57, "_END_TAG": 65, "_FAULTS_OF_SERVERS": {2, 4, 12, 13, 14, 15}, "NOT_RPC": -2,
        "NO_STATUS": -1, "_MOST_FIXED": 512, "_MOST_REMEMBERED": 512, "_LONGEST_REMEMBERED": 256,
        "_LONGEST_LAST": 2048, "_MOST_PEERS": 1024,
    },
    "proxy.telemetry.prometheus": {
        "DURATION_BUCKETS_S": (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    },
    "proxy.telemetry.report.channel": {"_GRACE_S": 5, "_BATCH": 512},
    "proxy.telemetry.report.counts": {"MAX_ROWS": 2000, "LONGEST_TEXT": 100},
    "proxy.telemetry.report.documents": {"_MOST_UPSTREAMS": 500},
    "proxy.telemetry.report.exchange": {"_MOST_FIXED": 512, "_LONGEST_FIXED": 512, "_LONGEST_NAME": 100},
    "proxy.telemetry.state": {"_MOST_RELOADS": 20, "_LONGEST": 500},
    "proxy.telemetry.writer": {"_BATCH_LINES": 512},
    "proxy.admin.connection": {"TAKING_S": 30, "ENDING_S": 2, "_STEPS_A_TURN": 32},
    "proxy.admin.conversation": {"_MOST_QUERY_FIELDS": 100, "_PIECE_BYTES": 2 * KIB},
    "proxy.admin.server": {"_CLOSING_S": 1},
    "proxy.app": {"_MOST_TOLD": 8},
    "proxy.path_templates": {"MAX_TEMPLATE_CHARACTERS": 256},
    "proxy.reporting": {"_MOST_CHARACTERS": 64 * KIB},
    "proxy.shadow": {"_MOST_NUMBERS": 64},
    "proxy.translate": {"_MOST_NAMES": 256, "_LONGEST_NAMES": 256},
    "proxy.cli.console": {"_NICENESS": 5},
    "proxy.cli.health": {"_LONGEST_S": 3600, "_LONGEST": 200},
    "proxy.cli.redirect": {"_PATIENCE_S": 30},
    "proxy.cli.views.answers": {"MOST_BYTES": 4000, "_MOST_LIMIT": 25, "_FEW_SPANS": 30},
    "proxy.cli.views.client": {"_TIMEOUT_S": 20, "_MOST_BYTES": 64 * MIB},
    "proxy.cli.views.top": {"_MOST_SIDECARS": 10},
    "proxy.cli.views.trace": {"_MOST_LINES": 500},
    "proxy.cli.wait": {"_ATTEMPT_S": 2, "_PAUSES_S": (0.05, 0.1, 0.2, 0.4, 0.8)},
    "proxy.kubernetes.configuration": {"_REMEMBERED": 256, "_LONGEST": 4 * KIB},
    "proxy.kubernetes.injection.pod": {"_DEFAULT_GRACE_S": 30, "_MARGIN_S": 2},
    "proxy.kubernetes.manifests": {"MOST_BYTES": 64 * MIB},
    "proxy.kubernetes.webhook.admission": {"_MOST_WARNING": 250},
    "proxy.kubernetes.webhook.certificates": {"_SKEW": timedelta(minutes=10)},
    "proxy.kubernetes.webhook.cluster": {"_TIMEOUT": ClientTimeout(total=20), "_PAGE": 500},
    "proxy.kubernetes.webhook.keeper": {"ROUND_S": 60, "_SOON_S": 2, "_MOST_TOLD": 10},
    "proxy.kubernetes.webhook.run": {"_SHUTDOWN_S": 5},
    "proxy.kubernetes.webhook.server": {"_MOST_BYTES": 8 * MIB},
    "proxy.demo.command": {"KEEP_PORT": 9080},
    "proxy.demo.http": {"NOTED_HEADS": 64, "CHUNK_BYTES": 64 * KIB},
    "proxy.demo.journeys": {"REQUEST_TIMEOUT_S": 15},
    "proxy.demo.own_spans": {"REPORT_TIMEOUT_S": 5},
    "proxy.demo.services": {"CALL_TIMEOUT_S": 10},
    "proxy.demo.sidecars": {"START_TIMEOUT_S": 20, "STOP_TIMEOUT_S": 5, "KEPT_LINES": 40},
    "proxy.demo.table": {"WIDTH": 80, "_LABEL": 4},
    "proxy.demo.visitors": {"ANSWER_TIMEOUT_S": 10},
    "proxy.participation.own_span": {"SAMPLED": 1, "RANDOM": 2, "_NO_ID": b"0" * 16, "_LEAST_ID": b"0" * 15 + b"1"},
    "proxy.participation.entry": {"OVERHEAD_BYTES": 600, "LEFT_BYTES": 600},
    "proxy.participation.in_flight": {"_MOST_OF_TRACE": 64, "_MOST_UNREAD": 256, "_UNREAD_BYTES": 16 * KIB},
    "proxy.participation.linking": {"MAX_CANDIDATES": 8},
    "proxy.participation.mirror": {"MAX_NAME": 256},
    "proxy.participation.ot_member": {"_PRECISION": 4},
    "proxy.participation.recent": {"_MOST": 4 * KIB},
    "proxy.participation.sizes": {"_MOST_TRACE_FIELDS": 10, "_MOST_TRACE_BYTES": 1536},
    "proxy.semantics.faults": {
        "_PROTOCOL_ERROR": 1, "_INTERNAL_ERROR": 2, "_REFUSED_STREAM": 7, "_CANCEL": 8, "_ENHANCE_YOUR_CALM": 11,
        "_HTTP_1_1_REQUIRED": 13, "_CANCELLED": 1, "_DEADLINE_EXCEEDED": 4, "_PERMISSION_DENIED": 7,
        "_RESOURCE_EXHAUSTED": 8, "_UNIMPLEMENTED": 12, "_INTERNAL": 13, "_UNAVAILABLE": 14,
    },
    "proxy.semantics.fields": {"_MAX_NAMES": 1024, "_MAX_NAME_BYTES": 64},
    "proxy.semantics.websocket": {"MOST_FRAMES": 2000},
    "proxy.dataplane.app_presence": {"_PROBE_S": 0.5},
    "proxy.dataplane.either": {"_ASK_AGAIN_WITH_TLS_S": 300},
    "proxy.dataplane.plane": {"_HALF_OPEN_S": 0.25},
    "proxy.settings.config_file": {"_READS": 3},
    "proxy.settings.kinds": {"_LONGEST_NAME": 512},
    "proxy.settings.layers": {"_MAX_STEPS": 32},
    "proxy.settings.otlp_values": {"_MOST": 64},
    "proxy.settings.problems": {"_MOST_KEYS": 100, "_LONGEST": 2000},
    "proxy.settings.reading": {"_PATIENCE_S": 5},
    "proxy.settings.sections.console_values": {"_MOST_ORIGINS": 64},
    "proxy.settings.unused": {"_MOST": 4},
    "proxy.settings.values": {"_LARGEST": 1e300},
    "proxy.settings.yaml_file": {"_MAX_NODES": 100_000},
    "proxy.explain.diagnosis": {
        "_GRPC_FIELDS": (("trace id", 16), ("span id", 8), ("options field", 1)), "_LONGEST": 512,
    },
    "proxy.explain.headers": {"INPUT_LIMIT_BYTES": 1_000_000},
    "proxy.explain.pasted": {"LONGEST": 64 * KIB, "_MOST_HEADERS": 200},
    "proxy.explain.question": {"_LONGEST": 512},
    "proxy.explain.reading": {"_WIDTH": 80},
    "proxy.console.query.doctor": {
        "WINDOW_HOURS": 24, "_MOST_SERVICES": 500, "_MOST_ROWS": 50_000, "_PROOFS": 3, "_LOOKED": 200,
        "_MOST_PEERS": 50,
    },
    "proxy.console.query.gaps": {"_SLACK_MS": 1},
    "proxy.console.query.health": {"_MOST_SERVICES": 200},
    "proxy.console.query.migration": {"_DAYS": 28, "_MOST_ROWS": 200_000, "_MOST_CELLS": 5_000},
    "proxy.console.query.pages": {
        "USUAL": 100, "BUDGET_S": 0.25, "_STRETCH": 10_000, "_FEW": 50, "_LARGEST": 1 << 62,
    },
    "proxy.console.query.plans": {"_MOST_SERVICES": 100, "_MOST": 500},
    "proxy.console.query.reported.checks": {"_FAIL_FROM": 0.5},
    "proxy.console.query.reported.coverage": {"_MOST": 2_000, "_MOST_SIDECARS": 5_000, "_MS": 1_000_000},
    "proxy.console.query.reported.peers": {"_MOST": 5_000},
    "proxy.console.query.reported.verdicts": {"_DAY_MS": 86_400_000, "_HOUR_MS": 3_600_000, "_MINUTE_MS": 60_000},
    "proxy.console.query.requests": {"_MOST_HOPS": 200},
    "proxy.console.query.sessions": {"_MOST_MARKS": 50, "_MOST_TRACES": 500, "_MOST_LOOKED_AT": 5_000},
    "proxy.console.query.shadow": {"_MOST": 500, "_MOST_EXAMPLES": 8},
    "proxy.console.query.sidecars": {"_MOST": 200, "_BUSY": 10, "_ENDED_NS": 600_000_000_000},
    "proxy.console.query.trace": {"MOST_LOGS": 5_000},
    "proxy.console.query.traces": {
        "_EDGES": (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000), "_MOST_IN_HISTOGRAM": 5_000,
    },
    "proxy.lifecycle.app_watch": {"_LOOK_S": 1, "_LOOKS": 4, "_SIOCGIFFLAGS": 35_091},
    "proxy.lifecycle.console_process": {"_STOP_S": 15, "_FIRST_WAIT_S": 1, "_LONGEST_WAIT_S": 60, "_STEADY_S": 30},
    "proxy.lifecycle.generation": {"_MOST_CHANGES": 20},
    "ops_lib.capture.bounds": {"_SHORT": 128, "_REMEMBERED": 1024},
    "ops_lib.capture.messages": {"_MOST": 20},
    "ops_lib.capture.render": {"_LOOKED_AT": 64},
    "ops_lib.capture.scrubbing": {"_MAX_NAMES": 1024, "_MAX_NAME_LENGTH": 64},
    "ops_lib.capture.stacks": {"_OUTER": 16, "_INNER": 48, "_CHAIN": 8, "_GROUPED": 8, "_DEPTH": 3},
    "ops_lib.export.console": {"MAX_TRACES": 1000, "MAX_SPANS": 1000, "_JOIN_S": 1},
    "ops_lib.export.processors": {"_CONNECT_TIMEOUT_S": 0.25, "_LONGEST_PAUSE_S": 30},
    "ops_lib.hosts.addresses": {"_LONGEST": 64},
    "ops_lib.hosts.table": {"_LONGEST": 1024},
    "ops_lib.propagation.baggage": {"_MAX_PROPERTIES": 64},
    "ops_lib.propagation.context": {"_ALL_TRACES": 1 << 64},
    "ops_lib.propagation.fast.forms": {
        "HAS_STATE": 1, "HAS_PARENT": 2, "IS_RANDOM": 4, "IS_SHORT": 8, "ALL_TRAITS": 15,
    },
    "ops_lib.propagation.fast.path": {"MAX_BAGGAGE_LENGTH": 1536},
    "ops_lib.propagation.fast.reader": {
        "MAX_STRANGERS": 1024, "MAX_STRANGER_LENGTH": 64, "MAX_SETS": 256, "MAX_SET_NAMES": 64,
        "MAX_SET_LENGTH": 1024,
    },
    "ops_lib.propagation.fast.shapes": {"MAX_SHAPES": 256, "_MAX_NAMES": 16, "_MAX_LENGTH": 256},
    "ops_lib.propagation.optional.grpc_trace_bin": {"_LONGEST": 512, "_SIZES": (16, 8, 1), "_SAMPLED": 1},
    "ops_lib.propagation.propagator": {"_MAX_SETS": 256, "_MAX_SET_NAMES": 64, "_MAX_SET_LENGTH": 1024},
    "ops_lib.propagation.session": {"MAX_JOINED": 4 * KIB},
    "ops_lib.spans.attributes": {"_INT": 1 << 63},
    "ops_lib.spans.exceptions": {"_DESCRIPTION": 1024},
    "ops_lib.spans.failures": {"INTERVAL_S": 60, "MAX_KINDS": 256},
    "ops_lib.spans.unrecorded": {"RANDOM": 2},
}  # fmt: skip


@pytest.mark.parametrize("module", CHOSEN)
def test_a_number_is_the_one_that_was_chosen(module: str) -> None:
    made = importlib.import_module(module)
    assert {name: getattr(made, name) for name in CHOSEN[module]} == CHOSEN[module]


# States and kinds are compared by their order (`state < ENDING`), and several are counted on to be nothing.
IN_ORDER: dict[str, str] = {
    "proxy.http2.engine.connection": "UNKNOWN BY_US BY_PEER",
    "proxy.http1.answering": "BY_LENGTH BY_CHUNKS BY_CLOSE",
    "proxy.http1.connection": "FRESH HEAD BODY BUSY UNREAD TUNNEL ENDING CLOSED",
    "proxy.http1.kept_connection": "IDLE HELD ASKED ANSWERED BODY LAST DETACHED CLOSING LOST",
    "proxy.listener.exchange": "NEW GATHERING LOOKING QUEUED ASKING ANSWERING OVER",
    "proxy.listener.sides": "HEARD PERHAPS UNHEARD",
    "proxy.semantics.request": "PROMPT CALL TUNNEL",
    "proxy.participation.entry": "NOWHERE REMEMBERED UNTRACKED ANSWERED",
    "ops_lib.propagation.fast.shapes": "SINGLE IDS SEVERAL RAW_IDS",
}


@pytest.mark.parametrize("module", IN_ORDER)
def test_states_are_numbered_in_the_order_in_which_they_come(module: str) -> None:
    made = importlib.import_module(module)
    names = IN_ORDER[module].split()
    assert [getattr(made, name) for name in names] == list(range(len(names)))
