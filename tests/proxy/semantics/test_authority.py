"""A host and a port at the edges of their grammar (RFC 9110, 4.2; RFC 3986, 3.2)."""

from __future__ import annotations

import pytest

from proxy.semantics.authority import Authority, parse_authority

NAME = b"a" * 63


@pytest.mark.parametrize(
    ("raw", "host", "port"),
    [
        (b"a", "a", 0), (b"A.B", "a.b", 0), (b"a:", "a", 0), (b"a:1", "a", 1), (b"a:65535", "a", 65535),
        (b"a:00080", "a", 80), (b"127.0.0.1:8080", "127.0.0.1", 8080), (b"[::1]", "::1", 0), (b"[::1]:1", "::1", 1),
        (b"[0:0::1]", "::1", 0),
        (b"!$&'()*+;=-._~", "!$&'()*+;=-._~", 0),
        (b"a" * 260, "a" * 260, 0), (b"a" * 254 + b":65535", "a" * 254, 65535),
    ],
)  # fmt: skip
def test_an_authority(raw: bytes, host: str, port: int) -> None:
    assert parse_authority(raw) == Authority(host, port)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b":80", b"a:65536", b"a:99999", b"a:0", b"a:00000", b"a:100000", b"a:-1", b"a:x", b"a b", b"a,b", b"u@a",
        b"a/b", b"a?b", b"a#b", b"%61", b"[::1", b"::1", b"[g::1]", b"[]", b"[1.2.3.4]", b"[::1]x", b"a" * 261,
        b"a" * 255 + b":65535", b"a\xff", b"a\n",
    ],
)  # fmt: skip
def test_what_is_none(raw: bytes) -> None:
    assert parse_authority(raw) is None
