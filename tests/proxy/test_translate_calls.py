"""The translator for calls of the app: with what its requests came with, and what belongs to no format of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops_lib.propagation import FORMATS, Format
from proxy.participation.carried import Carried
from proxy.participation.entry import InFlight
from proxy.participation.in_flight import InFlightTable
from proxy.participation.linking import Linked
from proxy.participation.sizes import NOTHING
from proxy.plan import PropagationPlan
from proxy.translate import Translator
from proxy.translated import FastTranslation, FullTranslation

TRACE, OTHER, SPAN, CHILD = "4bf92f3577b34da6a3ce929d0e0e4736", "a" * 32, "00f067aa0ba902b7", "b" * 16
CALL = [(b"b3", f"{TRACE}-{CHILD}-1-{SPAN}".encode())]
W3C = (b"traceparent", f"00-{TRACE}-{CHILD}-01".encode())
DATADOG = (b"x-datadog-trace-id", b"5")


def ones(bits: int) -> int:
    """For ids that are made up: the same each time."""
    return (1 << bits) - 1


def translator(table: InFlightTable | None = None, bits: Callable[[int], int] = ones, **settings: object) -> Translator:
    plan = {"extract": FORMATS, "inject": (Format.TRACECONTEXT,), **settings}
    return Translator(PropagationPlan(**plan), in_flight=table, random_bits=bits)  # type: ignore[arg-type]


def at_the_app(trace_id: str) -> InFlightTable:
    table = InFlightTable()
    table.begin(InFlight(trace_id.encode(), SPAN.encode(), 0.0, Carried(tracestate="vendor=1")))
    return table


def test_a_call_gets_back_what_its_format_cannot_carry() -> None:
    made = translator(at_the_app(TRACE)).translate(CALL)
    assert isinstance(made, FullTranslation)
    assert (made.headers, made.carried) == ([W3C, (b"tracestate", b"vendor=1")], ("tracestate",))


@pytest.mark.parametrize("table", [at_the_app(OTHER), InFlightTable(), None], ids=["another trace", "empty", "none"])
def test_a_call_of_another_trace_is_as_quick_as_any(table: InFlightTable | None) -> None:
    """And the same by the long way."""
    translates = translator(table)
    made = translates.translate(CALL)
    assert isinstance(made, FastTranslation)
    full = translates.translate_in_full(CALL)
    assert made.headers == full.headers == [W3C]
    assert full.carried == ()


@pytest.mark.parametrize("mode", ["translate", "participate"])
def test_the_ids_that_came_are_told_whatever_goes_out(mode: str) -> None:
    made = translator(mode=mode).translate(CALL)
    assert isinstance(made, FastTranslation)
    assert made.ids == (TRACE.encode(), CHILD.encode(), b"1")


def test_no_span_has_an_id_of_zeros() -> None:
    """W3C Trace Context, 3.2.2.4: that would be invalid."""
    (made,) = translator(bits=lambda _: 0, mode="participate").translate(CALL).headers
    assert made == (b"traceparent", f"00-{TRACE}-{1:016x}-01".encode())


def test_headers_of_another_family_pass_beside_a_call_that_was_joined() -> None:
    translates = translator(mode="participate")
    made = translates.translate_linked([DATADOG], NOTHING, Linked(None, "none"))
    assert made.headers[-1] == DATADOG
    assert (made.foreign, made.linked) == ((("datadog", "passed"),), "none")
    assert made.refused == ()
    both = translates.translate_entirely([(b"b3", f"{TRACE}-{CHILD}-1".encode()), DATADOG])
    assert [name for name, _ in both.headers] == [b"traceparent", b"x-datadog-trace-id"]
    assert both.extraction is not None
    assert both.extraction.context is not None
    assert both.extraction.context.trace_id == TRACE
