"""@trace on methods of every kind: what they are to Python, bound and unbound, and how their spans are named."""

from __future__ import annotations

import abc
import copy
import inspect
import pickle
import typing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lab.traced import Shop, add

import ops_lib as ops
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


class Sub(Shop):
    def price(self, item: str) -> str:
        return "sub " + super().price(item)


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
        assert span.attributes["code.function.name"] == "lab.traced.Shop.price"


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
    assert bound.__module__ == "lab.traced"
    assert bound.__qualname__ == "Shop.price"
    assert typing.get_type_hints(bound) == {"item": str, "return": str}
    assert inspect.getsource(bound).lstrip().startswith("@ops.trace")
    assert copy.copy(bound)("tea") == "s:tea"
    assert not hasattr(bound, "__deepcopy__")


def test_a_bound_method_in_a_class_is_not_bound_again() -> None:
    class Other:
        price = Shop("s").price

    assert Other().price("tea") == "s:tea"


def test_abstract_methods_stay_abstract() -> None:
    class Base(abc.ABC):
        @ops.trace
        @abc.abstractmethod
        def work(self) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]  # this is the test


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


def test_a_bound_method_has_the_functions_words() -> None:
    assert Shop("s").price.__doc__ == Shop.price.__doc__
    assert Shop("s").price.__module__ == "lab.traced"


def test_new_stays_a_static_method() -> None:
    class Made:
        @ops.trace
        def __new__(cls) -> Any:
            return super().__new__(cls)

    made = Made()
    assert type(made.__new__(Made)) is Made


@pytest.mark.parametrize(
    "name",
    ["__name__", "__qualname__", "__annotations__", "__annotate__", "__type_params__", "__globals__", "__closure__",
     "__code__", "__defaults__", "__kwdefaults__"],
)  # fmt: skip
def test_a_bound_method_has_what_python_takes_from_the_function(name: str) -> None:
    """Python's Data model, "Instance methods". Other names with two underscores are its own, or missing."""

    def given(self: object, a: int = 1, *, b: int = 2) -> int:
        return a + b

    given.__dict__.setdefault("__annotate__", None)  # of Python 3.14
    given.__dict__.setdefault("__type_params__", ())  # of Python 3.12

    class Made:
        price = ops.trace(given)

    assert getattr(Made().price, name) == getattr(Made.price, name)
    assert not hasattr(Made().price, "__of_nobody__")
