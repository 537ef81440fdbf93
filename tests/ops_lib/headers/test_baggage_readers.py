"""What the library writes as baggage, read by OpenTelemetry's own propagator for Python, and by Jaeger's rules."""

from __future__ import annotations

from urllib.parse import unquote_plus

import pytest
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

import ops_lib as ops
from ops_lib.headers.context_propagator import ContextPropagator

VALUES = ["a+b", "ab+c/d==", "hello world", "100%", "x;y=z", 'a,b"c\\', "café", "%2B", "a=b"]


@pytest.mark.parametrize("value", VALUES)
def test_opentelemetry_reads_what_a_program_has_set(value: str) -> None:
    """It takes a bare "+" for a blank, which W3C does not."""
    carrier: dict[str, str] = {}
    ops.inject_context(carrier, context=baggage.set_baggage("k", value, Context()))
    assert baggage.get_all(W3CBaggagePropagator().extract(carrier)) == {"k": value}


@pytest.mark.parametrize("value", VALUES)
def test_jaeger_reads_what_a_program_has_set(value: str) -> None:
    carrier: dict[str, str] = {}
    ContextPropagator(inject="jaeger").inject_context(carrier, baggage.set_baggage("k", value, Context()))
    assert unquote_plus(carrier["uberctx-k"]) == value


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("uberctx-k", "hello+world", "hello world"),
        ("uberctx-k", "a%2Bb", "a+b"),
        ("uberctx-k", "100%", "100%"),
        ("baggage", "k=a+b", "a+b"),
        ("baggage", "k=1,k=2", "2"),
    ],
)
def test_a_program_reads_what_was_sent(name: str, sent: str, value: str) -> None:
    """And what it does not change goes on as it came."""
    context = ops.extract_context({name: sent})
    assert baggage.get_baggage("k", context) == value
    carrier: dict[str, str] = {}
    ops.inject_context(carrier, context=context)
    assert baggage.get_baggage("k", ops.extract_context(carrier)) == value


def test_a_plus_of_w3c_crosses_to_jaeger_on_either_path() -> None:
    """Read plainly or in full, written into a dict or into pairs."""
    writer = ContextPropagator(inject="jaeger")
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    for sent in ("token=a+b", "token=a+b;p=1"):
        into: dict[str, str] = {}
        pairs: list[tuple[str, str]] = []
        context = ops.extract_context({**trace, "baggage": sent})
        writer.inject_context(into, context)
        writer.inject_context(pairs, context)
        assert into["uberctx-token"] == dict(pairs)["uberctx-token"] == sent[6:].replace("+", "%2B")
