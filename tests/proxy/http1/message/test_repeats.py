"""Heads that resemble those before them on the same connection: read faster, and never otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.heads import Sorts, sorts

from proxy.http1.message.heads import HeadLimits, HeadReader, check_fields
from proxy.http1.message.request import check_request_line
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import CONTENT_LENGTH, HOST, FieldKinds, request_kinds

LIMITS = HeadLimits(64, 64 * 1024, 100, Fault.TARGET_TOO_LONG, Fault.HEADERS_TOO_LARGE, Fault.BAD_REQUEST)
HEAD = [b"Host: a", b"X-B3-TraceId: %032x", b"Accept: */*", b"Content-Length: 2"]


def kinds(prefix: bytes = b"x-b3-") -> FieldKinds:
    return request_kinds(lambda name: name.lower().startswith(prefix), via=True, x_forwarded=True)


def reader() -> HeadReader:
    return HeadReader(LIMITS, check_request_line)


def head(number: int) -> bytes:
    return b"\r\n".join(HEAD) % number


def feed(reads: HeadReader, section: bytes, known: FieldKinds) -> Sorts | Fault:
    try:
        parsed = reads.feed(b"GET / HTTP/1.1\r\n" + section + b"\r\n\r\n", known)
    except Refusal as refusal:
        return refusal.fault
    assert parsed is not None
    assert parsed.rest == b""
    return sorts(parsed)


def expected(section: bytes) -> Sorts | Fault:
    """By llhttp alone."""
    try:
        return sorts(check_fields(section, kinds(), Fault.BAD_REQUEST))
    except Refusal as refusal:
        return refusal.fault


def test_heads_that_resemble_each_other_have_a_template() -> None:
    """From the second on; if this fails, every request pays twice."""
    reads, known = reader(), kinds()
    for number in range(1, 10):
        assert feed(reads, head(number), known) == (
            [b"Accept: */*"],
            [(HOST, b"Host", b"a"), (CONTENT_LENGTH, b"Content-Length", b"2")],
            [(b"X-B3-TraceId", b"%032x" % number)],
        )
        assert reads._unlike == (number if number < 3 else 0)
    template = reads._template
    assert template is not None
    assert b"Accept: */*" in template._known
    assert not any(line.startswith(b"X-B3") for line in template._known)  # new each time


def test_lines_that_stay_the_same_are_compared_as_runs() -> None:
    reads, known = reader(), kinds()
    for number in range(1, 6):
        feed(reads, head(number), known)
    runs = reads._runs
    assert runs is not None
    assert runs.stretches == [b"\r\nHost: a\r\nX-B3-TraceId: ", b"\r\nAccept: */*\r\nContent-Length: 2\r\n\r\n"]
    changed = head(6).replace(b"*/*", b"text/html")
    for section in (changed, head(7), changed):
        assert feed(reads, section, known) == expected(section)
    assert reads._runs is not None
    begins, between, ends = reads._runs.stretches
    assert (begins, between) == (b"\r\nHost: a\r\nX-B3-TraceId: ", b"\r\nAccept: ")
    assert ends == b"\r\nContent-Length: 2\r\n\r\n"


def test_a_decision_that_stays_is_part_of_a_run_until_it_changes() -> None:
    reads, known = reader(), kinds()
    sections = [b"Host: a\r\nX-B3-TraceId: %032x\r\nX-B3-Sampled: 1" % number for number in range(1, 6)]
    for section in sections:
        assert feed(reads, section, known) == expected(section)
    runs = reads._runs
    assert runs is not None
    assert runs.stretches == [b"\r\nHost: a\r\nX-B3-TraceId: ", b"\r\nX-B3-Sampled: 1\r\n\r\n"]
    denied = [section[:-1] + b"0" for section in sections]
    for section in (*denied, *sections):
        assert feed(reads, section, known) == expected(section)
    assert reads._runs is not None
    begins, between, ends = reads._runs.stretches
    assert (begins, between, ends) == (b"\r\nHost: a\r\nX-B3-TraceId: ", b"\r\nX-B3-Sampled: ", b"\r\n\r\n")


def test_heads_of_which_nearly_all_varies_have_no_runs() -> None:
    reads, known = reader(), kinds()
    for varying in (0, 12, 13):
        for number in range(4):
            section = b"\r\n".join([b"Host: a"] + [b"X-%d: %d" % (n, number * (n < varying)) for n in range(13)])
            assert feed(reads, section, known) == expected(section)
        assert (reads._runs is None) is (varying == 13)


def test_values_of_any_length_are_found_in_runs() -> None:
    """Also one that has the end of the last value's line where that one ended."""
    reads, known = reader(), kinds()
    sections = [b"Host: a\r\nX-B3-TraceId: %b\r\nAccept: b" % value for value in (b"12", b"123456", b"", b"1", b" 7 ")]
    for section in [sections[0]] * 4 + sections + sections[::-1]:
        assert feed(reads, section, known) == expected(section)
    assert reads._runs is not None
    for odd in (b"Host: a\r\nX-B3-TraceId: 1\r\r\n", b"Host: a\r\nX-B3-TraceId: 12\r\nAccept: b\r\nHost: c"):
        assert feed(reads, odd, known) == expected(odd)


def test_a_start_line_of_any_size_is_found_before_runs() -> None:
    """Also one with a field behind it that reaches as far as the last start line did."""
    reads, known = reader(), kinds()
    lines = [b"GET /%b HTTP/1.1" % (b"a" * size) for size in (8, 8, 8, 8, 9, 8, 0, 8)]
    for line in lines:
        parsed = reads.feed(line + b"\r\nHost: a\r\nX-B3-TraceId: 1\r\n\r\n", known)
        assert parsed is not None
        assert (parsed.line, parsed.rest) == (line, b"")
    assert reads._runs is not None
    for more in (b"\r\nX: 123", b"\r\nHost: "):
        line = lines[-1][: -len(more) - 9] + b" HTTP/1.1"
        assert len(line + more) == len(lines[-1])
        parsed = reads.feed(line + more + b"\r\nHost: a\r\nX-B3-TraceId: 2\r\n\r\n", known)
        assert parsed is not None
        assert (parsed.line, sorts(parsed)) == (line, expected(more[2:] + b"\r\nHost: a\r\nX-B3-TraceId: 2"))
        for _ in range(5):
            assert reads.feed(lines[-1] + b"\r\nHost: a\r\nX-B3-TraceId: 1\r\n\r\n", known) is not None
        assert reads._runs is not None


def test_an_empty_line_is_no_start_line_of_a_head_in_runs() -> None:
    reads, known = reader(), kinds()
    for _ in range(5):
        assert reads.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", known) is not None
    assert reads._runs is not None
    reads._runs._line_size = 1
    parsed = reads.feed(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", known)
    assert parsed is not None
    assert parsed.line == b"GET / HTTP/1.1"
    parsed = reads.feed(b"\r\nHost: a\r\n\r\n", known)  # as the runs begin
    assert parsed is not None
    assert (parsed.line, sorts(parsed)) == (b"Host: a", ([], [], []))


def test_a_head_in_runs_has_the_limits_of_any_other() -> None:
    reads, known = HeadReader(LIMITS._replace(line_bytes=4096, field_bytes=4096), check_request_line), kinds()
    for size in (1, 1, 1, 1, 4000):
        assert not isinstance(feed(reads, b"Host: a\r\nX-B3-TraceId: " + b"1" * size, known), Fault)
    assert feed(reads, b"Host: a\r\nX-B3-TraceId: " + b"1" * 4100, known) is Fault.HEADERS_TOO_LARGE


def test_values_that_change_are_read_anew() -> None:
    reads, known = reader(), kinds()
    for number in range(1, 10):
        section = b"Host: %d\r\nAccept: %d\r\nContent-Length: %d" % (number, number, number)
        assert feed(reads, section, known) == expected(section)
    assert reads._unlike == 0


@pytest.mark.parametrize(
    "odd",
    [
        b"Accept:*/*",
        b"Accept : */*",
        b"Accept: a\x00",
        b"Accept: a\rb",
        b"Accept: a\nb",
        b"Accept",
        b"\tAccept: a",
        b"Transfer-Encoding: chunked",
        b"X-New: a",
        b"accept: a",
        b"Accept: \xe4",
        b"Accept: ",
        b"Host: b",
        b"",
    ],
)
@pytest.mark.parametrize("place", range(4))
def test_a_line_that_is_odd_is_judged_as_ever(odd: bytes, place: int) -> None:
    reads, known = reader(), kinds()
    for number in range(5):
        feed(reads, head(number), known)
    lines = head(7).split(b"\r\n")
    lines[place] = odd
    if not odd:
        del lines[place]
    assert feed(reads, b"\r\n".join(lines), known) == expected(b"\r\n".join(lines))
    assert feed(reads, head(8), known) == expected(head(8))


def test_another_plan_sorts_by_its_own_kinds() -> None:
    """A reload changes what is ours."""
    reads, known = reader(), kinds()
    for number in range(5):
        feed(reads, head(number), known)
    after = kinds(b"accept")
    for number in range(5):
        got = feed(reads, head(number), after)
        assert not isinstance(got, Fault)
        assert got[0] == [b"X-B3-TraceId: %032x" % number]
        assert (b"Accept", b"*/*") in got[2]


def test_what_is_remembered_is_bounded() -> None:
    reads, known = reader(), kinds()
    many = b"\r\n".join(b"X-%d: a" % n for n in range(33))
    for _ in range(10):
        assert feed(reads, many, known) == expected(many)
    assert reads._template is None
    long = b"Host: a\r\nAccept: " + b"a" * 300
    for _ in range(10):
        assert feed(reads, long, known) == expected(long)
    assert reads._template is not None
    assert reads._template._known == [b"Host: a", b""]


def test_who_never_sends_two_alike_is_seldom_learnt() -> None:
    reads, known, learnt = reader(), kinds(), 0
    for number in range(64):
        before = reads._template
        section = b"\r\n".join([b"Host: a", *[b"Via: a", b"Accept: a"][:: 1 - number % 2 * 2] * (number % 7)])
        assert feed(reads, section, known) == expected(section)
        learnt += reads._template is not before
    assert learnt < 16


names = st.sampled_from([b"Host", b"Accept", b"X-B3-TraceId", b"Content-Length", b"Via", b"host", b"X Y", b"\x00"])
joints = st.sampled_from([b": ", b": ", b": ", b":", b" : ", b":\t"])
values = st.sampled_from([b"1", b"2", b" 1", b"1 ", b"", b"a\x00", b"a\rb", b"\xe4", b"a, b", b"+1"])
lines = st.builds(lambda *parts: b"".join(parts), names, joints, values)


@settings(deadline=None, derandomize=True)
@given(st.lists(lines, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 3), lines), max_size=12))
def test_any_heads_are_read_as_if_each_were_the_first(first: list[bytes], changes: list[tuple[int, bytes]]) -> None:
    """One line after another changes; between the changes the head comes again."""
    reads, known, section = reader(), kinds(), list(first)
    for place, line in [(0, first[0]), *changes]:
        if place < len(section):
            section[place] = line
        joined = b"\r\n".join(section)
        # What llhttp alone says of framing is for who reads the fields: see test_request.
        lengths = [line for line in section if line.lower().startswith(b"content-length")]
        if len(lengths) > 1 or not set(lengths) <= {b"Content-Length: 1", b"Content-Length: 2"}:
            continue
        for _ in range(5):  # from the fourth on in runs
            assert feed(reads, joined, known) == expected(joined)
