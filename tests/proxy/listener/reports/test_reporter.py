"""A console is told of each exchange, as far as there is room for it, and a bug of ours breaks no exchange."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab.collectors import attributes
from lab.pairs import Plane
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs

from ops_lib.propagation import FORMATS, Format
from proxy.http1.message.request import Request
from proxy.listener import accounting
from proxy.listener.accounting import Accounted
from proxy.listener.reports.reporter import Reporter
from proxy.listener.sides import Asker
from proxy.plan import PropagationPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.report.counts import FormatCounts
from proxy.translate import Translator
from proxy.translated import Translation

T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
REFUSAL = Refusal(Fault.RESPONSE_TIMEOUT, "too slow")
CALLER = cast(Asker, SimpleNamespace(address=b"10.0.0.9", names=()))


class Told:
    """A channel that keeps what it is told."""

    is_on = True

    def __init__(self) -> None:
        self.room = True
        self.entries: list[dict[str, Any]] = []
        self.asked: list[bool] = []
        self.failures: list[str] = []
        self.formats = FormatCounts()

    def has_room(self, is_notable: bool) -> bool:
        self.asked.append(is_notable)
        return self.room

    def add(self, entry: bytes) -> None:
        (record,) = ScopeLogs.FromString(entry).log_records
        length_ns = record.observed_time_unix_nano - record.time_unix_nano
        told = attributes(record)
        assert told.pop("event.name") == "ops.exchange"
        self.entries.append({**told, "trace": record.trace_id.hex(), "length_ns": length_ns})

    def failed(self, error: str) -> None:
        self.failures.append(error)


def translated(*headers: tuple[bytes, bytes], mode: Any = "translate") -> Translation:
    plan = PropagationPlan(extract=FORMATS, inject=(Format.B3, Format.TRACECONTEXT), mode=mode)
    return Translator(plan).translate(list(headers))


class Case:
    """A reporter, what it tells, and an exchange of a listener."""

    def __init__(self, **rest: Any) -> None:
        self.rules = Plane(rest=rest).listener.rules
        assert self.rules.only is not None
        self.told = Told()
        self.reporter = Reporter(cast(Channel, self.told), lambda: 7.0)
        self.exchange = Accounted()
        self.exchange.terms = self.rules.only
        self.exchange.request = request = Request(b"GET", b"/a?secret=1", 1, [b"User-Agent: curl/8", b"X-A: 1"])
        request.host, request.trace = b"shop", [W3C]
        self.exchange.translation = translated(W3C)

    def record(self, status: int = 200, refusal: Refusal | None = None) -> dict[str, Any]:
        self.reporter.record(self.exchange, CALLER, self.rules, status, 0.25, refusal)
        return self.told.entries[-1] if self.told.entries else {}


async def test_a_request_of_a_caller() -> None:
    case = Case()
    told = case.record()
    request_id = told.pop("ops.request.id")
    assert len(request_id) == 18
    assert request_id.startswith("r_")
    assert told == {
        "trace": T, "length_ns": 250_000_000, "ops.leg": "in", "ops.listener": "inbound", "ops.upstream": "app",
        "ops.peer.kind": "address", "ops.peer": "10.0.0.9", "server.address": "shop", "http.request.method": "GET",
        "http.response.status_code": 200, "ops.formats.read": ["tracecontext"],
        "ops.formats.written": ["b3", "tracecontext"], "ops.winner": "tracecontext", "ops.sampling": "accept",
        "user_agent.original": "curl/8", "url.path": "/a", "ops.duration_us": 250_000,
        "ops.headers.in": [f"traceparent: 00-{T}-{S}-01"],
        "ops.headers.out": [f"b3: {T}-{S}-1", f"traceparent: 00-{T}-{S}-01"],
        "ops.headers.other": ["User-Agent", "X-A"],
        "ops.headers.added": ["Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"],
    }  # fmt: skip
    assert [row[:8] for row in case.told.formats.listed()] == [
        ["in", "address", "10.0.0.9", "app", "", "tracecontext", "b3,tracecontext", 1]
    ]


async def test_a_call_of_the_app() -> None:
    case = Case(direction="outbound")
    told = case.record()
    assert (told["ops.leg"], told.get("ops.peer")) == ("out", None)
    assert [row[:8] for row in case.told.formats.listed()] == [
        ["out", "", "", "app", "", "tracecontext", "b3,tracecontext", 1]
    ]


async def test_what_failed_or_disagrees_is_of_note() -> None:
    case = Case()
    case.record()
    case.record(504, REFUSAL)
    assert (case.told.entries[-1]["ops.fault"], case.told.entries[-1]["ops.fault.detail"]) == (
        "response-timeout",
        "too slow",
    )
    for found in ({"findings": ("stale",)}, {"report_id": b"r_1"}, {"translation": translated(W3C, (b"b3", b"x"))}):
        case = Case()
        for name, value in found.items():
            setattr(case.exchange, name, value)
        case.record()
        assert case.told.asked == ["translation" not in found]
    case = Case()
    case.exchange.translation = translated(W3C, (b"b3", f"{'c' * 32}-{S}-1".encode()))
    case.record()
    assert case.told.asked == [True]


async def test_without_room_it_is_counted_by_what_was_spoken_alone() -> None:
    case = Case()
    case.told.room = False
    assert case.record() == {}
    assert len(case.told.formats.listed()) == 1
    case.exchange.translation = None  # it began before anybody asked
    case.told.room = True
    assert "ops.formats.read" not in case.record()
    assert [row[7] for row in case.told.formats.listed()] == [1]


async def test_an_exchange_keeps_its_id_and_others_have_others() -> None:
    case, other = Case(), Accounted()
    other.translation = None  # as an exchange begins
    mine = case.reporter.id_of(case.exchange)
    assert case.reporter.id_of(case.exchange) == mine
    assert int(case.reporter.id_of(other)[2:], 16) == (int(mine[2:], 16) + 1) % (1 << 64)
    taking_part = Accounted()
    taking_part.translation = translated(W3C, mode="participate")
    assert taking_part.translation.span is not None
    assert case.reporter.id_of(taking_part) == b"r_" + taking_part.translation.span.span_id


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
async def test_an_answer_of_ours(direction: str) -> None:
    case = Case(direction=direction)
    request = case.exchange.request
    case.reporter.record_ours(case.rules, request, b"10.0.0.9", 400, Refusal(Fault.BAD_HOST, "two of them"))
    case.reporter.record_ours(case.rules, None, b"", 200, None)
    refused, ours = case.told.entries
    first, second = (int(one.pop("ops.request.id")[2:], 16) for one in (refused, ours))
    assert second == (first + 1) % (1 << 64)
    peer = {"ops.peer.kind": "address", "ops.peer": "10.0.0.9"} if direction == "inbound" else {}
    usual = {
        "trace": "", "length_ns": 0, "ops.leg": "in" if direction == "inbound" else "out", "ops.listener": "inbound",
        "ops.duration_us": 0, **peer,
    }  # fmt: skip
    assert refused == {
        **usual, "server.address": "shop", "http.request.method": "GET", "http.response.status_code": 400,
        "ops.fault": "bad-host", "ops.fault.detail": "two of them", "user_agent.original": "curl/8", "url.path": "/a",
        "ops.headers.other": ["User-Agent", "X-A"],
    }  # fmt: skip
    unix = {"ops.peer": "unix"} if direction == "inbound" else {}
    assert ours == {**usual, **unix, "http.response.status_code": 200, "url.path": ""}
    assert case.told.asked == [True, False]
    case.told.room = False
    case.reporter.record_ours(case.rules, None, b"", 200, None)
    assert len(case.told.entries) == 2


@pytest.mark.skipif(
    not cast(str, accounting.__file__).endswith(".py"), reason="compiled attributes cannot be taken away"
)
async def test_a_bug_of_ours_is_counted_and_told_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    case = Case()
    del case.exchange.request
    case.record()
    case.reporter.record_ours(case.rules, cast(Any, object()), b"", 200, None)
    assert case.told.failures == ["AttributeError", "AttributeError"]
    assert [one.getMessage() for one in caplog.records] == [
        "an exchange was not reported",
        "an answer of ours was not reported",
    ]
