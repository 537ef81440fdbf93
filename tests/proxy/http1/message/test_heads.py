"""Heads: split off a stream of bytes in any pieces; fields sorted alike whether llhttp was asked or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.heads import Sorts, sorts

from proxy.http1.message.heads import HeadLimits, HeadReader
from proxy.http1.message.heads import check_fields as check_section
from proxy.http1.message.heads import sort_fields as sort_lines
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import CONTENT_LENGTH, HOST, FieldKinds, request_kinds

LIMITS = HeadLimits(64, 256, 8, Fault.TARGET_TOO_LONG, Fault.HEADERS_TOO_LARGE, Fault.BAD_REQUEST)
FIELDS = b"Host: a\r\nX-B3-TraceId: 463ac35c9f6413ad48485a3953bb6124\r\nAccept: */*\r\nContent-Length: 2"
SORTED = (
    [b"Accept: */*"],
    [(HOST, b"Host", b"a"), (CONTENT_LENGTH, b"Content-Length", b"2")],
    [(b"X-B3-TraceId", b"463ac35c9f6413ad48485a3953bb6124")],
)


def kinds() -> FieldKinds:
    return request_kinds(lambda name: name.lower().startswith(b"x-b3-"), via=True, x_forwarded=True)


def sort_fields(section: bytes, known: FieldKinds, fault: Fault) -> Sorts:
    return sorts(sort_lines(section.split(b"\r\n") if section else [], known, fault))


def check_fields(section: bytes, known: FieldKinds, fault: Fault) -> Sorts:
    return sorts(check_section(section, known, fault))


def reader() -> HeadReader:
    return HeadReader(LIMITS, lambda _line: None)


def outcome(sort: object, section: bytes, known: FieldKinds) -> Sorts | Fault:
    try:
        return sort(section, known, Fault.BAD_REQUEST)  # type: ignore[no-any-return, operator]  # either function
    except Refusal as refusal:
        return refusal.fault


def test_fields_are_sorted_alike_each_time() -> None:
    """At first by llhttp, then by their names."""
    known = kinds()
    for _ in range(3):
        assert sort_fields(FIELDS, known, Fault.BAD_REQUEST) == SORTED


def test_heads_like_those_before_are_sorted_by_the_kinds_of_now() -> None:
    """After a reload they may be others."""
    before, after = kinds(), request_kinds(lambda name: name == b"Accept", via=True, x_forwarded=True)
    reads = reader()
    for known in (before, after, before):
        for number in range(20):
            fields = FIELDS.replace(b"6124", b"%04d" % number)
            parsed = reads.feed(b"GET / HTTP/1.1\r\n" + fields + b"\r\n\r\n", known)
            assert parsed is not None
            assert (parsed.line, parsed.rest) == (b"GET / HTTP/1.1", b"")
            assert sorts(parsed) == sort_fields(fields, known, Fault.BAD_REQUEST)


def test_what_is_remembered_is_bounded() -> None:
    known = kinds()
    for number in range(5000):
        for _ in range(2):
            sort_fields(b"X-Name-%d: same\r\nX-Value: %d" % (number, number), known, Fault.BAD_REQUEST)
    assert len(known.known) <= 2048


values = st.one_of(
    st.sampled_from(
        [b"1", b" 1", b"1 ", b"\t", b"", b"chunked", b"a\x00", b"a\rb", b"a\nb", b"\xe4", b"a\x7f", b"a, b", b"+1"]
    ),
    st.binary(max_size=6),
)
names = st.sampled_from(
    [
        b"Host",
        b"host",
        b"Accept",
        b"X-B3-TraceId",
        b"Content-Length",
        b"Transfer-Encoding",
        b"X Y",
        b"",
        b"Accept ",
        b" Accept",
        b"\x00",
        b"Via",
    ]
)
joints = st.sampled_from([b": ", b":", b" : ", b"", b":\t"])
sections = st.lists(st.builds(lambda *parts: b"".join(parts), names, joints, values), max_size=4).map(b"\r\n".join)
framing = (b"content-length", b"transfer-encoding")


@given(sections, st.integers(0, 3))
def test_sorting_says_what_llhttp_says(section: bytes, times: int) -> None:
    """However often it came before. (Doubled framing is for who reads it. No section has an empty line.)"""
    known = kinds()
    for warm in (b"Host: a", b"host: a", b"Accept: a", b"X-B3-TraceId: a", b"Content-Length: 1", b"Via: a"):
        sort_fields(warm, known, Fault.BAD_REQUEST)
    for _ in range(times):
        outcome(sort_fields, section, known)
    if not any(name in section.lower() for name in framing) and b"" not in section.split(b"\r\n"):
        assert outcome(sort_fields, section, known) == outcome(check_fields, section, kinds())


@pytest.mark.parametrize(
    "line",
    [b"Content-Length: +1", b"Content-Length: 1, 2", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked"],
)
def test_framing_reaches_its_reader_or_is_refused(line: bytes) -> None:
    """Never lost, never passed on as a plain field."""
    known = kinds()
    sort_fields(b"Content-Length: 1", known, Fault.BAD_REQUEST)
    for _ in range(3):
        got = outcome(sort_fields, line, known)
        assert isinstance(got, Fault) or (got[0] == [] and got[1][0][2] == line.split(b": ")[1])


@pytest.mark.parametrize("line", [b"Host", b"Host\r\nAccept: a", b"Accept", b"Host :a", b" Host: a"])
def test_a_known_name_alone_is_no_field(line: bytes) -> None:
    known = kinds()
    sort_fields(b"Host: a\r\nAccept: a", known, Fault.BAD_REQUEST)
    assert outcome(sort_fields, line, known) is Fault.BAD_REQUEST


@given(st.lists(st.integers(1, 40), max_size=12))
def test_a_head_in_pieces_is_the_same_head(sizes: list[int]) -> None:
    data = b"\r\nGET / HTTP/1.1\r\n" + FIELDS + b"\r\n\r\nrest"
    head, known, got = reader(), kinds(), None
    for size in [*sizes, len(data)]:
        got = head.feed(data[:size], known) if data[:size] else got
        data = data[size:]
        if got is not None:
            break
    assert got is not None
    assert (got.line, sorts(got), got.rest + data) == (b"GET / HTTP/1.1", SORTED, b"rest")
    assert not head.is_started


@pytest.mark.parametrize(
    "data,fault",
    [
        (b"GET /" + b"a" * 80, Fault.TARGET_TOO_LONG),
        (b"GET /" + b"a" * 80 + b" HTTP/1.1\r\nHost: a\r\n\r\n", Fault.TARGET_TOO_LONG),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 300, Fault.HEADERS_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 300 + b"\r\n\r\n", Fault.HEADERS_TOO_LARGE),
        (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 9 + b"\r\n", Fault.HEADERS_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nA: \x00", Fault.BAD_REQUEST),
        (b"GET / HTTP/1.1\nHost: a\n\n", Fault.BAD_REQUEST),
        (b"\r\n" * 6 + b"GET", Fault.BAD_REQUEST),
    ],
)
def test_what_cannot_become_a_head_is_refused_at_once(data: bytes, fault: Fault) -> None:
    with pytest.raises(Refusal) as raised:
        reader().feed(data, kinds())
    assert raised.value.fault is fault


def test_no_fields_at_all() -> None:
    head = reader().feed(b"GET / HTTP/1.0\r\n\r\n", kinds())
    assert head is not None
    assert (head.line, sorts(head), head.rest) == (b"GET / HTTP/1.0", ([], [], []), b"")
