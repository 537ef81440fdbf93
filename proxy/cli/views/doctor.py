"""`ops-sidecar doctor`: who breaks traces, and what to set."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.cli.help import parser
from proxy.cli.views.client import add_console_flags, answering, console_of, show_json
from proxy.cli.views.tables import table

_MARKS = {"ok": "ok", "warn": "some", "fail": "BAD", "unseen": "–"}


def run(argv: Sequence[str]) -> int:
    """Show every service and what was found. 0: shown; 1: the console does not answer."""
    arguments_parser = parser("doctor")
    arguments_parser.add_argument("--service", help="only this one")
    add_console_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)

    def work() -> int:
        console = console_of(arguments)
        said = console.get("/doctor")
        if arguments.json:
            show_json(said)
            return 0
        print(said["sentence"])
        services = [one for one in said["services"] if arguments.service in (None, one["name"])]
        if services:
            keys = [check[0] for check in said["checks"]]
            heads = ("service", "calls", *(check[1] for check in said["checks"]))
            rows = [
                (
                    one["name"],
                    f"{one['calls']:,}",
                    *(_MARKS.get(one["checks"].get(key, {}).get("state", ""), "–") for key in keys),
                )
                for one in services
            ]
            print("\n".join(["", *table(heads, rows, right=(1,))]))
        for one in said["findings"]:
            if arguments.service not in (None, one["service"]):
                continue
            print(f"\n{one['sentence']}\n  {one['bad']:,} of {one['of']:,} {one['counted']}.")
            print("\n".join(f"  {text}" for text in (one["saved"], one["fix"]) if text))
            for row in one["proof"][:3]:
                print(f"  proof: {console.page('/requests/' + row['id'])}")
        return 0

    return answering("doctor", work)
