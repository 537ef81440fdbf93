"""A YAML text as plain values, with the line of every key. Pure: the text is an argument.

Reads the core schema of YAML 1.2, not 1.1: `off`, `no` and `on`
are text, `12:30` is not a number, `2026-01-01` is not a date.
A duplicate key is an error; PyYAML would silently keep the last.
The depth and number of values are bounded, with and without expanding aliases.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from proxy.errors import SettingsProblem

Path = tuple[str, ...]
_MAX_DEPTH = 32
_MAX_VALUES = 50_000  # more than two thousand upstreams with ten keys each
_MAX_NODES = 2 * _MAX_VALUES  # a key is a node, too
_TOO_MANY = f"more than {_MAX_VALUES} values"


class YamlText:
    """A file's contents: its values, the 1-based line of every path, and its problems.

    Not a dataclass: a health check would pay for the import.
    """

    __slots__ = ("data", "lines", "problems")

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.lines: dict[Path, int] = {}
        self.problems: list[SettingsProblem] = []


class _Loader(yaml.SafeLoader):
    """The core schema's implicit types only (YAML 1.2, section 10.3.2)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As in PyYAML, which recurses for every level; MarkedYAMLError if there are too many."""
        self._depth += 1
        self._nodes += 1
        if self._depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            what = f"nested deeper than {_MAX_DEPTH} levels" if self._depth > _MAX_DEPTH else _TOO_MANY
            raise yaml.MarkedYAMLError(problem=what, problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]  # PyYAML's own
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    ("int", r"[-+]?[0-9]+\Z", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
    ("merge", r"<<\Z", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def read_yaml(text: str, name: str) -> YamlText:
    """Read `text`, the contents of the file `name` (for the sources). Problems are collected, nothing is raised."""
    result = YamlText()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = _mark(error, text)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        wrong = _line(text, mark.line) if mark else ""
        result.problems.append(SettingsProblem("(yaml)", wrong, where, _why(error)))
        return result
    except yaml.YAMLError as error:  # a character that YAML forbids
        result.problems.append(SettingsProblem("(yaml)", "", name, _why(error)))
        return result
    if node is None:
        return result
    if not isinstance(node, yaml.MappingNode):
        where = f"{name}:{node.start_mark.line + 1}"
        message = "expected keys with values, such as `inbound: {listen: ...}`"
        result.problems.append(SettingsProblem("(yaml)", _line(text, node.start_mark.line), where, message))
        return result
    result.data = _Reader(result, name).whole(node)
    return result


def cut_off(text: str, before: str) -> str | None:
    """Why `text` is probably not the complete new version of the file that held `before`; None if it may be.

    A file that is being written may be empty. Only `...` (YAML 1.2, section 9.1.2) marks the end of a file.
    """
    if _content(before) and not _content(text):
        return "the file has no settings now; to use the default of every key, write {}"
    if _is_ended(before) and not _is_ended(text):
        return "the file ended with `...` at the last reading but does not now, so it is incomplete"
    return None


def _content(text: str) -> list[str]:
    """The lines with more than white space, a comment or a document marker."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#") and line not in ("---", "...")]


def _is_ended(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return bool(lines) and lines[-1].split("#")[0].rstrip() == "..."


def read_value(text: str) -> Any:
    """One value written as YAML, such as `[a, b]` or `{a: 1}`. Raises ValueError if it is not one."""
    result = YamlText()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(_why(error)) from None
    value = _Reader(result, "").whole(node) if node is not None else None
    if result.problems:
        raise ValueError(result.problems[0].message)
    return value


def _mark(error: yaml.MarkedYAMLError, text: str) -> yaml.Mark | None:
    """The position of the error; for something without an end, the position of its beginning."""
    mark = error.problem_mark or error.context_mark
    is_at_the_end = mark is not None and not _line(text, mark.line)
    return error.context_mark if is_at_the_end and error.context_mark else mark


def _why(error: yaml.YAMLError) -> str:
    problem = error.problem or error.context if isinstance(error, yaml.MarkedYAMLError) else str(error).splitlines()[0]
    hint = "; indent with spaces" if "'\\t'" in str(problem) else ""
    return f"not valid YAML: {problem}{hint}"


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number].strip() if number < len(lines) else ""


class _TooManyError(Exception):
    """Aliases of aliases expand to more values than any settings have."""


class _Reader:
    """Turns nodes into values, noting lines and problems in one YamlText."""

    def __init__(self, result: YamlText, name: str) -> None:
        self._result = result
        self._name = name
        self._scalars = yaml.constructor.SafeConstructor()
        self._values = 0

    def whole(self, node: yaml.Node) -> Any:
        """The values of the text; nothing if there are too many."""
        try:
            return self.value(node, (), 0)
        except _TooManyError:
            self._result.lines.clear()
            self._result.problems.clear()
            self._problem((), "", node, f"{_TOO_MANY}, including expanded aliases")
            return {}

    def _problem(self, path: Path, value: str, node: yaml.Node, message: str) -> None:
        source = f"{self._name}:{node.start_mark.line + 1}"
        self._result.problems.append(SettingsProblem(".".join(path) or "(yaml)", value, source, message))

    def mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        """A mapping; `<<` merges another one in, weaker than the keys beside it."""
        data: dict[str, Any] = {}
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged = self.value(value_node, path, depth + 1)
                for part in merged if isinstance(merged, list) else [merged]:
                    if isinstance(part, dict):
                        data = {**part, **data}
                    else:
                        self._problem((*path, "<<"), str(part), key_node, "expected a mapping to merge in")
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, "", key_node, "a key must be a word")
                continue
            key = str(key_node.value)
            if key in seen:
                value = str(value_node.value) if isinstance(value_node, yaml.ScalarNode) else "(section)"
                first = self._result.lines[(*path, key)]
                self._problem((*path, key), value, key_node, f"duplicate key, first on line {first}")
                continue
            seen.add(key)
            self._result.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.value(value_node, (*path, key), depth + 1)
        return data

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        """Whatever `node` is. Raises _TooManyError."""
        self._values += 1
        if self._values > _MAX_VALUES:
            raise _TooManyError
        if depth > _MAX_DEPTH:  # also an alias that contains itself
            self._problem(path, "", node, f"nested deeper than {_MAX_DEPTH} levels")
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self._result.lines[(*path, str(index))] = item.start_mark.line + 1
                items.append(self.value(item, (*path, str(index)), depth + 1))
            return items
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._problem(path, str(node.value), node, f"not a value of the type {node.tag}")
            return None
