"""A trace as people read it on a terminal: a tree with clock time, durations, what failed and where. Pure.

May know: Node and its arrangement. Must not know spans, streams or the environment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, tzinfo
from typing import Final

from ops_lib.export.trace_text import Line, Node, arrange, duration

# Shown by the line itself, or by its title.
_QUIET: Final = frozenset({"code.function.name", "session.id", "error.type"})

_RESET, _BOLD, _DIM, _RED, _CYAN = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[36m"


def draw(
    nodes: list[Node],
    *,
    colour: bool,
    dropped: int = 0,
    running: Collection[int] = (),
    zone: tzinfo | None = None,
) -> str:
    """The text of one trace, with a title, ending in a newline.

    `running`: the ids of spans that have not ended; their `end` is now. `zone`: of the clock time (default: local).
    """
    paint = _painted if colour else _plain
    first = min(nodes, key=lambda node: node.start)
    length = max(node.end for node in nodes) - first.start
    count = f"{len(nodes)} span{'s' if len(nodes) > 1 else ''}" + (f", {len(running)} running" if running else "")
    title = f"{_clock(first.start, zone)} trace {first.trace_id:032x} · {count} · {duration(length)}"
    sessions = dict.fromkeys(str(node.attributes["session.id"]) for node in nodes if "session.id" in node.attributes)
    lines = [paint(" · ".join([title, *(f"session {safe(name)}" for name in sessions)]), _CYAN)]
    known: dict[int | None, Node] = {node.span_id: node for node in nodes}
    for line in arrange(nodes):
        node = line.node
        name = paint(safe(node.name), _RED if node.error is not None else _BOLD)
        took = duration(node.end - node.start) + (" and running" if node.span_id in running else "")
        text = f"{paint(line.branches, _DIM)}{name} {paint(took, _DIM)}"
        if node.error is not None:
            text += paint(f" ✗ {safe(node.error)[:200]}", _RED)
        shown = {key: value for key, value in node.attributes.items() if key not in _QUIET}
        if shown:
            text += " " + paint(" ".join(f"{key}={safe(value)[:80]}" for key, value in shown.items()), _DIM)
        lines.append(text)
        lines.extend(paint(below, _DIM) for below in _events(line, known))
    if dropped:
        lines.append(paint(f"… {dropped} more spans", _DIM))
    return "\n".join(lines) + "\n"


def _events(line: Line, known: dict[int | None, Node]) -> Iterator[str]:
    """The lines of a span's events.
    A traceback is shown under the outermost span that its exception has left: there it is longest.
    """
    for event, attributes in line.node.events:
        if event != "exception":
            yield f"{line.below}· {safe(event)} {safe(attributes.get('message', ''))[:200]}".rstrip()
            continue
        if line.node.error is None:
            told = f"{attributes.get('exception.type', '')}: {attributes.get('exception.message', '')}"
            yield f"{line.below}· exception {safe(told)[:200]}"
        if not _is_above(line.node, attributes.get("exception.message"), known):
            for row in str(attributes.get("exception.stacktrace", "")).splitlines():
                yield f"{line.below}{safe(row)}"


def _is_above(node: Node, message: object, known: dict[int | None, Node]) -> bool:
    """Whether an exception with this message has left a span above `node`, too."""
    seen = {node.span_id}
    while (parent := known.get(node.parent_id)) is not None and parent.span_id not in seen:
        node = parent
        seen.add(node.span_id)
        if any(event == "exception" and said.get("exception.message") == message for event, said in node.events):
            return True
    return False


def _clock(time_ns: int, zone: tzinfo | None) -> str:
    """`14:03:22.123`."""
    return datetime.fromtimestamp(time_ns / 1e9, zone).strftime("%H:%M:%S.%f")[:-3]


def _painted(text: str, code: str) -> str:
    return f"{code}{text}{_RESET}"


def _plain(text: str, code: str) -> str:
    return text


def safe(value: object) -> str:
    """`value` as one line of text that cannot steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in str(value))
