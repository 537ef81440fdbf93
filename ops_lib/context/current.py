"""The OpenTelemetry Context: our keys in it, and how to attach and detach it.

May know: opentelemetry.context and the key under which the current span is kept.
Must not know what a span, a session or a header is.
This library keeps all per-request state in the OpenTelemetry Context.
So every thread, executor and tool that carries that Context carries our state, too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Final, cast

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context

SPAN_KEY: Final = next(iter(otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, Context())))
"""OpenTelemetry's own key for the current span, learnt through its public function."""

SESSION_KEY: Final = otel_context.create_key("ops-session")
"""The key of the SessionContext, or of the plain id for a session from headers: see `sessions`."""
EXTRACTION_KEY: Final = otel_context.create_key("ops-extraction")
TRACER_KEY: Final = otel_context.create_key("ops-tracer")

EMPTY: Final = Context()


def _context_variable() -> ContextVar[Context] | None:
    """The ContextVar behind OpenTelemetry's current Context, or None if `OTEL_PYTHON_CONTEXT` names another kind."""
    token = otel_context.attach(otel_context.get_current())
    variable = getattr(token, "var", None)
    otel_context.detach(token)
    return variable if isinstance(variable, ContextVar) else None


_VARIABLE = _context_variable()


def _attach_slowly(context: Context) -> Token[Context]:
    return otel_context.attach(context)


def _detach_slowly(token: Token[Context], attached: Context) -> None:
    """For a Context that is not in a ContextVar: only OpenTelemetry's own function works."""
    otel_context.detach(token)


def _detach(token: Token[Context], attached: Context) -> None:
    """Undo the `attach` that gave `token`; do no harm if that is impossible.

    A token only works in its own contextvars.Context.
    In another one (a generator closed by another task, a span finished on another thread), OpenTelemetry logs an error.
    Here, the other place stays unchanged.
    But if it has inherited the attached Context, the Context before that is restored.
    """
    variable = cast("ContextVar[Context]", _VARIABLE)
    try:
        variable.reset(token)
    except (ValueError, RuntimeError):  # another contextvars.Context, or already used
        if variable.get() is attached:
            before = token.old_value
            variable.set(EMPTY if before is Token.MISSING else cast("Context", before))


# Bound C methods if there is a ContextVar (nearly always), for speed.
current = _VARIABLE.get if _VARIABLE is not None else otel_context.get_current
"""() -> Context: the Context in force."""
attach = _VARIABLE.set if _VARIABLE is not None else _attach_slowly
"""(Context) -> Token: attaches a Context here; the token is for `detach`."""
detach = _detach if _VARIABLE is not None else _detach_slowly
"""(Token, Context that was attached) -> None: detaches it; never raises, never logs."""


def leave(token: Token[Context], attached: Context, kind: type[BaseException] | None) -> None:
    """The end of a block that has attached `attached`: detach it.
    `kind`: the type of the exception that ends the block.

    But not if a generator around the block is closed from elsewhere, such as by the garbage collector.
    The Context there does not come from the block, and the block's own place is gone.
    """
    if kind is not GeneratorExit or current() is attached:
        detach(token, attached)


def with_value(context: Context, key: str, value: object) -> Context:
    """A copy of `context` with `value` for `key`."""
    copied = Context(context)
    dict.__setitem__(copied, key, value)  # Context forbids item assignment; this one is not shared yet
    return copied


class Attached:
    """Attaches a Context for a `with` or `async with` block; detaches it on exceptions, too.

    `make` returns the Context when the block is entered; it is the block's value.
    An object may be entered again, even within itself, but not on two threads at once.
    Leaving it once too often does nothing: some frameworks call their teardown twice.
    """

    __slots__ = ("_make", "_tokens")

    def __init__(self, make: Callable[[], Context]) -> None:
        self._make = make
        self._tokens: list[tuple[Token[Context], Context]] = []

    def __enter__(self) -> Context:
        context = self._make()
        self._tokens.append((attach(context), context))
        return context

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._tokens:
            leave(*self._tokens.pop(), kind)

    async def __aenter__(self) -> Context:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.__exit__(kind, *error)
