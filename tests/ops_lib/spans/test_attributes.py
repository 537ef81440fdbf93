"""Attributes: any value becomes one that OpenTelemetry takes, and none raises. Those of a span: test_span."""

from __future__ import annotations

import enum
import sys
from http import HTTPStatus
from types import SimpleNamespace

import pytest

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


class Numpy:
    """A scalar as numpy has them, as far as they matter here: a common base, a dtype with a kind, and `item`."""

    def __init__(self, kind: str, value: object) -> None:
        self.dtype = SimpleNamespace(kind=kind)
        self.value = value

    def item(self) -> object:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def __repr__(self) -> str:
        return f"np.{self.dtype.kind}"


def test_numbers_of_numpy_are_numbers(ops_spans: SpanCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy itself is not imported for this, here neither; tried with numpy 2.4."""

    @ops.trace
    def double(value: object) -> object:
        return value

    integer = Numpy("i", 3)
    with ops.span("without numpy", integer=integer):
        pass
    monkeypatch.setitem(sys.modules, "numpy", SimpleNamespace(generic=Numpy))
    broken, long, date = Numpy("f", MemoryError()), Numpy("f", object()), Numpy("M", 17)
    with ops.span("s", integer=integer, yes=Numpy("b", True), several=[integer, integer], mixed=[integer, 1.5]) as span:
        span.set(broken=broken, long=long, date=date)
        double({"n": integer, "broken": broken})
    assert ops_spans.one("without numpy").attributes == {"integer": '"np.i"'}
    numbers = {"integer": 3, "yes": True, "several": (3, 3), "mixed": "[3, 1.5]"}
    assert ops_spans.one("s").attributes == numbers | {"broken": '"np.f"', "long": '"np.f"', "date": '"np.M"'}
    assert ops_spans.one("double").attributes["ops.result"] == '{"n": 3, "broken": "np.f"}'  # type: ignore[index]  # has some


def test_what_will_not_tell_its_class_hurts_nobody(ops_spans: SpanCapture) -> None:
    """A proxy raises where that to which it leads is gone: weakref.proxy, or Flask's `request` outside of one."""

    class Gone:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    with ops.span("s", a=Gone(), b=[Gone()]) as span:
        span.set(c={1: Gone()}).event("e", a=Gone()).info(Gone()).link(Gone())  # type: ignore[arg-type]  # no text
    assert ops.trace(metadata={"m": Gone()})(len)([]) == 0
    assert set(ops_spans.one("s").attributes or {}) == {"a", "b", "c"}
