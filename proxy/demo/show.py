"""How the demo prints: aligned, coloured where it may be, plain otherwise. Pure: reports in, lines out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proxy.demo.dialects import Headers, is_trace_header
from proxy.demo.hops import Hop
from proxy.demo.journeys import Report
from proxy.demo.services import SERVICES
from proxy.demo.topology import WAYS, Topology

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "trace": "1;36", "span": "33", "session": "35"}
NAME_WIDTH = 24
LABEL_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Style:
    """What the terminal can do."""

    colour: bool
    unicode: bool

    def paint(self, text: str, kind: str) -> str:
        """`text` in the colour of its kind, or as it is."""
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self.colour and text else text

    @property
    def arrow(self) -> str:
        """Between caller and called."""
        return "→" if self.unicode else "->"

    def mark(self, ok: bool) -> str:
        """Kept or lost."""
        good, bad = ("✔", "✘") if self.unicode else ("ok", "LOST")
        return self.paint(good, "green") if ok else self.paint(bad, "red")


def intro(topology: Topology, inject: Mapping[str, str], style: Style) -> Iterator[str]:
    """Who is there and how each was told its one thing."""
    yield style.paint("Three services, three formats, a sidecar beside each.", "bold")
    yield "Between sidecars the wire speaks W3C; each sidecar translates for its own service, on the way in and out."
    yield ""
    ways = {"shop": "set up by flags", "orders": "by a file", "billing": "by the environment"}
    for name, service in SERVICES.items():
        where = topology.sidecars[name].url("inbound").removeprefix("http://")
        knows = f"knows only {service.dialect.label}"
        told = f"injects {inject[name]}"
        yield f"  {style.paint(f'{name:8}', 'bold')} {knows:35} its sidecar {where:16} {told:21} {ways[name]}"


def journey(report: Report, number: int, style: Style, *, brief: bool) -> Iterator[str]:
    """One request, hop by hop, then what each service understood and the verdict. `brief`: only what arrived."""
    yield ""
    yield style.paint(f"{number}. {report.journey.title}", "bold")
    sent: Headers = report.journey.headers
    caller = "caller"
    painter = _Painter(report, style)
    for hop, wire in zip(report.hops, report.wires, strict=True):
        way = f"   ({WAYS[caller]})" if caller in WAYS else ""
        yield f"  {style.paint(f'{caller} {style.arrow} {hop.service}', 'bold')}{style.paint(way, 'dim')}"
        if caller == "caller" or not brief:
            yield from painter.headers(f"{caller} sent", sent)
        if caller != "caller" and not brief:
            yield from painter.headers("on the wire", wire)
        yield from painter.headers(f"{hop.service} saw", hop.saw)
        caller, sent = hop.service, hop.sent
    yield ""
    yield from _table(report, style)
    yield from _verdict(report, style)


def _table(report: Report, style: Style) -> Iterator[str]:
    """What each service understood, in its own words."""
    rows = [
        (
            "caller",
            report.journey.trace_id,
            report.journey.span_id,
            report.journey.sampling,
            report.journey.session,
            report.journey.tracestate,
        )
    ]
    for hop in report.hops:
        span = hop.span
        rows.append(
            (hop.service, span.trace_id, span.span_id, span.sampling, hop.session, span.state)
            if span
            else (hop.service, "none", "", "", hop.session, "")
        )
    yield style.paint(
        f"  {'understood':10} {'trace':32}  {'called from span':16}  {'decision':8}  {'session':13}  tracestate", "dim"
    )
    for name, trace_id, span_id, sampling, session, state in rows:
        cells = (
            f"  {name:10}",
            style.paint(f"{trace_id:32}", "trace") + " ",
            style.paint(f"{span_id:16}", "span") + " ",
            f"{sampling:8} ",
            style.paint(f"{session or '-':13}", "session") + " ",
            state or "-",
        )
        yield " ".join(cells).rstrip()


def _verdict(report: Report, style: Style) -> Iterator[str]:
    for problem in report.problems:
        yield f"  {style.mark(False)} {problem}"
    if not report.problems:
        same = f"one trace, one session, one decision on all {len(report.hops)} hops"
        yield f"  {style.mark(True)} {same}, and no gap between parent and child"
    for remark in _remarks(report):
        yield style.paint(f"    {remark}", "dim")


def _remarks(report: Report) -> Iterator[str]:
    """What the formats cannot say, told honestly, and only where it was seen."""
    journey, hops = report.journey, report.hops
    has_state = [hop.span is not None and journey.tracestate in hop.span.state for hop in hops]
    if journey.tracestate and not all(has_state):
        first = has_state.index(False)
        later = "but came back further on" if any(has_state[first:]) else "and so it ended there"
        yield f"{hops[first].service} knows no header for tracestate: its sidecar had it, {later}."
    stash = _stash(hops)
    if journey.sampling == "debug" and stash and not report.problems:
        yield f"traceparent can say neither debug nor 64 bits: tracestate carried both ({stash}) to B3 and Jaeger."


def _stash(hops: Sequence[Hop]) -> str:
    """The sidecars' own tracestate member, as the first W3C service saw it."""
    for hop in hops:
        for name, value in hop.saw:
            match = re.search(r"(?:^|,)\s*(ops=[^,]+)", value) if name.lower() == "tracestate" else None
            if match:
                return match[1]
    return ""


class _Painter:
    """Prints header lists, with the ids that matter in the same colour everywhere."""

    def __init__(self, report: Report, style: Style) -> None:
        self._style = style
        spans = {report.journey.span_id, *(hop.sent_span_id for hop in report.hops)} - {""}
        # The trace id's significant half: as it is spelled in 16 and in 32 digits.
        self._kinds = [
            (report.journey.trace_id, "trace"),
            *((span_id, "span") for span_id in spans),
            (report.journey.session, "session"),
        ]

    def headers(self, label: str, headers: Headers) -> Iterator[str]:
        """One line per header, the label before the first."""
        if not headers:
            yield "    " + self._style.paint(f"{label:{LABEL_WIDTH}} nothing about a trace", "dim")
        for name, value in headers:
            assert is_trace_header(name), name
            yield f"    {self._style.paint(f'{label:{LABEL_WIDTH}}', 'dim')} {name:{NAME_WIDTH}} {self._value(value)}"
            label = ""

    def _value(self, value: str) -> str:
        if not self._style.colour:
            return value
        by_text = dict(self._kinds)
        pattern = "|".join(re.escape(text) for text in by_text)
        return re.sub(pattern, lambda match: self._style.paint(match[0], by_text[match[0]]), value)


def closing(style: Style) -> Iterator[str]:
    """How to go on."""
    yield ""
    yield style.paint(
        "ops-sidecar demo --keep leaves it running, with curl commands to try; --json is for scripts.", "dim"
    )


def kept(topology: Topology, style: Style) -> Iterator[str]:
    """What to try while it runs."""
    entry = topology.entry
    yield ""
    yield style.paint("Running until Ctrl-C. Try (the answer shows what each service saw):", "bold")
    w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    yield f"  curl {entry} -H 'traceparent: {w3c}' -H 'X-Mirascope-Session-Id: mine'"
    yield f"  curl {entry} -H 'X-B3-TraceId: a3ce929d0e0e4736' -H 'X-B3-SpanId: 00f067aa0ba902b7' -H 'X-B3-Sampled: 1'"
    yield f"  curl {entry} -H 'uber-trace-id: 4bf92f3577b34da6:00f067aa0ba902b7:0:1'"
    yield ""
    for name, sidecar in topology.sidecars.items():
        listeners = ", ".join(f"{listener} {sidecar.url(listener)}" for listener in sidecar.addresses)
        yield f"  {'sidecar of ' + name:19} {listeners}"
    yield f"  curl {topology.sidecars['orders'].url('admin')}/metrics"
