"""What is recorded is bounded, scrubbed, and harmless, whatever the value does."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import enum
import json
import time
import types
from typing import Any

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ops_lib as ops
from ops_lib.capture.bounds import CaptureLimits, CaptureSettings
from ops_lib.capture.messages import UNREADABLE
from ops_lib.capture.render import as_json, render, render_arguments
from ops_lib.capture.shapes import SCRUBBED
from ops_lib.testing import SpanCapture, capture_spans

DEFAULT = CaptureSettings()


@dataclasses.dataclass
class Login:
    user: str
    password: str
    hidden: str = dataclasses.field(default="h", repr=False)


@attrs.define
class Slotted:
    a: int = 1
    secret: int = 2
    hidden: str = attrs.field(default="hush", repr=False)
    masked: str = attrs.field(default="hush", repr=lambda value: "***")


class Modelled(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: int = 1
    token: str = "hush"
    b: str = pydantic.Field("hush", repr=False)


class Plain:
    pass


class ClassRaises:
    @property  # type: ignore[misc]  # this is the test
    def __class__(self) -> Any:
        raise BaseException("class")  # this is the test


class Text(str):
    def __str__(self) -> str:
        raise RuntimeError


class Colour(enum.IntEnum):
    RED = 1


class Raises(Exception):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


class RaisesEverywhere(list):  # type: ignore[type-arg]  # this is the test
    def __iter__(self) -> Any:
        raise BaseException("iter")  # this is the test

    def __len__(self) -> int:
        raise MemoryError

    def __getattribute__(self, name: str) -> Any:
        raise RecursionError


Pair = collections.namedtuple("Pair", "a api_key")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        (float("nan"), '"nan"'),
        (float("-inf"), '"-inf"'),
        (10**100, '"[int of 333 bits]"'),
        ("ä", '"ä"'),
        (Text("t"), '"t"'),
        (Colour.RED, "1"),
        (b"abc", '"[3 bytes]"'),
        (memoryview(b"abc"), '"[3 bytes]"'),
        ((1, "a"), '[1, "a"]'),
        ({1}, "[1]"),
        (collections.OrderedDict(a=1), '{"a": 1}'),
        ({1: 2, (1, 2): 3}, '{"1": 2, "[tuple]": 3}'),
        (decimal.Decimal("1.5"), "\"Decimal('1.5')\""),
        (Login("u", "p"), '{"user": "u", "password": "[scrubbed]"}'),
        (Slotted(), '{"a": 1, "secret": "[scrubbed]"}'),
        (Modelled(), '{"a": 1, "token": "[scrubbed]"}'),
        (Modelled(c=3), '{"a": 1, "token": "[scrubbed]", "c": 3}'),
        (Pair(1, "k"), '{"a": 1, "api_key": "[scrubbed]"}'),
        (types.SimpleNamespace(pwd="x", n=1), '{"pwd": "[scrubbed]", "n": 1}'),
        (Plain(), f'"<{__name__}.Plain>"'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert render(value, DEFAULT) == text


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": {"Authorization": "hush"}}},
        [("X-Api-Key", "hush"), ("Accept", "*/*")],
        [(b"cookie", b"hush")],
        "Authorization: Bearer hushhush==",
        "postgres://user:hush@db/shop",
        types.SimpleNamespace(inner=types.SimpleNamespace(password="hush")),
        [["X-Api-Key", "hush"], ["Accept", "*/*"]],
        ("password", "hush"),
        '{"password": "hush \\" hush", "n": 1}',
        json.dumps({"body": json.dumps({"password": "hush"})}),
        "https://shop/login?user=u&api_key=hush&n=1",
        "user=u&password=hush",
        "filter=token=hush",
        json.dumps({"body": json.dumps({"password": "hush hush"})}),
        "GET /\r\nAuthorization: ApiKey hush hush\r\n",
        "Cookie: a=hush; b=hush",
        "1password=hush",
        Slotted(),
        Modelled(),
    ],
)
def test_no_secret_gets_out(value: object) -> None:
    assert "hush" not in render(value, DEFAULT)


def test_secrets_in_a_repr() -> None:
    text = render("""Client(url='u', token='hush hush', api_key=hush, {"password": "hush"}, n=1)""", DEFAULT)
    assert "hush" not in text
    assert "url='u'" in text
    assert "n=1" in text


def test_further_names() -> None:
    settings = CaptureSettings(scrub=frozenset({"iban"}))
    assert render({"customer-IBAN": "DE00", "name": "n"}, settings) == '{"customer-IBAN": "[scrubbed]", "name": "n"}'


@pytest.mark.parametrize(
    "error", [ValueError(), RecursionError(), MemoryError(), GeneratorExit(), BaseException("b"), StopIteration()]
)
def test_a_text_that_raises_is_unreadable(error: BaseException) -> None:
    """The text of an exception is its own."""
    text = f'"{__name__}.Raises: {UNREADABLE}"'
    assert render(Raises(error), DEFAULT) == text
    assert render([1, Raises(error)], DEFAULT) == f"[1, {text}]"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_what_is_not_the_values_own_passes(error: BaseException) -> None:
    with pytest.raises(type(error)):
        render(Raises(error), DEFAULT)


def test_a_value_that_raises_everywhere() -> None:
    """It is read by its base, which nobody has overridden."""
    assert render([RaisesEverywhere([1, 2])], DEFAULT) == "[[1, 2]]"
    assert render_arguments([("a", [RaisesEverywhere([1, 2])])], DEFAULT) == '{"a": [[1, 2]]}'


@pytest.mark.parametrize("name", ["a", "name", "value"])
def test_one_bad_value_spoils_no_other(name: str) -> None:
    settings = CaptureSettings()
    told = f'{{"{name}": "<{__name__}.ClassRaises>", "b": 1}}'
    assert render_arguments([(name, ClassRaises()), ("b", 1)], settings) == told


def test_a_field_that_is_computed_is_not_asked() -> None:
    class Lazy(Login):
        @property
        def user(self) -> str:
            raise AssertionError("asked")

        @user.setter
        def user(self, value: str) -> None: ...

    assert render(Lazy("u", "p"), DEFAULT) == f'{{"user": "<property>", "password": "{SCRUBBED}"}}'


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "_" * 5_000 + "='", "://" + "a" * 50_000, "a" + " " * 50_000, "a:" * 9_999]
)
def test_long_texts_cost_little(text: str) -> None:
    """No pattern backtracks over what it has read: that took a tenth of a second for a text of 2,000 letters."""
    start = time.process_time()
    for _ in range(10):
        render(text, DEFAULT)
    assert time.process_time() - start < 0.1


def test_cycles_and_depth() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    assert render(cycle, DEFAULT) == '[[[["[list]"]]]]'
    assert render({"a": {"b": 1}}, CaptureSettings(limits=CaptureLimits(depth=1))) == '{"a": "[dict]"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 8, '"xxxxxxxx"'),
        ("x" * 9, '"xxxxxxxx…"'),
        ([1, 2, 3], "[1, 2, 3]"),
        ([1, 2, 3, 4], '[1, 2, 3, "… 1 more"]'),
        ({"a": 1, "b": 2, "c": 3}, '{"a": 1, "b": 2, "c": 3}'),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, '{"a": 1, "b": 2, "c": 3, "…": "…"}'),
        ([[1]], "[[1]]"),
        ([[[1]]], '[["[list]"]]'),
        (2**256 - 1, str(2**256 - 1)),
        (2**256, '"[int of 257 bits]"'),
    ],
)
def test_limits_at_their_edge(value: object, text: str) -> None:
    limits = CaptureLimits(text=8, items=3, depth=2, total=1000)
    assert render(value, CaptureSettings(limits=limits)) == text


def test_the_total_at_its_edge() -> None:
    """Two quotes or brackets and the characters of each text are counted; what follows is cut."""
    room = CaptureSettings(limits=CaptureLimits(total=26))
    assert render(["a" * 10, "b" * 10], room) == '["aaaaaaaaaa", "bbbbbbbbbb"]'
    assert render(["a" * 10, "b" * 11], room) == '["aaaaaaaaaa", "bbbbbbbbbbb"]'
    assert render(["a" * 10, "b" * 13], room) == '["aaaaaaaaaa", "bbbbbbbbbbbb…"]'
    assert render(["a" * 10, "b" * 12, "c"], room) == '["aaaaaaaaaa", "bbbbbbbbbbbb", "… 1 more"]'


@pytest.mark.parametrize(
    ("value", "total", "text"),
    [
        ([1, 2], 10, '[1, "… 1 more"]'), ([1, 2], 11, "[1, 2]"), ([None, True], 10, '[null, "… 1 more"]'),
        ([1.5, 1], 11, "[1.5, 1]"), ([[], 1], 4, '[[], "… 1 more"]'), ([{}, 1], 5, "[{}, 1]"),
        (["", 1], 4, '["", "… 1 more"]'), (["", 1], 5, '["", 1]'),
        ({"ab": 1, "c": 2}, 12, '{"ab": 1, "…": "…"}'), ({"ab": 1, "c": 2}, 13, '{"ab": 1, "c": 2}'),
        ({"ab": 1}, 2, '{"…": "…"}'), ({"ab": 1}, 3, '{"ab": 1}'), (["abcd"], 5, '["abc…"]'),
        (["abc"], 2, '["… 1 more"]'),
        ([1] * 30, 90, f"[{'1, ' * 11}" + '"… 19 more"]'),
    ],
)  # fmt: skip
def test_what_each_kind_of_value_takes_of_the_total(value: object, total: int, text: str) -> None:
    """Eight characters a number, two a container, a name or a text as long as it is."""
    assert render(value, CaptureSettings(limits=CaptureLimits(total=total))) == text


def test_sizes() -> None:
    assert render("x" * 1000, DEFAULT) == '"' + "x" * 256 + '…"'
    assert json.loads(render(list(range(1000)), DEFAULT)) == [*range(20), "… 980 more"]
    assert len(json.loads(render({str(n): n for n in range(1000)}, DEFAULT))) == 21
    assert len(render([["y" * 300] * 50] * 50, DEFAULT)) < 4096
    assert len(render([[[]] * 50] * 50, DEFAULT)) < 8192


def test_a_lone_surrogate_can_be_exported() -> None:
    render("\ud800", DEFAULT).encode()


@pytest.mark.parametrize("name", ["text", "items", "depth", "total", "stack"])
def test_limits_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=f"CaptureLimits.{name} must be at least 1, not 0"):
        CaptureLimits(**{name: 0})
    CaptureLimits(**{name: 1})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(_VALUES)
def test_anything_gives_bounded_json(value: object) -> None:
    text = render(value, CaptureSettings(limits=CaptureLimits(total=200)))
    text.encode()
    assert len(text) < 2000


class TestOnSpans:
    def test_off_for_one_function(self, ops_spans: SpanCapture) -> None:
        @ops.trace(capture_args=False, capture_result=False)
        def quiet(a: int) -> int:
            return a

        quiet(1)
        assert dict(ops_spans.one(quiet.__qualname__.rpartition(".")[2]).attributes or {}).keys() == {
            "code.function.name"
        }

    def test_only_some_arguments(self, ops_spans: SpanCapture) -> None:
        @ops.trace(name="f", capture_args=["a", "rest", "k"])
        def some(a: int, b: int, *rest: int, **more: int) -> None: ...

        some(1, 2, 3, 4, k=5, m=6)
        assert (ops_spans.one("f").attributes or {})["ops.arguments"] == '{"a": 1, "rest": [3, 4], "k": 5}'

    def test_off_for_all_and_on_for_one(self) -> None:
        off = CaptureSettings(arguments=False, result=False)

        @ops.trace(name="default")
        def default(a: int) -> int:
            return a

        @ops.trace(name="loud", capture_args=True, capture_result=True)
        def loud(a: int) -> int:
            return a

        with capture_spans(capture=off) as captured:
            default(1), loud(1)
        assert captured.tree(attributes=["ops.arguments", "ops.result"]) == (
            'default\nloud ops.arguments={"a": 1} ops.result=1'
        )

    def test_secret_arguments_and_results(self, ops_spans: SpanCapture) -> None:
        @ops.trace(name="login")
        def login(user: str, password: str, **extra: str) -> dict[str, str]:
            return {"user": user, "token": "hush"}

        login("u", "hush", api_key="hush")
        attributes = ops_spans.one("login").attributes or {}
        assert attributes["ops.arguments"] == f'{{"user": "u", "password": "{SCRUBBED}", "api_key": "{SCRUBBED}"}}'
        assert attributes["ops.result"] == f'{{"user": "u", "token": "{SCRUBBED}"}}'

    @pytest.mark.parametrize("error", [RuntimeError(), GeneratorExit(), BaseException()])
    def test_never_raises_into_the_caller(self, ops_spans: SpanCapture, error: BaseException) -> None:
        @ops.trace(name="f")
        def echo(value: Any) -> Any:
            return value

        value = Raises(error)
        assert echo(value) is value
        told = f'{{"value": "{__name__}.Raises: {UNREADABLE}"}}'
        assert (ops_spans.one("f").attributes or {})["ops.arguments"] == told

    def test_nothing_is_rendered_where_nothing_is_recorded(self) -> None:
        class Loud(Exception):
            def __str__(self) -> str:
                raise AssertionError("asked for its text")

        seen = []

        @ops.trace
        def echo(value: Any) -> Any:
            seen.append(value)
            return value

        echo(Loud())
        assert len(seen) == 1


@pytest.mark.parametrize(("length", "is_whole"), [(2, True), (74, True), (75, False), (1000, False)])
def test_a_little_more_than_the_limit_is_whole(length: int, is_whole: bool) -> None:
    """Up to 64 characters: brackets and quotes around texts that were cut already."""
    value = "x" * (length - 2)
    assert as_json(value, 10) == (f'"{value}"' if is_whole else '"xxxxxxxxx…')
