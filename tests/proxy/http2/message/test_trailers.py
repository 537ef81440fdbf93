"""Trailers between HTTP/2 and lines: which pass, and which are remembered."""

from __future__ import annotations

from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.trailers import Trailers
from proxy.semantics.fields import DROP, PLAIN


def field(name: bytes, value: bytes, kind: int = PLAIN, **more: bool) -> HeaderField:
    return HeaderField(name, value, kind, **more)


def test_lines_of_fields() -> None:
    trailers = Trailers()
    came = [field(b"grpc-status", b"0"), field(b"x", b"1", DROP), field(b"authorization", b"s"), field(b"x-a", b"")]
    for _ in range(2):
        assert trailers.lines(came) == [b"grpc-status: 0", b"x-a: "]


def test_fields_of_lines() -> None:
    trailers = Trailers()
    made = trailers.fields([b"Grpc-Status: 0", b"X-A:\t 1 2 ", b"x:"])
    assert [(one.name, one.value) for one in made] == [(b"grpc-status", b"0"), (b"x-a", b"1 2"), (b"x", b"")]
    assert trailers.fields([b"x: x1x"])[0].value == b"x1x"
    again = trailers.fields([b"Grpc-Status: 0"])
    assert again[0] is made[0]


def test_a_field_that_came_is_the_one_that_goes() -> None:
    trailers, one = Trailers(), field(b"grpc-status", b"0")
    assert trailers.fields(trailers.lines([one])) == [one]


def test_a_secret_is_not_kept() -> None:
    trailers, secret = Trailers(), field(b"x-token", b"s", never=True)
    lines = trailers.lines([secret])
    assert trailers.fields(lines) == [secret]
    (other,) = trailers.fields(lines)
    assert other is not secret
    assert not other.never


def test_long_lines_are_not_kept() -> None:
    trailers = Trailers()
    for size, is_kept in ((64, True), (65, False)):
        line = b"x: " + b"1" * (size - 3)
        (first,), (second,) = trailers.fields([line]), trailers.fields([line])
        assert (first is second) is is_kept
        assert first.is_literal is not is_kept


def test_256_are_kept() -> None:
    trailers = Trailers()
    lines = [b"x: %d" % number for number in range(257)]
    first = trailers.fields(lines[:256])
    assert trailers.fields(lines[:256]) == first
    trailers.fields(lines[256:])
    assert trailers.fields(lines[:1])[0] is not first[0]


def test_256_lines_of_fields_in_a_table_are_kept() -> None:
    """Those that come again are found by their field, without a look at their text."""
    trailers = Trailers()
    fields = [field(b"x", b"%d" % number) for number in range(257)]
    first = [trailers.lines([one])[0] for one in fields[:256]]
    assert [trailers.lines([one])[0] for one in fields[:256]] == first
    assert len(trailers._lines) == 256
    trailers.lines(fields[256:])
    assert list(trailers._lines) == fields[256:]
    longest = field(b"x", b"1" * 61)
    for one in (field(b"x", b"1" * 62), field(b"x", b"y", is_literal=True), longest):
        assert trailers.lines([one]) == [b"x: " + one.value]
    assert list(trailers._lines) == [*fields[256:], longest]
