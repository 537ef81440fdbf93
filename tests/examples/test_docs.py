"""docs/library.md: its Python blocks run, top to bottom, in a process of their own; under each stands its output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import ops_lib as ops

PAGE = Path(__file__).parents[2] / "docs" / "library.md"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Runs each block in one namespace; tells what each has printed, or how it failed. Tracebacks name the line of the page.
RUNNER = """
import contextlib, io, json, sys, traceback
namespace, told = {"__name__": "__main__"}, []
for line, code in json.load(sys.stdin):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile("\\n" * line + code, "library.md", "exec"), namespace)
    except BaseException:
        told.append([printed.getvalue(), traceback.format_exc()])
        break
    told.append([printed.getvalue(), None])
json.dump(told, sys.stdout)
"""


class Block(NamedTuple):
    """One block of the page: the line before its first, its code, and what stands under it as printed."""

    line: int
    code: str
    output: str


def blocks() -> list[Block]:
    text, found = PAGE.read_text(), list[Block]()
    for fence in FENCE.finditer(text):
        kind, body = fence.groups()
        if kind == "python":
            found.append(Block(text.count("\n", 0, fence.start()) + 1, body, ""))
        elif kind == "text":
            found[-1] = found[-1]._replace(output=body)
    return found


BLOCKS = blocks()


@pytest.fixture(scope="module")
def told() -> list[tuple[str, str | None]]:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=json.dumps([(block.line, block.code) for block in BLOCKS]),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stderr == ""
    outcome: list[tuple[str, str | None]] = json.loads(ran.stdout)
    return outcome


@pytest.mark.parametrize("index", range(len(BLOCKS)), ids=[f"line-{block.line}" for block in BLOCKS])
def test_block(told: list[tuple[str, str | None]], index: int) -> None:
    if index >= len(told):
        pytest.skip("a block before this one failed")
    printed, failure = told[index]
    assert failure is None, failure
    pattern = re.escape(BLOCKS[index].output).replace("…", ".*")
    assert re.fullmatch(pattern, printed), f"shown:\n{BLOCKS[index].output}\nprinted:\n{printed}"


def test_every_public_name_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert [name for name in ops.__all__ if not re.search(rf"\b{name}\b", text)] == []
