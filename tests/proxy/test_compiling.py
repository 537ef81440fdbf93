"""What each exchange makes anew keeps its values, whatever dies beside it, compiled or not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest
from lab.process import NO_LINGER, SidecarProcess

from proxy.compiling import quieten_coroutines
from proxy.http1.message.head import Head
from proxy.http1.message.request import Request
from proxy.http1.message.response import Response, read_start
from proxy.http2.engine.heads import RequestHead, ResponseHead
from proxy.http2.hpack.field import HeaderField
from proxy.participation.own_span import OwnSpan


def head(number: int) -> Head:
    return Head(b"%d" % number, [], [], [], b"rest %d" % number)


def request(number: int) -> Request:
    return Request(b"GET", b"/%d" % number, 1, [], [(b"b3", b"%d" % number)])


def response(number: int) -> Response:
    return Response(read_start(b"HTTP/1.1 200 OK"), [b"X: %d" % number])


def request_head(number: int) -> RequestHead:
    return RequestHead(HeaderField(b":method", b"M%d" % number))


def response_head(number: int) -> ResponseHead:
    return ResponseHead(HeaderField(b":status", b"%d" % (200 + number % 100)))


def own_span(number: int) -> OwnSpan:
    return OwnSpan(b"%032x" % number, b"%016x" % number, b"", 1, b"k=%d" % number)


def values(made: object) -> dict[str, object]:
    """Those of its attributes."""
    names = [name for name in dir(type(made)) if not name.startswith("_")]
    found = {name: getattr(made, name, None) for name in names}
    return {name: value for name, value in found.items() if not callable(value)}


@pytest.mark.parametrize("make", [head, request, response, request_head, response_head, own_span])
@pytest.mark.parametrize("depth", [1, 49, 50, 51])
def test_what_dies_deep_inside_leaves_its_neighbours_alone(make: Callable[[int], object], depth: int) -> None:
    """CPython puts off what dies inside 50 others."""
    kept, dying = [], []
    for number in range(0, 1000, 2):
        kept.append(make(number))
        nested = make(number + 1)
        for _ in range(depth):
            nested = [nested]
        dying.append(nested)
    del nested
    before = [values(each) for each in kept]
    make(0)  # takes the one place for memory that is used again
    dying.clear()
    assert [values(each) for each in kept] == before


@pytest.mark.parametrize("make", [head, request, response, request_head, response_head, own_span])
def test_the_next_one_begins_anew(make: Callable[[int], object]) -> None:
    """It may have the memory of the last one, but none of its values."""
    fresh = values(make(1))
    spoilt = make(2)
    for name, value in values(spoilt).items():
        other = b"spoilt" if isinstance(value, bytes) else not value if isinstance(value, bool) else value
        with suppress(AttributeError):  # a property
            setattr(spoilt, name, other)
    del spoilt
    assert str(values(make(1))) == str(fresh)


DEPRECATED = "the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead."


def throw_as_compiled() -> None:
    """What a compiled coroutine does with what it awaits."""

    def awaited() -> Generator[None, None, None]:
        yield

    waiting = awaited()
    next(waiting)
    with suppress(OSError):
        waiting.throw(OSError, OSError(), None)


def test_compiled_coroutines_are_quiet() -> None:
    """Even where all warnings are errors; other warnings stay."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quieten_coroutines()
        throw_as_compiled()
        warnings.warn(DEPRECATED, DeprecationWarning, stacklevel=1)  # what that says on Python 3.12 and newer
        with pytest.raises(DeprecationWarning):
            warnings.warn("another", DeprecationWarning, stacklevel=1)


def test_a_dead_upstream_where_warnings_are_errors(tmp_path: Path) -> None:
    flags = ("--inbound", "127.0.0.1:0", "--outbound", "off", "--admin", "off", *NO_LINGER)
    app = f"unix:{tmp_path / 'none.sock'}"
    strict = {"PYTHONWARNINGS": "error::DeprecationWarning"}
    with SidecarProcess(*flags, "--app", app, environ=strict) as sidecar:
        assert sidecar.get("/")[0] == 502
        assert not [line for line in sidecar.log if "Deprecat" in line]
