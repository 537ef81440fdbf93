"""Requests and responses of HTTP/2 as a proxy means them, and what goes on: `messages.txt` has what was reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.texts import check_text

from proxy.http1.message.response import Response, read_start
from proxy.http2.engine.errors import Malformed
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import read_request as read_head
from proxy.http2.engine.heads import read_response as read_response_head
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.request import read_request
from proxy.http2.message.response import read_response
from proxy.http2.message.websocket import accepted_fields, as_upgrade
from proxy.http2.message.write import (
    call_refusal,
    list_bytes,
    options_answer,
    problem,
    request_fields,
    response_fields,
)
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import request_kinds, response_kinds
from proxy.semantics.hop import Hop

KINDS, RESPONSES = request_kinds(lambda name: name == b"b3", via=True, x_forwarded=True), response_kinds()
GET, POST = ":method GET|:scheme http|:path /|:authority a", ":method POST|:scheme https|:path /a/b|:authority A:81"
CALL = f"{POST}|te trailers|content-type application/grpc"
SOCKET = ":method CONNECT|:protocol websocket|:scheme http|:path /|:authority a"
ASKED = (
    GET,
    ":method GET|:scheme http|:path /",
    f"{GET}|host a",
    f"{GET}|b3 0|b3 1",
    f"{GET}|cookie a=1|x 1|cookie b=2",
    f"{GET}|via 1.1 a|via ",
    f"{GET}|x-forwarded-for 1.1.1.1|x-forwarded-for |x-forwarded-host b|x-forwarded-proto https",
    f"{GET}|authorization Bearer x",
    f"{GET}|trailer grpc-status, host, x",
    f"{GET}|trailer host",
    f"{GET}|te trailers",
    f"{GET}|expect 100-continue",
    f"{POST}|expect 100-Continue|content-length 5",
    f"{POST}|expect other",
    f"{POST}|content-length 0",
    f"{POST}|content-length 5",
    POST,
    CALL,
    f"{CALL}|grpc-timeout 5S",
    f"{CALL}|grpc-timeout x",
    f"{POST}|content-type application/grpc|grpc-timeout 5S",
    f"{POST}|te trailers|content-type text/plain|grpc-timeout 5S",
    *(f":method {method}|:scheme http|:path /|max-forwards {value}"
      for method in ("OPTIONS", "TRACE", "GET") for value in ("0", "7", "x", "1234567890", "123456789")),
    ":method CONNECT|:authority a:443",
    ":method CONNECT|:authority a:443|content-length 5",
    SOCKET,
    f"{SOCKET}|sec-websocket-version 13|origin http://a",
    ":method CONNECT|:protocol other|:scheme http|:path /|:authority a",
    ":method GET|:scheme http|:path /|:authority a:99999",
    ":method GET|:scheme http|:path /|host a b",
    ":method OPTIONS|:scheme http|:path *|:authority a",
    ":method M-SEARCH|:scheme http|:path /|:authority a",
)  # fmt: skip
ANSWERED = (
    ":status 200", ":status 200|date now|x 1", ":status 200|content-length 5", ":status 204", ":status 304",
    ":status 200|trailer grpc-status, age|trailer x", ":status 401|www-authenticate Basic", ":status 103|link x",
    ":status 200|keep-alive 5", ":status 999|content-length 0", ":status 200|via 1.1 b",
)  # fmt: skip
SHOWN = (
    "method", "path", "scheme", "host", "authority", "length", "has_body", "takes_trailers", "expects_continue",
    "upgrade", "max_forwards", "via", "forwarded_for", "has_forwarded_host", "has_forwarded_proto", "trace", "pace",
    "call_s",
)  # fmt: skip


def fields(text: str, judge: FieldJudge) -> list[HeaderField]:
    pairs = [part.partition(" ")[::2] for part in text.split("|")]
    return [
        HeaderField(name.encode(), value.encode(), judge.kind_of(name.encode(), value.encode()))
        for name, value in pairs
    ]


def told(made: tuple[list[HeaderField], list[tuple[bytes, bytes]]]) -> str:
    sent = [*((one.name, one.value) for one in made[0]), *made[1]]
    lines = [f"{name.decode()} {value.decode()}" for name, value in sent]
    return f"{' | '.join(lines)} ({list_bytes(*made)} bytes)"


def _asked(text: str, done: bool) -> list[str]:
    try:
        head = read_head(fields(text, FieldJudge(KINDS, True)), done, True)
        request = read_request(head, KINDS, parse_authority, done)
    except Malformed as error:
        return [f"malformed: {error}"]
    except Refusal as refusal:
        return [f"{refusal.fault.label}: {refusal.detail}"]
    said = [
        f"{name}={value!r}" for name in SHOWN if (value := getattr(request, name)) not in (b"", (), [], False, None)
    ]
    lines = [" ".join(said), f"{request!r} {request.fields()} weighs {request.weigh()}"]
    if request.max_forwards == 0:
        return [*lines, "is answered here"]
    bare = Hop(via=b"", client=b"", forwarded=False)
    first = Hop(via=b"shop", client=b"10.0.0.1", forwarded=True)
    for hop, trace, host, is_tls in ((bare, [], b"", False), (first, [(b"B3", b"1")], b"up:80", True)):
        lines.append(f"-> {told(request_fields(request, trace=trace, host=host, hop=hop, is_tls=is_tls))}")
    if request.method == b"CONNECT" and request.protocol_field is not None:
        try:
            as_upgrade(request, bytes(16))
        except Refusal as refusal:
            return [*lines, f"{refusal.fault.label}: {refusal.detail}"]
        lines.append(
            f"as an upgrade: {request.method!r} {request.upgrade!r} {request.length} {request.pace} {request.fields()}"
        )
    return lines


def test_requests_and_responses() -> None:
    lines: list[str] = []
    for text in ASKED:
        whole, part = (_asked(text, done) for done in (True, False))
        lines += [f"# {text}", *whole, *(["with content:", *(line for line in part if line not in whole)]), ""]
    for text in ANSWERED:
        lines.append(f"# answer {text}")
        try:
            head = read_response_head(fields(text, FieldJudge(RESPONSES, False)))
        except Malformed as error:
            lines += [f"malformed: {error}", ""]
            continue
        response = read_response(head, RESPONSES)
        said = (response.status, response.length, response.trailer, response.has_date(), response.version)
        lines += [f"{response!r} {said} {response.fields()}"]
        lines += [f"-> {told(response_fields(response, via=via, date=date, trace=trace))}" for via, date, trace in (
            (b"", b"", b""), (b"shop", b"now", b"Server-Timing: trace;desc=1"))] + [""]  # fmt: skip
    for fault in (Fault.CONNECT_TIMEOUT, Fault.QUEUE_FULL, Fault.METHOD_NOT_ALLOWED):
        refusal = Refusal(fault, "in detail: 50% ü")
        for details in (True, False):
            *made, content = problem(refusal, details=details, date=b"now", trace=b"X: y")
            lines.append(f"# {fault.label} {details}")
            lines += [
                told((made[0], made[1])),
                content.decode(),
                told(call_refusal(refusal, details=details, date=b"now")),
            ]
    lines += ["", told(options_answer((b"Allow", b"GET, HEAD"), b"now"))]
    check_text("\n".join([*lines, ""]), Path(__file__).parent / "messages.txt")


@pytest.mark.parametrize(
    ("status", "length", "told"),
    [
        (200, None, None), (200, 5, b"5"), (200, 0, b"0"), (201, 1, b"1"), (304, 7, b"7"), (204, 0, None),
        (199, 0, None), (103, 0, None), (999, 0, b"0"),
    ],
)  # fmt: skip
def test_an_answer_of_http_1_1_goes_on_without_what_is_of_its_connection(
    status: int, length: int | None, told: bytes | None
) -> None:
    dropped = (b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Transfer-Encoding", b"Upgrade", b"TE", b"Host")
    lines = [b"X-A: 1", *(name + b": a" for name in dropped)]
    response = Response(read_start(b"HTTP/1.1 %d OK" % status), lines)
    response.length = length
    fields, literals = response_fields(response, via=b"shop", date=b"now", trace=b"Server-Timing: a: b")
    assert [(one.name, one.value) for one in fields] == [(b":status", b"%d" % status)]
    lengths = [(b"content-length", told)] if told is not None else []
    ours = [(b"date", b"now"), (b"via", b"1.1 shop"), (b"server-timing", b"a: b")]
    assert literals == [(b"x-a", b"1"), *lengths, *ours]


def test_the_answer_to_a_websockets_key() -> None:
    """RFC 6455, 1.3: the example."""
    head = read_head(fields(SOCKET, FieldJudge(KINDS, True)), False, True)
    request = read_request(head, KINDS, parse_authority, False)
    as_upgrade(request, b"the sample nonce")
    assert request.field(b"sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="
    assert request.field(b"sec-websocket-protocol") == b""

    def answer(*accepted: bytes) -> Response:
        lines = [b"X: 1", *(b"Sec-WebSocket-Accept: " + one for one in accepted)]
        return Response(read_start(b"HTTP/1.1 101 Switching Protocols"), lines)

    right = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert accepted_fields(request, answer(right)) == [(b"x", b"1")]
    for wrong in ((), (right, right), (b"x",), (right.lower(),)):
        assert accepted_fields(request, answer(*wrong)) is None
