"""Facts about a traced callable, computed once: its names, its parameters, and what is recorded of each call.

May know: `inspect`, capture. Must not start spans.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from types import CellType, CodeType
from typing import Any, Final

from ops_lib.capture.bounds import CaptureSettings
from ops_lib.capture.render import render, render_arguments
from ops_lib.spans.attributes import Fit, attributes_of, tags_of
from ops_lib.spans.configured import RUNTIME
from ops_lib.spans.span import TAGS, Span

if sys.version_info >= (3, 14):
    from annotationlib import Format

ARGUMENTS: Final = "ops.arguments"
RESULT: Final = "ops.result"
FUNCTION: Final = "code.function.name"  # OpenTelemetry semantic conventions, "Code"
SPAN_PARAMETER: Final = "trace_ctx"

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def outermost(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function that a call of `fn` enters first: inside partials, bound methods and callable objects.

    A wrapper made with `functools.wraps` is such a function itself; see `underlying`.
    """
    while isinstance(fn, functools.partial):
        fn = fn.func
    if inspect.ismethod(fn):
        return fn.__func__
    call = getattr(fn, "__call__", None)  # noqa: B004  # the method itself is wanted, not whether there is one
    if inspect.ismethod(call):
        return call.__func__
    return fn


def underlying(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function that somebody wrote: as `outermost`, and inside `functools.wraps` wrappers as well."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return outermost(inspect.unwrap(fn))


class Subject:
    """A callable to be traced, with all facts computed before its first call."""

    __slots__ = (
        "_metadata",
        "_names",
        "_qualified",
        "_rest",
        "_tags",
        "attributes",
        "capture_arguments",
        "capture_result",
        "closure",
        "code",
        "fit_for",
        "fn",
        "function",
        "has_receiver",
        "name",
        "only",
        "signature",
        "span_index",
    )  # fmt: skip

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None,
        tags: Collection[str] | None,
        metadata: Mapping[str, object] | None,
        capture_args: bool | Collection[str] | None,
        capture_result: bool | None,
    ) -> None:
        function = self.function = underlying(fn)
        named = fn
        while isinstance(named, functools.partial):
            named = named.func
        qualified: str = getattr(named, "__qualname__", None) or type(named).__qualname__
        module: str = getattr(named, "__module__", None) or ""
        self.fn = fn
        self.name = name if name is not None else qualified.rpartition("<locals>.")[2]
        entered = outermost(fn)
        self.code: CodeType | None = getattr(entered, "__code__", None)
        self.closure: tuple[CellType, ...] | None = getattr(entered, "__closure__", None)
        self._tags = (tags,) if isinstance(tags, str) else tuple(tags or ())
        self._metadata = {f"ops.metadata.{key}": value for key, value in (metadata or {}).items()}
        self._qualified = f"{module}.{qualified}" if module else qualified
        self.fit()
        self.only: frozenset[str] | None = None
        if capture_args is None or isinstance(capture_args, bool):
            self.capture_arguments = capture_args
        else:
            self.capture_arguments = True
            self.only = frozenset({capture_args} if isinstance(capture_args, str) else capture_args)
        self.capture_result = capture_result
        self._look(fn, function)

    def fit(self) -> Fit:
        """The attributes of all its spans. Call it again if `configure` has changed the rules."""
        self.fit_for = RUNTIME.capture
        tags = {TAGS: tags_of(self._tags)} if self._tags else {}
        self.attributes = Fit({**attributes_of({FUNCTION: self._qualified, **self._metadata}), **tags})
        return self.attributes

    def _look(self, fn: Callable[..., Any], function: Callable[..., Any]) -> None:
        """Learns the parameters: their names, whether one receives the span, whether the first is `self`."""
        self.signature: inspect.Signature | None = None
        self.span_index: int | None = None
        self.has_receiver = False
        self._names: tuple[str, ...] = ()
        self._rest = "args"
        try:
            signature = _signature(fn)
        except (TypeError, ValueError):  # a builtin without a signature: arguments are numbered
            return
        parameters = list(signature.parameters.values())
        names = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL]
        self.has_receiver = bool(names) and names[0] in ("self", "cls", "mcs")
        index = 1 if self.has_receiver else 0
        if len(names) > index and names[index] == SPAN_PARAMETER and _is_span(parameters[index], function):
            self.span_index = index
            del names[index], parameters[index]
            self.signature = signature.replace(parameters=parameters)
        self._names = tuple(names)
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                self._rest = parameter.name

    def with_span(self, args: tuple[Any, ...], span: Span) -> tuple[Any, ...]:
        """`args` with `span` in its place, for a function that asks for it."""
        index = self.span_index
        return args if index is None else (*args[:index], span, *args[index:])

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any], settings: CaptureSettings) -> str | None:
        """The JSON text of a call's arguments, or None if none are recorded. Raises nothing that they cause."""
        wanted = self.capture_arguments
        if not (settings.arguments if wanted is None else wanted):
            return None
        if len(args) + len(kwargs) <= self.has_receiver:
            return None
        return render_arguments(self._named(args, kwargs), settings)

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, object]]:
        names, only = self._names, self.only
        for index, value in enumerate(islice(args, self.has_receiver, len(names) or None), self.has_receiver):
            name = names[index] if names else f"{self._rest}[{index}]"
            if only is None or name in only:
                yield name, value
        if names and len(args) > len(names) and (only is None or self._rest in only):
            yield self._rest, args[len(names) :]
        for name, value in kwargs.items():
            if only is None or name in only:
                yield name, value

    def result(self, value: object, settings: CaptureSettings) -> str | None:
        """The JSON text of a call's result, or None if it is not recorded. Raises nothing that it causes."""
        wanted = self.capture_result
        if value is None or not (settings.result if wanted is None else wanted):
            return None
        return render(value, settings)


if sys.version_info >= (3, 14):

    def _signature(fn: Callable[..., Any]) -> inspect.Signature:
        """An annotation may name what is defined further down, as in a function that is not traced (PEP 649)."""
        return inspect.signature(fn, annotation_format=Format.FORWARDREF)

else:
    _signature = inspect.signature


def _is_span(parameter: inspect.Parameter, function: Callable[..., Any]) -> bool:
    """Whether `parameter` is annotated with our Span, also by name (`from __future__ import annotations`)."""
    annotation = parameter.annotation
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation is Span or (
            typing.get_origin(annotation) is typing.Annotated and annotation.__origin__ is Span
        )
    try:
        return typing.get_type_hints(function).get(parameter.name) is Span
    except Exception:  # the outermost edge: an annotation may be any expression, imported for type checkers only
        return annotation.strip("'\"").rpartition(".")[2] == "Span"
