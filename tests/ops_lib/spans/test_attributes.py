"""Attributes: any value becomes one that OpenTelemetry takes, and none raises. Those of a span: test_span."""

from __future__ import annotations

import enum
from http import HTTPStatus

import numpy

import ops_lib as ops
from ops_lib.testing import SpanCapture


def test_what_is_a_scalar_by_its_base_goes_out_as_one(ops_spans: SpanCapture) -> None:
    """http.response.status_code is a number (semantic conventions), also when it is said by http.HTTPStatus."""

    class Plan(enum.StrEnum):
        TRIAL = "trial"

    class Sly(int):
        def __int__(self) -> int:
            raise MemoryError

    with ops.span("s", status=HTTPStatus.OK, plan=Plan.TRIAL, plans=[Plan.TRIAL], sly=Sly(7)) as span:
        span.event("e", plan=Plan.TRIAL)
    made = ops_spans.one("s")
    assert made.attributes == {"status": 200, "plan": "trial", "plans": ("trial",), "sly": 7}
    assert [type(value) for value in made.attributes.values()] == [int, str, tuple, int]
    assert made.events[0].attributes == {"plan": "trial"}


def test_numbers_of_numpy_are_numbers(ops_spans: SpanCapture) -> None:
    @ops.trace
    def double(value: object) -> object:
        return value

    three = numpy.int32(3)
    with ops.span("s", integer=three, yes=numpy.True_, several=[three, three], mixed=[three, 1.5]) as span:
        span.set(date=numpy.datetime64("2026-11-29"), many=numpy.zeros((2, 3)), long=numpy.longdouble(1))
        double({"n": three})
    numbers = {"integer": 3, "yes": True, "several": (3, 3), "mixed": "[3, 1.5]"}
    others = {"date": "np.datetime64('2026-11-29')", "many": "[ndarray <f8 2×3]", "long": "np.longdouble('1.0')"}
    assert ops_spans.one("s").attributes == numbers | {name: f'"{text}"' for name, text in others.items()}
    assert (ops_spans.one("double").attributes or {})["ops.result"] == '{"n": 3}'


def test_what_will_not_tell_its_class_hurts_nobody(ops_spans: SpanCapture) -> None:
    """A proxy raises where that to which it leads is gone: weakref.proxy, or Flask's `request` outside of one."""

    class Gone:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    with ops.span("s", a=Gone(), b=[Gone()]) as span:
        span.set(c={1: Gone()}).event("e", a=Gone()).info(Gone()).link(Gone())  # type: ignore[arg-type]  # no text
    assert ops.trace(metadata={"m": Gone()})(len)([]) == 0
    assert set(ops_spans.one("s").attributes or {}) == {"a", "b", "c"}
