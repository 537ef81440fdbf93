"""docs/architecture.md is a map: every module stands in it, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops_lib.propagation import KNOWN_FORMATS

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = [path for top in ("proxy", "ops_lib") for path in (ROOT / top).rglob("*.py")]
TABLE = PAGE.partition("## Modules")[2].partition("\n## ")[0]
NAMED = dict(re.findall(r"^\| [^|`]*`([a-z_0-9/]+)/` \| (.*) \|$", TABLE, re.MULTILINE))  # folder -> its modules
OTHERS = {("typing", "Protocol"), ("drain", "outbound_linger_s")}  # Python's, and a key of the settings
DOTTED = sorted(set(re.findall(r"`([a-z_0-9]+)\.(\w+)(?:\.\w+)?`", PAGE)) - OTHERS)


def test_every_package_stands_in_it() -> None:
    assert set(NAMED) == {str(path.parent.relative_to(ROOT)) for path in FILES}


@pytest.mark.parametrize("folder", NAMED)
def test_every_module_stands_in_it(folder: str) -> None:
    there = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__", "__main__"}
    assert set(re.findall(r"`([a-z_0-9]+)`", NAMED[folder])) == there


@pytest.mark.parametrize(("module", "name"), [dotted for dotted in DOTTED if dotted[1] not in ("toml", "yaml")])
def test_what_it_names_is_there(module: str, name: str) -> None:
    """`module.Class`, `module.function`, `package.module`, `package.function`."""
    places = [path for path in FILES if module in (path.stem, path.parent.name)]
    assert any(
        path.stem == name or re.search(rf"(class|def) {name}\b", path.read_text(encoding="utf-8")) for path in places
    )


@pytest.mark.parametrize("format", KNOWN_FORMATS)
def test_every_format_stands_in_its_tables(format: str) -> None:
    """What is read and written, and what gets lost."""
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert f"\n| `{format}` | " in page
    assert f"\n| {format} | " in page


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}))
def test_no_room_is_crowded(folder: Path) -> None:
    """Past 20 modules nobody finds one in one guess: the room gets rooms of its own."""
    assert len([path for path in folder.glob("*.py") if path.stem != "__init__"]) <= 20


ROOMS = sorted(
    {path.parent for top in ("proxy", "ops_lib", "wire", "http2") for path in HERE.glob(f"{top}/**/test_*.py")}
)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(HERE)))
def test_every_room_has_quick_tests(room: Path, pytestconfig: pytest.Config) -> None:
    """`make test-quick` says something about whatever you change."""
    conftest = pytestconfig.pluginmanager.get_plugin(str(HERE / "conftest.py"))
    assert conftest is not None
    quick = [file for file in room.glob("test_*.py") if not conftest.is_slow(file)]
    assert quick


RULES = PAGE.partition("## Where a rule is")[2].partition("\n## ")[0]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/.]*/[\w/.]*)`", RULES))))
def test_where_a_rule_is_there_is_a_file(path: str) -> None:
    """`room/module` of one of both products, or a path from the root."""
    places = [ROOT, *(ROOT / top for top in ("proxy", "ops_lib", "ops_lib/propagation"))]
    names = (path, f"{path}.py") if "." not in path else (path,)
    assert any((place / name).exists() for place in places for name in names)
