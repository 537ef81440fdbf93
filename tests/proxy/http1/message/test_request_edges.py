"""What a head says of itself, how much of it is remembered, and heads that come in pieces, at their limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.heads import headed, sorts

from proxy.http1.message.grammar import read_length
from proxy.http1.message.heads import HeadLimits, HeadReader, check_fields, sort_fields
from proxy.http1.message.request import Request, check_request_line, read_request
from proxy.http1.message.response import Response, read_response, read_start
from proxy.http1.message.section import SectionScanner
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import CONTENT_LENGTH, HOST, TRANSFER_ENCODING, request_kinds, response_kinds

KINDS = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)
RESPONSES = response_kinds()
LIMITS = HeadLimits(40, 60, 3, Fault.TARGET_TOO_LONG, Fault.HEADERS_TOO_LARGE, Fault.BAD_REQUEST)


def asked(line: bytes, *fields: bytes) -> Request:
    return read_request(headed(line, sort_fields(list(fields), KINDS, Fault.BAD_REQUEST)), KINDS, parse_authority)


def answered(line: bytes, *fields: bytes) -> Response:
    return read_response(headed(line, sort_fields(list(fields), RESPONSES, Fault.BAD_RESPONSE)), RESPONSES)


def refused(call: Callable[[], object]) -> tuple[Fault, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.fault, caught.value.detail


def test_what_a_head_is_shown_as() -> None:
    request = asked(b"PUT /a HTTP/1.0", b"A: 1", b"bb:  2 \t", b"Via: x")
    assert repr(request) == "<Request PUT /a, HTTP/1.0>"
    assert (request.version, asked(b"GET / HTTP/1.1", b"Host: a").version) == (b"1.0", b"1.1")
    assert request.fields() == [(b"A", b"1"), (b"bb", b"2")]
    assert (request.field(b"a"), request.field(b"bb"), request.field(b"b"), request.field(b"x")) == (
        b"1",
        b"2",
        b"",
        b"",
    )
    assert request.weigh() == (2, 4 + 8 + 4 + 2)
    request.forward(b"C", b"3")
    assert request.lines[-1] == b"C: 3"
    response = answered(b"HTTP/1.0 404 No", b"A: 1", b"b:2")
    assert repr(response) == "<Response 404, HTTP/1.0>"
    assert (response.version, answered(b"HTTP/1.1 200").version) == (b"1.0", b"1.1")
    assert response.fields() == [(b"A", b"1"), (b"b", b"2")]


@pytest.mark.parametrize(
    ("line", "has"),
    [(b"Date: x", True), (b"date: x", True), (b"DATE: x", True), (b"Dates: x", False), (b"A: Date:", False)],
)  # fmt: skip
def test_whether_a_response_has_a_date(line: bytes, has: bool) -> None:
    assert answered(b"HTTP/1.1 200 x", b"X: 1", line).has_date() is has


def test_status_lines_are_remembered_if_they_are_short() -> None:
    start = read_start(b"HTTP/1.1 200 " + b"x" * 51)  # 64 bytes
    assert read_start(b"HTTP/1.1 200 " + b"x" * 51) is start
    longer = read_start(b"HTTP/1.1 200 " + b"x" * 52)
    assert read_start(b"HTTP/1.1 200 " + b"x" * 52) is not longer
    assert (longer.status, longer.line) == (200, b"HTTP/1.1 200 " + b"x" * 52)
    assert read_start(b"HTTP/1.0 404").line == b"HTTP/1.1 404 "


def test_lengths_of_18_digits() -> None:
    read = [read_length(one) for one in (b"0", b"007", b"9" * 18, b"9" * 19, b"", b"-1", b"1 ", b"1,1", b"x")]
    assert read == [0, 7, 10**18 - 1, -1, -1, -1, -1, -1, -1]
    assert [read_length(one) for one in (b"5", b"5", b"y", b"y")] == [5, 5, -1, -1]


def test_hop_by_hop_fields_of_responses() -> None:
    named = answered(b"HTTP/1.1 200 x", b"Connection: X-A", b"Connection: close", b"X-A: 1", b"X-B: 2")
    assert (named.lines, named.keep_alive) == ([b"X-B: 2"], False)
    assert answered(b"HTTP/1.1 200 x", b"Connection: keep-alive, x", b"X: 1").lines == []
    assert answered(b"HTTP/1.0 200 x", b"Connection: keep-alive").keep_alive is True
    assert answered(b"HTTP/1.0 200 x", b"Connection: x").keep_alive is False
    trailer = answered(b"HTTP/1.1 200 x", b"Trailer: A", b"Trailer: B, Host")
    assert trailer.trailer == b"A, B"
    assert answered(b"HTTP/1.1 200 x", b"Trailer: Host").trailer == b""
    wanted = answered(b"HTTP/1.1 426 x", b"Connection: upgrade", b"Upgrade: h2c, x/1", b"Upgrade: y")
    assert wanted.lines == [b"Connection: Upgrade", b"Upgrade: x/1, y"]
    assert answered(b"HTTP/1.1 426 x", b"Connection: upgrade", b"Upgrade: h2c").lines == []
    assert answered(b"HTTP/1.1 426 x", b"Upgrade: x").lines == []
    assert answered(b"HTTP/1.1 200 x", b"Connection: upgrade", b"Upgrade: x").lines == []
    most = b"Connection: x" + b",x" * 127
    assert answered(b"HTTP/1.1 200 x", most).lines == []
    assert refused(lambda: answered(b"HTTP/1.1 200 x", most + b",x")) == (
        Fault.RESPONSE_HEAD_TOO_LARGE,
        "Connection has too many members in the upstream's response",
    )


@pytest.mark.parametrize(
    ("value", "kept_s"),
    [
        (b"timeout=0", 0),
        (b"max=1, timeout=999999", 999999),
        (b"timeout=1234567", None),
        (b"TIMEOUT=5;x", 5),
        (b"", None),
    ],
)
def test_how_long_an_upstream_keeps_its_connection(value: bytes, kept_s: int | None) -> None:
    assert answered(b"HTTP/1.1 200 x", b"Keep-Alive: " + value).keep_alive_s == kept_s
    assert answered(b"HTTP/1.1 200 x").keep_alive_s is None


def test_fields_that_connection_names_do_not_go_on() -> None:
    request = asked(
        b"GET / HTTP/1.1", b"Host: a", b"Connection: x-forwarded-for, X-Forwarded-Host", b"Connection: b3, via, y",
        b"X-Forwarded-For: 1.1.1.1", b"X-Forwarded-Host: b", b"X-Forwarded-Proto: https", b"B3: 0", b"Via: 1.1 z",
        b"Y: 1",
    )  # fmt: skip
    assert (request.forwarded_for, request.has_forwarded_host, request.has_forwarded_proto) == ((), False, True)
    assert (request.trace, request.via, request.lines) == ([], (b"1.1 z",), [b"X-Forwarded-Proto: https"])
    other = asked(
        b"GET / HTTP/1.1", b"Host: a", b"Connection: x-forwarded-proto", b"X-Forwarded-For: 1.1.1.1",
        b"X-Forwarded-For: ", b"X-Forwarded-For: 2.2.2.2", b"X-Forwarded-Host: b", b"X-Forwarded-Proto: https",
    )  # fmt: skip
    assert (other.forwarded_for, other.has_forwarded_host) == ((b"1.1.1.1", b"2.2.2.2"), True)
    assert other.has_forwarded_proto is False


def test_expectations_and_bodies() -> None:
    request = asked(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 1", b"Expect: 100-Continue")
    assert (request.expects_continue, request.lines) == (True, [b"Expect: 100-Continue"])
    said = (Fault.EXPECTATION_FAILED, "the only expectation known is 100-continue")
    for expect in ([b"Expect: x"], [b"Expect: 100-continue", b"Expect: 100-continue"]):
        assert refused(lambda expect=expect: asked(b"GET / HTTP/1.1", b"Host: a", *expect)) == said  # type: ignore[misc]
    assert refused(lambda: asked(b"TRACE / HTTP/1.1", b"Host: a", b"Content-Length: 1")) == (
        Fault.BAD_FRAMING,
        "TRACE has no body",
    )
    assert asked(b"TRACE / HTTP/1.1", b"Host: a", b"Content-Length: 0").has_body is False


def test_credentials_and_trailers_once_said_stay_said() -> None:
    binding = asked(b"GET / HTTP/1.1", b"Host: a", b"Authorization: NTLM x", b"Authorization: Basic x")
    assert binding.binds_connection is True
    assert asked(b"GET / HTTP/1.1", b"Host: a", b"TE: trailers", b"TE: gzip").takes_trailers is True
    basic = asked(b"GET / HTTP/1.1", b"Host: a", b"Authorization: Basic x")
    assert (basic.binds_connection, basic.lines) == (False, [b"Authorization: Basic x"])


def test_targets_replace_hosts() -> None:
    request = asked(b"GET http://b:81/x HTTP/1.1", b"Host: a")
    assert (request.path, request.host, request.authority) == (b"/x", b"b:81", ("b", 81))
    connect = asked(b"CONNECT b:443 HTTP/1.1", b"Host: a")
    assert (connect.path, connect.host, connect.authority) == (b"b:443", b"b:443", ("b", 443))
    assert asked(b"GET / HTTP/1.0").authority == ("", 0)
    said = (Fault.BAD_HOST, "malformed Host")
    assert refused(lambda: asked(b"GET http://b/ HTTP/1.1", b"Host: a b")) == said
    assert refused(lambda: asked(b"GET http://b/ HTTP/1.0", b"Host: a b")) == said
    assert asked(b"GET http://b/ HTTP/1.0").host == b"b"
    assert refused(lambda: asked(b"GET http://b@c/ HTTP/1.1", b"Host: a")) == (
        Fault.BAD_HOST,
        "malformed authority in the target",
    )
    assert refused(lambda: asked(b"GET / HTTP/1.0", b"Host: a b")) == said


@pytest.mark.parametrize("target", [b".", b"0", b"%", b"?a", b"\\a", b"a/", b".//a/"])
def test_a_target_that_begins_with_no_slash_is_no_path(target: bytes) -> None:
    """Not even by one bit."""
    assert refused(lambda: asked(b"GET %b HTTP/1.1" % target, b"Host: a")) == (
        Fault.BAD_TARGET,
        "the request target is neither a path nor an absolute http or https URI",
    )


def test_request_lines_of_rare_methods_take_the_same_way() -> None:
    for method in (b"GET", b"POST", b"PATCH", b"CONNECT", b"QUERY", b"X-RARE", b"get", b"!"):
        assert check_request_line(method + b" /~ HTTP/1.1") == (method, b"/~", b"1")
        assert check_request_line(method + b" ! HTTP/1.0") == (method, b"!", b"0")
        for bad in (b" /\x7f HTTP/1.1", b" /\x80 HTTP/1.1", b"  HTTP/1.1", b" / HTTP/1.1 ", b" / /HTTP/1.1"):
            assert refused(lambda bad=bad, method=method: check_request_line(method + bad)) == (  # type: ignore[misc]
                Fault.BAD_REQUEST,
                "malformed request line",
            )
    said = (Fault.VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1 are supported")
    for version in (b"0.9", b"2.0", b"3.1", b"2.1"):
        assert refused(lambda version=version: check_request_line(b"GET / HTTP/" + version)) == said  # type: ignore[misc]
    assert refused(lambda: check_request_line(b"GET / HTTP/1.2"))[0] is Fault.BAD_REQUEST


# --- heads in pieces


def reader(limits: HeadLimits = LIMITS) -> HeadReader:
    return HeadReader(limits, check_request_line)


def pieces(wire: bytes, size: int, limits: HeadLimits = LIMITS) -> object:
    reads, found = reader(limits), None
    for at in range(0, len(wire), size):
        assert found is None
        found = reads.feed(wire[at : at + size], KINDS)
        assert reads.is_started or found is not None or wire[: at + size].endswith(b"\n")
    assert not reads.is_started
    return (found.line, (found.lines, found.special), found.rest) if found is not None else None


FITS = b"GET /" + b"p" * 26 + b" HTTP/1.1"  # 40 bytes
SIZES = [1, 2, 3, 7, 39, 40, 41, 42, 43, 44, 1000]


@pytest.mark.parametrize("size", SIZES)
def test_a_start_line_of_the_limit(size: int) -> None:
    assert len(FITS) == 40
    wire = FITS + b"\r\nHost: a\r\n\r\n"
    assert pieces(wire, size) == (FITS, ([], [(HOST, b"Host", b"a")]), b"")
    said = (Fault.TARGET_TOO_LONG, "the start line is longer than 40 bytes")
    longer = wire.replace(b"/p", b"/pp")
    assert refused(lambda: pieces(longer, size)) == said
    assert refused(lambda: pieces(longer[:43], size)) == said


@pytest.mark.parametrize("size", SIZES)
def test_fields_of_the_limit(size: int) -> None:
    """60 bytes, each line with its CRLF."""
    field = b"Host: " + b"a" * 52
    assert pieces(FITS + b"\r\n" + field + b"\r\n\r\n", size) == (FITS, ([], [(HOST, b"Host", b"a" * 52)]), b"")
    said = (Fault.HEADERS_TOO_LARGE, "the header section is longer than 60 bytes")
    assert refused(lambda: pieces(FITS + b"\r\n" + field + b"a\r\n\r\n", size)) == said
    assert refused(lambda: pieces(FITS + b"\r\n" + field + b"a\r\n\r", size)) == said


def test_as_many_fields_as_the_limit() -> None:
    wire = FITS + b"\r\na: 1\r\nb: 1\r\nc: 1\r\n\r\n"
    for size in (1, 1000):
        assert pieces(wire, size) == (FITS, ([b"a: 1", b"b: 1", b"c: 1"], []), b"")
        said = (Fault.HEADERS_TOO_LARGE, "more than 3 header fields")
        assert refused(lambda size=size: pieces(wire[:-2] + b"d: 1\r\n\r\n", size)) == said  # type: ignore[misc]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_four_empty_lines_before_a_request(size: int) -> None:
    wire = FITS + b"\r\nHost: a\r\n\r\n"
    found = (FITS, ([], [(HOST, b"Host", b"a")]), b"")
    assert pieces(b"\r\n" * 4 + wire, size) == found
    said = (Fault.BAD_REQUEST, "too many empty lines before the message")
    assert refused(lambda: pieces(b"\r\n" * 5 + wire, size)) == said
    none = LIMITS._replace(empty_lines=0)
    assert refused(lambda: pieces(b"\r\n" + wire, size, none)) == said
    assert LIMITS.empty_lines == 4


def test_empty_lines_are_counted_anew_for_each_message() -> None:
    reads, wire = reader(), b"\r\n" * 4 + FITS + b"\r\nHost: a\r\n\r\n"
    for _ in range(6):
        assert reads.feed(wire, KINDS) is not None


def test_a_bad_start_line_is_refused_before_the_rest_comes() -> None:
    assert refused(lambda: reader().feed(b"BAD\r\n", KINDS)) == (Fault.BAD_REQUEST, "malformed request line")
    reads = reader()
    assert reads.feed(b"BAD", KINDS) is None
    assert refused(lambda: reads.feed(b"\r\nX", KINDS)) == (Fault.BAD_REQUEST, "malformed request line")


def test_what_follows_a_head_is_given_back() -> None:
    wire = b"GET / HTTP/1.1\r\n\r\nrest"
    for cut in range(1, 18):
        reads = reader()
        assert reads.feed(wire[:cut], KINDS) is None
        assert reads.is_started is True
        head = reads.feed(wire[cut:], KINDS)
        assert head is not None
        assert (head.line, sorts(head), head.rest) == (b"GET / HTTP/1.1", ([], [], []), b"rest")
        assert reads.is_started is False
    assert reader().feed(b"", KINDS) is None


def test_fields_are_checked_and_sorted_alike() -> None:
    section = [b"New-Name: 1", b"Host:a", b"Content-Length:\t5 ", b"Transfer-Encoding: chunked"]
    head = check_fields(b"\r\n".join(section[:3]), KINDS, Fault.BAD_REQUEST)
    special = [(HOST, b"Host", b"a"), (CONTENT_LENGTH, b"Content-Length", b"5")]
    assert sorts(head) == ([b"New-Name: 1"], special, [])
    assert sorts(check_fields(b"", KINDS, Fault.BAD_REQUEST)) == ([], [], [])
    (kind, name, value) = check_fields(section[3], KINDS, Fault.BAD_REQUEST).special[0]
    assert (kind, name, value) == (TRANSFER_ENCODING, b"Transfer-Encoding", b"chunked")
    for bad in (b"a\x01: 1", b"a : 1", b"a: 1\x00", b" a: 1", b"a"):
        fault, detail = refused(lambda bad=bad: check_fields(bad, KINDS, Fault.BAD_RESPONSE))  # type: ignore[misc]
        assert fault is Fault.BAD_RESPONSE
        assert detail.startswith("malformed header section")


def test_a_scanner_knows_where_the_first_line_ends() -> None:
    scanner = SectionScanner(Fault.BAD_REQUEST, "head")
    assert (scanner.size, scanner.line_end) == (0, -1)
    for byte in b"ab\r":
        assert scanner.feed(bytes((byte,))) is None
    assert (scanner.size, scanner.line_end) == (3, -1)
    scanner.feed(b"\nc")
    assert (scanner.size, scanner.line_end, scanner.first_line()) == (5, 2, b"ab")
    scanner.feed(b"d\r\n")
    assert (scanner.line_end, scanner.first_line()) == (2, b"ab")
    assert scanner.feed(b"\r\nrest") == b"ab\r\ncd\r\n\r\nrest"
    assert (scanner.size, scanner.line_end) == (0, -1)
    assert scanner.feed(b"\r\n") == b"\r\n"
    words = "a control character, or a CR or LF that stands alone, in the trailers"
    for first, second in ((b"a\x01", b""), (b"a\r", b"b"), (b"a", b"\n"), (b"ab\x7f", b"c")):
        scanner = SectionScanner(Fault.BAD_FRAMING, "trailers")

        def both(scanner: SectionScanner = scanner, first: bytes = first, second: bytes = second) -> None:
            scanner.feed(first)
            scanner.feed(second)

        assert refused(both) == (Fault.BAD_FRAMING, words)
