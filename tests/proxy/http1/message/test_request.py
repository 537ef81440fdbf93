"""The meaning of a request head. What goes wrong on the wire is in test_client; what goes out, in test_listener."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.heads import headed

from proxy.http1.message.grammar import REQUEST_LINE
from proxy.http1.message.heads import sort_fields
from proxy.http1.message.request import Request, check_request_line, read_request
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import request_kinds

KINDS = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)


def read(line: bytes, *fields: bytes) -> Request:
    return read_request(headed(line, sort_fields(list(fields), KINDS, Fault.BAD_REQUEST)), KINDS, parse_authority)


def test_what_a_request_says() -> None:
    request = read(b"POST /a HTTP/1.1", b"Host: App:81", b"Content-Length: 007", b"B3: 0", b"Via: 1.0 a", b"X: y")
    assert (request.method, request.path, request.minor) == (b"POST", b"/a", 1)
    assert request.host == b"App:81"
    assert request.authority == ("app", 81)
    assert request.length == 7
    assert request.has_body
    assert request.keep_alive
    assert request.trace == [(b"B3", b"0")]
    assert request.via == (b"1.0 a",)
    assert request.lines == [b"X: y"]


@pytest.mark.parametrize(
    ("minor", "connection", "kept"),
    [
        (1, b"", True),
        (1, b"close", False),
        (1, b"X, CLOSE", False),
        (0, b"", False),
        (0, b"Keep-Alive", True),
        (0, b"keep-alive, close", False),
    ],
)
def test_keep_alive(minor: int, connection: bytes, kept: bool) -> None:
    fields = [b"Host: a", b"Connection: " + connection] if connection else [b"Host: a"]
    assert read(b"GET / HTTP/1.%d" % minor, *fields).keep_alive is kept


@pytest.mark.parametrize(
    ("minor", "fields", "upgrade"),
    [
        (1, [b"Connection: upgrade", b"Upgrade: websocket"], b"websocket"),
        (1, [b"Connection: keep-alive, UPGRADE", b"Upgrade: WebSocket"], b"WebSocket"),
        (0, [b"Connection: upgrade", b"Upgrade: websocket"], b""),
        (1, [b"Connection: close", b"Upgrade: websocket"], b""),
        (1, [b"Upgrade: websocket"], b""),
        (1, [b"Connection: upgrade"], b""),
    ],
)
def test_an_upgrade_is_one_that_connection_names(minor: int, fields: list[bytes], upgrade: bytes) -> None:
    """RFC 9110, 7.8; and HTTP/1.0 has none."""
    assert read(b"GET / HTTP/1.%d" % minor, b"Host: a", *fields).upgrade == upgrade


@pytest.mark.parametrize("hosts", [[], [b"Host:"], [b"Host: a", b"Host: a"], [b"Host: a", b"Host: b"]])
@pytest.mark.parametrize("others", [[], [b"Connection: keep-alive"], [b"Content-Length: 1"], [b"Via: 1.1 a"]])
def test_one_host_is_needed_whatever_else_is_said(hosts: list[bytes], others: list[bytes]) -> None:
    """RFC 9112, 3.2."""
    for fields in ([*hosts, *others], [*others, *hosts]):
        with pytest.raises(Refusal) as caught:
            read(b"POST / HTTP/1.1", *fields)
        assert caught.value.fault is Fault.BAD_HOST


def test_a_field_is_found_by_its_name_alone() -> None:
    """Whatever its letter case, and with or without a space."""
    request = read(b"GET / HTTP/1.1", b"Host: a", b"Xx: 1", b"X:y", b"X: z", b"Y:")
    found = [request.field(name) for name in (b"x", b"xx", b"y", b"xxx", b"z")]
    assert found == [b"y", b"1", b"", b"", b""]


def test_no_body_but_a_length_is_said() -> None:
    request = read(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 0")
    assert not request.has_body
    assert request.lines == [b"Content-Length: 0"]


def test_expect_is_ignored_where_no_body_comes_or_from_http_1_0() -> None:
    """RFC 9110, 10.1.1; nor does it pass where Connection names it (7.6.1)."""
    assert read(b"GET / HTTP/1.1", b"Host: a", b"Expect: 100-continue").lines == []
    assert read(b"POST / HTTP/1.0", b"Host: a", b"Expect: 100-continue", b"Content-Length: 1").lines == []
    nominated = read(
        b"POST / HTTP/1.1", b"Host: a", b"Connection: expect", b"Expect: 100-continue", b"Content-Length: 1"
    )
    assert nominated.lines == []


@pytest.mark.parametrize(
    ("upgrade", "real"),
    [
        (b"websocket", b"websocket"),
        (b"h2c", b""),
        (b"H2C, websocket", b"websocket"),
        (b"HTTP/2.0", b""),
        (b"TLS/1.0", b""),
        (b"foo/2", b"foo/2"),
    ],
)
def test_upgrade(upgrade: bytes, real: bytes) -> None:
    assert read(b"GET / HTTP/1.1", b"Host: a", b"Connection: upgrade", b"Upgrade: " + upgrade).upgrade == real


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"GET / HTTP/0.9"])
def test_versions_that_are_not_spoken(line: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        check_request_line(line)
    assert caught.value.fault is Fault.VERSION_NOT_SUPPORTED


@pytest.mark.parametrize(
    "line",
    [b"", b"GET /", b"GET / HTTP/1.2", b"GET / HTTP/1.10", b"GET / http/1.1", b"G(T / HTTP/1.1", b" GET / HTTP/1.1"],
)
def test_malformed_lines(line: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        check_request_line(line)
    assert caught.value.fault is Fault.BAD_REQUEST


def test_connection_with_128_members_is_read_and_with_more_refused() -> None:
    """No head has so many fields to name."""
    assert read(b"GET / HTTP/1.1", b"Host: a", b"X: y", b"Connection: x" + b",a" * 127).lines == []
    for fields in ([b"Connection: x" + b",a" * 128], [b"Connection: x" + b",a" * 64] * 2):
        with pytest.raises(Refusal) as caught:
            read(b"GET / HTTP/1.1", b"Host: a", *fields)
        assert caught.value.fault is Fault.HEADERS_TOO_LARGE


words = st.sampled_from(
    b"GET,get,POST,CONNECT,X, ,  ,/,/a,*,a:1,HTTP/1.1,HTTP/1.0,HTTP/1.1 ,\t,\x00,\x7f,\xe4,\r,\n,\r\n,".split(b",")
)


@given(st.lists(words, max_size=7).map(b"".join))
def test_the_quick_looks_at_a_request_line_say_what_the_grammar_says(line: bytes) -> None:
    match = REQUEST_LINE.fullmatch(line)
    try:
        found: tuple[bytes, ...] | None = check_request_line(line)
    except Refusal:
        found = None
    assert found == (match.groups() if match is not None else None)
