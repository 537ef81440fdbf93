"""What shadows would do is counted, and the last example of each difference is kept, as far as it may be shown."""

from __future__ import annotations

from typing import Any, cast

from ops_lib.propagation import FORMATS, parse_formats
from proxy.http1.message.request import Request
from proxy.listener.trials import Trial, Trials, told
from proxy.plan import PropagationPlan
from proxy.shadow import Shadow, Tape
from proxy.telemetry.metrics import Metrics
from proxy.translate import Translator

T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
ROUTE = "inbound", "app"


class Case:
    """A route to an upstream in W3C's format, and a shadow that would write B3, or another one."""

    def __init__(self, inject: str = "b3", mode: Any = "translate") -> None:
        self.metrics = Metrics()
        self.counts = self.metrics.exchange(*ROUTE).translation
        self.trials = Trials(lambda: 7.0)
        self.tape = Tape()
        plans = [
            PropagationPlan(extract=FORMATS, inject=parse_formats(one), mode=mode) for one in ("tracecontext", inject)
        ]
        self.real = Translator(plans[0], random_bits=self.tape.record)
        other = Translator(plans[1], random_bits=self.tape.replay)
        trial = self.trials.of(*ROUTE, Shadow((self.real,), (other,), self.tape))
        assert trial is not None
        self.trial: Trial = trial

    def pass_on(self, *fields: tuple[bytes, bytes]) -> None:
        request = Request(b"GET", b"/", 1, [])
        request.trace = list(fields)
        self.trial.begin()
        self.trial.compare(self.counts, request, self.real.translate(list(fields)), 0)


def test_without_a_shadow_nothing_is_compared() -> None:
    assert Trials().of(*ROUTE, None) is None


def test_differences_are_counted_and_the_last_example_of_each_is_kept() -> None:
    case = Case()
    case.pass_on()
    assert (case.counts.shadow, case.trials.examples()) == ({"same": 1}, {ROUTE: {}})
    case.pass_on(W3C)
    case.pass_on(W3C, (b"tracestate", b"a=1"), (b"baggage", b"user=7"))
    assert case.counts.shadow == {"same": 1, "headers": 2, "losses": 1}
    found = case.trials.examples()[ROUTE]
    assert (
        found["headers"]
        == found["losses"]
        == {
            "at": 7.0,
            "came": [("traceparent", W3C[1].decode()), ("tracestate", "a=1"), ("baggage", "user=***")],
            "goes": [("traceparent", W3C[1].decode()), ("tracestate", "a=1"), ("baggage", "user=***")],
            "would_go": [("b3", f"{T}-{S}-1"), ("baggage", "user=***")],
        }
    )


def test_a_shadow_has_the_random_numbers_of_each_request() -> None:
    case = Case("tracecontext", "participate")
    for _ in range(9):
        case.pass_on()
    assert case.counts.shadow == {"same": 9}


def test_an_example_is_cut_at_40_fields_and_512_bytes() -> None:
    case = Case()
    case.pass_on(W3C, (b"tracestate", b",".join(b"%d=" % number + b"x" * 250 for number in range(3))))
    assert len(case.trials.examples()[ROUTE]["headers"]["came"][1][1]) == 512
    case = Case()
    case.pass_on(W3C, *((b"uberctx-%d" % number, b"v") for number in range(50)))
    came = case.trials.examples()[ROUTE]["headers"]["came"]
    assert (len(came), came[1]) == (40, ("uberctx-0", "***"))


def test_a_bug_of_ours_is_counted() -> None:
    case = Case()
    case.trial.compare(case.counts, cast(Any, None), cast(Any, None), 0)
    assert case.counts.shadow == {"error": 1}


def test_examples_outlive_a_reload_of_the_same_route_alone() -> None:
    case = Case()
    case.pass_on(W3C)
    before = case.trials.examples()
    case.trials.of(*ROUTE, cast(Any, object()))
    case.trials.of("outbound", "other", cast(Any, object()))
    case.trials.keep_only({ROUTE})
    assert case.trials.examples() == before
    case.trials.keep_only(set())
    assert case.trials.examples() == {}


def test_routes_are_told_in_order_with_their_counts() -> None:
    case = Case()
    case.pass_on()
    assert told({("outbound", "other"), ROUTE}, case.metrics, {ROUTE: {}}) == [
        {"listener": "inbound", "upstream": "app", "counts": {"same": 1}, "examples": {}},
        {"listener": "outbound", "upstream": "other", "counts": {}, "examples": {}},
    ]
