"""@trace on every kind of callable: a span around the call, and otherwise the function it was."""

from __future__ import annotations

import abc
import asyncio
import copy
import functools
import gc
import inspect
import json
import pickle
import typing
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ops_lib as ops
from ops_lib.context.current import current
from ops_lib.testing import SpanCapture, capture_spans

pytestmark = pytest.mark.usefixtures("no_detach_errors")


@ops.trace
def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


@ops.trace
async def later(value: str) -> str:
    await asyncio.sleep(0)
    return value


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @ops.trace
    def price(self, item: str) -> str:
        """Asks the price."""
        return f"{self.name}:{item}"

    @ops.trace
    async def order(self, item: str) -> str:
        return f"{self.name}:{item}"

    @ops.trace
    @classmethod
    def above(cls, name: str) -> Shop:
        return cls(name)

    @classmethod
    @ops.trace
    def below(cls, name: str) -> Shop:
        return cls(name)

    @ops.trace
    @staticmethod
    def tax(rate: float) -> float:
        return rate

    @staticmethod
    @ops.trace
    def vat(rate: float) -> float:
        return rate

    @property
    @ops.trace
    def label(self) -> str:
        return self.name.upper()

    @ops.trace
    def __call__(self, n: int) -> int:
        return n


class Sub(Shop):
    def price(self, item: str) -> str:
        return "sub " + super().price(item)


def test_function(ops_spans: SpanCapture) -> None:
    assert add(1) == 3
    span = ops_spans.one("add")
    assert span.attributes == {
        "code.function.name": f"{__name__}.add",
        "ops.arguments": '{"a": 1}',
        "ops.result": "3",
    }


def test_keeps_what_a_function_is() -> None:
    assert add.__name__ == "add"
    assert add.__doc__ == "Adds."
    assert add.__module__ == __name__
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 2) -> 'int'"
    assert inspect.getsource(add).lstrip().startswith("@ops.trace")
    assert inspect.unwrap(add)(1, 1) == 2
    assert "add" in repr(add)
    assert not inspect.iscoroutinefunction(add)
    assert inspect.iscoroutinefunction(later)
    assert asyncio.iscoroutinefunction(later)
    assert pickle.loads(pickle.dumps(add)) is add
    assert copy.deepcopy(add) is add
    assert pickle.loads(pickle.dumps(Shop.price)) is Shop.price


def test_exception_is_recorded_and_goes_on(ops_spans: SpanCapture) -> None:
    @ops.trace
    def broken() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        broken()
    assert ops_spans.tree() == "broken ✗ LookupError: gone"
    assert current() == {}


async def test_interrupted_while_arguments_are_recorded(ops_spans: SpanCapture) -> None:
    """A span that has begun ends: the console shows a trace only once nothing of it is open."""

    class Interrupts(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    @ops.trace
    def many(value: object) -> Iterator[object]:
        yield value

    @ops.trace
    async def amany(value: object) -> AsyncIterator[object]:
        yield value

    @ops.trace
    def call(value: object) -> None: ...

    for run in (call, call.wrapped, lambda value: next(many(value))):
        with pytest.raises(KeyboardInterrupt):
            run(Interrupts())
    with pytest.raises(KeyboardInterrupt):
        amany(Interrupts()).__anext__().send(None)  # type: ignore[attr-defined]  # a generator's awaitable
    failed = "✗ KeyboardInterrupt"
    assert ops_spans.tree() == f"call {failed}\ncall {failed}\nmany {failed}\namany {failed}"
    assert current() == {}


async def test_coroutine(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def outer() -> list[str]:
        return await asyncio.gather(*(later(str(n)) for n in range(2)))

    assert await outer() == ["0", "1"]
    assert ops_spans.tree(attributes=["ops.result"]) == (
        'outer ops.result=["0", "1"]\n├─ later ops.result="0"\n└─ later ops.result="1"'
    )


async def test_a_coroutine_is_not_begun_before_it_is_awaited(ops_spans: SpanCapture) -> None:
    coroutine = later("x")
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert ops_spans.spans == []


async def test_a_cancelled_call_is_recorded_but_no_failure(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def forever() -> None:
        await asyncio.Event().wait()

    task = asyncio.ensure_future(forever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = ops_spans.one("forever")
    assert span.status.is_unset
    assert span.events[0].name == "exception"


async def test_task_groups(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(later(str(n)))

    await all_of_them()
    assert ops_spans.tree() == "all_of_them\n├─ later\n├─ later\n└─ later"


async def test_methods_of_all_kinds(ops_spans: SpanCapture) -> None:
    shop = Shop("s")
    assert shop.price("tea") == "s:tea"
    assert Shop.price(shop, "tea") == "s:tea"
    assert await shop.order("tea") == "s:tea"
    assert Shop.above("a").name == shop.above("a").name == "a"
    assert Shop.below("b").name == "b"
    assert isinstance(Sub.above("c"), Sub)
    assert Shop.tax(0.1) == shop.tax(0.1) == Shop.vat(0.1) == 0.1
    assert shop.label == "S"
    assert shop(4) == 4
    assert Sub("x").price("tea") == "sub x:tea"
    assert [span.name for span in ops_spans.spans[:4]] == ["Shop.price", "Shop.price", "Shop.order", "Shop.above"]
    for span in ops_spans.named("Shop.price"):
        assert span.attributes is not None
        assert span.attributes["ops.arguments"] == '{"item": "tea"}'
        assert span.attributes["code.function.name"] == f"{__name__}.Shop.price"


async def test_wrapped_of_methods(ops_spans: SpanCapture) -> None:
    shop = Shop("s")
    assert shop.price.wrapped("tea").result == "s:tea"
    assert (await shop.order.wrapped("tea")).result == "s:tea"
    assert Shop.above.wrapped("a").result.name == "a"  # type: ignore[attr-defined]  # mypy sees a plain method
    assert Shop.tax.wrapped(0.5).result == 0.5  # type: ignore[attr-defined]  # mypy sees a plain function
    assert len(ops_spans.spans) == 4


async def test_wrapped_by_a_function(ops_spans: SpanCapture) -> None:
    """For type checkers that see a method in a traced method."""
    shop = Shop("s")
    assert ops.wrapped(add)(1, b=3).result == 4
    assert ops.wrapped(shop.price)("pear").result == "s:pear"
    assert (await ops.wrapped(shop.order)("pear")).result == "s:pear"
    assert ops.wrapped(shop.price)("pear").span_id == ops_spans.spans[-1].get_span_context().span_id.to_bytes(8).hex()
    with pytest.raises(TypeError, match="needs a traced function, not <built-in function len>"):
        ops.wrapped(len)


def test_bound_methods_behave() -> None:
    shop = Shop("s")
    bound = shop.price
    assert bound == shop.price
    assert bound != Shop("s").price
    assert hash(bound) == hash(shop.price)
    assert bound.__self__ is shop  # type: ignore[attr-defined]  # a method, to Python
    assert bound.__name__ == "price"
    assert str(inspect.signature(bound)) == "(item: 'str') -> 'str'"
    assert inspect.iscoroutinefunction(shop.order)
    assert not inspect.iscoroutinefunction(bound)
    assert pickle.loads(pickle.dumps(bound))("tea") == "s:tea"
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(shop.price, "x").result() == "s:x"


def test_bound_methods_tell_what_methods_tell() -> None:
    """Frameworks make a tool's description of `__doc__`, and its parameters of the type hints."""
    bound: Any = Shop("s").price
    assert inspect.ismethod(bound)
    assert inspect.getdoc(bound) == "Asks the price."
    assert inspect.getdoc(Shop("s").order) is None
    assert bound.__module__ == __name__
    assert bound.__qualname__ == "Shop.price"
    assert typing.get_type_hints(bound) == {"item": str, "return": str}
    assert inspect.getsource(bound).lstrip().startswith("@ops.trace")
    assert copy.copy(bound)("tea") == "s:tea"
    assert not hasattr(bound, "__deepcopy__")


async def test_is_a_function_to_frameworks() -> None:
    """Starlette takes an endpoint that is no function for an ASGI app, and calls it as one."""
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    class View:
        @ops.trace
        async def method(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("method")

    @ops.trace
    def function(request: Request) -> PlainTextResponse:
        return PlainTextResponse("function")

    assert isinstance(add, ops.TracedFunction)
    assert inspect.isfunction(add)
    assert add.__globals__ is globals()  # by which frameworks resolve annotations
    for endpoint, answer in ((View().method, b"method"), (function, b"function")):
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        await Route("/", endpoint).handle(scope, receive, send)
        assert sent[-1]["body"] == answer


def test_is_what_its_outermost_wrapper_is() -> None:
    """A wrapper that runs a coroutine gives its result, and whoever asks is not told to await that."""

    def run(fn: Any) -> Any:
        @functools.wraps(fn)
        def runs(*args: Any) -> Any:
            return asyncio.run(fn(*args))

        return runs

    @ops.trace
    @run
    async def command(value: str) -> str:
        return value

    @ops.trace
    @functools.wraps(command)
    def pieces(value: str) -> Iterator[str]:
        yield value

    assert command("x") == "x"
    assert not inspect.iscoroutinefunction(command)
    assert inspect.isfunction(command)
    assert inspect.getclosurevars(command).nonlocals["fn"] is inspect.unwrap(command, stop=lambda fn: fn is not command)
    assert inspect.getsource(command).lstrip().startswith("@ops.trace")
    assert inspect.isgeneratorfunction(pieces)
    assert not inspect.iscoroutinefunction(pieces)


@pytest.mark.slow
def test_what_runs_has_the_functions_name() -> None:
    """`coroutine 'later' was never awaited` says where to look."""

    @ops.trace
    def numbers() -> Iterator[int]:
        yield 1

    @ops.trace
    async def pieces() -> AsyncIterator[int]:
        yield 1

    with pytest.warns(RuntimeWarning, match="coroutine 'later' was never awaited"):
        later("x")
        gc.collect()
    for running in (numbers(), pieces()):
        assert running.__name__ in ("numbers", "pieces")
        assert running.__qualname__.endswith(f"<locals>.{running.__name__}")


def test_a_bound_method_in_a_class_is_not_bound_again() -> None:
    class Other:
        price = Shop("s").price

    assert Other().price("tea") == "s:tea"


def test_one_tag(ops_spans: SpanCapture) -> None:
    ops.trace(tags="prod")(add)(1)
    assert dict(ops_spans.spans[-1].attributes or {})["ops.tags"] == ("prod",)


def test_abstract_methods_stay_abstract() -> None:
    class Base(abc.ABC):
        @ops.trace
        @abc.abstractmethod
        def work(self) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]  # this is the test


def test_callable_objects_partials_and_builtins(ops_spans: SpanCapture) -> None:
    class Adder:
        def __call__(self, a: int, b: int) -> int:
            return a + b

    class AsyncAdder:
        async def __call__(self, a: int) -> int:
            return a

    assert ops.trace(Adder())(1, 2) == 3
    assert ops.trace(functools.partial(Adder(), 1))(2) == 3
    assert ops.trace(len)([1]) == 1
    assert ops.trace(lambda: 5)() == 5
    traced = ops.trace(AsyncAdder())
    assert inspect.iscoroutinefunction(traced)
    assert asyncio.run(traced(4)) == 4
    assert [span.name for span in ops_spans.spans] == ["Adder", "Adder", "len", "<lambda>", "AsyncAdder"]
    arguments = [json.loads(str((span.attributes or {}).get("ops.arguments", "{}"))) for span in ops_spans.spans]
    assert arguments == [{"a": 1, "b": 2}, {"b": 2}, {"obj": [1]}, {}, {"a": 4}]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(Shop, "not the class"), (Shop.label, "put @property above @trace"), (42, "needs a callable, not int")],
)
def test_what_cannot_be_traced(wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ops.trace(wrong)


def test_options(ops_spans: SpanCapture) -> None:
    @ops.trace(name="pay", tags=["money", "money", "slow"], metadata={"team": "billing", "tier": 1})
    def charge(amount: int) -> None: ...

    charge(3)
    assert ops_spans.one("pay").attributes == {
        "code.function.name": f"{__name__}.test_options.<locals>.charge",
        "ops.tags": ("money", "slow"),
        "ops.metadata.team": "billing",
        "ops.metadata.tier": 1,
        "ops.arguments": '{"amount": 3}',
    }


def test_recursion(ops_spans: SpanCapture) -> None:
    @ops.trace
    def down(n: int) -> int:
        return n and down(n - 1)

    down(2)
    assert ops_spans.tree(attributes=["ops.arguments"]) == (
        'down ops.arguments={"n": 2}\n└─ down ops.arguments={"n": 1}\n   └─ down ops.arguments={"n": 0}'
    )


KEYWORDS = ["self", "cls", "args", "kwargs", "fn", "name", "receiver", "instance", "context", "span", "_links"]


@pytest.mark.parametrize("keyword", KEYWORDS)
async def test_a_keyword_may_have_any_name(ops_spans: SpanCapture, keyword: str) -> None:
    """HAL has `_links`, and a JSON document may have any key: `build(**document)`."""

    @ops.trace
    def function(**values: int) -> dict[str, int]:
        return values

    @ops.trace
    def receives(trace_ctx: ops.Span, /, **values: int) -> dict[str, int]:
        return values

    @ops.trace
    async def coroutine(**values: int) -> dict[str, int]:
        return values

    @ops.trace
    async def coroutine_receives(trace_ctx: ops.Span, /, **values: int) -> dict[str, int]:
        return values

    @ops.trace
    def generator(**values: int) -> Iterator[dict[str, int]]:
        yield values

    @ops.trace
    async def async_generator(**values: int) -> AsyncIterator[dict[str, int]]:
        yield values

    class Resource:
        @ops.trace
        def method(this, /, **values: int) -> dict[str, int]:  # so that `self` is free
            return values

        @ops.trace
        @classmethod
        def class_method(kind, /, **values: int) -> dict[str, int]:  # so that `cls` is free
            return values

        @ops.trace
        @staticmethod
        def static_method(**values: int) -> dict[str, int]:
            return values

    document: dict[str, int] = {keyword: 1}
    resource = Resource()
    calls: list[Any] = [function, receives, resource.method, Resource.class_method, Resource.static_method]
    for call in calls:
        assert call(**document) == call.wrapped(**document).result == document
    for call in (coroutine, coroutine_receives):
        assert await call(**document) == (await call.wrapped(**document)).result == document
    assert list(generator(**document)) == list(generator.wrapped(**document).result) == [document]
    assert [values async for values in async_generator(**document)] == [document]
    assert ops.context_carry(function)(**document) == document
    with ops.ContextExecutor(ThreadPoolExecutor(1)) as pool:
        assert pool.submit(function, **document).result() == document
    for done in ops_spans.spans:
        assert json.loads(str((done.attributes or {})["ops.arguments"]))[keyword] == 1


def test_what_python_makes_a_class_method_by_its_name(ops_spans: SpanCapture) -> None:
    """`__init_subclass__` and `__class_getitem__` are class methods, `__new__` is a static one, without saying so."""

    class Plugin:
        known: typing.ClassVar[list[str]] = []

        @ops.trace
        def __init_subclass__(cls, *, key: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.known.append(key or cls.__name__)

        @ops.trace
        def __class_getitem__(cls, item: str) -> str:
            return f"{cls.__name__}[{item}]"

        @ops.trace
        def __new__(cls, value: int) -> Any:
            made = super().__new__(cls)
            made.value = value
            return made

    class First(Plugin, key="first"): ...

    class Second(First): ...

    assert Plugin.known == ["first", "Second"]
    assert (Plugin["x"], First["y"]) == ("Plugin[x]", "First[y]")  # type: ignore[misc]  # not a generic class
    assert First.__class_getitem__.wrapped("z").result == "First[z]"  # type: ignore[attr-defined]  # a TracedFunction
    assert (type(Second(5)), Second(5).value) == (Second, 5)
    names = [span.name.rpartition(".")[2] for span in ops_spans.spans]
    assert names == ["__init_subclass__"] * 2 + ["__class_getitem__"] * 3 + ["__new__"] * 2


def test_the_wrapper_tells_whether_the_function_receives_its_span() -> None:
    @ops.trace
    def receives(trace_ctx: ops.Span, n: int) -> int:
        return n

    @ops.trace
    async def coroutine_receives(trace_ctx: ops.Span, n: int) -> int:
        return n

    assert isinstance(receives, ops.TracedSpanFunction)
    assert isinstance(coroutine_receives, ops.AsyncTracedSpanFunction)
    assert isinstance(receives, ops.TracedFunction)
    assert isinstance(coroutine_receives, ops.AsyncTracedFunction)
    assert not isinstance(add, ops.TracedSpanFunction)
    assert not isinstance(later, ops.AsyncTracedSpanFunction)


def test_what_wraps_a_traced_function_is_not_taken_for_it(ops_spans: SpanCapture) -> None:
    """`functools.wraps` copies whatever hangs on a function."""

    @functools.wraps(add)
    def plain(a: int, b: int = 2) -> int:
        return add(a, b) * 10

    @functools.wraps(add)
    def numbers(a: int) -> Iterator[int]:
        yield add(a) * 10

    assert not isinstance(plain, ops.TracedFunction)
    assert isinstance(ops.trace(plain), ops.TracedFunction)
    assert ops.trace(plain).wrapped(1).result == 30
    assert list(ops.trace(numbers).wrapped(1).result) == [30]


def test_traced_twice_makes_two_spans(ops_spans: SpanCapture) -> None:
    twice = ops.trace(name="outer")(ops.trace(name="inner")(lambda: 1))
    assert twice() == 1
    assert ops_spans.tree() == "outer\n└─ inner"


def test_receives_its_span(ops_spans: SpanCapture) -> None:
    @ops.trace
    def work(trace_ctx: ops.Span, value: int) -> int:
        trace_ctx.info("working").set(value=value)
        return value

    class Worker:
        @ops.trace
        async def work(self, trace_ctx: ops.Span, value: int) -> str | None:
            return trace_ctx.span_id

    assert work(5) == 5
    assert work.wrapped(value=6).result == 6
    assert list(inspect.signature(work).parameters) == ["value"]
    assert str(inspect.signature(Worker().work)) == "(value: 'int') -> 'str | None'"
    calling: Any = Worker().work
    assert asyncio.run(calling(1)) == f"{3:016x}"
    first = ops_spans.named(work.__qualname__.rpartition("<locals>.")[2])[0]
    assert first.attributes is not None
    assert first.attributes["ops.arguments"] == '{"value": 5}'
    assert first.events[0].name == "info"


async def test_a_span_finished_within_is_out_of_force(ops_spans: SpanCapture) -> None:
    """As Span.finish promises; the rest of the call is not its child, and it is ended once."""

    def rest(trace_ctx: ops.Span, outer: ops.Span) -> None:
        trace_ctx.finish()
        assert ops.current_span().span_id == outer.span_id
        with ops.span("after"):
            pass

    async def rest_async(trace_ctx: ops.Span, outer: ops.Span) -> None:
        rest(trace_ctx, outer)

    with ops.span("outer") as outer:
        ops.trace(name="sync")(rest)(outer)
        await ops.trace(name="async")(rest_async)(outer)
        assert ops.current_span().span_id == outer.span_id
    assert ops_spans.tree() == "outer\n├─ sync\n├─ after\n├─ async\n└─ after"


def test_receives_its_span_only_when_asked_for_by_name_and_type(ops_spans: SpanCapture) -> None:
    @ops.trace
    def untyped(trace_ctx):  # type: ignore[no-untyped-def]  # this is the test
        return trace_ctx

    @ops.trace
    def other(ctx: ops.Span) -> ops.Span:
        return ctx

    assert untyped(1) == 1
    with ops.span("mine") as mine:
        assert other(mine) is mine
    assert list(inspect.signature(untyped).parameters) == ["trace_ctx"]


def test_unconfigured_and_unsampled_calls_carry_ids() -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    @ops.trace
    def ids() -> dict[str, str]:
        headers: dict[str, str] = {}
        ops.inject_context(headers)
        return headers

    with ops.span("outer") as outer:
        assert ids()["traceparent"].startswith(f"00-{outer.trace_id}-")
    with capture_spans(sampler=ALWAYS_OFF) as captured:
        assert ids()["traceparent"].endswith(("-00", "-02"))
    assert captured.spans == []
    with pytest.raises(ZeroDivisionError):
        ops.trace(lambda: 1 // 0)()
    assert current() == {}


def test_wrong_arguments_are_the_callers_error(ops_spans: SpanCapture) -> None:
    with pytest.raises(TypeError, match="missing 1 required"):
        add()  # type: ignore[call-arg]  # this is the test
    assert current() == {}


async def test_a_coroutine_closed_in_the_middle_elsewhere_is_quiet(ops_spans: SpanCapture) -> None:
    """What a collected task does: the coroutine is closed in another contextvars.Context than it ran in."""

    class Suspend:
        def __await__(self) -> Any:
            yield

    @ops.trace
    async def hangs() -> None:
        await Suspend()

    coroutine: Coroutine[Any, Any, None] = hangs()
    import contextvars

    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    assert ops_spans.one("hangs").status.is_unset
    assert current() == {}
