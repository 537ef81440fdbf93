"""Carries the Context where Python does not: into threads, executors, callbacks, other processes.

asyncio carries ContextVars into its tasks by itself.
Threads before Python 3.14, pools and queues do not.
May know: the Context, propagation (headers are what crosses into another process).
Must not know spans.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, overload

from ops_lib.context.current import Attached, attach, current, detach
from ops_lib.headers.context_propagator import ContextPropagator
from ops_lib.propagation import FORMATS, Propagator

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor as _Executor  # for asyncio and `isinstance`
else:
    _Executor = Executor

P = ParamSpec("P")
R = TypeVar("R")

# Between processes with the same code: writes everything, and reads only its own format.
_ACROSS = ContextPropagator(propagator=Propagator(extract=FORMATS[:1], inject=FORMATS[:1]))


class _Carry(Protocol):
    """The result of `context_carry()`: runs functions in the Context of that moment."""

    def __call__(self, fn: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def context_carry(fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def context_carry(fn: None = None, /) -> _Carry: ...
def context_carry(fn: Callable[P, R] | None = None, /) -> Callable[P, R] | _Carry:
    """A function that runs in the present Context, wherever and whenever it is called.

    Takes: `fn`, any callable, for a thread, a pool, a callback; a coroutine function, for another task; or nothing.
    Not a generator function: its body would run where it is consumed.
    Gives: a callable with the same signature; the trace, session, baggage and `tracer_context` of the call of
    `context_carry` are in force while it runs.
    It may be called often, and on several threads at once.
    Without `fn`: a decorator that does this to any function later, with the present Context.
    Raises: what `fn` raises.
    Specification: OpenTelemetry Context API, attach and detach.
    """
    context = current()

    def carry(fn: Callable[P, R], /) -> Callable[P, R]:
        call = getattr(fn, "__call__", None)  # noqa: B004  # of a callable object, which is what its __call__ is
        if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(call):
            coroutine_function = cast("Callable[P, Coroutine[Any, Any, Any]]", fn)

            @functools.wraps(fn)
            async def carried_over(*args: P.args, **kwargs: P.kwargs) -> Any:
                token = attach(context)
                try:
                    return await coroutine_function(*args, **kwargs)
                finally:
                    detach(token, context)

            return cast("Callable[P, R]", carried_over)

        @functools.wraps(fn)
        def carried(*args: P.args, **kwargs: P.kwargs) -> R:
            token = attach(context)
            try:
                return fn(*args, **kwargs)
            finally:
                detach(token, context)

        return carried

    return cast("_Carry", carry) if fn is None else carry(fn)


def _run_across(headers: dict[str, str], fn: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    """In another process: calls `fn` in the Context from `headers`."""
    context = _ACROSS.extract_context(headers)
    with Attached(lambda: context):
        return fn(*args, **kwargs)


class ContextExecutor(_Executor):
    """An executor whose jobs run in the Context of their submitter.

    Takes: `executor`, any concurrent.futures executor; the caller shuts it down, directly or with this one.
    `isinstance` accepts this one as `executor`, which `loop.set_default_executor` needs.
    A ProcessPoolExecutor gets the trace, sampling decision, session id and baggage, as headers.
    Gives: an Executor.
    Raises: what `executor` raises.
    Specification: OpenTelemetry Context API; docs/formats.md for what crosses between processes.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        # Looked up, not imported: programs with a process pool have imported its module.
        pools = sys.modules.get("concurrent.futures.process")
        self._crosses = pools is not None and isinstance(executor, pools.ProcessPoolExecutor)

    @property  # type: ignore[misc]  # to be assigned to is not what it is for
    def __class__(self) -> type:
        return type(self._executor)

    def __getattr__(self, name: str) -> Any:
        """Attributes that tools read from an executor: its number of workers, its queue."""
        if name == "_executor":  # not made yet: by `copy` or `pickle`
            raise AttributeError(name)
        return getattr(self._executor, name)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """As Executor.submit; `fn` runs in the Context of this call."""
        if self._crosses:
            headers: dict[str, str] = {}
            _ACROSS.inject_context(headers)
            return self._executor.submit(_run_across, headers, fn, args, kwargs)
        return self._executor.submit(context_carry(fn), *args, **kwargs)

    def map(
        self, fn: Callable[..., R], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[R]:
        """As Executor.map; every call runs in the Context of this one. `timeout` in seconds."""
        if self._crosses:
            headers: dict[str, str] = {}
            _ACROSS.inject_context(headers)
            job = functools.partial(_run_packed, headers, fn)
            return self._executor.map(job, zip(*iterables, strict=False), timeout=timeout, chunksize=chunksize)
        return self._executor.map(context_carry(fn), *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As Executor.shutdown, for the inner executor."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


def _run_packed(headers: dict[str, str], fn: Callable[..., R], args: tuple[Any, ...]) -> R:
    return _run_across(headers, fn, args, {})
