"""Responses of old upstreams: refused, and read where the settings forgive what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

OK = b"HTTP/1.1 200 OK\r\n"

# word, method, the response, what of it the client is sent (field, value)
FORGIVEN = [
    ("bare-lf", "GET", b"HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 5\n\nhello", ("x-a", b"1")),
    ("bare-lf", "GET", OK + b"X-A: 1\nContent-Length: 5\r\n\nhello", ("x-a", b"1")),
    ("obs-fold", "GET", OK + b"X-A: 1\r\n  2\r\n\t3\r\nContent-Length: 5\r\n\r\nhello", ("x-a", b"1 2 3")),
    ("equal-lengths", "GET", OK + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", ("content-length", b"5")),
    ("equal-lengths", "GET", OK + b"Content-Length: 5, 5\r\n\r\nhello", ("content-length", b"5")),
    ("head-framing", "HEAD", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n", ("x-a", b"1")),
    ("many-fields", "GET", OK + b"X-A: 1\r\n" * 299 + b"Content-Length: 5\r\n\r\nhello", ("content-length", b"5")),
]  # fmt: skip

# What stays refused, whatever is forgiven.
REFUSED = [
    ("different lengths", "GET", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("different lengths in a list", "GET", OK + b"Content-Length: 5, 6\r\n\r\nhello"),
    ("two framings with a body", "GET", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a bare CR", "GET", OK + b"X-A: 1\rSet-Cookie: evil=1\r\nContent-Length: 5\r\n\r\nhello"),
    ("a NUL", "GET", OK + b"X-A: 1\x00\r\nContent-Length: 5\r\n\r\nhello"),
    ("a space before the colon", "GET", OK + b"X-A : 1\r\nContent-Length: 5\r\n\r\nhello"),
    ("a fold of the status line", "GET", b"HTTP/1.1 200 OK\r\n X: 1\r\nContent-Length: 5\r\n\r\nhello"),
    ("fields without end", "GET", OK + b"X-A: 1\r\n" * 1001 + b"Content-Length: 5\r\n\r\nhello"),
    ("a head without end", "GET", OK + b"X-A: " + b"a" * 80_000),
]  # fmt: skip
ALL = ["bare-lf", "obs-fold", "equal-lengths", "head-framing", "many-fields"]
PIECES = pytest.mark.parametrize("piece", [0, 1])


@PIECES
@pytest.mark.parametrize(("word", "method", "response", "sent"), FORGIVEN)
def test_what_is_forgiven_by_name(
    word: str, method: str, response: bytes, sent: tuple[str, bytes], piece: int, wired: Callable[..., Wire]
) -> None:
    others = [each for each in ALL if each != word]
    assert wired({"inbound": {"lenient": others}}).answers(response, method=method, piece=piece).status == 502
    wire = wired({"inbound": {"lenient": [word]}})
    answer = wire.answers(response, method=method, piece=piece)
    assert (answer.status, answer.body) == (200, b"" if method == "HEAD" else b"hello")
    assert answer.head.value(sent[0]) == sent[1] if word != "many-fields" else answer.head.values("x-a") == [b"1"] * 299


@PIECES
@pytest.mark.parametrize(("method", "response"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_never_forgiven(method: str, response: bytes, piece: int, wired: Callable[..., Wire]) -> None:
    if piece and len(response) > 10_000:
        piece = 997
    assert wired({"inbound": {"lenient": ALL}}).answers(response, method=method, piece=piece).status == 502


@PIECES
def test_interim_and_final_heads_are_both_forgiven(piece: int, wired: Callable[..., Wire]) -> None:
    wire = wired({"inbound": {"lenient": ["bare-lf"]}})
    response = b"HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello"
    answer = wire.answers(response, piece=piece)
    assert ([head.start[0] for head in answer.interim], answer.status, answer.body) == ([b"103"], 200, b"hello")


def test_an_upstream_is_forgiven_what_another_is_not(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """And so on one kept connection, where the next request comes by another method."""
    old = {"name": "old", "listen": LISTEN, "target": upstream.url, "lenient": ["bare-lf", "head-framing"]}
    new = {"name": "new", "listen": LISTEN, "target": upstream.url}
    sidecar = start({"inbound": {"listen": "off"}, "upstreams": [old, new]})
    client = sidecar.client("old")
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    app = upstream.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    assert client.response().body == b"ok"
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    app.request()
    app.send(b"HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked\n\n")
    assert client.response("HEAD").status == 200
    client = sidecar.client("new")
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    other = upstream.accept()
    other.request()
    other.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    assert client.response().status == 502
