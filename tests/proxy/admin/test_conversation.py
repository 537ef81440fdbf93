"""HTTP/1.1 of the admin listener, as bytes: which requests are read, which are refused, and what bounds them."""

from __future__ import annotations

from http import HTTPStatus
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.answers import plain, text
from proxy.admin.conversation import LIMIT_HEAD_BYTES, LIMIT_HEAD_LINES, Call, Conversation, Sign, Waiting
from proxy.admin.exchange import REASONS, Request, Response
from proxy.admin.routes import Application

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LIMIT = 1000  # bytes of a body


async def handler(_: Request) -> Response:
    raise AssertionError("nobody calls it here")


APPLICATION = Application({"/": {"GET": handler, "POST": handler}, "/get": {"GET": handler}}, LIMIT)


def begun() -> Conversation:
    return Conversation(APPLICATION, ("192.0.2.1", 1))


def steps(conversation: Conversation) -> Call | Response | None:
    """What it comes to with what it has; None: more has to come."""
    while True:
        step = conversation.read()
        if step is Sign.NEEDS_BYTES:
            return None
        if not isinstance(step, Sign):
            return step


def read(request: bytes) -> Request:
    """The request that `request` is, read as a whole."""
    conversation = begun()
    conversation.receive(request)
    step = steps(conversation)
    assert isinstance(step, Call)
    return step.request


def refused(request: bytes) -> int:
    """The status with which it is refused; the connection ends with it."""
    conversation = begun()
    conversation.receive(request)
    step = steps(conversation)
    assert isinstance(step, Response)
    assert conversation.waits_for is Waiting.ANSWER
    answer = conversation.answer(step, DATE)
    assert conversation.is_over
    assert answer.startswith(f"HTTP/1.1 {step.status} {REASONS[step.status]}\r\n".encode())
    assert b"\r\nConnection: close\r\n" in answer
    return step.status


def all_of(pieces: list[bytes]) -> list[tuple[str, str, bytes] | int]:
    """What a client gets that sends `pieces` one after the other: the requests that were read, and refusals."""
    conversation, seen = begun(), list[tuple[str, str, bytes] | int]()
    for piece in pieces:
        if conversation.is_over:
            break
        conversation.receive(piece)
        while not conversation.is_over and (step := steps(conversation)) is not None:
            if isinstance(step, Call):
                seen.append((step.request.method, step.request.path, step.request.body))
                step = text("ok\n")
            else:
                seen.append(step.status)
            conversation.answer(step, DATE)
    return seen


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
STREAMS = {
    "one": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [("GET", "/", b"")]),
    "pipelined": (
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        + POST
        + b"Content-Length: 3\r\n\r\nabc"
        + b"HEAD /get HTTP/1.1\r\nHost: a\r\n\r\n",
        [("GET", "/", b""), ("POST", "/", b"abc"), ("HEAD", "/get", b"")],
    ),
    "chunked": (
        CHUNKED + b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nTrailer: x\r\n\r\nGET /get HTTP/1.1\r\nHost: a\r\n\r\n",
        [("POST", "/", b"abcd"), ("GET", "/get", b"")],
    ),
    "empty lines between": (
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\nGET /get HTTP/1.1\r\nHost: a\r\n\r\n",
        [("GET", "/", b""), ("GET", "/get", b"")],
    ),
    "another protocol is not given": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /get HTTP/1.1\r\nHost: a\r\n\r\n",
        [("GET", "/", b""), ("GET", "/get", b"")],
    ),
    "nothing behind the last": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        [("GET", "/", b"")],
    ),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", [("GET", "/", b"")]),
    "refused without a body": (
        b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nPOST /get HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        [404, 405, ("GET", "/", b"")],
    ),
    "refused with a body": (
        b"POST /get HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        [405],
    ),
    "broken": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", [("GET", "/", b""), 400]),
    "too much": (CHUNKED + b"1\r\nx\r\n" * (LIMIT + 1) + b"0\r\n\r\n", [413]),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_means_the_same_byte_by_byte(stream: str) -> None:
    sent, expected = STREAMS[stream]
    assert all_of([sent]) == expected
    assert all_of([sent[at : at + 1] for at in range(len(sent))]) == expected


@given(st.sampled_from(sorted(STREAMS)), st.data())
def test_a_stream_means_the_same_in_any_pieces(stream: str, data: st.DataObject) -> None:
    sent, expected = STREAMS[stream]
    cuts = sorted({0, len(sent), *data.draw(st.lists(st.integers(0, len(sent)), max_size=12))})
    assert all_of([sent[start:end] for start, end in pairwise(cuts)]) == expected


@given(
    st.lists(st.sampled_from([*(sent for sent, _ in STREAMS.values()), b"\r\n", b"\x00", b"x" * 40]), max_size=4),
    st.binary(),
)
def test_any_bytes_are_read_or_refused(parts: list[bytes], noise: bytes) -> None:
    """Nothing raises, whatever comes."""
    all_of([*parts, noise, *parts])


def test_what_a_handler_gets() -> None:
    request = read(
        b"POST /?app=1&a=%C3%A9+b&a=&%ff#x HTTP/1.1\r\nHOST: a:1\r\nAccept: x\r\naccept:  y \r\n"
        b"Accept: \xff\r\nContent-Type: Application/JSON; charset=x\r\nContent-Length: 3\r\n\r\n\xc3\xa9\xff"
    )
    assert (request.method, request.path, request.peer) == ("POST", "/", ("192.0.2.1", 1))
    assert request.query == {"app": ["1"], "a": ["é b", ""], "\ufffd": [""]}
    assert request.values("accept") == ["x", "y", "\udcff"]
    assert request.values("host") == ["a:1"]
    assert request.values("origin") == []
    assert request.content_type == "application/json"
    assert (request.body, request.text) == (b"\xc3\xa9\xff", "é\ufffd")


@pytest.mark.parametrize(
    ("target", "path", "hosts"),
    [
        (b"/%67et", "/get", ["a"]),
        (b"http://b:8/get?x", "/get", ["a", "b:8"]),  # whoever judges names sees both
        (b"HTTP://b", "/", ["a", "b"]),
    ],
)
def test_the_target_may_be_spelled_in_other_ways(target: bytes, path: str, hosts: list[str]) -> None:
    request = read(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert (request.path, request.values("host")) == (path, hosts)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        *((b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target, 404) for target in (b"*", b"//", b"/get/", b"get", b"a:1")),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"HEAD http://[ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /?" + b"a&" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x00", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        *((POST + b"Content-Length: %b\r\n\r\n" % length, 400) for length in (b"+1", b"1_0", b"-1", b"0x1", b"")),
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (CHUNKED + b"x\r\n", 400),
        (CHUNKED + b"1\r\nabc", 400),
        (POST + b"Content-Length: %d\r\n\r\n" % (LIMIT + 1), 413),
        (CHUNKED + b"%x\r\n%b" % (LIMIT + 1, b"x" * (LIMIT + 1)), 413),
        (POST + b"Content-Length: 3\r\nExpect: something\r\n\r\n", 417),
    ],
)  # fmt: skip
def test_what_is_refused(request_bytes: bytes, status: int) -> None:
    if status == 404:  # it has no body, so another request may follow
        assert all_of([request_bytes * 2]) == [404, 404]
    else:
        assert refused(request_bytes) == status


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * LIMIT_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * LIMIT_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"X: %b\r\n" % (b"x" * 400)) * 50,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X:\r\n" * LIMIT_HEAD_LINES,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: x\r\n" + b" x\r\n" * LIMIT_HEAD_LINES,
    ],
    ids=["target", "field", "fields", "lines", "folds"],
)
def test_a_head_has_a_limit(head: bytes) -> None:
    """Whether its end has come or not."""
    assert refused(head + b"\r\n" * 2) == 431
    assert refused(head + b"\r\nX: y" * 600) == 431


def test_a_head_within_the_limit() -> None:
    fields = b"".join(b"X%d: %b\r\n" % (number, b"x" * 140) for number in range(LIMIT_HEAD_LINES - 2))
    assert len(read(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields).fields) == LIMIT_HEAD_LINES - 1


def test_a_body_and_a_query_within_the_limit() -> None:
    body = b"x" * LIMIT
    assert read(POST + b"Content-Length: %d\r\n\r\n%b" % (LIMIT, body)).body == body
    assert read(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (LIMIT, body)).body == body
    assert len(read(b"GET /?a%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"&a" * 99)).query["a"]) == 100
    assert refused(b"GET /?a%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"&a" * 100)) == 400


def test_a_chunk_head_and_trailers_have_a_limit() -> None:
    assert refused(CHUNKED + b"1;" + b"x" * 20_000) == 431
    assert refused(CHUNKED + b"0\r\nX: " + b"x" * 20_000) == 431


def test_what_waits_is_what_came_and_no_more() -> None:
    """After a refusal not even that."""
    conversation = begun()
    conversation.receive(b"GET / HTTP/9.9\r\n\r\n" + b"x" * 100_000)
    assert isinstance(steps(conversation), Response)
    assert len(conversation._ahead) == 0


def test_a_client_that_waits_is_told_to_send() -> None:
    """Only once the head is in order, and not if the body comes anyway (RFC 9110, 10.1.1)."""
    asking = POST + b"Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
    conversation = begun()
    conversation.receive(asking)
    assert steps(conversation) is None
    assert conversation.wants_100
    assert conversation.continue_100() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not conversation.wants_100
    conversation.receive(b"abc")
    assert isinstance(steps(conversation), Call)
    conversation = begun()
    conversation.receive(asking + b"a")
    assert steps(conversation) is None
    assert not conversation.wants_100
    assert refused(asking.replace(b"POST / ", b"POST /get ")) == 405
    assert refused(asking.replace(b"3", b"3000")) == 413
    without_a_body = read(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")
    assert without_a_body.method == "GET"
    assert read(b"POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 3\r\n\r\nabc").body == b"abc"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer(method: str) -> None:
    conversation = begun()
    conversation.receive(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert isinstance(steps(conversation), Call)
    assert conversation.answer(text("äh\n", 202, more=(("Vary", "Accept"),)), DATE).decode() == (
        "HTTP/1.1 202 Accepted\r\nServer: ops-sidecar\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nVary: Accept\r\nContent-Length: 4\r\nDate: {DATE}\r\n\r\n"
        + ("äh\n" if method == "GET" else "")
    )
    assert not conversation.is_over
    assert conversation.waits_for is Waiting.REQUEST


def test_an_answer_can_be_the_last() -> None:
    conversation = begun()
    conversation.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(steps(conversation), Call)
    assert b"\r\nConnection: close\r\n" in conversation.answer(text("ok"), DATE, is_last=True)
    assert conversation.is_over


@pytest.mark.parametrize(
    "came", [b"", b"GE", b"GET / HTTP/1.1\r\nHo", POST + b"Content-Length: 3\r\n\r\na", CHUNKED + b"1"]
)
def test_a_request_can_be_given_up(came: bytes) -> None:
    conversation = begun()
    conversation.receive(came)
    assert steps(conversation) is None
    conversation.give_up()
    assert conversation.answer(plain(408), DATE).endswith(b"\r\nConnection: close\r\n\r\n408 Request Timeout\n")
    assert conversation.is_over


def test_what_it_waits_for() -> None:
    conversation, seen = begun(), []
    for piece in (b"", b"\r\n", b"P", POST[1:], b"Content-Length: 2\r\n\r\n", b"a", b"b"):
        conversation.receive(piece)
        steps(conversation)
        seen.append(conversation.waits_for)
    request, head, body = Waiting.REQUEST, Waiting.HEAD, Waiting.BODY
    assert seen == [request, request, head, head, body, body, Waiting.ANSWER]


@pytest.mark.parametrize(
    ("framing", "is_over"),
    [(b"", False), (b"Content-Length: 0\r\n", False), (b"Content-Length: 1\r\n", True),
     (b"Transfer-Encoding: chunked\r\n", True)],
)  # fmt: skip
def test_content_that_nobody_asked_for_ends_the_connection(framing: bytes, is_over: bool) -> None:
    """It is not read."""
    conversation = begun()
    conversation.receive(b"POST /nothing HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n")
    step = steps(conversation)
    assert isinstance(step, Response)
    assert step.status == 404
    assert conversation.is_over is is_over


def test_100_is_asked_for_content_of_one_byte() -> None:
    for length, is_asked in ((0, False), (1, True)):
        conversation = begun()
        conversation.receive(POST + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % length)
        steps(conversation)
        assert conversation.wants_100 is is_asked


def test_reasons_are_those_of_rfc_9110() -> None:
    """Python 3.11 has an older one for 413."""
    assert {status: HTTPStatus(status).phrase for status in REASONS} | {413: "Content Too Large"} == REASONS
