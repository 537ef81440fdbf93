"""Spans as bytes: what OpenTelemetry's own protobuf classes read in them, for values from anybody."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.collectors import attributes as attributes_of
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from proxy.telemetry.otlp import attributes, protobuf, span
from proxy.telemetry.otlp.span import CLIENT, RANDOM, SAMPLED, SERVER, SharedParts, SpanEncoder

TRACE, SPAN, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7", b"b7ad6b7169203331"
ORDINARY: dict[str, Any] = {
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
    "session": b"s-1",
    "request_bytes": 0,
    "response_bytes": 280,
    "end_ns": 1_800_000_000_000_000_000,
    "duration_ns": 2_500_000,
    "more": b"",
}


def encoder(**settings: Any) -> SpanEncoder:
    """Of an inbound route, unless told otherwise."""
    chosen = {"kind": SERVER, "listener": "inbound", "upstream": "app", "written": ("tracecontext",), **settings}
    return SpanEncoder(SharedParts(), **chosen)


def decoded(data: bytes) -> Span:
    """As OpenTelemetry's classes read it: the only span of a ScopeSpans."""
    (found,) = ScopeSpans.FromString(data).spans
    return found


def encoded(of: SpanEncoder, parent: bytes = PARENT, flags: int = SAMPLED, **changes: Any) -> Span:
    return decoded(of.encode(TRACE, SPAN, parent, flags, **{**ORDINARY, **changes}))


def test_a_server_span_by_the_http_conventions() -> None:
    found = encoded(encoder())
    assert (found.trace_id.hex(), found.span_id.hex(), found.parent_span_id.hex()) == (
        TRACE.decode(),
        SPAN.decode(),
        PARENT.decode(),
    )
    assert (found.name, found.kind) == ("GET", Span.SPAN_KIND_SERVER)
    assert found.end_time_unix_nano == ORDINARY["end_ns"]
    assert found.end_time_unix_nano - found.start_time_unix_nano == ORDINARY["duration_ns"]
    assert found.flags == 0x301
    assert attributes_of(found) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.response.body.size": 280,
        "url.scheme": "http",
        "url.path": "/orders/7",
        "server.address": "shop.internal",
        "server.port": 8080,
        "client.address": "10.1.2.3",
        "network.peer.address": "10.1.2.3",
        "network.peer.port": 50000,
        "network.protocol.version": "1.1",
        "user_agent.original": "curl/8.5.0",
        "session.id": "s-1",
        "ops.listener": "inbound",
        "ops.upstream": "app",
        "ops.formats.read": ["b3multi"],
        "ops.formats.written": ["tracecontext"],
    }


def test_a_client_span_has_the_whole_url_and_no_client() -> None:
    of = encoder(kind=CLIENT, listener="outbound", upstream="billing")
    found = encoded(of, is_tls=True, host=b"billing.internal", peer=(b"fd00::1", 443))
    attributes = attributes_of(found)
    assert found.kind == Span.SPAN_KIND_CLIENT
    assert attributes["url.full"] == "https://billing.internal/orders/7"
    assert attributes["server.address"] == "billing.internal"
    assert attributes["network.peer.address"] == "fd00::1"
    assert attributes["server.port"] == 443
    assert not {"client.address", "url.scheme", "url.path"} & attributes.keys()


def test_a_client_span_has_the_port_of_its_scheme() -> None:
    """The conventions require `server.port` of client spans; a server's is only what its clients say."""
    of = encoder(kind=CLIENT)
    assert attributes_of(encoded(of, host=b"shop.internal"))["server.port"] == 80
    assert attributes_of(encoded(of, host=b"shop.internal", is_tls=True))["server.port"] == 443
    assert attributes_of(encoded(of, host=b"shop.internal:81"))["server.port"] == 81
    assert "server.port" not in attributes_of(encoded(encoder(), host=b"shop.internal"))


@pytest.mark.parametrize(
    ("kind", "status", "fault", "error"),
    [
        (SERVER, 200, "", None),
        (SERVER, 404, "", None),
        (SERVER, 499, "", None),
        (SERVER, 500, "", "500"),
        (SERVER, 502, "connection-refused", "connection-refused"),
        (SERVER, 0, "client-gone", "client-gone"),
        (CLIENT, 399, "", None),
        (CLIENT, 400, "", "400"),
        (CLIENT, 404, "", "404"),
        (CLIENT, 503, "", "503"),
    ],
)
def test_errors_by_the_side_that_the_span_is_of(kind: int, status: int, fault: str, error: str | None) -> None:
    found = encoded(encoder(kind=kind), status=status, fault=fault)
    assert attributes_of(found).get("error.type") == error
    assert (found.status.code == found.status.STATUS_CODE_ERROR) is (error is not None)
    assert attributes_of(found).get("http.response.status_code") == (status or None)


def test_an_unknown_method_makes_no_name() -> None:
    found = encoded(encoder(), method=b"BREW")
    assert found.name == "HTTP"
    assert attributes_of(found)["http.request.method"] == "_OTHER"
    assert attributes_of(found)["http.request.method_original"] == "BREW"


def test_a_route_stands_in_the_name() -> None:
    found = encoded(encoder(), route=b"/orders/{id}")
    assert (found.name, attributes_of(found)["http.route"]) == ("GET /orders/{id}", "/orders/{id}")
    found = encoded(encoder(kind=CLIENT), route=b"/orders/{id}")
    assert (found.name, attributes_of(found)["url.template"]) == ("GET /orders/{id}", "/orders/{id}")
    assert encoded(encoder(), route=b"/orders/{id}", method=b"BREW").name == "HTTP /orders/{id}"


def test_a_query_is_recorded_where_it_is_asked_for_and_only_as_it_may_be() -> None:
    def redact(query: bytes) -> bytes:
        assert query == b"token=secret"
        return b"token=REDACTED"

    assert attributes_of(encoded(encoder(query=redact)))["url.query"] == "token=REDACTED"
    full = attributes_of(encoded(encoder(query=redact, kind=CLIENT)))["url.full"]
    assert full == "http://shop.internal:8080/orders/7?token=REDACTED"
    assert b"secret" not in encoder().encode(TRACE, SPAN, PARENT, SAMPLED, **ORDINARY)


def test_a_trace_that_begins_here_has_no_parent() -> None:
    found = encoded(encoder(), parent=b"", flags=SAMPLED | RANDOM)
    assert found.parent_span_id == b""
    assert found.flags == 0x103


def test_links_and_the_trace_state_come_with_more() -> None:
    more = span.link(b"f" * 32, b"e" * 16, "conflict") + span.trace_state(b"acme=1")
    found = encoded(encoder(), more=more)
    (linked,) = found.links
    assert (linked.trace_id.hex(), linked.span_id.hex()) == ("f" * 32, "e" * 16)
    assert attributes_of(linked) == {"ops.link": "conflict"}
    assert found.trace_state == "acme=1"


def test_a_unix_socket_has_no_peer() -> None:
    assert span.peer_attributes(SERVER, b"", 0) == b""


@pytest.mark.parametrize(
    ("authority", "split"),
    [
        (b"a.b:80", (b"a.b", 80)),
        (b"a.b", (b"a.b", 0)),
        (b"[::1]:8080", (b"::1", 8080)),
        (b"[::1]", (b"::1", 0)),
        (b"::1", (b"::1", 0)),
        (b"a:", (b"a:", 0)),
        (b"", (b"", 0)),
        (b"a:65535", (b"a", 65535)),
        (b"a:123456", (b"a", 12345)),  # which no port is
    ],
)
def test_an_authority_falls_in_two(authority: bytes, split: tuple[bytes, int]) -> None:
    assert span.split_authority(authority) == split


@given(
    method=st.binary(max_size=20),
    target=st.binary(max_size=3000),
    host=st.binary(max_size=300),
    agent=st.binary(max_size=2000),
    session=st.none() | st.binary(min_size=1, max_size=256),
    status=st.integers(0, 999),
    sizes=st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)),
    kind=st.sampled_from((SERVER, CLIENT)),
)
def test_whatever_comes_the_official_classes_read_it(
    method: bytes,
    target: bytes,
    host: bytes,
    agent: bytes,
    session: bytes | None,
    status: int,
    sizes: tuple[int, int],
    kind: int,
) -> None:
    """A string that is not UTF-8 fails the parse here, as it would fail the whole batch at a collector."""
    found = encoded(
        encoder(kind=kind, query=lambda query: query),
        method=method,
        target=target,
        host=host,
        agent=agent,
        session=session,
        status=status,
        request_bytes=sizes[0],
        response_bytes=sizes[1],
    )
    attributes = attributes_of(found)
    assert attributes["http.response.body.size"] == sizes[1]
    if agent.isascii() and agent and len(agent) <= 1024:
        assert attributes["user_agent.original"] == agent.decode()
    if session is not None and session.isascii():
        assert attributes["session.id"] == session.decode()


@given(st.lists(st.sampled_from(("GET", "POST", "PURGE")), max_size=20), st.integers(100, 599))
def test_what_is_remembered_changes_nothing(methods: list[str], status: int) -> None:
    """The same span from an encoder that has seen others and from a new one."""
    used = encoder()
    for method in methods:
        used.encode(TRACE, SPAN, PARENT, SAMPLED, **{**ORDINARY, "method": method.encode(), "status": status})
    assert encoded(used, status=status) == encoded(encoder(), status=status)


@pytest.mark.parametrize("part", ["agent", "host"])
def test_512_values_of_256_bytes_are_remembered(part: str) -> None:
    """A remembered value is not encoded again: the very same bytes come back."""
    encode = getattr(SharedParts(), part)

    def is_remembered(value: bytes) -> bool:
        return encode(value) is encode(value)

    assert not is_remembered(b"x" * 257)
    assert is_remembered(b"x" * 256)
    assert [is_remembered(b"x-%d" % number) for number in range(511)] == [True] * 511
    assert not is_remembered(b"one-more")
    assert is_remembered(b"x-0")


@pytest.mark.parametrize("size", [127, 128, 4094, 4095, 4096, 4097, 16_384])
def test_a_span_of_any_size_is_framed_by_it(size: int) -> None:
    """The sizes that are looked up, and those that are worked out."""
    made = encoder()
    empty = len(made.encode(TRACE, SPAN, PARENT, SAMPLED, **ORDINARY))
    for more in range(max(0, size - empty - 8), max(0, size - empty) + 8):
        note = protobuf.message(3, b"x" * more)
        data = made.encode(TRACE, SPAN, PARENT, SAMPLED, **{**ORDINARY, "more": note})
        assert len(decoded(data).trace_state) == more


@given(st.binary(max_size=4000), st.integers(1, 2000))
def test_text_is_utf8_and_within_its_limit(value: bytes, limit: int) -> None:
    made = attributes.text(value, limit)
    made.decode("utf-8")
    assert len(made) <= limit
    if value.isascii():
        assert made == value[:limit]


def test_text_cuts_no_character_in_two() -> None:
    assert attributes.text("aé".encode(), 2) == b"a"
    assert attributes.text("aé".encode(), 3) == "aé".encode()
    assert attributes.text(b"\xff\xff", 4) == "\ufffd".encode()


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 1023, 1024, 1025])
def test_a_text_attribute_is_the_same_by_the_short_and_the_long_way(size: int) -> None:
    value = b"x" * size
    assert attributes.TextAttribute("url.path").encode(value) == attributes.string("url.path", value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_varint_is_read_as_it_was_written(value: int) -> None:
    ((number, read),) = protobuf.fields(protobuf.integer(1, value))
    assert number == 1
    assert isinstance(read, int)
    assert (read ^ (1 << 63)) - (1 << 63) == value


@given(st.binary(max_size=200))
def test_fields_never_fail_but_with_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        protobuf.fields(data)
