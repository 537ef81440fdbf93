"""What any version's request and response say by themselves, of one that came in HTTP/2 and of one in HTTP/1."""

from __future__ import annotations

from typing import Any

import pytest
from lab.heads import headed

from proxy.http1.message.heads import sort_fields
from proxy.http1.message.request import read_request as read_http1
from proxy.http1.message.response import read_response as read_http1_response
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import read_request as read_head
from proxy.http2.engine.heads import read_response as read_response_head
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.request import read_request as read_http2
from proxy.http2.message.response import read_response as read_http2_response
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault
from proxy.semantics.fields import allowed_in_trailers, request_kinds, response_kinds

KINDS = request_kinds(lambda name: False, via=True, x_forwarded=True)
RESPONSES = response_kinds()


def http1(*fields: bytes, line: bytes = b"GET /p HTTP/1.1") -> Any:
    return read_http1(
        headed(line, sort_fields([b"Host: a", *fields], KINDS, Fault.BAD_REQUEST)), KINDS, parse_authority
    )


def judged(judge: FieldJudge, *pairs: tuple[bytes, bytes]) -> list[HeaderField]:
    return [HeaderField(name, value, judge.kind_of(name, value)) for name, value in pairs]


def responses(status: int, *pairs: tuple[bytes, bytes]) -> list[Any]:
    lines = [name + b": " + value for name, value in pairs]
    sorted_fields = sort_fields(lines, RESPONSES, Fault.BAD_RESPONSE)
    fields = judged(FieldJudge(RESPONSES, False), (b":status", b"%d" % status), *pairs)
    return [
        read_http1_response(headed(b"HTTP/1.1 %d x" % status, sorted_fields), RESPONSES),
        read_http2_response(read_response_head(fields), RESPONSES),
    ]


@pytest.mark.parametrize(
    ("fields", "has"),
    [
        ([], False),
        ([b"Content-Length: 0"], False),
        ([b"Content-Length: 1"], True),
        ([b"Transfer-Encoding: chunked"], True),
    ],
)
def test_whether_content_follows_a_request(fields: list[bytes], has: bool) -> None:
    assert http1(*fields).has_body is has


@pytest.mark.parametrize(
    ("status", "method", "has"),
    [
        (199, b"GET", False), (200, b"GET", True), (203, b"GET", True), (204, b"GET", False), (205, b"GET", True),
        (303, b"GET", True), (304, b"GET", False), (305, b"GET", True), (200, b"HEAD", False), (200, b"POST", True),
    ],
)  # fmt: skip
def test_whether_content_follows_a_response(status: int, method: bytes, has: bool) -> None:
    """RFC 9110, 6.4.1."""
    assert [one.has_body(method) for one in responses(status)] == [has, has]


def test_a_response_says_what_it_came_with() -> None:
    for one, version in zip(responses(200, (b"a", b"1"), (b"date", b"x")), (b"1.1", b"2.0"), strict=True):
        assert (one.version, one.fields(), one.has_date()) == (version, [(b"a", b"1"), (b"date", b"x")], True)
        assert (one.length, one.trailer, one.upgrade, one.binds_connection) == (None, b"", b"", False)
    assert [one.has_date() for one in responses(200, (b"dates", b"x"))] == [False, False]
    assert [one.length for one in responses(200, (b"content-length", b"5"))] == [5, 5]
    assert [one.trailer for one in responses(200, (b"trailer", b"x, host, y"))] == [b"x, y", b"x, y"]
    shown = [repr(one) for one in responses(404)]
    assert shown == ["<Response 404, HTTP/1.1>", "<Response 404, HTTP/2>"]


def test_a_line_of_trailers_is_known_by_its_name_alone() -> None:
    assert allowed_in_trailers(b"x: host:1")
    assert not allowed_in_trailers(b"host:1:2")
    assert not allowed_in_trailers(b"Via")


def test_a_head_of_http_2_is_weighed_as_in_http_1() -> None:
    judge = FieldJudge(KINDS, True)
    pairs = ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/p"), (b":authority", b"a"), (b"x", b"12"))
    head = read_head(judged(judge, *pairs), True, False)
    request = read_http2(head, KINDS, parse_authority, True)
    assert request.weigh() == http1(b"x: 12").weigh() == (1, 1 + 2 + 4 + 2)
    assert (request.field(b"x"), request.field(b"y")) == (b"12", b"")
