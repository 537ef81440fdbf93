"""What people see of the demo, line by line, with and without colour: `story.txt` has what was reviewed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.texts import check_text

from proxy.demo import show
from proxy.demo.dialects import B3_MULTI, JAEGER, W3C, Headers, Span
from proxy.demo.hops import Hop, find_losses
from proxy.demo.journeys import Report, modern_caller, old_caller
from proxy.demo.sidecars import Sidecar
from proxy.demo.table import Style, answer
from proxy.demo.topology import Topology

PLAIN, COLOURED = Style(), Style(colour=True, unicode=True)
ROUTE = (("shop", W3C, "/checkout"), ("orders", B3_MULTI, "/orders"), ("billing", JAEGER, "/charges"))


def digits(letter: str) -> Any:
    return lambda size: letter * (2 * size)


def sidecar(name: str, port: int) -> Sidecar:
    names = ("inbound", "outbound", *(("billing",) if name == "orders" else ()), "admin")
    addresses = {one: ("127.0.0.1", port + number) for number, one in enumerate(names)}
    return Sidecar(name, SimpleNamespace(), addresses)  # type: ignore[arg-type]  # no process runs


def topology(collector: str = "") -> Topology:
    return Topology({name: sidecar(name, 1000 * n) for n, (name, _, _) in enumerate(ROUTE, 1)}, {}, collector)


def travelled(journey: Any, *, loses: str = "") -> Report:
    """A request through all services, whose sidecars keep everything but what the service `loses` has lost."""
    hops: list[Hop] = []
    wires: list[Headers] = []
    caller = Span(journey.trace_id, journey.span_id, journey.sampling, "", journey.tracestate)
    sent: Headers = journey.headers
    for number, (name, dialect, path) in enumerate((*ROUTE, ("shop", W3C, "/receipts"))):
        has_state = dialect is W3C
        read = caller._replace(
            sampling="accept" if has_state and caller.sampling == "debug" else caller.sampling,
            state=(caller.state or "ops=s:d;w:16") if has_state else "",
        )
        saw = (*dialect.write(read), ("X-Mirascope-Session-Id", journey.session))
        span = None if name == loses else read
        caller = caller._replace(span_id=f"{number:016x}", parent_id=caller.span_id)
        last = number == len(ROUTE)
        wires.append(sent)
        sent = () if last else dialect.write(caller)
        session = "another" if name == loses else journey.session
        shown = () if span is None else saw
        hops.append(Hop(name, dialect.name, path, shown, span, session, sent, "" if last else caller.span_id))
    return Report(journey, tuple(hops), tuple(wires), tuple(find_losses(journey, hops)))


def the_story(style: Style) -> list[str]:
    inject = {name: dialect.name for name, dialect, _ in ROUTE}
    modern, old = modern_caller(digits("a")), old_caller(digits("b"))
    lines = [*show.intro(topology(), inject, style), *show.intro(topology("http://c:4318"), inject, style)]
    for number, report in enumerate((travelled(modern), travelled(old), travelled(modern, loses="orders")), 1):
        lines += show.journey(report, number, style, brief=number == 2)
    lines += [*show.closing(style), *show.kept(topology(), style), *show.where_to_see("http://c/#/traces/1", style)]
    hops = travelled(modern).hops
    return [*lines, answer(hops, [], style), answer([replace(hops[0], span=None)], ["no answer"], style)]


def test_it_is_told_as_reviewed() -> None:
    parts = [line.replace("\x1b", "^") for style in (PLAIN, COLOURED) for line in the_story(style)]
    check_text("\n".join([*parts, ""]), Path(__file__).parent / "story.txt")


def test_a_value_has_a_line_of_its_own_beyond_80_columns() -> None:
    def lines(length: int) -> list[str]:
        pairs = (("tracestate", "x" * length),)
        return answer([Hop("shop", "tracecontext", "/", pairs, None, "")], [], PLAIN).splitlines()[1:3]

    first = "    saw   tracestate:"
    assert lines(58) == [f"{first} {'x' * 58}", ""]
    assert len(lines(58)[0]) == 80
    assert lines(59) == [first, " " * 12 + "x" * 59]
