"""What a console is told, word by word: `records.txt` and `documents.json` have what was reviewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab.collectors import attributes
from lab.sidecar import plan_of
from lab.texts import check_text
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs

from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.report import documents
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.report.exchange import NOTHING_RARE, ExchangeEncoder, Rare, Shared, Timing
from proxy.telemetry.state import State

T, S, P = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7", b"b7ad6b7169203331"
SHARED: dict[str, Any] = {
    "is_inbound": True, "listener": "inbound", "upstream": "app", "peer_kind": "rule", "peer": "web", "host": b"shop",
    "method": b"GET", "status": 200, "fault": "", "read": "b3", "written": "tracecontext", "winner": "b3",
    "sampling": "accept", "agent": b"curl/8", "is_short": False,
}  # fmt: skip
USUAL: dict[str, Any] = {
    "request_id": b"r-1", "path": b"/orders", "duration_ns": 1_234_567, "end_ns": 1_800_000_000_000_000_000,
    "context": (T, S, 1), "parent": P, "session": None, "came": [], "went": [], "others": (), "added": (),
    "timing": None, "answered": (),
}  # fmt: skip
LONG = b"x" * 5000


def _stories() -> list[tuple[dict[str, Any], Rare, dict[str, Any]]]:
    shared = [
        *({"status": status} for status in (0, 399, 400, 404, 499, 500, 503)),
        *({"read": read} for read in ("", "b3!shape", "b3~", "tracecontext,b3")),
        {"fault": "connect-timeout", "status": 504},
        {"is_inbound": False, "written": "", "winner": "", "sampling": "", "agent": b"", "host": b"", "peer": ""},
        {"is_short": True},
    ]
    rare = [
        {"bare": True}, {"made": True}, {"retries": 2}, {"lost": ("b3:debug",), "carried": ("session",)},
        {"withheld": ("trace",), "refused": ("ids",), "findings": ("dropped",)}, {"fault_detail": "gone"},
        {"linked": "single", "request_of": "r-0", "link": "00-1-2"},
    ]  # fmt: skip
    rest = [
        {"context": None}, {"context": (T, S, 0), "parent": b""}, {"session": b"s-1"}, {"session": b""},
        {"came": [(b"b3", b"1"), (b"Baggage", b"a=1;p=2, b = 3"), (b"uberctx-a", b"1"), (b"jaeger-baggage", b"a=1")]},
        {"went": [(b"traceparent", LONG), (LONG, b"1")]}, {"came": [(b"x-%d" % number, b"1") for number in range(99)]},
        {"others": (b"accept", LONG), "added": (b"via",), "answered": tuple(b"y-%d" % number for number in range(200))},
        {"timing": Timing(0.0, 0.0, 0.0)}, {"timing": Timing(0.001, 0.002, 0.003)}, {"timing": Timing(0.5, 0, -1.0)},
        {"timing": Timing(2.5, 3.5, 4.5)},
        {"duration_ns": 999}, {"path": b"/\xff"},
    ]  # fmt: skip
    return [
        ({}, NOTHING_RARE, {}),
        *((more, NOTHING_RARE, {}) for more in shared),
        *(({}, Rare(**more), {}) for more in rare),
        *(({}, NOTHING_RARE, more) for more in rest),
    ]


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) < 200 else f"{text[:60]}… ({len(text)} characters)"


def _told(data: bytes) -> dict[str, str]:
    (one,) = ScopeLogs.FromString(data).log_records
    told = {key: _cut(value) for key, value in attributes(one).items()}
    ids = f"{one.trace_id.hex()} {one.span_id.hex()} {one.flags}"
    times = f"{one.time_unix_nano} {one.observed_time_unix_nano}"
    return {"@": f"{one.event_name} {one.severity_number}", "@ids": ids, "@times": times, **told}


def test_exchanges_are_told_as_reviewed() -> None:
    """Each beside the usual one. What is remembered changes nothing: all are told twice."""
    encoder, lines = ExchangeEncoder(), []
    usual = _told(encoder.encode(Shared(**SHARED), NOTHING_RARE, **USUAL))
    for shared, rare, rest in _stories() * 2:
        said = _told(encoder.encode(Shared(**SHARED | shared), rare, **USUAL | rest))
        changed = {key: value for key, value in rare._asdict().items() if value != getattr(NOTHING_RARE, key)}
        lines.append(_cut({**shared, **changed, **rest}))
        lines += [f"  - {key}" for key in usual if key not in said]
        lines += [
            f"  {key} = {value}"
            for key, value in said.items()
            if usual.get(key) != value or not (shared or changed or rest)
        ]
    half = len(lines) // 2
    assert lines[:half] == lines[half:]
    check_text("\n".join([*lines[:half], ""]), Path(__file__).parent / "records.txt")


@pytest.mark.parametrize("chosen", ["peer", "host", "method", "agent"])
def test_512_kinds_of_exchanges_with_512_characters_of_peers_are_remembered(chosen: str) -> None:
    encoder = ExchangeEncoder()
    empty = {"peer": "", "host": b"", "method": b"", "agent": b""}

    def remembered(value: str) -> int:
        shared = SHARED | empty | {chosen: value if chosen == "peer" else value.encode()}
        encoder.encode(Shared(**shared), NOTHING_RARE, **USUAL)
        return len(encoder._fixed)

    assert [remembered("x" * 513), remembered("x" * 512)] == [0, 1]
    assert [remembered(str(number)) for number in range(512)] == [*range(2, 513), 512]


@pytest.mark.parametrize("names", ["others", "added", "answered"])
def test_512_lists_of_names_with_512_characters_are_remembered(names: str) -> None:
    encoder = ExchangeEncoder()

    def remembered(*listed: bytes) -> int:
        encoder.encode(Shared(**SHARED), NOTHING_RARE, **USUAL | {names: listed})
        return len(encoder._names)

    assert [remembered(b"x", b"y" * 512), remembered(b"x", b"y" * 511)] == [0, 1]
    assert [remembered(b"%d" % number) for number in range(512)] == [*range(2, 513), 512]


def test_documents_are_told_as_reviewed() -> None:
    """`documents.json`: counts, proofs, settings, plan and health."""
    plan = plan_of(
        {
            "egress": {"trace": ["*.internal"]},
            "trust": [{"name": "mesh", "peers": ["10.0.0.0/8"]}],
            "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": "http://10.0.0.9:80"}],
            "propagation": {"clear": ["datadog"], "session": {"bridge": True}},
        },
        7,
    )
    channel, metrics, state = Channel("1", lambda: 1000.0), Metrics(), State()
    state.started_time_s = 999.5
    channel.formats.add(("in", "rule", "web", "app", "", "b3", "tracecontext"), 1000.0)
    channel.seen, channel.reported, channel.dropped = 5, 4, {"rate": 1}
    calls = documents.AppCalls({"examined": 3, "dropped": 1}, {"same": 2}, {"dropped": (1000.5, 1001.0)})
    one = metrics.exchange("inbound", "app")
    one.requests[2] = 9
    one.durations.of((b"GET", 200, "", b"1.1", b"", b"", False)).observe(0.0123456789)
    for number, part in enumerate((metrics.listener("inbound"), metrics.upstream("app")), 1):
        for place, name in enumerate(name for name in dir(part) if not name.startswith("_")):
            if type(getattr(part, name)) is int:
                setattr(part, name, number * 100 + place)
    metrics.upstream("app").connect_failures["refused"] = 1
    metrics.listener("inbound").connections_refused["limit"] = 2
    told = {
        "counts": documents.counts(channel, calls, number=3, now_s=1002.0, is_final=True, place="node-1"),
        "proofs": documents.proofs({"dropped": {"at": 1001.2, "given": [("b3", "1")], "sent": []}}),
        "settings": documents.settings([documents.Setting("a.b", 1, 2, "file", "f.yaml:1", True)]),
        "plan": documents.plan(plan, "shop-1", {"inbound": ["127.0.0.1:9080"]}),
        "health": documents.health(
            state, metrics, version="1", process=ProcessUsage(1.23456, 2, 3), spans=ExportCounts(), spans_to="c:4318",
            channel=channel, reports_to="c:4319", dropped_lines={"log": 0, "access": 4},
        ),
    }  # fmt: skip
    read = {name: json.loads(text) for name, text in told.items()}
    check_text(json.dumps(read, indent=1) + "\n", Path(__file__).parent / "documents.json")
    assert "\n" not in told["health"]
    assert ": " not in told["plan"]
