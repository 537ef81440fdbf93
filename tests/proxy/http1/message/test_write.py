"""Heads as HTTP/1.1 writes them, byte by byte, of messages that came in HTTP/1 and in HTTP/2."""

from __future__ import annotations

from typing import Any

import pytest
from lab.heads import headed

from proxy.http1.message import answers, write
from proxy.http1.message.heads import sort_fields
from proxy.http1.message.request import Request, read_request
from proxy.http1.message.response import Response, read_response
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import read_response as http2_response
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.response import read_response as of_http2
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault
from proxy.semantics.fields import request_kinds, response_kinds
from proxy.semantics.hop import Hop
from proxy.semantics.problem import Problem

KINDS = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)
RESPONSES = response_kinds()
PLAIN = Hop(via=b"", client=b"", forwarded=False)


def asked(line: bytes, *fields: bytes) -> Request:
    return read_request(headed(line, sort_fields(list(fields), KINDS, Fault.BAD_REQUEST)), KINDS, parse_authority)


def answered(line: bytes, *fields: bytes) -> Response:
    return read_response(headed(line, sort_fields(list(fields), RESPONSES, Fault.BAD_RESPONSE)), RESPONSES)


def sent(request: Request, hop: Hop = PLAIN, trace: Any = ()) -> bytes:
    return write.request_head(request, trace=list(trace), host=b"up:1", hop=hop)


BEGIN = b"GET /p?q HTTP/1.1\r\nHost: up:1\r\n"


@pytest.mark.parametrize(
    ("fields", "rest"),
    [
        ((), b""),
        ((b"A: 1", b"b:2"), b"A: 1\r\nb:2\r\n"),
        ((b"Content-Length: 5",), b"Content-Length: 5\r\n"),
        ((b"Content-Length: 0",), b"Content-Length: 0\r\n"),
        ((b"Transfer-Encoding: chunked",), b"Transfer-Encoding: chunked\r\n"),
        ((b"Transfer-Encoding: chunked", b"Trailer: X"), b"Trailer: X\r\nTransfer-Encoding: chunked\r\n"),
        ((b"Content-Length: 5", b"Trailer: X"), b"Content-Length: 5\r\n"),
        ((b"TE: trailers",), b"Connection: TE\r\nTE: trailers\r\n"),
        ((b"TE: gzip",), b""),
        ((b"Connection: upgrade", b"Upgrade: x"), b"Connection: Upgrade\r\nUpgrade: x\r\n"),
        ((b"Connection: upgrade", b"Upgrade: x", b"TE: trailers"), b"Connection: Upgrade\r\nUpgrade: x\r\n"),
        ((b"b3: 0",), b"traceparent: 00-1\r\n"),
    ],
)
def test_a_request_goes_on_with_its_framing(fields: tuple[bytes, ...], rest: bytes) -> None:
    request = asked(b"GET /p?q HTTP/1.1", b"Host: a", *fields)
    trace = [(b"traceparent", b"00-1")] if request.trace else []
    assert sent(request, trace=trace) == BEGIN + rest + b"\r\n"


@pytest.mark.parametrize(("method", "came", "rest"), [
    (b"OPTIONS", b"1", b"Max-Forwards: 0\r\n"), (b"TRACE", b"10", b"Max-Forwards: 9\r\n"),
    (b"GET", b"1", b"Max-Forwards: 1\r\n"), (b"TRACE", b"999999999", b"Max-Forwards: 999999998\r\n"),
    (b"TRACE", b"1000000000", b"Max-Forwards: 1000000000\r\n"), (b"TRACE", b"x", b"Max-Forwards: x\r\n"),
])  # fmt: skip
def test_max_forwards_is_one_less(method: bytes, came: bytes, rest: bytes) -> None:
    request = asked(method + b" / HTTP/1.1", b"Host: a", b"Max-Forwards: " + came)
    assert sent(request) == method + b" / HTTP/1.1\r\nHost: up:1\r\n" + rest + b"\r\n"


HOPS: tuple[tuple[dict[str, Any], tuple[bytes, ...], bytes], ...] = (
    ({"via": b"me"}, (), b"Via: 1.1 me\r\n"),
    ({"via": b"me"}, (b"Via: 1.0 a", b"Via: 1.1 b"), b"Via: 1.0 a, 1.1 b, 1.1 me\r\n"),
    ({"client": b"1.2.3.4"}, (), b""),
    ({"forwarded": True}, (), b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"),
    ({"forwarded": True, "client": b"1.2.3.4"}, (),
     b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"),
    ({"forwarded": True, "client": b"1.2.3.4", "tells_host": False}, (), b"X-Forwarded-For: 1.2.3.4\r\n"),
    ({"forwarded": True, "client": b"4.4.4.4"}, (b"X-Forwarded-For: 1.1.1.1",),
     b"X-Forwarded-For: 1.1.1.1, 4.4.4.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"),
    ({"forwarded": True}, (b"X-Forwarded-For: 1.1.1.1",),
     b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"),
    ({"forwarded": True}, (b"X-Forwarded-Proto: https",), b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"),
    ({"forwarded": True}, (b"X-Forwarded-Host: b",), b"X-Forwarded-Host: b\r\nX-Forwarded-Proto: http\r\n"),
)  # fmt: skip


@pytest.mark.parametrize(("hop", "fields", "rest"), HOPS)
def test_what_a_hop_adds(hop: dict[str, Any], fields: tuple[bytes, ...], rest: bytes) -> None:
    """Each time: the bytes of a first hop are made once."""
    made = Hop(**{"via": b"", "client": b"", "forwarded": False} | hop)
    for _ in range(2):
        assert sent(asked(b"GET /p?q HTTP/1.1", b"Host: a", *fields), made) == BEGIN + rest + b"\r\n"
    other = sent(asked(b"GET /p?q HTTP/1.1", b"Host: other", *fields), made)
    assert other == BEGIN + rest.replace(b"Host: a\r", b"Host: other\r") + b"\r\n"


def test_a_first_hop_is_remembered_by_the_version_it_came_in() -> None:
    hop = Hop(via=b"me", client=b"", forwarded=False)
    for _ in range(2):
        for version, via in ((b"1.1", b"Via: 1.1 me\r\n"), (b"1.0", b"Via: 1.0 me\r\n")):
            assert sent(asked(b"GET /p?q HTTP/" + version, b"Host: a"), hop) == BEGIN + via + b"\r\n"
    assert hop.kept == [b"Via: 1.0 me", b"Via: 1.1 me"]


def test_a_request_without_a_host_or_over_https_is_no_first_hop() -> None:
    hop = Hop(via=b"", client=b"", forwarded=True)
    assert sent(asked(b"GET /p?q HTTP/1.0"), hop) == BEGIN + b"X-Forwarded-Proto: http\r\n\r\n"
    absolute = asked(b"GET https://b/p?q HTTP/1.1", b"Host: a")
    assert sent(absolute, hop) == BEGIN + b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n\r\n"
    assert hop.kept == [None, None]


def head(response: Any, **more: Any) -> bytes:
    usual = {"minor": 1, "keep_alive": True, "chunked": False, "via": b"", "date": b""}
    return write.response_head(response, b"", **usual | more)


@pytest.mark.parametrize(
    ("fields", "more", "rest"),
    [
        ((), {}, b""),
        ((b"A: 1",), {"date": b"D", "via": b"me", "trace": b"T: 1"}, b"A: 1\r\nDate: D\r\nVia: 1.1 me\r\nT: 1\r\n"),
        ((b"Content-Length: 5",), {}, b"Content-Length: 5\r\n"),
        ((b"Content-Length: 0",), {}, b"Content-Length: 0\r\n"),
        ((b"Content-Length: 5",), {"chunked": True}, b"Transfer-Encoding: chunked\r\n"),
        ((b"Trailer: X",), {"chunked": True}, b"Trailer: X\r\nTransfer-Encoding: chunked\r\n"),
        ((b"Trailer: X",), {}, b""),
        ((), {"keep_alive": False}, b"Connection: close\r\n"),
        ((), {"keep_alive": False, "minor": 0}, b"Connection: close\r\n"),
        ((), {"minor": 0}, b"Connection: keep-alive\r\n"),
    ],
)
def test_a_response_goes_on_with_its_framing(fields: tuple[bytes, ...], more: dict[str, Any], rest: bytes) -> None:
    made = head(answered(b"HTTP/1.1 200 Fine", *fields), **more)
    assert made == b"HTTP/1.1 200 Fine\r\n" + rest + b"\r\n" + (b"" if rest else b"\r\n")


def test_204_has_no_length_and_content_follows_its_head() -> None:
    nothing = head(answered(b"HTTP/1.0 204 x", b"Content-Length: 0", b"A: 1"), via=b"me")
    assert nothing == b"HTTP/1.1 204 x\r\nA: 1\r\nVia: 1.0 me\r\n\r\n"
    response = answered(b"HTTP/1.1 200 x", b"A: 1")
    made = write.response_head(response, b"body", minor=1, keep_alive=True, chunked=False, via=b"", date=b"")
    assert made == b"HTTP/1.1 200 x\r\nA: 1\r\n\r\nbody"


def http2(*pairs: tuple[bytes, bytes]) -> Any:
    judge = FieldJudge(RESPONSES, False)
    fields = [HeaderField(name, value, judge.kind_of(name, value)) for name, value in pairs]
    return of_http2(http2_response(fields), RESPONSES)


def test_a_response_of_http_2_goes_on_in_http_1() -> None:
    response = http2((b":status", b"404"), (b"a", b"1"), (b"content-length", b"7"))
    assert head(response, via=b"me") == b"HTTP/1.1 404 \r\na: 1\r\nVia: 2.0 me\r\nContent-Length: 7\r\n\r\n"


def test_interim_heads_pass() -> None:
    assert write.interim_head(answered(b"HTTP/1.1 103 Early Hints", b"Link: x")) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    )
    assert write.interim_head(http2((b":status", b"103"), (b"link", b"x"))) == b"HTTP/1.1 103 \r\nlink: x\r\n\r\n"


@pytest.mark.parametrize(("line", "reason"), [(b"HTTP/1.1 101 Go", b"Go"), (b"HTTP/1.1 101", b"Switching Protocols")])
def test_a_switch_names_its_protocol(line: bytes, reason: bytes) -> None:
    response = answered(line, b"Connection: upgrade", b"Upgrade: x", b"A: 1")
    assert write.switching_head(response) == (
        b"HTTP/1.1 101 " + reason + b"\r\nA: 1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("content", "done", "trailers", "wire"),
    [
        (b"", False, [], b""), (b"a" * 26, False, [], b"1a\r\n" + b"a" * 26 + b"\r\n"),
        (b"", True, [], b"0\r\n\r\n"), (b"ab", True, [], b"2\r\nab\r\n0\r\n\r\n"),
        (b"ab", True, [b"x: 1", b"y: 2"], b"2\r\nab\r\n0\r\nx: 1\r\ny: 2\r\n\r\n"),
        (b"ab", False, [b"x: 1"], b"2\r\nab\r\n"),
        (b"", True, [b"x: 1"], b"0\r\nx: 1\r\n\r\n"),
    ],
)  # fmt: skip
def test_chunks(content: bytes, done: bool, trailers: list[bytes], wire: bytes) -> None:
    assert write.as_chunks(content, done, trailers) == wire


def test_our_own_answers() -> None:
    assert answers.ESTABLISHED == b"HTTP/1.1 200 Connection Established\r\n\r\n"
    for close, last in ((False, b"\r\n"), (True, b"Connection: close\r\n\r\n")):
        wire = answers.options_response(b"D", close=close)
        head, _, rest = wire.partition(b"Allow: ")
        assert head == b"HTTP/1.1 200 OK\r\nDate: D\r\n"
        assert rest.partition(b"\r\n")[2] == b"Content-Length: 0\r\n" + last
    problem = Problem(418, "Tea", [(b"Content-Type", b"x/y")], b"{}")
    begin = b"HTTP/1.1 418 Tea\r\nContent-Type: x/y\r\nContent-Length: 2\r\nDate: D\r\n"
    assert answers.problem_response(problem, date=b"D") == begin + b"Connection: close\r\n\r\n{}"
    assert answers.problem_response(problem, date=b"D", close=False) == begin + b"\r\n{}"
    kept = answers.problem_response(problem, date=b"D", close=False, head_only=True, trace=b"T: 1")
    assert kept == begin + b"T: 1\r\n\r\n"
