"""What a field may be (RFC 9113, 8.2 and 8.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http2.engine.fields import AUTHORITY, BAD, METHOD, PATH, PROTOCOL, SCHEME, STATUS, FieldJudge
from proxy.semantics.fields import CONTENT_LENGTH, DROP, HOST, PLAIN, TE, TRACE, VIA, request_kinds, response_kinds

REQUESTS = FieldJudge(request_kinds(lambda name: name == b"b3", via=True, x_forwarded=True), True)
RESPONSES = FieldJudge(response_kinds(), False)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        (b"accept", b"*/*", PLAIN),
        (b"b3", b"1", TRACE),
        (b"via", b"2 a", VIA),
        (b"host", b"a", HOST),
        (b"content-length", b"10", CONTENT_LENGTH),
        (b"te", b"trailers", TE),
        (b"http2-settings", b"x", DROP),
        (b"x-empty", b"", PLAIN),
        (b"x-latin", b"\xe4\xff", PLAIN),
        (b"x-tab", b"a\tb", PLAIN),
        (b":method", b"POST", METHOD),
        (b":scheme", b"https", SCHEME),
        (b":path", b"/a?b#c", PATH),
        (b":path", b"*", PATH),
        (b":authority", b"[::1]:80", AUTHORITY),
        (b":protocol", b"websocket", PROTOCOL),
    ],
)
def test_in_requests(name: bytes, value: bytes, kind: int) -> None:
    assert REQUESTS.kind_of(name, value) == kind


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"", b"a"),
        (b"Accept", b"a"),  # 8.2.1
        (b"a b", b"a"),
        (b"a:b", b"a"),
        (b"a\x00", b"a"),
        (b"x\xe4", b"a"),
        (b":unknown", b"a"),  # 8.3
        (b":status", b"200"),
        (b"connection", b"close"),  # 8.2.2
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"websocket"),
        (b"te", b"gzip"),
        (b"te", b"trailers, gzip"),
        (b"x-a", b"a\r\nb: c"),  # 8.2.1
        (b"x-a", b"a\nb"),
        (b"x-a", b"a\rb"),
        (b"x-a", b"a\x00b"),
        (b"x-a", b"a\x7fb"),
        (b"x-a", b" a"),
        (b"x-a", b"a\t"),
        (b"x-a", b" "),
        (b"content-length", b"+1"),
        (b"content-length", b"1, 1"),
        (b"content-length", b""),
        (b"content-length", b"1" * 19),
        (b":method", b""),
        (b":method", b"G T"),
        (b":scheme", b""),
        (b":scheme", b"1http"),
        (b":path", b""),
        (b":path", b"a"),
        (b":path", b"/a b"),
        (b":path", b"/\xe4"),
        (b":path", b"**"),
        (b":authority", b""),
        (b":authority", b"user@host"),
        (b":authority", b"a b"),
    ],
)
def test_no_place_in_requests(name: bytes, value: bytes) -> None:
    assert REQUESTS.kind_of(name, value) == BAD
    assert REQUESTS.kind_of(name, value) == BAD  # and remembered as such


def test_in_responses() -> None:
    assert RESPONSES.kind_of(b":status", b"200") == STATUS
    assert RESPONSES.kind_of(b"b3", b"1") == PLAIN
    for name, value in (
        (b":status", b"20"),
        (b":status", b"099"),
        (b":status", b"2000"),
        (b":path", b"/"),
        (b"te", b"trailers"),
        (b"connection", b"close"),
        (b"keep-alive", b"timeout=5"),
    ):
        assert RESPONSES.kind_of(name, value) == BAD


def test_what_is_remembered_is_bounded() -> None:
    judge = FieldJudge(response_kinds(), False)
    for number in range(5000):
        assert judge.kind_of(b"x-%d" % number, b"1") == PLAIN
    assert judge.kind_of(b":status", b"200") == STATUS
    assert len(judge._known) <= 1025


@given(st.binary(max_size=12), st.binary(max_size=20))
def test_a_good_field_is_a_line_of_http_1_1(name: bytes, value: bytes) -> None:
    """So nothing can be smuggled into a next hop that speaks it."""
    if REQUESTS.kind_of(name, value) < BAD:
        line = name + b": " + value
        assert name == name.lower()
        assert b":" not in name
        assert not set(line) & {0, 10, 13}
        assert value == value.strip()
