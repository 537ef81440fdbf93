"""How the demo prints: aligned, and coloured if allowed. Pure: reports in, lines out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from proxy.demo.dialects import Headers
from proxy.demo.hops import Hop
from proxy.demo.journeys import Report
from proxy.demo.services import SERVICES
from proxy.demo.table import Style, Understood, headers, understood
from proxy.demo.topology import WAYS, Topology


def intro(topology: Topology, inject: Mapping[str, str], style: Style) -> Iterator[str]:
    """The services, their sidecars, and how each sidecar was configured."""
    yield style.paint("Three services, three formats, a sidecar beside each.", "bold")
    yield "Between sidecars the wire speaks W3C. Each sidecar translates for its own"
    yield "service, on the way in and on the way out."
    yield ""
    ways = {"shop": "set up by flags", "orders": "by a file", "billing": "by the environment"}
    for name, service in SERVICES.items():
        where = topology.sidecars[name].url("inbound").removeprefix("http://")
        yield f"  {style.paint(f'{name:7}', 'bold')}  knows only {service.dialect.label}"
        yield f"  {'':7}  its sidecar on {where} injects {inject[name]}, {ways[name]}"
    if topology.collector:
        yield ""
        yield "Each sidecar is a span of the trace, on the way in and on the way out, and so is"
        yield f"each service that calls on. They send them to {topology.collector}."


def journey(report: Report, number: int, style: Style, *, brief: bool) -> Iterator[str]:
    """One request, hop by hop, then what each service understood and the verdict. `brief`: only what arrived."""
    yield ""
    yield style.paint(f"{number}. {report.journey.title}", "bold")
    sent: Headers = report.journey.headers
    caller = "caller"
    style = _coloured(report, style)
    for hop, wire in zip(report.hops, report.wires, strict=True):
        way = f"  ({WAYS[caller]})" if caller in WAYS else ""
        yield f"  {style.paint(f'{caller} {style.arrow} {hop.service}', 'bold')}{style.paint(way, 'dim')}"
        if caller == "caller" or not brief:
            yield from headers("sent", sent, style)
        if caller != "caller" and not brief:
            yield from headers("wire", wire, style)
        yield from headers("saw", hop.saw, style)
        caller, sent = hop.service, hop.sent
    yield ""
    yield from _table(report, style)
    yield from _verdict(report, style)


def _table(report: Report, style: Style) -> Iterator[str]:
    """What each service understood, in the words of its format, below what the caller said."""
    said = report.journey
    caller = Understood("caller", said.trace_id, said.span_id, said.sampling, said.session)
    return understood((caller, *map(Understood.of, report.hops)), style)


def _verdict(report: Report, style: Style) -> Iterator[str]:
    for problem in report.problems:
        yield f"  {style.mark(False)} {problem}"
    if not report.problems:
        same = f"one trace, one session, one decision on all {len(report.hops)} hops"
        yield f"  {style.mark(True)} {same}, and no parent missing"
    for remark in _remarks(report):
        yield style.paint(f"    {remark}", "dim")


def _remarks(report: Report) -> Iterator[str]:
    """What the formats cannot say, if it happened here."""
    journey, hops = report.journey, report.hops
    has_state = [hop.span is not None and journey.tracestate in hop.span.state for hop in hops]
    if journey.tracestate and not all(has_state):
        without = [hop.service for hop, has in zip(hops, has_state, strict=True) if not has]
        has = "has" if len(without) == 1 else "have"
        if has_state[-1]:
            its = "its sidecar" if len(without) == 1 else "their sidecars"
            yield f"{' and '.join(without)} {has} no header for tracestate: {its} carried it past."
        else:
            yield f"{' and '.join(without)} {has} no header for tracestate. It was lost there."
    stash = _stash(hops)
    if journey.sampling == "debug" and stash and not report.problems:
        yield "traceparent can say neither debug nor 64 bits: tracestate carried both"
        yield f"({stash}) to B3 and Jaeger."


def _stash(hops: Sequence[Hop]) -> str:
    """The sidecars' own tracestate member, as the first W3C service saw it."""
    for hop in hops:
        for name, value in hop.saw:
            match = re.search(r"(?:^|,)\s*(ops=[^,]+)", value) if name.lower() == "tracestate" else None
            if match:
                return match[1]
    return ""


def _coloured(report: Report, style: Style) -> Style:
    """`style`, with the important ids in the same colour everywhere.

    The colour marks the significant half of the trace id, which is in both the 16 and the 32 digits.
    """
    spans = {report.journey.span_id, *(hop.sent_span_id for hop in report.hops)}
    kinds = dict.fromkeys(spans, "span")
    return replace(style, kinds={report.journey.trace_id: "trace", **kinds, report.journey.session: "session"})


def closing(style: Style) -> Iterator[str]:
    """What to do next."""
    yield ""
    yield style.paint("ops-sidecar demo --keep leaves it running, with curl commands to try.", "dim")
    yield style.paint("ops-sidecar demo --json is for scripts.", "dim")


def where_to_see(trace: str, style: Style) -> Iterator[str]:
    """The last line: the page of the first request."""
    yield ""
    yield style.paint("See the trace, and every header that was changed:", "bold")
    yield f"  {trace}"


def kept(topology: Topology, style: Style) -> Iterator[str]:
    """What to try while it runs."""
    entry = topology.entry
    yield ""
    yield style.paint("Running until Ctrl-C. Try these; the answer shows what each service saw:", "bold")
    yield ""
    for fields in (
        ("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Mirascope-Session-Id: mine"),
        ("X-B3-TraceId: a3ce929d0e0e4736", "X-B3-SpanId: 00f067aa0ba902b7", "X-B3-Sampled: 1"),
        ("uber-trace-id: 4bf92f3577b34da6:00f067aa0ba902b7:0:1",),
    ):
        yield f"  curl {entry} \\"
        yield " \\\n".join(f"       -H '{field}'" for field in fields)
    yield ""
    for name, sidecar in topology.sidecars.items():
        yield f"  sidecar of {name}"
        for listener in sidecar.addresses:
            yield f"    {listener:9} {sidecar.url(listener)}"
    yield f"  curl {topology.sidecars['orders'].url('admin')}/metrics"
