"""Whatever a hop loses is found and named; where nothing is lost, nothing is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from proxy.demo.dialects import Span
from proxy.demo.hops import Hop, Journey, find_losses

TRACE, SHORT = "4bf92f3577b34da6a3ce929d0e0e4736", "a3ce929d0e0e4736"
JOURNEY = Journey("", (), TRACE, "00000000000000a0", "accept", "a=b", "s-1")


def hops(trace_id: str = TRACE, decisions: tuple[str, ...] = ("accept",) * 4) -> list[Hop]:
    """A journey on which nothing is lost."""
    spans = ["00000000000000a0", "00000000000000a1", "00000000000000a2", "00000000000000a3", ""]
    services = (
        ("shop", "tracecontext", "/checkout"),
        ("orders", "b3multi", "/orders"),
        ("billing", "jaeger", "/charges"),
        ("shop", "tracecontext", "/receipts"),
    )
    return [
        Hop(
            name,
            speaks,
            path,
            (),
            Span(trace_id, spans[number], decisions[number], "", "a=b" if speaks == "tracecontext" else ""),
            "s-1",
            (),
            spans[number + 1],
        )
        for number, (name, speaks, path) in enumerate(services)
    ]


def test_nothing_lost() -> None:
    assert find_losses(JOURNEY, hops()) == []


def test_the_same_trace_in_both_widths() -> None:
    short = replace(JOURNEY, trace_id=SHORT)
    assert find_losses(short, hops(SHORT)) == []
    assert find_losses(short, hops(SHORT.rjust(32, "0"))) == []


def test_debug_reads_as_accept_where_the_format_has_one_bit() -> None:
    debug = replace(JOURNEY, sampling="debug")
    assert find_losses(debug, hops(decisions=("accept", "debug", "debug", "accept"))) == []
    assert len(find_losses(debug, hops(decisions=("accept", "accept", "debug", "accept")))) == 1


def test_a_service_is_judged_by_its_own_format_whatever_else_it_saw() -> None:
    """Told `composite`, its sidecar hands it a traceparent as well; it reads the debug flag of its own format."""
    debug = replace(JOURNEY, sampling="debug")
    every = hops(decisions=("accept", "debug", "debug", "accept"))
    every[1] = replace(every[1], saw=(("traceparent", "..."), ("X-B3-Flags", "1")))
    assert find_losses(debug, every) == []
    every[1] = replace(every[1], span=every[1].span._replace(sampling="accept"))  # type: ignore[union-attr]
    assert len(find_losses(debug, every)) == 1


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda hop: replace(hop, span=None), "lost the trace"),
        (lambda hop: replace(hop, span=hop.span._replace(trace_id="f" * 32)), "lost the trace"),
        (lambda hop: replace(hop, span=hop.span._replace(trace_id=TRACE[16:])), "lost the trace"),
        (lambda hop: replace(hop, span=hop.span._replace(span_id="b" * 16)), "lost its parent"),
        (lambda hop: replace(hop, span=hop.span._replace(sampling="deny")), "lost the sampling decision"),
        (lambda hop: replace(hop, session=""), "lost the session"),
        (lambda hop: replace(hop, session="another"), "lost the session"),
    ],
)
def test_each_loss_is_found_at_its_hop(number: int, change, word: str) -> None:  # type: ignore[no-untyped-def]  # a table of lambdas
    lossy = hops()
    lossy[number] = change(lossy[number])
    (problem,) = find_losses(JOURNEY, lossy)
    assert word in problem
    assert problem.startswith(f"{lossy[number].service}{lossy[number].path}: ")


@pytest.mark.parametrize("number", [0, 3])
def test_a_service_that_speaks_w3c_gets_the_tracestate(number: int) -> None:
    lossy = hops()
    lossy[number] = replace(lossy[number], span=lossy[number].span._replace(state="ops=s:d"))  # type: ignore[union-attr]
    (problem,) = find_losses(JOURNEY, lossy)
    assert problem == f"shop{lossy[number].path}: lost the tracestate: ops=s:d, the caller's is a=b"


def test_a_hop_that_never_happened() -> None:
    (problem,) = find_losses(JOURNEY, hops()[:2])
    assert "shop -> orders, not" in problem
    assert find_losses(JOURNEY, []) == ["the request went nowhere, not shop -> orders -> billing -> shop"]


@pytest.mark.parametrize("hop", [*hops(), Hop("shop", "tracecontext", "/", (), None, "")])
def test_a_hop_survives_json(hop: Hop) -> None:
    assert Hop.from_json(json.loads(json.dumps(hop.to_json()))) == hop


def test_losses_in_words() -> None:
    """Each service is held against the one that called it, the first against the caller."""
    lossy = hops()
    lossy[0] = replace(lossy[0], span=Span("1" * 32, "2" * 16, "deny", "", ""), session="", sent_span_id="")
    lossy[1] = replace(lossy[1], span=None, session="other")
    found = find_losses(JOURNEY, lossy[:3])
    assert found == [
        "the request went shop -> orders -> billing, not shop -> orders -> billing -> shop",
        f"shop/checkout: lost the trace: it is in {'1' * 32}, the caller's is {TRACE}",
        "shop/checkout: lost the sampling decision: deny, the caller said accept",
        "shop/checkout: lost the tracestate: none came, the caller's is a=b",
        "shop/checkout: lost the session: none came, the caller's is s-1",
        f"shop/checkout: lost its parent: span {'2' * 16}, but the caller called from 00000000000000a0",
        "orders/orders: lost the trace: no trace header that it understands came in",
        "orders/orders: lost the session: other, the caller's is s-1",
    ]
    lossy[1] = hops()[1]
    assert find_losses(JOURNEY, lossy)[5] == (
        "orders/orders: lost its parent: span 00000000000000a1, but shop called from no span"
    )


def test_where_sidecars_make_spans_a_service_is_never_called_from_another() -> None:
    found = find_losses(JOURNEY, hops(), sidecars_are_spans=True)
    assert found[0] == (
        "shop/checkout: lost its parent: span 00000000000000a0, but the caller called from 00000000000000a0, "
        "and no sidecar's span is between"
    )
    assert len(found) == 4
    between = [replace(hop, sent_span_id="f" * 16) for hop in hops()]
    assert find_losses(replace(JOURNEY, span_id="f" * 16), between, sidecars_are_spans=True) == []
