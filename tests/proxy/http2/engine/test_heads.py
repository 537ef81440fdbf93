"""What a header list may be, and what it means (RFC 9113, 8.1 to 8.5)."""

from __future__ import annotations

import pytest

from proxy.http2.engine.errors import Malformed
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import (
    RequestHead,
    ResponseHead,
    check_trailers,
    read_request,
    read_response,
    status_field,
)
from proxy.http2.hpack.field import HeaderField
from proxy.semantics.fields import request_kinds, response_kinds

REQUESTS = FieldJudge(request_kinds(lambda name: name == b"b3", via=True, x_forwarded=True), True)
RESPONSES = FieldJudge(response_kinds(), False)

GET = ":method GET|:scheme http|:path /"


def fields(text: str, judge: FieldJudge) -> list[HeaderField]:
    made = []
    for line in text.split("|") if text else ():
        name, _, value = line.encode("latin-1").partition(b" ")
        made.append(HeaderField(name, value, judge.kind_of(name, value)))
    return made


def request(text: str, *, done: bool = True, extended: bool = False) -> RequestHead:
    return read_request(fields(text, REQUESTS), done, extended)


def response(text: str) -> ResponseHead:
    return read_response(fields(text, RESPONSES))


def test_fields_are_sorted() -> None:
    head = request(f"{GET}|:authority a|te trailers|x-a 1|b3 0|http2-settings x|x-b 2|via 2 b")
    assert [field.name for field in head.plain] == [b"x-a", b"x-b"]
    assert [field.name for field in head.special] == [b"b3", b"via"]
    assert head.takes_trailers
    assert (head.method.value, head.host) == (b"GET", b"a")


@pytest.mark.parametrize(
    ("text", "done", "length"),
    [(GET, True, 0), (GET, False, -1), (f"{GET}|content-length 5", False, 5), (f"{GET}|content-length 0", True, 0)],
)
def test_the_length_of_the_content(text: str, done: bool, length: int) -> None:
    assert request(text, done=done).length == length


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (GET, b""),
        (f"{GET}|host b", b"b"),
        (f"{GET}|:authority a", b"a"),
        (f"{GET}|:authority a|host a", b"a"),
        (f"{GET}|:authority Aa|host aA", b"Aa"),
        (f"{GET}|:authority a|host a:80", b"a"),
        (f"{GET}|:authority a:80|host a", b"a:80"),
    ],
)
def test_the_host(text: str, host: bytes) -> None:
    """8.3.1."""
    assert request(text).host == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":scheme http|:path /",  # 8.3.1: all three, once
        ":method GET|:path /",
        ":method GET|:scheme http",
        f"{GET}|:path /",
        f"{GET}|:method GET",
        ":method GET|:scheme http|x-a 1|:path /",  # 8.3: before all others
        ":method GET|:scheme http|http2-settings 1|:path /",
        ":method GET|:scheme http|b3 0|:path /",
        f"{GET}|:status 200",
        f"{GET}|:unknown x",
        f"{GET}|:protocol websocket",
        f"{GET}|X-Upper 1",  # 8.2.1
        f"{GET}|connection close",  # 8.2.2
        f"{GET}|te gzip",
        f"{GET}|host a|host a",
        f"{GET}|host a|host b",
        f"{GET}|:authority a|host b",
        f"{GET}|:authority a|host a:8080",
        f"{GET}|content-length 1|content-length 1",
        f"{GET}|content-length 1",  # 8.1.1: done, and no content came
        ":method GET|:scheme http|:path *",
        ":method CONNECT|:scheme http|:path /|:authority a",  # 8.5
        ":method CONNECT",
        ":method CONNECT|:scheme http|:path /|:authority a|:protocol websocket",  # RFC 8441: not announced
    ],
)
def test_malformed_requests(text: str) -> None:
    with pytest.raises(Malformed):
        request(text)


def test_the_path_of_options() -> None:
    assert request(":method OPTIONS|:scheme http|:path *").method.value == b"OPTIONS"


def test_connect() -> None:
    """8.5."""
    head = request(":method CONNECT|:authority a:1", done=False)
    assert (head.path, head.scheme, head.host, head.length) == (None, None, b"a:1", -1)


def test_extended_connect() -> None:
    """RFC 8441, 4."""
    text = ":method CONNECT|:scheme http|:path /chat|:authority a|:protocol websocket"
    head = request(text, done=False, extended=True)
    assert head.protocol is not None
    assert head.protocol.value == b"websocket"
    for name in (":scheme http|", ":path /chat|", ":authority a|"):
        with pytest.raises(Malformed):
            request(text.replace(name, ""), done=False, extended=True)
    with pytest.raises(Malformed):
        request(text.replace("CONNECT", "GET"), done=False, extended=True)


def test_a_response() -> None:
    head = response(":status 404|x-a 1|content-length 7|www-authenticate Basic")
    assert (head.status, head.length) == (404, 7)
    assert [field.name for field in head.plain] == [b"x-a"]
    assert [field.name for field in head.special] == [b"www-authenticate"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x-a 1",
        ":status 200|:status 200",
        "x-a 1|:status 200",
        "content-length 1|:status 200",
        ":status 101",  # 8.6
        ":status 20",
        ":status 200|:path /",
        ":status 200|transfer-encoding chunked",
        ":status 200|content-length 1|content-length 1",
    ],
)
def test_malformed_responses(text: str) -> None:
    with pytest.raises(Malformed):
        response(text)


@pytest.mark.parametrize("text", [":status 200", ":path /", "x-a 1|:method GET", "X-Upper 1", "connection close"])
def test_malformed_trailers(text: str) -> None:
    """8.1."""
    with pytest.raises(Malformed):
        check_trailers(fields(text, RESPONSES))


def test_trailers() -> None:
    check_trailers(fields("grpc-status 0|grpc-message ", RESPONSES))


def test_a_complaint_quotes_no_value() -> None:
    with pytest.raises(Malformed) as caught:
        request(f"{GET}|x-key secret\x00")
    assert "x-key" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_status_of_our_own() -> None:
    assert response(":status 503").status == read_response([status_field(503)]).status
