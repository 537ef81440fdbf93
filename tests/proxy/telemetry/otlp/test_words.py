"""Spans, attribute by attribute, as OpenTelemetry's own classes read them: `spans.txt` has what was reviewed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.collectors import attributes
from lab.texts import check_text
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from proxy.telemetry.otlp import protobuf
from proxy.telemetry.otlp.span import CLIENT, NO_STATUS, RANDOM, SAMPLED, SERVER, SharedParts, SpanEncoder, link

TRACE, SPAN, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7", b"b7ad6b7169203331"
USUAL: dict[str, Any] = {
    "read": "b3multi",
    "method": b"GET",
    "target": b"/orders/7?token=secret",
    "route": b"",
    "is_tls": False,
    "version": b"1.1",
    "status": 200,
    "fault": "",
    "host": b"shop.internal:8080",
    "peer": (b"10.1.2.3", 50000),
    "agent": b"curl/8.5.0",
    "session": None,
    "request_bytes": 0,
    "response_bytes": 0,
    "end_ns": 1_800_000_000_000_000_000,
    "duration_ns": 2_500_000,
    "more": b"",
}
METHODS = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"QUERY",
    b"get",
    b"X" * 40,
)


def _changes() -> Iterator[dict[str, Any]]:
    yield {}
    yield from ({"status": status} for status in (0, 100, 101, 204, 304, 399, 400, 404, 499, 500, 503, 599, 999))
    yield from ({"status": status, "fault": "connect-timeout"} for status in (0, 200, 504))
    yield from ({"rpc": rpc, "method": b"POST", "target": b"/lab.Echo/Say"} for rpc in (NO_STATUS, *range(17)))
    yield from ({"rpc": 0, "target": target} for target in (b"", b"/", b"/a", b"a/b/c", b"//a/b"))
    yield {"rpc": 2, "fault": "call-timeout", "target": b"/a/b", "read": "", "version": b"2"}
    yield from ({"method": method} for method in METHODS)
    yield from ({"method": method, "route": b"/orders/{id}"} for method in (b"GET", b"QUERY"))
    yield from ({"read": read} for read in ("", "b3", "tracecontext,b3~"))
    yield from ({"version": version} for version in (b"1.0", b"1.1", b"2"))
    hosts = (b"", b"a", b"a:80", b"a:443", b"a:81", b"[::1]", b"[::1]:8080", b"a:x", b"a:", b":80", b"1.2.3.4:65536")
    yield from ({"host": host, "is_tls": tls} for host, tls in itertools.product(hosts, (False, True)))
    yield from ({"peer": peer} for peer in ((b"", 0), (b"::1", 1), (b"10.0.0.1", 0)))
    yield from ({"agent": agent} for agent in (b"", b"\xff", "ü".encode()))
    yield from ({"session": session} for session in (b"", b"s-1"))
    sizes = (1, 127, 128, 4095, 4096, 16383, 16384, 1 << 40)
    yield from ({"request_bytes": size, "response_bytes": size} for size in sizes)
    yield from (
        {"target": target} for target in (b"", b"/", b"*", b"/?", b"/a?b?c", b"http://a/b?c", b"/\xff", b"a:80")
    )
    yield {"more": link(TRACE, SPAN, "conflict"), "duration_ns": 0}


def _told(data: bytes) -> dict[str, str]:
    (made,) = ScopeSpans.FromString(data).spans
    told = {f"@{key}": repr(value) for key, value in attributes(made).items()}
    told |= {"name": made.name, "kind": str(made.kind), "flags": hex(made.flags), "parent": made.parent_span_id.hex()}
    told |= {
        "ids": f"{made.trace_id.hex()} {made.span_id.hex()}",
        "status": f"{made.status.code} {made.status.message}",
    }
    told |= {"times": f"{made.start_time_unix_nano} {made.end_time_unix_nano}"}
    links = [f"{one.trace_id.hex()} {one.span_id.hex()} {attributes(one)} {one.flags}" for one in made.links]
    return told | {"links": str(links), "order": " ".join(one.key for one in made.attributes)}


def _differences(usual: dict[str, str], told: dict[str, str]) -> list[str]:
    return [
        *(f"  - {key}" for key in usual if key not in told),
        *(f"  {key} = {value}" for key, value in told.items() if usual.get(key) != value and key != "order"),
    ]


def test_spans_are_attribute_by_attribute_as_reviewed() -> None:
    """Of both kinds, where queries are recorded and where not: each beside the usual span of its kind."""
    lines = []
    for kind, query in (
        (SERVER, None),
        (CLIENT, None),
        (SERVER, lambda query: b"q=" + query),
        (CLIENT, lambda _: b"x"),
    ):
        encoder = SpanEncoder(
            SharedParts(), kind=kind, listener="in", upstream="app", written=("tracecontext", "b3"), query=query
        )
        usual = _told(encoder.encode(TRACE, SPAN, PARENT, SAMPLED, **USUAL))
        lines += ["", f"# kind {kind}", *(f"  {key} = {value}" for key, value in usual.items())]
        for changes in _changes() if query is None else ({"target": b"/a"}, {"target": b"/a?"}, {"target": b"/a?b"}):
            said = _told(encoder.encode(TRACE, SPAN, PARENT, SAMPLED, **USUAL | changes))
            lines += [str(changes), *_differences(usual, said)]
        for parent, flags in itertools.product((b"", PARENT), (0, SAMPLED, RANDOM, SAMPLED | RANDOM)):
            said = _told(encoder.encode(TRACE, SPAN, parent, flags, **USUAL))
            lines += [f"parent {parent!r}, flags {flags}", *_differences(usual, said)]
    check_text("\n".join([*lines, ""]), Path(__file__).parent / "spans.txt")


def test_numbers_are_written_as_protobuf_has_them() -> None:
    assert [protobuf.varint(value).hex() for value in (0, 1, 127, 128, 129, 16383, 16384, (1 << 63) - 1, -1)] == [
        "00", "01", "7f", "8001", "8101", "ff7f", "808001", "ffffffffffffffff7f", "ffffffffffffffffff01",
    ]  # fmt: skip
