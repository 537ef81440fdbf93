"""What is learnt of a callable before it is called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any

import pytest

import ops_lib as ops
from ops_lib.capture.bounds import CaptureSettings
from ops_lib.decorator.subject import Subject, underlying
from ops_lib.spans.span import Span

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]  # for annotations that cannot be resolved


def subject(fn: Any, **options: Any) -> Subject:
    defaults = {"name": None, "tags": None, "metadata": None, "capture_args": None, "capture_result": None}
    return Subject(fn, **{**defaults, **options})


def positional(a: int, b: int, /, c: int = 0, *rest: int, d: int = 0, **more: int) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((1, 2), {}, '{"a": 1, "b": 2}'),
        ((1, 2, 3, 4, 5), {"d": 6, "e": 7}, '{"a": 1, "b": 2, "c": 3, "rest": [4, 5], "d": 6, "e": 7}'),
        ((1, 2), {"c": 3}, '{"a": 1, "b": 2, "c": 3}'),
        ((1, 2, 3), {}, '{"a": 1, "b": 2, "c": 3}'),
        ((), {}, None),
    ],
)
def test_arguments(args: tuple[int, ...], kwargs: dict[str, int], text: str | None) -> None:
    assert subject(positional).arguments(args, kwargs, CaptureSettings()) == text


def test_receiver_is_not_recorded() -> None:
    class C:
        def method(self, x: int) -> None: ...

    assert subject(C.method).arguments((C(), 1), {}, CaptureSettings()) == '{"x": 1}'
    assert subject(C.method).arguments((C(),), {}, CaptureSettings()) is None


def test_without_a_signature_arguments_are_numbered() -> None:
    found = subject(min)  # a builtin of no known signature
    assert found.arguments((1, 2), {"key": None}, CaptureSettings()) == '{"args[0]": 1, "args[1]": 2, "key": null}'


def test_names() -> None:
    class C:
        class D:
            def method(self) -> None: ...

        def __call__(self) -> None: ...

    assert subject(C.D.method).name == "C.D.method"
    assert subject(C()).name.endswith("C")
    assert subject(functools.partial(positional, 1)).name == "positional"
    assert subject(positional, name="x").name == "x"
    assert subject(positional).attributes == {"code.function.name": f"{__name__}.positional"}


def test_underlying() -> None:
    class C:
        def __call__(self) -> None: ...

        def method(self) -> None: ...

    @functools.wraps(positional)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    assert underlying(wrapper) is positional
    assert underlying(functools.partial(wrapper, 1)) is positional
    assert underlying(C().method) is C.method
    assert underlying(C()) is C.__call__
    assert underlying(len) is len


def real(trace_ctx: Span, x: int) -> None: ...
def qualified(trace_ctx: ops.Span) -> None: ...
def unresolvable(trace_ctx: ops.Span, x: Missing) -> None: ...
def quoted(trace_ctx: "ops.Span", x: Missing) -> None: ...  # noqa: UP037  # as people write it who quote already
def another_name(trace_ctx: "Spanx", x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037  # this is the test
def another_type(trace_ctx: int) -> None: ...
def another_place(x: int, trace_ctx: Span) -> None: ...


def annotated(trace_ctx: Any, x: int) -> None: ...


annotated.__annotations__["trace_ctx"] = Annotated[Span, "said more of"]  # as without the __future__ import


class Holder:
    def method(self, trace_ctx: Span) -> None: ...


@pytest.mark.parametrize(
    ("fn", "index"),
    [
        (annotated, 0),
        (real, 0),
        (qualified, 0),
        (unresolvable, 0),
        (quoted, 0),
        (another_name, None),
        (another_type, None),
        (another_place, None),
        (Holder.method, 1),
    ],
)
def test_who_receives_the_span(fn: Any, index: int | None) -> None:
    found = subject(fn)
    assert found.span_index == index
    assert ("trace_ctx" in str(found.signature)) is False
    span = Span("s")
    if index is not None:
        assert found.with_span((1, 2), span)[index] is span
    else:
        assert found.with_span((1, 2), span) == (1, 2)


@pytest.mark.parametrize("receiver", ["self", "cls", "mcs"])
def test_each_name_of_a_receiver(receiver: str) -> None:
    made: dict[str, Any] = {}
    exec(f"def f({receiver}, x): ...\ndef g({receiver}x, x): ...\ndef h(): ...", made)
    assert subject(made["f"]).arguments((1, 2), {}, CaptureSettings()) == '{"x": 2}'
    assert subject(made["g"]).arguments((1, 2), {}, CaptureSettings()) == f'{{"{receiver}x": 1, "x": 2}}'
    assert subject(made["h"]).has_receiver is False
