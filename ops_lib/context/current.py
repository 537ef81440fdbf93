"""The OpenTelemetry Context: our keys in it, and how it is put in place and taken away again.

May know: opentelemetry.context and the key under which the current span is kept. Must not know what a span, a session
or a header is. Everything that this library keeps per unit of work lies in the OpenTelemetry Context and nowhere else,
so that threads, executors and other people's tools that carry that Context carry ours with it.
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
"""Here lies a SessionContext, or for a session that came in headers its id alone: see `ops_lib.sessions`."""
EXTRACTION_KEY: Final = otel_context.create_key("ops-extraction")
TRACER_KEY: Final = otel_context.create_key("ops-tracer")

EMPTY: Final = Context()


def _context_variable() -> ContextVar[Context] | None:
    """The variable behind OpenTelemetry's current Context, or None if `OTEL_PYTHON_CONTEXT` names another kind."""
    token = otel_context.attach(otel_context.get_current())
    variable = getattr(token, "var", None)
    otel_context.detach(token)
    return variable if isinstance(variable, ContextVar) else None


_VARIABLE = _context_variable()


def _attach_slowly(context: Context) -> Token[Context]:
    return otel_context.attach(context)


def _detach_slowly(token: Token[Context], attached: Context) -> None:
    """For a Context that is not kept in a ContextVar: OpenTelemetry's own way is the only one."""
    otel_context.detach(token)


def _detach(token: Token[Context], attached: Context) -> None:
    """Undo the `attach` that gave `token`, or where that cannot be done, do no harm.

    A token is of no use in another contextvars.Context than its own: a generator closed by another task, a span
    finished on another thread. OpenTelemetry logs an error there. The right thing is to leave that other place as it
    is, unless what it inherited is just what was attached: then the Context before it is put back.
    """
    variable = cast("ContextVar[Context]", _VARIABLE)
    try:
        variable.reset(token)
    except (ValueError, RuntimeError):  # another contextvars.Context; or used already
        if variable.get() is attached:
            before = token.old_value
            variable.set(EMPTY if before is Token.MISSING else cast("Context", before))


# Bound C methods if there is a ContextVar, which is nearly always: attaching costs a tenth of OpenTelemetry's way.
current = _VARIABLE.get if _VARIABLE is not None else otel_context.get_current
"""() -> Context: the Context in force."""
attach = _VARIABLE.set if _VARIABLE is not None else _attach_slowly
"""(Context) -> Token: puts a Context in force here; the token is for `detach`."""
detach = _detach if _VARIABLE is not None else _detach_slowly
"""(Token, Context that was attached) -> None: takes it away again; never raises, never logs."""


def leave(token: Token[Context], attached: Context, kind: type[BaseException] | None) -> None:
    """The end of a block that has attached: takes `attached` away again. `kind`: of the exception that ends the block.

    Except if a generator with the block in it is closed from elsewhere (by the garbage collector, by whoever holds
    it): what is in force there is not of the block's making, and the place to which the block would go back is gone.
    """
    if kind is not GeneratorExit or current() is attached:
        detach(token, attached)


def with_value(context: Context, key: str, value: object) -> Context:
    """A copy of `context` in which `key` has `value`."""
    copied = Context(context)
    dict.__setitem__(copied, key, value)  # Context forbids item assignment to everyone else; this one is not shared yet
    return copied


class Attached:
    """A Context in force for the length of a `with` or `async with` block; taken away on exceptions too.

    `make` is asked for the Context when the block is entered, and the block's value is that Context. One such object
    may be entered again, also within itself, but not on two threads at once. Leaving it once too often, as a framework
    does that calls its teardown twice, does nothing.
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
