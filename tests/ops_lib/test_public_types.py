"""The types of the public face, as a type checker shows them to a user's program."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ops_lib as ops

USER = """
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self, TypeVar
import ops_lib as ops
from ops_lib import ops as other

T = TypeVar("T")

@ops.trace
def plain(a: int, *, b: str = "") -> float:
    return 1.0

@ops.trace(name="n", tags=["t"], metadata={"k": 1}, capture_args=False)
async def later(a: int) -> str:
    return ""

@ops.trace
def receives(trace_ctx: ops.Span, a: int) -> bool:
    return True

@ops.trace()
async def areceives(trace_ctx: ops.Span, a: int) -> bytes:
    return b""

@ops.trace
def many(n: int) -> Iterator[int]:
    yield n

@ops.trace
async def amany(n: int) -> AsyncIterator[int]:
    yield n

class C:
    @ops.trace
    def method(self, x: int) -> str:
        return ""

    @ops.trace
    async def amethod(self, x: int) -> str:
        return ""

    @ops.trace
    @classmethod
    def above(cls, x: int) -> str:
        return ""

    @classmethod
    @ops.trace
    def below(cls, x: int) -> str:
        return ""

    @classmethod
    @ops.trace
    async def abelow(cls, x: int) -> str:
        return ""

    @ops.trace
    @staticmethod
    def static(x: int) -> str:
        return ""

    @staticmethod
    @ops.trace
    def static_below(x: int) -> str:
        return ""

    @ops.trace
    def fluent(self, x: int) -> Self:
        return self

    @classmethod
    @ops.trace
    def make(cls, x: int) -> Self:
        return cls()

    @ops.trace
    def receives(self, trace_ctx: ops.Span, x: int) -> bool:
        return True

class Sub(C):
    pass

@ops.trace
def first(values: Sequence[T]) -> T:
    return values[0]

@ops.trace
def anything(a: int) -> Any:
    return a

def takes(fn: ops.AsyncTracedFunction[[int], str]) -> None: ...

async def main() -> None:
    reveal_type(plain(1, b="x"))
    reveal_type(plain.wrapped(1).result)
    reveal_type(await later(1))
    reveal_type((await later.wrapped(1)).result)
    reveal_type(receives(1))
    reveal_type(await areceives(1))
    reveal_type(many(1))
    reveal_type(amany(1))
    reveal_type(C().method(1))
    reveal_type(C().method.wrapped(1).result)
    reveal_type(await C().amethod(x=1))
    reveal_type(C.above(1))
    reveal_type(C.below(1))
    reveal_type(C().below(1))
    reveal_type(await C.abelow(1))
    reveal_type(C.static(1))
    reveal_type(C.static_below(1))
    reveal_type(C.method(C(), 1))
    reveal_type(Sub().fluent(1))
    reveal_type(Sub().fluent.wrapped(1).result)
    reveal_type(Sub.make(1))
    reveal_type(Sub().make(1))
    reveal_type(C().receives(1))
    reveal_type(first([1]))
    reveal_type(anything(1))
    reveal_type(anything.wrapped(1).span)
    takes(later)
    with ops.session(id="s") as session, ops.span("x", n=1) as span, ops.propagated_context(extract_from={}):
        reveal_type(session.id)
        reveal_type(span.trace_id)
    headers: dict[str, str] = {}
    other.inject_context(headers, context=ops.extract_context([(b"a", b"b")]))
    reveal_type(ops.current_session())
    reveal_type(ops.context_carry(plain)(1))
    reveal_type(ops.context_carry()(plain)(1))
    format: ops.PropagatorFormat = "b3"
    ops.configure("shop", sampler=0.1, exporter="console", inject=format)

def wrong() -> None:
    plain("1")  # E: arg-type
    plain()  # E: call-arg
    coroutine = later(b=1)  # E: call-arg
    C().method("x")  # E: arg-type
    ops.session("positional")  # E: call-arg
    receives("x")  # E: arg-type
    C().receives("x")  # E: arg-type
    format: ops.PropagatorFormat = "zipkin"  # E: assignment
"""  # noqa: RUF100  # E: marks of the script's own
REVEALED = [
    "float",
    "float",
    "str",
    "str",
    "bool",
    "bytes",
    "Iterator[int]",
    "AsyncIterator[int]",
    "str",
    "str",
    "str",
    "str",
    "str",
    "str",
    "str",
    "str",
    "str",
    "str",
    "Sub",
    "Sub",
    "Sub",
    "Sub",
    "bool",
    "int",
    "Any",
    "Span",
    "str",
    "str|None",
    "SessionContext|None",
    "float",
    "float",
]


@pytest.mark.slow
def test_types_as_users_see_them(tmp_path: Path) -> None:
    """mypy --strict over a user's program: everything is typed, parameters survive decoration, mistakes are found."""
    script = tmp_path / "user.py"
    script.write_text(USER)
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\ndisable_error_code = \n")
    root = Path(inspect.getfile(ops)).parent.parent
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(config),
            "--cache-dir",
            str(tmp_path / "cache"),
            str(script),
        ],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
        timeout=300,
    )
    lines = done.stdout.splitlines()
    revealed = [line.split('Revealed type is "')[1].rstrip('"') for line in lines if "Revealed type" in line]
    short = [
        text.replace("builtins.", "").replace("collections.abc.", "").replace("typing.", "").replace(" ", "")
        for text in revealed
    ]
    short = [re.sub(r"user\.|ops_lib(\.\w+)+\.", "", text).replace("Union[str,None]", "str|None") for text in short]
    assert short == REVEALED
    errors = [(int(line.split(":")[1]), line.rsplit("[", 1)[1].rstrip("]")) for line in lines if ": error:" in line]
    expected = [(number, line.split("# E: ")[1]) for number, line in enumerate(USER.splitlines(), 1) if "# E: " in line]
    assert errors == expected, done.stdout
