"""The meaning of a response head. What is refused on the wire is in test_exchange."""

from __future__ import annotations

import pytest
from lab.heads import headed

from proxy.http1.message.heads import sort_fields
from proxy.http1.message.response import Response, read_response, read_start
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds

KINDS = response_kinds()


def read(line: bytes, *fields: bytes) -> Response:
    return read_response(headed(line, sort_fields(list(fields), KINDS, Fault.BAD_RESPONSE)), KINDS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200 OK", (200, b"OK", 1)),
        (b"HTTP/1.0 404 Not Found", (404, b"Not Found", 0)),
        (b"HTTP/1.1 200 ", (200, b"", 1)),
        (b"HTTP/1.1 200", (200, b"", 1)),
        (b"HTTP/1.1 599 \xc3\xa9\t!", (599, b"\xc3\xa9\t!", 1)),
    ],
)
def test_status_lines(line: bytes, expected: tuple[int, bytes, int]) -> None:
    start = read_start(line)
    assert (start.status, start.reason, start.minor) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.2 200 OK",
        b"http/1.1 200 OK",
        b"",
    ],
)
def test_malformed_status_lines(line: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read_start(line)
    assert caught.value.fault is Fault.BAD_RESPONSE


@pytest.mark.parametrize(
    ("minor", "connection", "kept"),
    [
        (1, None, True),
        (1, b"keep-alive", True),
        (1, b"close", False),
        (1, b"Keep-Alive, CLOSE", False),
        (0, None, False),
        (0, b"keep-alive", True),
        (0, b"Keep-Alive", True),
    ],
)
def test_keep_alive(minor: int, connection: bytes | None, kept: bool) -> None:
    fields = [b"Connection: " + connection] if connection else []
    assert read(b"HTTP/1.%d 200 OK" % minor, *fields).keep_alive is kept


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"timeout=5", 5), (b"max=100, Timeout=72", 72), (b"max=5", None), (b"xtimeout=5", None), (b"timeout=x", None)],
)
def test_keep_alive_hint(value: bytes, seconds: int | None) -> None:
    assert read(b"HTTP/1.1 200 OK", b"Keep-Alive: " + value).keep_alive_s == seconds


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (200, b"GET", True),
        (200, b"HEAD", False),
        (204, b"GET", False),
        (304, b"GET", False),
        (100, b"GET", False),
        (205, b"GET", True),
    ],
)
def test_has_body(status: int, method: bytes, body: bool) -> None:
    assert read(b"HTTP/1.1 %d X" % status).has_body(method) is body


@pytest.mark.parametrize(
    ("line", "there"), [(b"Date: x", True), (b"date:x", True), (b"DATE: x", True), (b"Dates: x", False)]
)
def test_has_date(line: bytes, there: bool) -> None:
    assert read(b"HTTP/1.1 200 OK", line).has_date() is there


def test_an_upgrade_needs_its_option() -> None:
    assert read(b"HTTP/1.1 101 X", b"Upgrade: foo").upgrade == b""
    assert read(b"HTTP/1.1 101 X", b"Upgrade: foo", b"Connection: upgrade").upgrade == b"foo"
    assert read(b"HTTP/1.1 200 X", b"Upgrade: foo", b"Connection: close").upgrade == b""


def test_connection_with_128_members_is_read_and_with_more_refused() -> None:
    assert read(b"HTTP/1.1 200 OK", b"X: y", b"Connection: x" + b",a" * 127).lines == []
    with pytest.raises(Refusal) as caught:
        read(b"HTTP/1.1 200 OK", b"Connection: x" + b",a" * 128)
    assert caught.value.fault is Fault.RESPONSE_HEAD_TOO_LARGE
