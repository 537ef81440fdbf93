"""`ops-sidecar trace ID`: one trace as a waterfall."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from proxy.cli.help import parser
from proxy.cli.views.client import ConsoleError, add_console_flags, answering, console_of, show_json
from proxy.cli.views.tables import bar, cut, hop, length, printable

Span = Mapping[str, Any]
_MOST_LINES = 500


def run(argv: Sequence[str]) -> int:
    """Show one trace. 0: shown; 1: it is not there, or the console does not answer."""
    arguments_parser = parser("trace")
    arguments_parser.add_argument("id", help="trace id: 32 hex digits, or 16")
    arguments_parser.add_argument("--otlp", action="store_true", help="print OTLP/JSON, as `POST /v1/traces` takes it")
    add_console_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)

    def work() -> int:
        console = console_of(arguments)
        said = console.get(f"/traces/{quote(arguments.id, safe='')}", format="otlp" if arguments.otlp else "")
        if said is None:
            raise ConsoleError(f"the trace {arguments.id} is not at {console.url}")
        if arguments.json or arguments.otlp:
            show_json(said)
            return 0
        print("\n".join(waterfall(said, shutil.get_terminal_size((100, 0)).columns)))
        print(console.page(f"/traces/{said['id']}"))
        return 0

    return answering("trace", work)


def waterfall(trace: Mapping[str, Any], columns: int) -> Iterator[str]:
    """Lines of a terminal that is `columns` wide."""
    yield f"{printable(trace['root']['service'])} {printable(trace['title'])}"
    yield trace["sentence"]
    yield ""
    names = max(24, min(60, columns // 2))
    line = max(10, columns - names - 12)
    spans = trace["spans"]
    for number, (depth, span) in enumerate(in_order(spans)):
        if number >= _MOST_LINES:
            yield f"and {len(spans) - number} more spans"
            break
        mark = "!" if span["status"] == "error" else "?" if span.get("missing") else " "
        formats = f" [{hop(span['in'], span['out'])}]" if span.get("in") or span.get("out") else ""
        text = printable(f"{mark}{'  ' * min(depth, 12)}{span['service']} {span['name']}{formats}")
        drawn = bar(span["start"], span["ms"], trace["ms"], line)
        yield f"{cut(text, names):{names}} {length(span['ms']):>8} {drawn}".rstrip()


def in_order(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Depth and span, parents first, children by their start. Those of a circle come last."""
    there = {span["id"] for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span["start"]):
        parent = span["parent"] if span["parent"] in there else None
        children.setdefault(parent, []).append(span)
    seen: set[str] = set()
    todo = [(0, span) for span in reversed(children.get(None, []))]
    while todo:
        depth, span = todo.pop()
        if span["id"] in seen:
            continue
        seen.add(span["id"])
        yield depth, span
        todo += [(depth + 1, child) for child in reversed(children.get(span["id"], []))]
    yield from ((0, span) for span in spans if span["id"] not in seen)
