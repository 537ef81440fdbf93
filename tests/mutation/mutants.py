"""Small faults put into a source text, one at a time. Pure: text in, mutants out.

A mutant is one replacement of a stretch of the text. What the interpreter or a type checker would find anyway is left
out: annotations, imports, `__slots__`, names of modules. So is what no test should assert: docstrings, assertions, and
the names of tasks and threads, which debuggers alone show. And what means the same: a `return` without a value that
nothing follows, and what `same` lists.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mutation.same import means_the_same

COMPARED = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
OPAQUE = (ast.Import, ast.ImportFrom, ast.Assert, ast.JoinedStr, ast.Global, ast.Nonlocal)


@dataclass(frozen=True)
class Mutant:
    """`text[start:end]` becomes `replacement`."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    replacement: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.replacement + text[self.end :]

    def diff(self, text: str) -> str:
        lines = difflib.unified_diff(text.splitlines(), self.apply(text).splitlines(), self.path, self.path, "", "", 1)
        return "\n".join(line.rstrip("\n") for line in lines)


class _Text:
    """A source text by line and column, as `ast` counts them (columns are bytes of UTF-8)."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.at(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.expr | ast.stmt, kind: str, replacement: str) -> Mutant:
        """The whole of `node` becomes `replacement`."""
        return Mutant(self.path, node.lineno, kind, self.start(node), self.end(node), replacement)

    def between(self, left: ast.expr, right: ast.expr, word: str, kind: str, replacement: str) -> Iterator[Mutant]:
        """The operator `word` between two operands becomes `replacement`."""
        begin = self.end(left)
        pattern = r"\s+".join(map(re.escape, word.split()))
        pattern = rf"\b{pattern}\b" if word.isalpha() or " " in word else pattern
        gap = re.sub(r"#.*", lambda comment: " " * len(comment[0]), self.text[begin : self.start(right)])
        if found := re.search(pattern, gap):
            yield Mutant(self.path, left.lineno, kind, begin + found.start(), begin + found.end(), replacement)


def mutants(path: str, text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of the text."""
    tree = ast.parse(text)
    found = list(_walk(_Text(path, text), tree, in_function=False))
    source = _Text(path, text)
    same = {source.start(one) for one in _needless_returns(tree)}
    found = [one for one in found if one.kind != "return removed" or one.start not in same]
    lines = text.splitlines()
    kept = [
        one
        for one in found
        if not re.search(r"# (noqa|pragma|type: ignore)", lines[one.line - 1])
        and not means_the_same(path, lines[one.line - 1], one.replacement)
    ]
    return sorted(kept, key=lambda one: (one.start, one.end, one.replacement))


def _needless_returns(tree: ast.AST) -> Iterator[ast.stmt]:
    """Each `return` without a value that is the last of its function: without it, the function ends as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _last(node.body)


def _last(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for last in body[-1:]:
        if isinstance(last, ast.Return):
            yield last
        elif isinstance(last, ast.If):
            yield from _last(last.body)
            yield from _last(last.orelse)
        elif isinstance(last, ast.With | ast.AsyncWith):
            yield from _last(last.body)
        elif isinstance(last, ast.Try):
            for handler in last.handlers:
                yield from _last(handler.body)
            yield from _last(last.orelse or last.body)


def _walk(text: _Text, node: ast.AST, *, in_function: bool) -> Iterator[Mutant]:
    if isinstance(node, OPAQUE) or _is_slots(node) or _is_for_types(node) or _is_docstring(node):
        return
    if isinstance(node, ast.expr):
        yield from _of_expression(text, node)
    elif isinstance(node, ast.stmt) and in_function:
        yield from _of_statement(text, node)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        children = value if isinstance(value, list) else [value]
        if name == "args" and _is_cast(node):
            children = children[1:]
        inside = in_function or (name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        for child in children:
            if isinstance(child, ast.AST) and not _is_name_for_debuggers(node, child):
                yield from _walk(text, child, in_function=inside)


def _of_expression(text: _Text, node: ast.expr) -> Iterator[Mutant]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, node.comparators, strict=False):
            word, other = COMPARED[type(operator)]
            yield from text.between(left, right, word, "comparison", other)
    elif isinstance(node, ast.BoolOp):
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from text.between(left, right, word, "boolean", other)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        operand = text.text[text.start(node.operand) : text.end(node.operand)]
        yield text.of(node, "not removed", f"bool({operand})")
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            for step in (1, -1):
                yield text.of(node, "constant", f"({value + step!r})")
        elif isinstance(value, str | bytes) and value:
            yield text.of(node, "string", repr(_other_word(value)))


def _other_word(value: str | bytes) -> str | bytes:
    """`value` with its first letter or, where it has none, its end changed."""
    if isinstance(value, bytes):
        changed = _other_word(value.decode("latin-1"))
        assert isinstance(changed, str)
        return changed.encode("latin-1")
    position = next((index for index, char in enumerate(value) if char.isalpha() and char.isascii()), None)
    if position is None:
        return value + "x"
    return value[:position] + ("q" if value[position] != "q" else "z") + value[position + 1 :]


def _of_statement(text: _Text, node: ast.stmt) -> Iterator[Mutant]:
    if isinstance(node, ast.Return):
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
            yield text.of(node.value, "return swapped", repr(not node.value.value))
        elif node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield text.of(node, "return removed", "pass")
        else:
            yield text.of(node.value, "return None", "None")
    elif isinstance(node, ast.If | ast.While):
        if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
            condition = text.text[text.start(node.test) : text.end(node.test)]
            yield text.of(node.test, "condition negated", f"not ({condition})")
    elif isinstance(node, ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom)):
            yield text.of(node, "statement removed", "pass")
    elif isinstance(node, ast.Assign) and all(isinstance(to, ast.Attribute | ast.Subscript) for to in node.targets):
        yield text.of(node, "statement removed", "pass")


def _is_docstring(node: object) -> bool:
    """Of a module, a class, a function, or, below its name, of an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_slots(node: ast.AST) -> bool:
    names = {"__slots__", "__all__", "T", "P", "R"}
    return isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in names for to in node.targets)


def _is_cast(node: ast.AST) -> bool:
    """`cast("...", value)`: its first argument is an annotation."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast"


def _is_name_for_debuggers(node: ast.AST, child: ast.AST) -> bool:
    """`create_task(..., name="drain")`, `Thread(..., name="writer")`, `ThreadPoolExecutor(thread_name_prefix="x")`."""
    if not (isinstance(node, ast.Call) and isinstance(child, ast.keyword)):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return child.arg == "thread_name_prefix" or (child.arg == "name" and called in ("create_task", "Thread"))


def _is_for_types(node: ast.AST) -> bool:
    """`if TYPE_CHECKING` or `TypeVar("...")`."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("TypeVar", "ParamSpec")
