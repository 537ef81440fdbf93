"""Trace context and session over the wire: each row is what a client sends, how the sidecar is set, and exactly what
the app then sees.

The rules are those of docs/formats.md; the codecs have vectors of their own. Here it is the whole way: socket,
parser, translation, clearing, socket.
"""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from lab.messages import Head
from lab.process import SidecarProcess
from lab.sidecar import LISTEN
from lab.wire import Wire

T, S, P = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "0020000000000001"
SHORT, PADDED = "48485a3953bb6124", "000000000000000048485a3953bb6124"
OTHER = "1" * 32
W3C = f"traceparent: 00-{T}-{S}-01"
B3MULTI = [f"X-B3-TraceId: {T}", f"X-B3-SpanId: {S}", "X-B3-Sampled: 1"]
TRACE_NAME = re.compile(r"traceparent|tracestate|b3|x-b3-.*|x_b3_.*|uber.*|jaeger-.*|baggage|.*mirascope.*")

Row = tuple[str, dict[str, Any], list[str], list[str]]


def inject(*formats: str, **more: Any) -> dict[str, Any]:
    return {"inject": list(formats), **more}


ROWS: list[Row] = [
    # B3 -> W3C
    ("b3multi-to-tracecontext", inject("tracecontext"), B3MULTI, [f"traceparent: 00-{T}-{S}-01"]),
    ("b3multi-denied", inject("tracecontext"), [*B3MULTI[:2], "X-B3-Sampled: 0"], [f"traceparent: 00-{T}-{S}-00"]),
    ("b3multi-true", inject("tracecontext"), [*B3MULTI[:2], "X-B3-Sampled: True"], [f"traceparent: 00-{T}-{S}-01"]),
    ("b3multi-debug", inject("tracecontext"), [*B3MULTI[:2], "X-B3-Flags: 1"], [f"traceparent: 00-{T}-{S}-01", "tracestate: ops=s:d"]),
    ("b3multi-defer", inject("tracecontext"), B3MULTI[:2], [W3C, f"tracestate: ops=s:q.{S}"]),
    ("b3multi-defer-not-lossless", inject("tracecontext", lossless=False), B3MULTI[:2], [W3C]),
    ("b3multi-defer-deny", inject("tracecontext", on_defer="deny", lossless=False), B3MULTI[:2], [f"traceparent: 00-{T}-{S}-00"]),
    ("b3multi-defer-ratio", inject("tracecontext", on_defer=0.25, lossless=False), B3MULTI[:2], [f"traceparent: 00-{T}-{S}-00"]),
    ("b3multi-short", inject("tracecontext"), [f"X-B3-TraceId: {SHORT}", f"X-B3-SpanId: {S}", "X-B3-Sampled: 1"], [f"traceparent: 00-{PADDED}-{S}-01", "tracestate: ops=w:16"]),
    ("b3multi-upper-case", inject("tracecontext"), [f"x-b3-traceid: {T.upper()}", f"X-B3-SPANID: {S.upper()}", "x-B3-sampled: 1"], [f"traceparent: 00-{T}-{S}-01"]),
    ("b3-to-tracecontext", inject("tracecontext"), [f"b3: {T}-{S}-1"], [f"traceparent: 00-{T}-{S}-01"]),
    ("b3-debug-parent", inject("b3multi"), [f"b3: {T}-{S}-d-{P}"], ["X-B3-Flags: 1", f"X-B3-ParentSpanId: {P}", f"X-B3-SpanId: {S}", f"X-B3-TraceId: {T}"]),
    ("b3multi-to-b3", inject("b3"), [*B3MULTI, f"X-B3-ParentSpanId: {P}"], [f"b3: {T}-{S}-1-{P}"]),
    ("b3-bare-deny-to-b3multi", inject("b3multi"), ["b3: 0"], ["X-B3-Sampled: 0"]),
    ("b3multi-bare-deny-to-b3", inject("b3"), ["X-B3-Sampled: 0"], ["b3: 0"]),
    # W3C -> B3
    ("tracecontext-to-b3", inject("b3"), [W3C], [f"b3: {T}-{S}-1"]),
    ("tracecontext-to-b3-denied", inject("b3"), [f"traceparent: 00-{T}-{S}-00"], [f"b3: {T}-{S}-0"]),
    ("tracecontext-to-b3multi", inject("b3multi"), [W3C, "tracestate: a=1"], ["X-B3-Sampled: 1", f"X-B3-SpanId: {S}", f"X-B3-TraceId: {T}"]),
    ("ops-to-b3-debug", inject("b3"), [W3C, "tracestate: ops=s:d,a=1"], [f"b3: {T}-{S}-d"]),
    ("ops-to-b3-defer", inject("b3"), [W3C, f"tracestate: ops=s:q.{S}"], [f"b3: {T}-{S}"]),
    ("ops-to-b3-decided", inject("b3"), [f"traceparent: 00-{T}-{P}-00", f"tracestate: ops=s:q.{S}"], [f"b3: {T}-{P}-0"]),
    ("ops-of-another-vendor", inject("tracecontext"), [W3C, "tracestate: ops=9f3c-payments,a=1"], [W3C, "tracestate: ops=9f3c-payments,a=1"]),
    ("ops-to-b3-short", inject("b3"), [f"traceparent: 00-{PADDED}-{S}-01", "tracestate: ops=w:16"], [f"b3: {SHORT}-{S}-1"]),
    ("ops-that-lies", inject("b3"), [f"traceparent: 00-{T}-{S}-00", "tracestate: ops=s:d"], [f"b3: {T}-{S}-0"]),
    # Jaeger
    ("jaeger-to-tracecontext", inject("tracecontext"), [f"uber-trace-id: {T}:{S}:0:1"], [f"traceparent: 00-{T}-{S}-01"]),
    ("jaeger-percent-unpadded", inject("tracecontext"), [f"uber-trace-id: {SHORT[1:]}%3A{S}%3A0%3A1"], [f"traceparent: 00-00000000000000000{SHORT[1:]}-{S}-01", "tracestate: ops=w:16"]),
    ("jaeger-debug-to-b3", inject("b3"), [f"uber-trace-id: {T}:{S}:0:3"], [f"b3: {T}-{S}-d"]),
    ("tracecontext-to-jaeger", inject("jaeger"), [f"traceparent: 00-{T}-{S}-03"], [f"uber-trace-id: {T}:{S}:0:1"]),
    ("b3-debug-to-jaeger", inject("jaeger"), [f"b3: {T}-{S}-d"], [f"uber-trace-id: {T}:{S}:0:3"]),
    ("b3-short-to-jaeger", inject("jaeger"), [f"b3: {SHORT}-{S}-0"], [f"uber-trace-id: {SHORT}:{S}:0:0"]),
    # W3C -> W3C
    ("tracecontext-same", inject("tracecontext"), [W3C, "tracestate: a=1, b=2", "tracestate: c=3"], [W3C, "tracestate: a=1,b=2,c=3"]),
    ("tracecontext-version-cc", inject("tracecontext"), [f"traceparent: cc-{T}-{S}-01-more"], [W3C]),
    ("tracecontext-bad-tracestate", inject("tracecontext"), [W3C, "tracestate: A=1"], [W3C]),
    # composite
    (
        "composite-out",
        inject("composite"),
        [W3C],
        ["X-B3-Sampled: 1", f"X-B3-SpanId: {S}", f"X-B3-TraceId: {T}", f"b3: {T}-{S}-1", W3C, f"uber-trace-id: {T}:{S}:0:1"],
    ),
    ("all-in-one-out", inject("tracecontext"), [W3C, f"b3: {T}-{S}-1", *B3MULTI, f"uber-trace-id: {T}:{S}:0:1"], [W3C]),
    ("conflict-first-wins", inject("tracecontext"), [W3C, f"b3: {OTHER}-{S}-1"], [W3C]),
    ("conflict-other-order", inject("tracecontext", extract=["b3", "tracecontext"]), [W3C, f"b3: {OTHER}-{S}-1"], [f"traceparent: 00-{OTHER}-{S}-01"]),
    ("only-configured-are-read", inject("tracecontext", extract=["b3"]), [W3C], []),
    # malformed: never passed on, never an error
    ("malformed-traceparent", inject("tracecontext"), [f"traceparent: 00-{T}-{S}"], []),
    ("malformed-takes-tracestate", inject("tracecontext"), ["traceparent: junk", "tracestate: a=1"], []),
    ("two-traceparents", inject("tracecontext"), [W3C, W3C], []),
    ("zero-ids", inject("tracecontext"), ["traceparent: 00-" + "0" * 32 + f"-{S}-01", f"b3: {'0' * 32}-{S}-1", f"uber-trace-id: 0:{S}:0:1"], []),
    ("malformed-falls-back", inject("tracecontext"), ["traceparent: ff-" + W3C[16:], f"b3: {T}-{S}-1"], [W3C]),
    ("malformed-b3-other-family-member", inject("tracecontext"), ["b3: junk", *B3MULTI], [W3C]),
    ("malformed-8-bit", inject("tracecontext"), ["traceparent: 00-\xe4\xf6\xfc", "b3: \xff", "uber-trace-id: \x80:1:0:1"], []),
    ("malformed-huge", inject("tracecontext"), ["b3: " + "a" * 50_000], []),
    # clearing: every format, any case, duplicates, underscore twins
    ("underscore-twins", inject("tracecontext"), [W3C, f"X_B3_TraceId: {OTHER}", "X-B3_SpanId: 1", "uber_trace_id: x", "TRACEPARENT_: kept"], [W3C]),
    ("duplicates", inject("b3"), [f"b3: {T}-{S}-1", f"B3: {OTHER}-{S}-1", f"X-B3-TraceId: {T}", f"x-b3-traceid: {T}"], [f"b3: {T}-{S}-1"]),
    ("stale-others-are-cleared", inject("b3"), [W3C, "tracestate: a=1", f"uber-trace-id: {T}:{S}:0:1"], [f"b3: {T}-{S}-1"]),
    # session and baggage
    ("session", inject("tracecontext"), ["X-Mirascope-Session-Id: s-1"], ["X-Mirascope-Session-Id: s-1"]),
    ("session-old-name", inject("tracecontext"), ["Mirascope-Session-Id: s-1"], ["X-Mirascope-Session-Id: s-1"]),
    ("session-any-case-with-trace", inject("b3"), ["x-MIRASCOPE-session-ID: s 1", W3C], [f"b3: {T}-{S}-1"]),
    ("session-with-trace", inject("b3"), ["x-MIRASCOPE-session-ID: s1", W3C], ["X-Mirascope-Session-Id: s1", f"b3: {T}-{S}-1"]),
    ("session-too-long", inject("tracecontext"), ["X-Mirascope-Session-Id: " + "s" * 257], []),
    ("session-own-name", inject("tracecontext", session={"inject": "X-Conversation", "extract": ["X-Conversation"]}), ["X-Conversation: c"], ["X-Conversation: c"]),
    ("session-into-baggage", inject("tracecontext", session={"bridge": True}), ["X-Mirascope-Session-Id: s-1", "baggage: k=v"], ["X-Mirascope-Session-Id: s-1", "baggage: k=v,session.id=s-1"]),
    ("session-out-of-baggage", inject("tracecontext", session={"bridge": True}), ["baggage: session.id=s-1"], ["X-Mirascope-Session-Id: s-1", "baggage: session.id=s-1"]),
    ("session-in-baggage-unasked", inject("tracecontext"), ["baggage: session.id=s-1"], ["baggage: session.id=s-1"]),
    ("baggage-to-jaeger", inject("jaeger"), [W3C, "baggage: k=v"], [f"uber-trace-id: {T}:{S}:0:1", "uberctx-k: v"]),
    ("baggage-from-jaeger", inject("tracecontext"), [f"uber-trace-id: {T}:{S}:0:1", "uberctx-k: v"], ["baggage: k=v", W3C]),
    ("baggage-passed", inject("jaeger", baggage="pass"), [W3C, "baggage: k=v", "uberctx-a: b"], [f"uber-trace-id: {T}:{S}:0:1", "baggage: k=v", "uberctx-a: b"]),
    ("baggage-dropped", inject("tracecontext", baggage="drop"), [W3C, "baggage: k=v"], [W3C]),
    # nothing in, nothing out
    ("nothing", inject("composite"), [], []),
]  # fmt: skip


def trace_fields(head: Head, extra: str = "x-conversation") -> list[str]:
    """The trace and session fields of `head` as text, sorted."""
    pairs = [(name.decode(), value.decode("latin-1")) for name, value in head.fields]
    return sorted(
        f"{name}: {value}" for name, value in pairs if TRACE_NAME.fullmatch(name.lower()) or name.lower() == extra
    )


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
@pytest.mark.parametrize(("propagation", "sent", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_inbound(
    wired: Callable[..., Wire], propagation: dict[str, Any], sent: list[str], wanted: list[str], piece: int
) -> None:
    """What the app sees; and whatever the trace headers were, it is asked and answers (tracing fails open)."""
    fields = "".join(f"{line}\r\n" for line in sent).encode("latin-1")
    raw = b"GET /traced HTTP/1.1\r\nHost: a\r\nX-Before: 1\r\n" + fields + b"X-After: 2\r\n\r\n"
    seen = wired({"inbound": {"propagation": propagation}}).passes(raw, piece=piece * (1 if len(raw) < 2000 else 997))
    assert trace_fields(seen.head) == sorted(wanted)
    assert (seen.head.value("x-before"), seen.head.value("x-after")) == (b"1", b"2")


@pytest.mark.parametrize("joins", [False, True], ids=["the app copies headers", "the app has a span of its own"])
@pytest.mark.parametrize("on_defer", ["accept", "deny"])
def test_no_decision_lasts_until_a_span_decides(
    start: Callable[..., Any], upstream: Any, joins: bool, on_defer: str
) -> None:
    """From B3 without sampling through a W3C app and back into B3, past one sidecar and another."""
    inbound = {"inbound": {"app": upstream.url, "propagation": {"inject": ["tracecontext"], "on_defer": on_defer}}}
    outbound = {"inbound": {"app": upstream.url, "propagation": {"inject": ["b3"]}}}
    told = _passed_by(start(inbound), upstream, [f"b3: {T}-{S}"])
    assert told == [f"traceparent: 00-{T}-{S}-{'01' if on_defer == 'accept' else '00'}", f"tracestate: ops=s:q.{S}"]
    if joins:  # and decides no
        told[0] = f"traceparent: 00-{T}-{P}-00"
    back = _passed_by(start(outbound), upstream, told)
    assert back == ([f"b3: {T}-{P}-0"] if joins else [f"b3: {T}-{S}"])


def _passed_by(sidecar: Any, upstream: Any, headers: list[str]) -> list[str]:
    """What of trace headers the app behind `sidecar` gets."""
    lines = "".join(f"{line}\r\n" for line in headers)
    with sidecar.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        seen = upstream.answer()
        assert client.response().status == 200
    return trace_fields(seen.head)


def test_outbound_translates_too(start: Callable[..., Any], upstream: Any) -> None:
    """Each upstream in the format that it speaks, by what is set for it, for the outbound listener, or for all."""
    sidecar = start(
        {
            "inbound": {"listen": "off"},
            "propagation": {"inject": ["jaeger"]},
            "outbound": {"listen": LISTEN, "propagation": {"inject": ["b3"]}},
            "upstreams": [
                {
                    "name": "old",
                    "match": ["old.internal"],
                    "target": upstream.url,
                    "listen": LISTEN,
                    "propagation": {"inject": ["b3multi"]},
                }
            ],
        }
    )
    wanted = ["X-B3-Sampled: 1", f"X-B3-SpanId: {S}", f"X-B3-TraceId: {T}"]
    for listener, host, out in [
        ("outbound", b"old.internal", wanted),
        ("old", b"any", wanted),
        ("outbound", upstream.authority, [f"b3: {T}-{S}-1"]),
    ]:
        client = sidecar.client(listener)
        client.send(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + W3C.encode() + b"\r\n\r\n")
        app = upstream.accept()
        assert trace_fields(app.answer(b"", b"200 OK", b"Connection: close").head) == out
        assert client.response().status == 200


def test_a_session_header_of_another_upstream_passes(start: Callable[..., Any], upstream: Any) -> None:
    """A header that only another upstream's translation owns is an ordinary header here."""
    own = {"name": "own", "target": upstream.url, "listen": LISTEN}
    own["propagation"] = {"session": {"inject": "X-S"}}
    sidecar = start({"inbound": {"app": upstream.url}, "upstreams": [own]})
    client = sidecar.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-S: mine\r\n\r\n")
    assert upstream.answer().head.value("x-s") == b"mine"
    assert client.response().status == 200


def test_there_and_back(start: Callable[..., Any], upstream: Any) -> None:
    """B3 -> W3C -> B3 through two sidecars gives back what went in, for all four decisions and both widths."""
    back = start({"inbound": {"app": upstream.url, "propagation": {"inject": ["b3"]}}})
    there = start(
        {
            "inbound": {
                "app": f"http://127.0.0.1:{back.addresses['inbound'].port}",
                "propagation": {"inject": ["tracecontext"]},
            }
        }
    )
    client, app = there.client(), None
    for trace in (T, SHORT):
        for sampling in ("", "-0", "-1", "-d"):
            value = f"{trace}-{S}{sampling}"
            client.send(f"GET / HTTP/1.1\r\nHost: a\r\nb3: {value}\r\n\r\n".encode())
            app = app or upstream.accept()
            assert trace_fields(app.answer().head) == [f"b3: {value}"]
            assert client.response().status == 200
    for bare in ("0", "1", "d"):
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\nb3: {bare}\r\n\r\n".encode())
        assert app is not None
        assert trace_fields(app.answer().head) == [f"b3: {bare}"]
        assert client.response().status == 200


def test_participate(wired: Callable[..., Wire]) -> None:
    """A span of our own is the caller: same trace, new span id, decision kept, no B3 parent; a trace is started where
    none came."""
    wire = wired({"inbound": {"propagation": {"mode": "participate", "inject": ["tracecontext", "b3"]}}})
    client = wire.client()
    client.send(f"GET / HTTP/1.1\r\nHost: a\r\nb3: {T}-{S}-1-{P}\r\n\r\n".encode())
    app = wire.accept()
    b3, traceparent = trace_fields(app.answer().head)
    match = re.fullmatch(rf"traceparent: 00-{T}-([0-9a-f]{{16}})-01", traceparent)
    assert match
    assert match[1] not in (S, P, "0" * 16)
    assert b3 == f"b3: {T}-{match[1]}-1"
    assert client.response().status == 200
    spans = set()
    for _ in range(3):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        fields = trace_fields(app.answer().head)
        started = re.fullmatch(
            r"traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-0[0-3]",
            next(f for f in fields if f.startswith("traceparent")),
        )
        assert started
        spans.add(started.groups())
        assert client.response().status == 200
    assert len(spans) == 3


def test_trace_headers_of_a_response_are_the_apps(wire: Wire) -> None:
    """Responses are not translated: what the app says there passes as it came."""
    answer = wire.answers(b"HTTP/1.1 200 OK\r\ntraceparent: anything\r\nX-B3-TraceId: 1\r\nContent-Length: 0\r\n\r\n")
    assert (answer.head.value("traceparent"), answer.head.value("x-b3-traceid")) == (b"anything", b"1")


def test_keep_alive_requests_do_not_mix(wire: Wire) -> None:
    """The context of one request never colours the next on the same connection."""
    client, app = wire.client(), None
    for fields, wanted in [
        (W3C, [W3C]),
        ("X-None: 1", []),
        (f"b3: {OTHER}-{S}-0", [f"traceparent: 00-{OTHER}-{S}-00"]),
        ("X-Mirascope-Session-Id: s", ["X-Mirascope-Session-Id: s"]),
    ]:
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode())
        app = app or wire.accept()
        assert trace_fields(app.answer().head) == wanted
        assert client.response().status == 200


def test_trace_header_in_a_trailer_is_not_a_header(wire: Wire) -> None:
    """RFC 9110 6.5.1: a trailer is not merged into the head, and a trace header there is not believed."""
    seen = wire.passes(f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{W3C}\r\n\r\n".encode())
    assert trace_fields(seen.head) == []


@pytest.mark.slow
def test_default_format_by_environment(upstream: Any) -> None:
    """MIRASCOPE_PROPAGATOR is the default of what is injected: a process as a user starts it, and one real exchange."""
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", upstream.url)
    with SidecarProcess(*arguments, environ={"MIRASCOPE_PROPAGATOR": "b3"}) as sidecar, sidecar.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{W3C}\r\n\r\n".encode())
        assert trace_fields(upstream.answer().head) == [f"b3: {T}-{S}-1"]
        assert client.response().status == 200
