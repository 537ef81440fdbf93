"""`ops-sidecar traces`: the list of traces."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.cli.help import parser
from proxy.cli.views.client import add_console_flags, answering, console_of, show_json
from proxy.cli.views.tables import clock, cut, length, table


def run(argv: Sequence[str]) -> int:
    """Show a page of traces. 0: shown; 1: the console does not answer."""
    arguments_parser = parser("traces")
    arguments_parser.add_argument("filter", nargs="*", help="terms of the filter language; all of them have to fit")
    arguments_parser.add_argument("--limit", type=int, default=20, help="most lines (default 20, at most 500)")
    arguments_parser.add_argument("--before", metavar="NEXT", help="go on from the `next` of a former answer")
    add_console_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)

    def work() -> int:
        console = console_of(arguments)
        said = console.get("/traces", q=" ".join(arguments.filter), limit=arguments.limit, before=arguments.before)
        if arguments.json:
            show_json(said)
            return 0
        if said["error"]:
            print(said["error"])
        rows = [
            (
                row["id"],
                clock(row["start"]),
                length(row["ms"]),
                row["errors"] or "",
                cut(f"{row['root']['service']} {row['title']}", 40),
                cut(" ".join(f"{one['name']}·{one['spans']}" for one in row["services"]), 40),
                " ".join(row["notes"]),
            )
            for row in said["items"]
        ]
        if rows:
            heads = ("trace", "began", "took", "err", "what", "services", "notes")
            print("\n".join(table(heads, rows, right=(2, 3))))
        print(said["sentence"])
        if said["next"]:
            print(f"More: --before {said['next']}, or {console.page('/traces')}")
        return 0

    return answering("traces", work)
