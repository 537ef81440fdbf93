"""One door: what is recorded, by whichever function, is scrubbed, bounded, and runs no code of the application."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import ops_lib as ops
from ops_lib.testing import SpanCapture
from tests.ops_lib.capture.test_shapes import KEYS

MEGABYTES = 10_000_000


class Asked:
    def _fail(self, *args: Any) -> Any:
        raise AssertionError("asked")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __format__ = _fail
    __class__ = property(_fail)  # type: ignore[assignment]  # this is the test


def in_span(write: Callable[[ops.Span, Any], object]) -> Callable[[Any], None]:
    def record(value: Any) -> None:
        with ops.span("s") as span:
            write(span, value)

    return record


def raising(make: Callable[[Any], BaseException]) -> Callable[[Any], None]:
    def record(value: Any) -> None:
        with pytest.raises(BaseException), ops.span("s"):  # noqa: B017  # whatever `make` makes
            raise make(value)

    return record


def chained(value: Any) -> BaseException:
    try:
        raise KeyError(value)
    except KeyError as error:
        outer = RuntimeError("outer")
        outer.__cause__ = error
        return outer


def noted(value: Any) -> BaseException:
    error = ValueError("x")
    error.add_note(str(value) if type(value) is str else "")
    return error


def traced(value: Any) -> None:
    @ops.trace(name="s")
    def call(value: Any, *rest: Any, **more: Any) -> Any:
        return value

    call(value, value, k=value, password=1)


def traced_metadata(value: Any) -> None:
    ops.trace(name="s", tags=[value], metadata={"m": value, "password": "hush"})(len)([])


def traced_generator(value: Any) -> None:
    @ops.trace(name="s")
    def steps(value: Any) -> Iterator[Any]:
        yield value

    list(steps(value))


def traced_coroutine(value: Any) -> None:
    @ops.trace(name="s", tags=["auth", "login"])
    async def call(value: Any) -> Any:
        return value

    with pytest.raises(StopIteration):
        call(value).send(None)  # asyncio.run asks a task for its `repr`, which asks the result


def annotated(value: Any) -> None:
    found = ops.trace(name="s")(len).wrapped([])
    found.tag(value)
    found.annotate(label=value, reasoning=value, metadata={"m": value})


def in_session(value: Any) -> None:
    with ops.session(id="s-1", attributes={"a": value}), ops.span("s"):
        pass


def by_others(value: Any) -> None:
    tracer = ops.get_tracer_provider().get_tracer("theirs")
    tracer.start_span("s", attributes={"url.full": value, "a": [value]}).end()
    with pytest.raises(ValueError), tracer.start_as_current_span(value):
        raise ValueError(value)


WAYS: dict[str, Callable[[Any], None]] = {
    "name": lambda value: ops.span(value).__enter__().finish(),
    "given": lambda value: ops.span("s", a=value).__enter__().finish(),
    "list": lambda value: ops.span("s", a=[value, value], b=(value,)).__enter__().finish(),
    "nested": lambda value: ops.span("s", a={"b": [value], "c": (1, value)}).__enter__().finish(),
    "set": in_span(lambda span, value: span.set(a=value)),
    "set before": lambda value: ops.span("s").set(a=value).__enter__().finish(),
    "attribute name": in_span(lambda span, value: span.set(**{str(value) if type(value) is str else "a": 1})),
    "event name": in_span(lambda span, value: span.event(value)),
    "event": in_span(lambda span, value: span.event("e", a=value)),
    "debug": in_span(lambda span, value: span.debug(value)),
    "info": in_span(lambda span, value: span.info("m", a=value)),
    "warning": in_span(lambda span, value: span.warning(value, a=value)),
    "error": in_span(lambda span, value: span.error(value)),
    "critical": in_span(lambda span, value: span.critical(value)),
    "link": in_span(lambda span, value: span.link(span, a=value).link(value)),
    "exception": raising(ValueError),
    "exception of two": raising(lambda value: ValueError("x", value)),
    "exception of its own": raising(lambda value: type("OwnError", (Exception,), {})(value)),
    "exception of the system": raising(lambda value: OSError(2, value, value)),
    "exception with a cause": raising(chained),
    "exception with a note": raising(noted),
    "exceptions": raising(lambda value: ExceptionGroup("g", [ValueError(value), TypeError(value)])),
    "handled": in_span(lambda span, value: span.record_exception(ValueError(value), a=value)),
    "exception as a value": in_span(lambda span, value: span.set(a=ValueError(value)).info(ValueError(value))),
    "call": traced,
    "metadata": traced_metadata,
    "generator": traced_generator,
    "coroutine": traced_coroutine,
    "annotation": annotated,
    "session": in_session,
    "others": by_others,
}


def everything(span: ReadableSpan) -> Iterator[tuple[str, object]]:
    """All that a span says, by where it says it."""
    yield "name", span.name
    yield "status", span.status.description or ""
    for holder in (span, *span.events, *span.links):
        for name, value in (holder.attributes or {}).items():
            yield "attribute name", name
            yield name, value
    for event in span.events:
        yield "event name", event.name


def texts(spans: SpanCapture) -> list[tuple[str, str]]:
    found = []
    for span in spans.spans:
        for where, value in everything(span):
            for text in value if isinstance(value, (list, tuple)) else (value,):
                found.append((where, str(text)))
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "secret", [KEYS[0], KEYS[3], KEYS[-5], "Bearer hush", "password='hush'", "https://u:hush@h/?a=1"]
)
def test_no_secret_gets_out(ops_spans: SpanCapture, way: str, secret: str) -> None:
    WAYS[way](secret)
    WAYS[way](f"at 12:05, {secret}")
    recorded = texts(ops_spans)
    assert any("[scrubbed]" in text for _, text in recorded)
    marks = ("hush", *(key[:16] for key in KEYS))
    assert [(where, text) for where, text in recorded if any(mark in text for mark in marks)] == []


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_longer_than_its_limit(ops_spans: SpanCapture, way: str) -> None:
    """A value 2048 characters, a name 256, a stack 8192; beyond that a mark, or the brackets of JSON."""
    WAYS[way]("x" * MEGABYTES)
    limits = {"exception.stacktrace": 8192, "name": 256, "event name": 256, "attribute name": 256, "status": 2048}
    recorded = texts(ops_spans)
    assert [(where, len(text)) for where, text in recorded if len(text) > limits.get(where, 2048) + 65] == []
    assert any("x…" in text for _, text in recorded)


@pytest.mark.parametrize("way", WAYS)
def test_no_code_of_the_value_runs(ops_spans: SpanCapture, way: str) -> None:
    WAYS[way](Asked())
    assert [text for _, text in texts(ops_spans) if "asked" in text or "unreadable" in text] == []


@pytest.mark.parametrize("way", [way for way in WAYS if way != "attribute name"])
@pytest.mark.parametrize("value", ["\ud800", "ä\udfff"])
def test_everything_can_be_encoded(ops_spans: SpanCapture, way: str, value: str) -> None:
    WAYS[way](value)
    for _, text in texts(ops_spans):
        text.encode()


def test_secrets_by_name(ops_spans: SpanCapture) -> None:
    with ops.span("s", password="hush", api_key=17, name_="n") as span:
        span.set(token=["hush"], auth={"user": "hush"}, **{"http.request.header.authorization": "hush"})
        span.event("e", secret="hush").info("m", cookie="hush").link(span, token="hush")
        span.set(key="X-Api-Key", value="hush").event("e", name="password", new="hush")
        span.record_exception(ValueError("x"), password="hush")
    recorded = texts(ops_spans)
    assert [text for _, text in recorded if "hush" in text or text == "17"] == []
    attributes = dict(ops_spans.one("s").attributes or {})
    assert attributes == {
        **dict.fromkeys(("password", "api_key", "token", "auth", "value"), "[scrubbed]"),
        "http.request.header.authorization": "[scrubbed]",
        "name_": "n",
        "key": "X-Api-Key",
    }


def test_a_session_id_that_is_a_token(ops_spans: SpanCapture) -> None:
    """It travels as it is, and is not recorded."""
    token, headers = KEYS[-5], dict[str, str]()
    with ops.session(id=token), ops.span("s"):
        ops.inject_context(headers)
    with ops.propagated_context(extract_from=headers), ops.span("t"):
        assert ops.current_session() == ops.SessionContext(token)
    assert [(span.attributes or {})["session.id"] for span in ops_spans.spans] == ["[scrubbed]", "[scrubbed]"]


def test_further_names(ops_spans: SpanCapture) -> None:
    """Also for what was decorated before `configure` was called."""

    @ops.trace(name="f", metadata={"iban": "DE00"}, tags=["a"])
    def f() -> None: ...

    f()
    before = ops.CaptureLimits()
    from ops_lib.capture.bounds import CaptureSettings
    from ops_lib.testing import capture_spans

    with capture_spans(capture=CaptureSettings(scrub=frozenset({"iban"}), limits=before)) as spans:
        f()
        with ops.span("s", my_iban="DE00"):
            pass
    assert (spans.one("f").attributes or {})["ops.metadata.iban"] == "[scrubbed]"
    assert (spans.one("f").attributes or {})["ops.tags"] == ("a",)
    assert (spans.one("s").attributes or {})["my_iban"] == "[scrubbed]"
    assert (ops_spans.one("f").attributes or {})["ops.metadata.iban"] == "DE00"


def test_tags_are_words_and_no_pairs(ops_spans: SpanCapture) -> None:
    ops.trace(name="f", tags=["token", "login", "token"])(len)([])
    traced_coroutine(1)
    assert (ops_spans.one("f").attributes or {})["ops.tags"] == ("token", "login")
    assert (ops_spans.one("s").attributes or {})["ops.tags"] == ("auth", "login")


@pytest.mark.parametrize(("length", "kept"), [(2048, "x" * 2048), (2049, "x" * 2048 + "…")])
def test_the_limit_of_a_value_at_its_edge(ops_spans: SpanCapture, length: int, kept: str) -> None:
    with ops.span("s", a="x" * length):
        pass
    assert (ops_spans.one("s").attributes or {})["a"] == kept


@pytest.mark.parametrize(("length", "kept"), [(256, "x" * 256), (257, "x" * 256 + "…")])
def test_the_limit_of_a_name_at_its_edge(ops_spans: SpanCapture, length: int, kept: str) -> None:
    with ops.span("x" * length) as span:
        span.event("x" * length).set(**{"x" * length: 1})
    (made,) = ops_spans.spans
    assert (made.name, made.events[0].name, list(made.attributes or {})) == (kept, kept, [kept])


@pytest.mark.parametrize(("length", "kept"), [(1024, 1024), (1025, 1024)])
def test_the_limit_of_a_status_at_its_edge(ops_spans: SpanCapture, length: int, kept: int) -> None:
    with pytest.raises(ValueError), ops.span("s"):
        raise ValueError("x" * (length - len("ValueError: ")))
    assert len(ops_spans.one("s").status.description or "") == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([1] * 20, (1,) * 20),
        ([1] * 21, "[" + "1, " * 20 + '"… 1 more"]'),
        (["a"] * 21, ("a",) * 20 + ("… 1 more",)),
        ([2**63], "[9223372036854775808]"),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        ([], "[]"),
    ],
)
def test_lists_and_numbers_at_their_edge(ops_spans: SpanCapture, value: object, kept: object) -> None:
    with ops.span("s", a=value):
        pass
    assert (ops_spans.one("s").attributes or {})["a"] == kept


def test_what_is_remembered_as_harmless_is_bounded() -> None:
    """In number and in length: an application may name its spans by what its clients send."""
    from ops_lib.spans.attributes import attributes_of, name_of
    from ops_lib.spans.configured import RUNTIME

    for number in range(5000):
        name_of(f"{number:0120}")
        attributes_of({f"{number:0120}": f"v{number:0120}"})
    name_of("x" * 129)
    known = RUNTIME.capture.harmless | RUNTIME.capture.harmless_names
    assert len(known) <= 2048
    assert max(map(len, known)) <= 128
    assert sum(map(sys.getsizeof, known)) < 500_000
