"""Which modules are compiled: by room, and never a class without those that inherit from it."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPILED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ops-sidecar"]["compile"]["modules"]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text())
    for package in ("proxy", "ops_lib")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imported(tree: ast.Module) -> dict[str, str]:
    """The module that each imported name is from."""
    return {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 0
        for alias in node.names
    }


def parents(module: str) -> list[tuple[str, str]]:
    """Each class of `module` beside the module of each class that it names as a base."""
    names = imported(SOURCES[module])
    return [
        (node.name, names.get(base.id, module))
        for node in ast.walk(SOURCES[module])
        if isinstance(node, ast.ClassDef)
        for written in node.bases
        if isinstance(base := written.value if isinstance(written, ast.Subscript) else written, ast.Name)
    ]


def test_the_list_is_by_room_and_names_each_once() -> None:
    assert sorted(set(COMPILED), key=lambda name: (name.rpartition(".")[0], name)) == COMPILED


def test_the_parents_of_a_class_are_found() -> None:
    """So the next test can fail: a class and its base in different modules."""
    assert ("GrpcCall", "proxy.http2.engine.streams") in parents("proxy.console.server.grpc_call")


def test_no_interpreted_class_inherits_from_a_compiled_one() -> None:
    """mypyc makes such a class, and raises TypeError where an object of it is made: in use, not at the start."""
    compiled = set(COMPILED)
    assert [
        f"{module}.{name}"
        for module in SOURCES
        if module not in compiled
        for name, parent in parents(module)
        if parent in compiled
    ] == []


def test_no_compiled_class_has_the_base_abc() -> None:
    """Compiled, its objects would have a dictionary, and each look at an attribute a check (docs/decisions/007)."""
    assert [f"{module}.{name}" for module in COMPILED for name, parent in parents(module) if parent == "abc"] == []
