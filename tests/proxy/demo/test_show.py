"""What the demo prints: plain where it must be, the same ids in the same colour where it may."""

from __future__ import annotations

import re
from dataclasses import replace

from proxy.demo import show
from proxy.demo.dialects import B3_MULTI, W3C, Headers, Span
from proxy.demo.hops import Hop
from proxy.demo.journeys import Report, modern_caller, old_caller
from proxy.demo.table import WIDTH, Style

PLAIN = Style(colour=False, unicode=True)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def report() -> Report:
    """A caller -> shop -> orders, of which orders knows no tracestate."""
    journey = modern_caller()
    own = Span(journey.trace_id, "00000000000000a1", "accept", journey.span_id, journey.tracestate)
    sent = W3C.write(own)
    saw_orders: Headers = B3_MULTI.write(own._replace(parent_id="", state=""))
    hops = (
        Hop(
            "shop",
            "tracecontext",
            "/checkout",
            journey.headers,
            W3C.read(dict(journey.headers)),
            journey.session,
            sent,
            own.span_id,
        ),
        Hop("orders", "b3multi", "/orders", saw_orders, own._replace(parent_id="", state=""), journey.session),
    )
    return Report(journey, hops, (journey.headers, sent), ())


def text(of: Report, style: Style = PLAIN, *, brief: bool = False) -> str:
    return "\n".join(show.journey(of, 1, style, brief=brief))


def test_every_header_of_every_hop_is_there() -> None:
    shown = text(report())
    for hop in report().hops:
        for name, _ in hop.saw:
            assert name in shown
    lines = [line for line in shown.splitlines() if "X-B3-TraceId" in line]
    assert lines == [f"    saw   X-B3-TraceId: {report_trace(shown)}"]


def report_trace(shown: str) -> str:
    match = re.search(r"00-([0-9a-f]{32})-", shown)
    assert match
    return match[1]


def test_plain_has_no_escape_and_is_what_remains_of_colour() -> None:
    one = report()
    plain, coloured = text(one), text(one, replace(PLAIN, colour=True))
    assert "\x1b" not in plain
    assert "\x1b" in coloured
    assert ESCAPE.sub("", coloured) == plain


def test_the_trace_id_has_its_colour_wherever_it_stands() -> None:
    one = report()
    coloured = text(one, replace(PLAIN, colour=True))
    assert coloured.count(one.journey.trace_id) == coloured.count(f"\x1b[1;36m{one.journey.trace_id}")


def test_ascii_where_the_terminal_has_nothing_else() -> None:
    assert text(report(), replace(PLAIN, unicode=False)).isascii()
    assert not text(report()).isascii()


def test_brief_leaves_out_what_was_sent_between() -> None:
    assert "    wire  " in text(report())
    assert "    wire  " not in text(report(), brief=True)
    assert "    saw   X-B3-TraceId" in text(report(), brief=True)


def test_the_verdict() -> None:
    assert "✔ one trace, one session, one decision on all 2 hops" in text(report())
    lost = text(replace(report(), problems=("orders/orders: lost the session",)))
    assert "✘ orders/orders: lost the session" in lost
    assert "✔" not in lost


def test_a_hop_that_understood_nothing() -> None:
    one = report()
    lost = replace(one, hops=(one.hops[0], replace(one.hops[1], span=None, saw=())), problems=("x",))
    assert "    saw   nothing about a trace" in text(lost)


def test_says_what_a_format_cannot_carry_where_it_was_seen() -> None:
    one = report()
    assert "orders has no header for tracestate. It was lost there." in text(one)
    back = replace(one, hops=(*one.hops, one.hops[0]), wires=(*one.wires, one.wires[0]))
    assert "orders has no header for tracestate: its sidecar carried it past." in text(back)
    further = replace(back, hops=(*one.hops, one.hops[1], one.hops[0]), wires=(*one.wires, *one.wires))
    assert "orders and orders have no header for tracestate: their sidecars carried it past." in text(further)
    assert "no header for tracestate" not in text(replace(one, hops=one.hops[:1], wires=one.wires[:1]))


def test_says_how_debug_crossed_w3c() -> None:
    journey = old_caller()
    padded = journey.trace_id.rjust(32, "0")
    saw = (("traceparent", f"00-{padded}-{journey.span_id}-01"), ("tracestate", "ops=s:d;w:16,x=y"))
    one = Report(
        journey, (Hop("shop", "tracecontext", "/", saw, W3C.read(dict(saw)), journey.session),), (journey.headers,), ()
    )
    assert "tracestate carried both\n    (ops=s:d;w:16)" in text(one)


def test_no_line_passes_column_80() -> None:
    """The longest header that the demo has is a `uber-trace-id` with a parent id, which goes on a line of its own."""
    one = report()
    long = ("uber-trace-id", f"{one.journey.trace_id}:{'1' * 16}:{'2' * 16}:1")
    shown = text(replace(one, hops=(replace(one.hops[0], sent=(long,)), one.hops[1])))
    assert "sent  uber-trace-id:\n            " + long[1] in shown
    assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


def test_a_session_that_another_service_has_is_no_kept_one() -> None:
    one = report()
    shown = text(replace(one, hops=(one.hops[0], replace(one.hops[1], session="s-9"))))
    sessions = [line.split()[-1] for line in shown.splitlines() if re.match(r"  (caller|shop|orders) .* accept ", line)]
    assert sessions == ["sent", "kept", "other"]
