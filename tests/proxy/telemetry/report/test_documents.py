"""What documents say of readings of the settings, and records of formats: parts that few reports have."""

from __future__ import annotations

import json

from lab.collectors import attributes
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs

from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.report import documents
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.report.exchange import NOTHING_RARE, ExchangeEncoder, Shared, masked
from proxy.telemetry.state import State


def test_each_reading_of_the_settings() -> None:
    state = State()
    state.note_reload(1000.5, 2, "m" * 501)
    state.note_reload(1001.0, 0, "kept")
    told = documents.health(
        state, Metrics(), version="1", process=ProcessUsage(1.0, 2, 3), spans=ExportCounts(), spans_to="",
        channel=Channel("1"), reports_to="", dropped_lines={},
    )  # fmt: skip
    assert json.loads(told)["reloads"] == [
        {"at": 1_000_500, "ok": True, "generation": 2, "message": "m" * 500},
        {"at": 1_001_000, "ok": False, "generation": 0, "message": "kept"},
    ]


def test_twenty_readings_are_remembered() -> None:
    state = State()
    for number in range(21):
        state.note_reload(float(number), number, "")
    assert [one.generation for one in state.reloads] == list(range(1, 21))
    assert (state.generation, state.reloads_ok, state.reloads_failed, state.admin_connections_cut) == (0, 0, 0, 0)
    assert (state.phase, state.reload_success_time_s, state.started_time_s) == ("starting", 0.0, 0.0)


def test_formats_are_told_one_by_one() -> None:
    shared = Shared(
        is_inbound=True, listener="", upstream="", peer_kind="", peer="", host=b"", method=b"", status=0, fault="",
        read="b3,jaeger", written="tracecontext,b3", winner="", sampling="", is_short=False, agent=b"",
    )  # fmt: skip
    made = ExchangeEncoder().encode(
        shared, NOTHING_RARE, request_id=b"r", path=b"/", duration_ns=1, end_ns=2, context=None, parent=b"",
        session=None, came=(), went=(), others=(), added=(), timing=None, answered=(),
    )  # fmt: skip
    (one,) = ScopeLogs.FromString(made).log_records
    told = attributes(one)
    assert (told["ops.formats.read"], told["ops.formats.written"]) == (["b3", "jaeger"], ["tracecontext", "b3"])
    assert (one.time_unix_nano, one.observed_time_unix_nano) == (1, 2)


def test_baggage_is_shown_by_its_keys() -> None:
    assert masked(b"baggage", b"a=1;p=2, b = 3,c") == b"a=***,b=***,c=***"
    assert masked(b"uberctx-a", b"a=1") == b"***"
    assert masked(b"baggage", b"a=" + b"x" * 8190 + b",b=1") == b"a=***"
