"""The page's files: all of them are in the wheel, and none does what a page under a strict policy must not do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "proxy" / "console" / "page"
FILES = [path for path in PAGE.rglob("*") if path.suffix in (".html", ".css", ".js")]
FORBIDDEN = r"(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function|'style',"
OUTSIDE = r"https?://(?!www\.w3\.org/|127\.0\.0\.1|shop\.internal|\$\{r\.to\})"  # names and examples, never fetched
COMMENT = re.compile(r"^\s*(//|\*|/\*).*$|(?<=\S)\s+// .*$", re.MULTILINE)


def test_the_wheel_has_every_file() -> None:
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert len(FILES) > 30
    assert {path.relative_to(ROOT).as_posix() for path in FILES} <= shipped


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_keeps_the_rules(path: Path) -> None:
    """No HTML from strings, no code from strings, no style attributes, nothing from outside; short enough to read."""
    code = COMMENT.sub("", path.read_text(encoding="utf-8"))
    assert re.findall(f"{FORBIDDEN}|{OUTSIDE}", code) == []
    assert len(code.splitlines()) <= 400
