"""mypy --strict and pyright, as it is by default, over typing_cases.py: no false errors, and no mistake missed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("typing_cases.py")
ROOT = Path(__file__).parents[3]


def expected(checker: str) -> list[int]:
    marks = re.compile(rf"# E(?:: {checker})?$")
    return [number for number, line in enumerate(CASES.read_text().splitlines(), 1) if marks.search(line)]


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=ROOT, check=False, timeout=300
    )
    assert done.stdout, done.stderr
    return done.stdout


@pytest.mark.slow
def test_mypy(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\nwarn_unused_ignores = true\n")
    out = run("mypy", "--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), str(CASES))
    found = {int(line.split(":")[1]) for line in out.splitlines() if ": error:" in line}
    assert sorted(found) == expected("mypy"), out


@pytest.mark.slow
def test_pyright(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        if os.environ.get("OPS_REQUIRE_NODE"):
            pytest.fail("pyright: node is not installed")
        pytest.skip("pyright: node is not installed")
    config = tmp_path / "pyrightconfig.json"  # nothing but where to look: everything else is the default
    config.write_text(json.dumps({"include": [os.path.relpath(CASES, tmp_path)], "extraPaths": [str(ROOT)]}))
    out = run("pyright", "--pythonpath", sys.executable, "--outputjson", "--project", str(config))
    said = [line for line in json.loads(out)["generalDiagnostics"] if line["severity"] == "error"]
    assert sorted({line["range"]["start"]["line"] + 1 for line in said}) == expected("pyright"), out
