"""The Context in threads, pools and other processes."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import ops_lib as ops
from ops_lib.context.current import current
from ops_lib.headers import workers
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def seen(value: int = 0, scale: int = 1) -> tuple[str | None, str | None, int]:
    session = ops.current_session()
    with ops.span("job") as span:
        return span.trace_id, None if session is None else session.id, value * scale


def test_context_carry_into_a_thread(ops_spans: SpanCapture) -> None:
    with ops.session(id="s"), ops.span("submit") as span:
        carried = ops.context_carry(seen)
    assert carried(2, scale=3) == (span.trace_id, "s", 6)  # after the span has ended, too
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append((carried(), current())))
    thread.start()
    thread.join()
    assert found == [((span.trace_id, "s", 0), {})]
    assert ops_spans.tree() == "submit\n├─ job\n└─ job"
    assert current() == {}


def test_context_carry_keeps_the_function_and_passes_exceptions() -> None:
    def fails(x: int) -> None:
        """Doc."""
        raise KeyError(x)

    carried = ops.context_carry(fails)
    assert (carried.__name__, carried.__doc__) == ("fails", "Doc.")
    assert str(inspect.signature(carried)) == "(x: 'int') -> 'None'"
    with ops.session(id="other"):
        with pytest.raises(KeyError):
            carried(1)
        assert ops.current_session() == ops.SessionContext("other")


def test_context_carry_now_for_functions_of_later() -> None:
    with ops.session(id="then"):
        carry = ops.context_carry()
    with ops.session(id="now"):
        assert carry(seen)(1)[1] == "then"
        assert carry(lambda: ops.current_session())() == ops.SessionContext("then")
        assert ops.current_session() == ops.SessionContext("now")


async def test_context_carry_of_a_coroutine_function() -> None:
    """It runs in the Context when it is awaited, not only while it is called."""

    async def work(value: int) -> tuple[str | None, str | None, int]:
        await asyncio.sleep(0)
        return seen(value)

    with ops.session(id="s"), ops.span("parent") as span:
        carried = ops.context_carry(work)
    assert inspect.iscoroutinefunction(carried)
    assert await asyncio.create_task(carried(3)) == (span.trace_id, "s", 3 * 1)
    assert current() == {}


def test_context_carry_at_once_on_many_threads() -> None:
    with ops.session(id="s"):
        carried = ops.context_carry(seen)
    barrier = threading.Barrier(4)

    def together() -> Any:
        barrier.wait(10)
        return carried()

    with ThreadPoolExecutor(4) as pool:
        assert {result[1] for result in [job.result() for job in [pool.submit(together) for _ in range(4)]]} == {"s"}


def test_executor_of_threads() -> None:
    with ThreadPoolExecutor(2) as threads:
        pool = ops.ContextExecutor(threads)
        with ops.session(id="s"), ops.span("submit") as span:
            job = pool.submit(seen, 2, scale=5)
            mapped = pool.map(seen, [1, 2], [10, 10])
        assert job.result() == (span.trace_id, "s", 10)
        assert [value for _, _, value in mapped] == [10, 20]
        assert threads.submit(ops.current_session).result() is None


def test_executor_is_an_executor() -> None:
    with ops.ContextExecutor(ThreadPoolExecutor(1)) as pool:
        assert isinstance(pool, Executor)
        job: Future[tuple[str | None, str | None, int]] = pool.submit(seen)
        assert job.result()[1] is None
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(seen)


async def test_executor_under_asyncio() -> None:
    with ops.ContextExecutor(ThreadPoolExecutor(1)) as pool, ops.session(id="s"):
        result = await asyncio.get_running_loop().run_in_executor(pool, seen)
    assert result[1] == "s"


def test_what_runs_in_another_process() -> None:
    """The same in this one, where it can be watched."""
    with ops.session(id="s"), ops.span("submit") as span:
        headers: dict[str, str] = {}
        workers._ACROSS.inject_context(headers)
    assert workers._run_packed(headers, seen, (2, 5)) == (span.trace_id, "s", 10)
    assert current() == {}


@pytest.mark.slow
def test_executor_of_processes() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        pool = ops.ContextExecutor(processes)
        with ops.session(id="s"), ops.span("submit") as span:
            job = pool.submit(seen, 2, scale=5)
            mapped = pool.map(seen, [1, 2], [10, 10])
        assert job.result(60) == (span.trace_id, "s", 10)
        assert list(mapped) == [(span.trace_id, "s", 10), (span.trace_id, "s", 20)]
        assert processes.submit(seen).result(60)[1] is None


def test_a_callable_object_is_what_its_call_is() -> None:
    class Job:
        async def __call__(self) -> str | None:
            await asyncio.sleep(0)
            session = ops.current_session()
            return None if session is None else session.id

    with ops.session(id="s-1"):
        carried = ops.context_carry(Job())
    assert asyncio.run(carried()) == "s-1"


async def test_as_the_default_executor_of_a_loop(ops_spans: SpanCapture) -> None:
    """`run_in_executor(None, ...)` carries nothing by itself, other than `asyncio.to_thread`."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ops.ContextExecutor(ThreadPoolExecutor(1)))
    with ops.session(id="s"), ops.span("parent") as span:
        assert await loop.run_in_executor(None, seen) == (span.trace_id, "s", 0)
        assert await asyncio.to_thread(seen) == (span.trace_id, "s", 0)
    await loop.shutdown_default_executor()


def test_it_passes_for_the_executor_within() -> None:
    pool = ThreadPoolExecutor(3)
    with ops.ContextExecutor(pool) as executor:
        assert isinstance(executor, ThreadPoolExecutor)
        assert isinstance(executor, ops.ContextExecutor)
        assert not isinstance(executor, ProcessPoolExecutor)
        assert executor._max_workers == 3
        with pytest.raises(AttributeError):
            executor.nonsense  # noqa: B018  # this is the test
