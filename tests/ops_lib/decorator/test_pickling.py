"""Traced code in what crosses by value: notebooks and scripts hand functions of `__main__` to Ray, Dask and Spark."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("cloudpickle")

SCRIPT = """
import asyncio, pickle, sys
import cloudpickle
import ops_lib as ops

@ops.trace
def function(a: int) -> int:
    return a + 1

@ops.trace
def receives(trace_ctx: ops.Span, a: int) -> int:
    return a + 1

@ops.trace
async def coroutine(a: int) -> int:
    return a + 1

@ops.trace
def generator(a: int):
    yield a + 1

class Shop:
    @ops.trace
    def method(self, a: int) -> int:
        return a + 1

if len(sys.argv) == 1:
    sys.stdout.buffer.write(cloudpickle.dumps([function, receives, coroutine, generator, Shop, Shop().method]))
"""

READER = """
import asyncio, pickle, sys
import ops_lib as ops
from ops_lib.testing import capture_spans

function, receives, coroutine, generator, Shop, method = pickle.load(sys.stdin.buffer)
with capture_spans() as spans:
    assert function(1) == receives(1) == 2
    assert spans.tree() == "function\\nreceives", spans.tree()
    assert function.wrapped(1).result == receives.wrapped(1).result == 2
    assert isinstance(function, ops.TracedFunction) and isinstance(receives, ops.TracedSpanFunction)
    assert asyncio.run(coroutine(1)) == 2
    assert list(generator(1)) == [2]
    assert Shop().method(1) == method(1) == 2
"""


def test_by_value() -> None:
    """Functions stay traced there; the others do what they do."""
    written = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    read = subprocess.run([sys.executable, "-c", READER], input=written.stdout, capture_output=True, check=False)
    assert read.returncode == 0, read.stderr.decode()
