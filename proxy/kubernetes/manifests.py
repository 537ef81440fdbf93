"""Manifests as text: reads a stream of YAML or JSON documents, and writes it back with edits.

What no edit touches stays as it is, byte for byte. In a document that changes, comments, order and quotes stay.
May know ruamel.yaml. Must not know what the edits are for.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

from proxy.kubernetes.injection.edits import Edit, Path, apply, plain
from proxy.kubernetes.injection.workloads import KINDS

_SEPARATOR: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_KINDS: Final = "|".join(sorted(KINDS))
_IS_OURS: Final = re.compile(rf"""["']?kind["']?\s*:\s*["']?(?:{_KINDS})\b""")
_ITEM: Final = re.compile(r"^( *)(?:- )?[^\s#:'\"-][^#:]*:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*( *)- ", re.MULTILINE)
# What readers of YAML 1.1 take for something else than text, as Kubernetes' reader does, or for YAML's own signs.
_NEEDS_QUOTES: Final = re.compile(
    r"""|[-+.0-9].*|y|n|yes|no|on|off|true|false|null|~|[\s!&*?|>@%`'"{}\[\],#:=].*|.*(?:: |:$| \#|\s$).*""",
    re.IGNORECASE,
)
MOST_BYTES: Final = 64 * 1024 * 1024


class ManifestError(Exception):
    """A document cannot be read; the message says which, where and why."""


class Manifests:
    """A stream of documents. `values` has one for each; None for those that nobody needs to look into."""

    def __init__(self, text: str) -> None:
        """Read `text`. Raises ManifestError."""
        self._mark = "\ufeff" if text.startswith("\ufeff") else ""
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._texts = _split(text.removeprefix("\ufeff").replace("\r\n", "\n"))
        self.values: list[Any] = []
        line = 1
        for number, one in enumerate(self._texts, 1):
            self.values.append(_read(one, number, line) if _IS_OURS.search(one) else None)
            line += one.count("\n")

    def with_edits(self, edits: Mapping[int, Sequence[Edit]]) -> str:
        """The stream, edited. The documents change: ask once."""
        texts = []
        for number, text in enumerate(self._texts):
            if edits.get(number):
                for edit in edits[number]:
                    _stand_alone(self.values[number], edit.path[:-1])
                    apply(self.values[number], [edit], _as_yaml)
                text = _write(text, self.values[number])
            texts.append(text)
        return self._mark + "".join(texts).replace("\n", self._newline)


def _split(text: str) -> list[str]:
    """The documents, each with the separator before it."""
    starts = [found.start() for found in _SEPARATOR.finditer(text)]
    cuts = sorted({0, *starts, len(text)})
    return [text[start:end] for start, end in itertools.pairwise(cuts)]


def _yaml(text: str) -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    yaml.brace_single_entry_mapping_in_flow_sequence = True  # [{a: 1}], which else becomes [a: 1]
    found = _ITEM.search(text)
    is_flush = found is not None and len(found.group(2)) == len(found.group(1))
    yaml.indent(mapping=2, sequence=2 if is_flush else 4, offset=0 if is_flush else 2)
    return yaml


def _read(text: str, number: int, line: int) -> Any:
    try:
        return _yaml(text).load(text)
    except YAMLError as error:
        mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
        where = f"line {line + mark.line}, column {mark.column + 1}" if mark is not None else f"line {line}"
        problem = error.problem or error.context if isinstance(error, MarkedYAMLError) else str(error).splitlines()[0]
        raise ManifestError(f"document {number}, {where}: not valid YAML: {problem}") from None


def _write(text: str, value: Any) -> str:
    """`value` as text, between the separator and the directives that `text` has."""
    if text.lstrip("- \n").startswith("{") and isinstance(value, CommentedMap) and value.fa.flow_style():
        return _as_json(text, value)
    out = io.StringIO()
    _yaml(text).dump(value, out)
    written = out.getvalue()
    first = text.partition("\n")[0]
    return f"{first}\n{written}" if first.startswith("---") and not written.startswith("---") else written


def _stand_alone(document: Any, path: Path) -> None:
    """What an alias shares becomes a copy along `path`, so that an edit changes it there alone."""
    for step in path:
        inner = document[step]
        if isinstance(inner, CommentedMap | CommentedSeq) and inner.anchor.value is not None:
            inner = copy.deepcopy(inner)
            inner.yaml_set_anchor(None)
            document[step] = inner
        document = inner


def _as_json(text: str, value: Any) -> str:
    """JSON stays JSON, with the indentation that it had."""
    found = re.search(r"\{\n( +)", text)
    start = text[: text.index("{")]
    return f"{start}{json.dumps(plain(value), indent=len(found.group(1)) if found else None, ensure_ascii=False)}\n"


def _as_yaml(value: Any) -> Any:
    """Plain values as ruamel.yaml writes them: text in quotes where any reader could take it for something else."""
    if isinstance(value, dict):
        return CommentedMap((key, _as_yaml(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq([_as_yaml(item) for item in value])
    if isinstance(value, str) and _NEEDS_QUOTES.fullmatch(value):
        return SingleQuotedScalarString(value) if '"' in value else DoubleQuotedScalarString(value)
    return value
