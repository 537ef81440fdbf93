"""Targets and authorities."""

from __future__ import annotations

import pytest

from proxy.http1.message.target import parse_target
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Refusal


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Example.COM", ("example.com", 0)),
        (b"example.com:80", ("example.com", 80)),
        (b"example.com:", ("example.com", 0)),
        (b"[::1]:8080", ("::1", 8080)),
        (b"[0:0:0:0:0:0:0:1]", ("::1", 0)),
        (b"a_b.test", ("a_b.test", 0)),
        (b"", None),
        (b":80", None),
        (b"a:0", None),
        (b"a:65536", None),
        (b"a:8 0", None),
        (b"me@a", None),
        (b"a/b", None),
        (b"a,b", None),
        (b"a%2e", None),
        (b"[::1", None),
        (b"[nonsense]", None),
        (b"[::1]x", None),
        (b"a\xff", None),
        (b"a b", None),
    ],
)
def test_authority(raw: bytes, expected: tuple[str, int] | None) -> None:
    assert parse_authority(raw) == expected


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"GET", b"/a?b", (b"/a?b", None, "http")),
        (b"GET", b"//a", (b"//a", None, "http")),
        (b"OPTIONS", b"*", (b"*", None, "http")),
        (b"GET", b"http://a", (b"/", b"a", "http")),
        (b"OPTIONS", b"http://a", (b"*", b"a", "http")),
        (b"GET", b"HTTPS://a:1?b", (b"/?b", b"a:1", "https")),
        (b"GET", b"http://a/b?c=http://d", (b"/b?c=http://d", b"a", "http")),
    ],
)
def test_target(method: bytes, target: bytes, expected: tuple[bytes, bytes | None, str]) -> None:
    assert parse_target(method, target) == expected


@pytest.mark.parametrize(
    ("method", "target"),
    [(b"GET", b"*"), (b"GET", b"a"), (b"GET", b"ftp://a/"), (b"GET", b"http:///a"), (b"GET", b"a:80")],
)
def test_targets_that_are_none(method: bytes, target: bytes) -> None:
    with pytest.raises(Refusal):
        parse_target(method, target)


@pytest.mark.parametrize("port", [b"", b":65535"])
def test_an_authority_of_260_bytes_is_read_and_no_longer_one(port: bytes) -> None:
    longest = (b"a" * 63 + b".") * 3 + b"a" * (260 - 3 * 64 - len(port))
    assert parse_authority(longest + port) is not None
    assert parse_authority(longest + b"a" + port) is None
