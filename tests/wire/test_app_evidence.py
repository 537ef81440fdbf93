"""What is found in an app's calls while a console wants to know: losses beside the ids, stale and late calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.both_sides import BothSides
from lab.collectors import collecting
from lab.peers import Upstream
from lab.reports import Console
from lab.sidecar import LISTEN, Sidecar, merged

T, S, OWN = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "00000000000000aa"
OTHER = "1" * 32
W3C = f"traceparent: 00-{T}-{S}-01"
STATE, BAGGAGE, SESSION = "tracestate: congo=t61", "baggage: tier=gold", "X-Mirascope-Session-Id: s-1"


def trace(number: int) -> str:
    return f"traceparent: 00-{number:032x}-{number:016x}-01"


class Both(BothSides):
    def call(self, *fields: str) -> None:
        client = self.client("outbound")
        head = ["GET http://billing.internal/ HTTP/1.1", "Host: billing.internal", *fields, "", ""]
        client.send("\r\n".join(head).encode())
        self.billing.answer()
        assert client.response().status == 200

    @property
    def calls(self) -> dict[str, int]:
        return self.sidecar.call(lambda: dict(self.sidecar.plane.evidence(is_final=True).calls))

    @property
    def expected(self) -> dict[str, int]:
        return self.sidecar.call(lambda: dict(self.sidecar.plane.evidence().expected))


@pytest.fixture
def console() -> Iterator[Console]:
    with collecting() as made:
        yield Console(made)


@pytest.fixture
def both(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream, console: Console) -> Callable[..., Both]:
    def make(**settings: Any) -> Both:
        base = {
            "inbound": {"app": upstream.url},
            "outbound": {"listen": LISTEN},
            "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing.url}],
            "console": {"report": {"endpoint": f"http://127.0.0.1:{console.collector.port}"}},
        }
        return Both(start(merged(base, settings)), upstream, billing)

    return make


@pytest.mark.parametrize(
    ("given", "sent", "lost"),
    [
        ([STATE], [W3C, STATE], []),
        ([STATE], [W3C], ["lost-tracestate"]),
        ([STATE], [W3C, "tracestate: mine=1,congo=t61"], []),
        ([STATE], [W3C, "tracestate: mine=1"], ["lost-tracestate"]),
        ([STATE], [f"b3: {T}-{OWN}-1"], []),
        ([BAGGAGE], [W3C, BAGGAGE], []),
        ([BAGGAGE], [W3C], ["lost-baggage"]),
        ([SESSION], [W3C, SESSION], []),
        ([SESSION], [W3C], ["lost-session"]),
        ([STATE, BAGGAGE, SESSION], [W3C], ["lost-tracestate", "lost-baggage", "lost-session"]),
        ([], [W3C], []),
    ],
)
def test_what_a_call_lacks_of_its_request(
    both: Callable[..., Both], given: list[str], sent: list[str], lost: list[str]
) -> None:
    wire = both()
    with wire.at_app(W3C, *given):
        wire.call(*sent)
    found = {finding: number for finding, number in wire.calls.items() if finding.startswith("lost-")}
    assert found == dict.fromkeys(lost, 1)


def test_what_is_expected_is_counted_where_there_is_room_for_it(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(W3C, STATE, SESSION):
        wire.call(W3C)
        wire.call(f"b3: {T}-{OWN}-1")
    assert wire.expected == {"decision": 2, "tracestate": 1, "session": 2}


@pytest.mark.parametrize(
    "fields", [[f"uber-trace-id: {T}:{S}:0:1"], ["x-datadog-trace-id: 7", "x-datadog-parent-id: 8"]]
)
def test_a_format_that_is_not_read_is_not_a_dropped_context(both: Callable[..., Both], fields: list[str]) -> None:
    wire = both(propagation={"extract": ["tracecontext", "b3"]})
    with wire.at_app(W3C):
        wire.call(*fields)
    assert wire.calls == {"examined": 1, "unread-format": 1}


def test_a_call_behind_an_answer_is_late(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(W3C):
        wire.call(W3C)
    with wire.at_app(trace(2)):
        wire.call(f"traceparent: 00-{T}-{OWN}-01")
        wire.call(trace(2))
    assert wire.calls == {"examined": 3, "forwarded": 2, "late": 1}


def test_new_ids_for_each_call_are_another_trace(both: Callable[..., Both]) -> None:
    wire = both()
    for number in range(2, 6):
        with wire.at_app(trace(number)):
            wire.call(trace(number + 100))
    assert wire.calls == {"examined": 4, "another-trace": 4}


@pytest.mark.parametrize("kept", [W3C, f"traceparent: 00-{OTHER}-{OWN}-01"])
def test_one_context_for_all_calls_is_stale(both: Callable[..., Both], kept: str) -> None:
    """Whether the app got it with a request, or made it up."""
    wire = both()
    with wire.at_app(W3C):
        pass
    for number in range(2, 8):
        with wire.at_app(trace(number)):
            wire.call(kept)
    assert wire.calls == {"examined": 6, "stale": 6}


def test_work_behind_an_answer_that_goes_on_alone_is_not_stale(both: Callable[..., Both]) -> None:
    wire = both()
    with wire.at_app(W3C):
        wire.call(W3C)
    wire.call(W3C)
    for number in range(2, 8):
        with wire.at_app(trace(number)):
            wire.call(W3C)
    assert wire.calls == {"examined": 7, "forwarded": 1, "late": 6}


def test_the_call_and_its_request_are_told_with_each_other(both: Callable[..., Both], console: Console) -> None:
    wire = both(console={"report": {"exchanges_per_second": 1}})
    with wire.at_app(W3C, SESSION):
        wire.call(W3C)
    call, request = console.exchange(), console.exchange()
    assert (call["ops.leg"], call["ops.findings"]) == ("out", ["lost-session"])
    assert request["ops.leg"] == "in"
    assert call["ops.request.of"] == request["ops.request.id"]


def test_what_the_app_speaks_is_counted_beside_what_it_was_given(both: Callable[..., Both]) -> None:
    wire = both(inbound={"propagation": {"inject": ["tracecontext", "b3"]}})
    with wire.at_app(W3C):
        wire.call(f"b3: {T}-{OWN}-1")
    formats = wire.sidecar.plane._channel.formats
    rows = {tuple(row[:7]): row[7] for row in wire.sidecar.call(formats.listed)}
    assert rows["call", "", "", "app", "", "b3", "tracecontext,b3"] == 1
    assert rows["out", "", "", "billing", "", "b3", "tracecontext"] == 1


def test_without_a_console_nothing_more_is_looked_at(both: Callable[..., Both]) -> None:
    wire = both(console={"report": {"endpoint": None}})
    with wire.at_app(W3C, SESSION):
        wire.call(W3C)
    assert wire.calls == {"examined": 0}
    assert wire.sidecar.metrics.app_calls == {"forwarded": 1}
