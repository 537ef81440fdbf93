"""From a request to an exchange: with which trace it goes out, and what is remembered of it for whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from lab.others import OtherAnswerer, OtherAsker, OtherRequest, other_plane

from proxy.listener import sides
from proxy.listener.app_calls.doctor import Doctor
from proxy.listener.app_calls.linking import Linker
from proxy.listener.catching_up import catch_up
from proxy.listener.dispatch import open_exchange
from proxy.listener.exchange import Exchange
from proxy.listener.listener_rules import ListenerRules
from proxy.participation.entry import Left
from proxy.participation.in_flight import InFlightTable
from proxy.plan import Router
from proxy.plan.participation import LinkingPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import Field
from proxy.telemetry.metrics import ExchangeMetrics
from proxy.telemetry.otlp.buffer import SpanBuffer
from proxy.telemetry.report.counts import FormatCounts
from proxy.translated import given_to_app

pytestmark = pytest.mark.skipif(
    not cast(str, sides.__file__).endswith(".py"), reason="compiled classes have no subclass in Python"
)

T, S = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"
B3 = (b"b3", f"{T}-{S}-1".encode())
UNSAMPLED = (b"b3", f"{T}-{S}-0".encode())


class Case:
    """A listener, the requests at the app, and what calls are joined and compared by."""

    def __init__(
        self, direction: str = "inbound", linking: LinkingPlan | None = None, *, explain: bool = False, **said: Any
    ) -> None:
        """`said`: of the upstream's propagation."""
        self.plane, self.pool, _ = other_plane()
        self.table = InFlightTable()
        self.linker = Linker(self.table, linking or LinkingPlan(process=False), lambda _: {})
        self.doctor = Doctor(self.table, {}, lambda: 0.0)
        plan = self.plane.listener.rules.plan
        upstream = plan.router.upstreams()[0]
        upstream = replace(upstream, propagation=replace(upstream.propagation, **said))
        plan = replace(plan, name=direction, router=Router(upstream), direction=cast(Any, direction), explain=explain)
        self.listener = self.plane.listener
        self.listener.is_inbound = direction == "inbound"
        self.listener.use(
            ListenerRules(
                plan, self.plane.pools, self.plane.metrics, self.listener.spans, "test",
                in_flight=self.table, linker=self.linker if self.linker.plan.is_on else None, doctor=self.doctor,
                evidence=self.linker.plan.headers,
            )
        )  # fmt: skip

    def open(self, *trace: Field) -> Exchange:
        request = OtherRequest(b"GET")
        request.trace = list(trace)
        return open_exchange(self.listener, OtherAsker(), request)

    @property
    def counted(self) -> Any:
        return self.exchanges.translation

    @property
    def exchanges(self) -> ExchangeMetrics:
        return self.plane.metrics.exchange(self.listener.name, "app")


class Holds:
    """A connection that has one request open."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def receivers(self) -> list[Exchange]:
        return [self._exchange]


async def test_an_exchange_is_timed_while_a_console_wants_to_know() -> None:
    case = Case()
    assert case.open(B3).extras is None
    case.listener.is_reporting = True
    assert case.open(B3).extras is not None


async def test_trace_fields_are_kept_for_those_who_read_them_again_alone() -> None:
    """An exchange may be open for hours. What the app was told is remembered all the same."""
    usual = Case()
    for one in (usual, Case(linking=LinkingPlan(("x-request-id",))), Case(linking=LinkingPlan(process=False))):
        exchange = one.open(B3)
        assert exchange.request.trace == []
        assert exchange.trace == [(b"traceparent", f"00-{T}-{S}-01".encode())]
        (entry,) = one.table.entries()
        assert (entry.trace_id, entry.span_id) == (T.encode(), S.encode())
        context = given_to_app(entry.source).context
        assert context is not None
        assert (context.trace_id, context.span_id) == (T, S)
    usual.listener.is_logging = True
    logged = usual.open(B3)
    assert logged.request.trace == [B3]
    assert logged.translation is not None
    assert logged.translation.extraction is not None
    evidence = Case(linking=LinkingPlan(("b3",))).open(B3)
    assert (evidence.request.trace, evidence.translation) == ([B3], None)


async def test_a_request_that_failed_was_not_answered_by_the_app() -> None:
    for refusal in (None, Refusal(Fault.CONNECTION_LOST, "gone")):
        case = Case()
        exchange = case.open(B3)
        (entry,) = case.table.entries()
        case.listener.record(exchange, OtherAsker(), refusal)
        assert (entry.is_answered, len(case.table)) == (refusal is None, 0)


async def test_what_no_log_and_no_console_asks_for_is_not_kept() -> None:
    """The translation: a response that tells the trace, a log, and a span that is exported need it."""
    assert Case().open(B3).translation is None
    assert Case(explain=True).open(B3).translation is not None
    assert Case(response_header="traceresponse").open(B3).translation is not None


@pytest.mark.parametrize(
    ("mode", "trace", "is_exported", "is_kept"),
    [
        ("participate", B3, True, True),
        ("participate", B3, False, False),
        ("participate", UNSAMPLED, True, False),
        ("translate", B3, True, False),
    ],
)
async def test_a_translation_with_a_span_is_kept_while_spans_are_exported(
    mode: str, trace: Field, is_exported: bool, is_kept: bool
) -> None:
    case = Case(mode=mode)
    case.listener.spans.outlet.buffer = SpanBuffer(limit_bytes=1000, batch_spans=1) if is_exported else None
    assert (case.open(trace).translation is not None) is is_kept


async def test_a_request_to_the_app_is_remembered_while_calls_may_have_to_be_joined_to_it() -> None:
    case = Case()
    exchange = case.open(B3)
    assert (exchange.in_flight, len(case.table)) == (None, 1)  # nobody has asked
    (entry,) = case.table.entries()
    assert (exchange.in_flight, entry.exchange, case.listener.exchanges) == (entry, exchange, 1)
    assert entry.started == case.plane.ticker.now
    off = Case(linking=LinkingPlan((), False, False))
    assert (off.open(B3).in_flight, off.table.entries()) == (None, ())
    out = Case("outbound")
    assert (out.open(B3).in_flight, len(out.table)) == (None, 0)


async def test_one_that_is_over_before_anybody_asks_was_never_read() -> None:
    case = Case()
    exchange = case.open(B3)
    case.listener.record(exchange, OtherAsker(), None)
    assert (exchange.in_flight, len(case.table), case.table.entries()) == (None, 0, ())


@pytest.mark.parametrize("is_read", [False, True])
async def test_one_whose_client_leaves_is_still_at_the_app(is_read: bool) -> None:
    """Whether anybody had asked about it before or not."""
    case = Case()
    exchange = case.open(B3)
    exchange.begin(b"", True, [])
    answerer = OtherAnswerer()
    exchange.on_connected(answerer)
    if is_read:
        case.table.settle()
    exchange.abandon()
    case.listener.record(exchange, OtherAsker(), Refusal(Fault.CLIENT_GONE, "gone"))
    (entry,) = case.table.entries()
    assert entry.left is not None
    assert (len(case.table.abandoned), entry.left.process, entry.exchange) == (1, answerer.process, None)


@pytest.mark.parametrize("is_read", [False, True])
async def test_one_that_goes_on_as_a_tunnel_is_at_the_app_until_that_is_closed(is_read: bool) -> None:
    case = Case()
    exchange = case.open(B3)
    if is_read:
        case.table.settle()
    case.listener.record_switch(exchange, OtherAsker())
    case.listener.tunnel_opened("upgrade", b"")
    assert case.table.of_trace(T.encode()) is exchange.in_flight is not None
    case.listener.tunnel_closed(b"", exchange)
    assert case.table.entries() == ()


async def test_a_bug_in_remembering_it_is_counted_and_stops_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor its end, which reads those that nobody has asked about."""
    case = Case()
    exchange = case.open(B3)

    def broken(_: object, entry: object) -> bool:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(InFlightTable, "begin", broken)
    exchange.left = Left(None, -1, shows_end=False)
    case.listener.record(exchange, OtherAsker(), Refusal(Fault.CLIENT_GONE, "gone"))
    case.listener.record_switch(case.open(B3), OtherAsker())
    assert case.counted.errors == {"RuntimeError": 2}
    assert len(case.table) == 0


async def test_what_a_reload_finds_is_remembered_once() -> None:
    case = Case()
    exchange = case.open(B3)
    case.listener.connections.add(cast(Any, Holds(exchange)))
    assert not catch_up([case.listener], 1.0, 9)
    assert case.table.entries() == (exchange.in_flight,)


async def test_a_call_without_a_context_is_joined_to_the_only_request() -> None:
    inbound = Case()
    inbound.open(B3)
    case = Case("outbound")
    case.table.begin(cast(Any, inbound.table.entries()[0]))
    assert [value for _, value in case.open().trace] == [f"00-{T}-{S}-01".encode()]
    assert case.counted.linked == {"single": 1}
    other = (b"b3", f"{'c' * 32}-{S}-1".encode())
    assert [value for _, value in case.open(other).trace] == [f"00-{'c' * 32}-{S}-01".encode()]
    assert case.counted.linked == {"single": 1}


async def test_one_whose_process_is_looked_up_first_gets_its_trace_when_it_is_known() -> None:
    case = Case("outbound", LinkingPlan(), explain=True)
    inbound = Case()
    inbound.open(B3)
    case.table.begin(cast(Any, inbound.table.entries()[0]))
    exchange = case.open()
    assert (exchange.trace, exchange.translation, case.counted.linked) == ([], None, {})
    exchange.begin(b"", True, [])
    assert case.pool.answerers == []


async def test_what_a_call_shows_of_the_app_is_told_with_it() -> None:
    inbound = Case()
    inbound.open(B3)
    case = Case("outbound", explain=True)
    case.table.begin(cast(Any, inbound.table.entries()[0]))
    case.doctor.tell(FormatCounts(), lambda _: b"r-1")
    exchange = case.open((b"b3", f"{'c' * 32}-{S}-1".encode()))
    assert (exchange.findings, exchange.request_of) == (("another-trace",), "r-1")


async def test_a_bug_of_ours_in_the_search_for_its_request_stops_no_call() -> None:
    case = Case("outbound")
    case.linker.find = lambda *_: cast(Any, 1 / 0)  # type: ignore[method-assign]
    assert case.open().trace == []
    assert case.counted.errors == {"ZeroDivisionError": 1}


async def test_a_call_is_timed_by_the_host_that_it_goes_to() -> None:
    """OpenTelemetry's `server.address`: of clients alone, the target's where it is set."""
    for direction, host in (("inbound", b""), ("outbound", b"127.0.0.1:8080")):
        case = Case(direction)
        case.listener.record(case.open(B3), OtherAsker(), None)
        assert [key[5] for key in case.exchanges.durations.series] == [host]
