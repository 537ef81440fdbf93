"""Kinds of fields."""

from __future__ import annotations

import re

import pytest

from proxy.semantics.fields import (
    CONNECTION,
    DROP,
    FORWARDED_FOR,
    HOST,
    KEEP_ALIVE,
    PLAIN,
    TRACE,
    VIA,
    allowed_in_trailers,
    announced,
    request_kinds,
    response_kinds,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"HOST", HOST),
        (b"connection", CONNECTION),
        (b"Proxy-Authorization", DROP),
        (b"HTTP2-Settings", DROP),
        (b"keep-alive", DROP),
        (b"Via", VIA),
        (b"X-Forwarded-For", FORWARDED_FOR),
        (b"B3", TRACE),
        (b"X-Anything", PLAIN),
        (b"Content_Length", DROP),
        (b"X_Forwarded-For", DROP),
        (b"Content_Type", PLAIN),
    ],
)
def test_requests(name: bytes, kind: int) -> None:
    kinds = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)
    assert kinds.classify(name) == kind
    assert kinds.known[name] == kind


def test_what_is_switched_off_is_plain() -> None:
    kinds = request_kinds(lambda _: False, via=False, x_forwarded=False)
    assert [kinds.classify(name) for name in (b"Via", b"X-Forwarded-For", b"X-Forwarded-Host")] == [PLAIN] * 3


def test_responses() -> None:
    kinds = response_kinds()
    names = (b"Keep-Alive", b"Proxy-Authenticate", b"Host", b"traceparent")
    assert [kinds.classify(name) for name in names] == [KEEP_ALIVE, DROP, PLAIN, PLAIN]


@pytest.mark.parametrize(
    ("line", "allowed"),
    [(b"X-Sum: 1", True), (b"Server-Timing: x", True), (b"SET-COOKIE: a", False), (b"Authorization:a", False)],
)
def test_trailers(line: bytes, allowed: bool) -> None:
    assert allowed_in_trailers(line) is allowed


def test_trailer_announces_as_many_names_as_may_come() -> None:
    kinds = response_kinds()
    assert announced(b",".join([b"X-Sum"] * 128), kinds) == b", ".join([b"X-Sum"] * 128)
    assert announced(b",".join([b"X-Sum"] * 129), kinds) == b""


def test_names_are_remembered_up_to_64_bytes() -> None:
    kinds = response_kinds()
    for name in (b"a" * 64, b"b" * 65):
        assert kinds.classify(name) == PLAIN
    assert kinds.known.keys() == {b"a" * 64}


# RFC 9110, 6.5.1, spelt out: framing is dropped by its kind already.
WORDS = """
    Age Authorization Cache-Control Content-Encoding Content-Language Content-Location Content-Range Content-Type
    Cookie Date Expect Expires Forwarded From Host If-Match If-Modified-Since If-None-Match If-Range
    If-Unmodified-Since Location Max-Forwards Origin Pragma Proxy-Authenticate Proxy-Authentication-Info
    Proxy-Authorization Range Retry-After Set-Cookie User-Agent Vary Via Warning WWW-Authenticate X-Forwarded-For
    X-Forwarded-Host X-Forwarded-Proto
"""
NEVER_IN_TRAILERS = re.findall(r"\S+", WORDS)


@pytest.mark.parametrize("name", NEVER_IN_TRAILERS)
def test_never_in_trailers(name: str) -> None:
    """In any case, and only that very name."""
    for spelt in (name, name.lower(), name.upper()):
        assert not allowed_in_trailers(f"{spelt}: 1".encode())
        assert allowed_in_trailers(f"{spelt}x: 1".encode())
