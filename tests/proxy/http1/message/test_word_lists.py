"""Words of HTTP/1.1's lists, each tried by itself, and lists at their edges."""

from __future__ import annotations

import pytest
from lab.heads import headed

from proxy.http1.message.heads import sort_fields
from proxy.http1.message.lists import is_offered, is_too_long, list_of, members, real_upgrade, takes_trailers
from proxy.http1.message.request import read_request
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault
from proxy.semantics.fields import request_kinds

REQUESTS = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)


def test_connection_has_128_members() -> None:
    assert not is_too_long(b"a," * 127 + b"a")
    assert is_too_long(b"a," * 128 + b"a")


def test_te_and_upgrade_have_16() -> None:
    assert takes_trailers(b"a," * 15 + b"trailers")
    assert not takes_trailers(b"a," * 16 + b"trailers")
    assert real_upgrade(b"a," * 15 + b"a") == b", ".join([b"a"] * 16)
    assert real_upgrade(b"a," * 16 + b"a") == b""
    assert is_offered(b"a," * 15 + b"a", b"a")
    assert not is_offered(b"a," * 16 + b"a", b"a")


@pytest.mark.parametrize("te", [b"trailers", b"Trailers", b"gzip, trailers", b"trailers;q=0.5", b"deflate,\ttrailers "])
def test_te_with_trailers(te: bytes) -> None:
    assert takes_trailers(te)


@pytest.mark.parametrize("te", [b"", b"trailer", b"gzip", b"xtrailers", b"gzip;trailers"])
def test_te_without(te: bytes) -> None:
    assert not takes_trailers(te)


@pytest.mark.parametrize(
    "protocol", [b"h2c", b"H2C", b"h2", b"HTTP/2.0", b"http", b"TLS/1.3", b"tls", b"", b"a b", b"/1"]
)
def test_protocols_that_are_never_upgraded_to(protocol: bytes) -> None:
    assert real_upgrade(protocol) == b""
    assert real_upgrade(b"websocket, " + protocol) == b"websocket"


@pytest.mark.parametrize("protocol", [b"websocket", b"WebSocket", b"foo/2", b"h2cx", b"h3", b"https"])
def test_protocols_that_are(protocol: bytes) -> None:
    assert real_upgrade(protocol) == protocol
    assert is_offered(protocol, protocol.swapcase() + b", other/1")
    assert not is_offered(protocol, b"other")
    assert not is_offered(b"", protocol)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"keep-alive", {b"keep-alive"}), (b"Keep-Alive", {b"keep-alive"}), (b"close", {b"close"}),
        (b"Close", {b"close"}), (b"CLOSE", {b"close"}), (b" a;q=1 ,B", {b"a", b"b"}), (b"", {b""}),
    ],
)  # fmt: skip
def test_members(value: bytes, found: set[bytes]) -> None:
    assert members(value) == found


def test_two_values_are_one_list() -> None:
    assert [list_of(b"a", b"b"), list_of(b"", b"b"), list_of(b"a", b""), list_of(b"", b"")] == [
        b"a, b",
        b"b",
        b"a",
        b"",
    ]


def request(*lines: str) -> list[bytes]:
    """The names of the fields that pass."""
    start, *rest = [line.encode() for line in ("GET / HTTP/1.1", "Host: a", *lines)]
    found = read_request(headed(start, sort_fields(rest, REQUESTS, Fault.BAD_REQUEST)), REQUESTS, parse_authority)
    return [line.partition(b":")[0].lower() for line in found.lines]


@pytest.mark.parametrize("name", ["x-secret", "cookie", "authorization", "x-forwarded", "accept", "age", "from"])
def test_a_nominated_field_is_dropped(name: str) -> None:
    assert name.encode() not in request(f"{name}: 1", f"Connection: {name.title()}")
    assert name.encode() in request(f"{name}: 1", "Connection: other")
