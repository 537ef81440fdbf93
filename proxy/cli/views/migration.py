"""`ops-sidecar migration`: who still sends and needs which format, and what can be switched off."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.cli.help import parser
from proxy.cli.views.client import add_console_flags, answering, console_of, show_json
from proxy.cli.views.tables import clock, table

_WORDS = {"true": "SAFE", "soon": "WAIT", "false": "NOT YET"}


def run(argv: Sequence[str]) -> int:
    """Show the verdicts and the counts. 0: shown; 1: the console does not answer."""
    arguments_parser = parser("migration")
    add_console_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)

    def work() -> int:
        said = console_of(arguments).get("/migration")
        if arguments.json:
            show_json(said)
            return 0
        print(said["sentence"])
        if said["gap"] and said["gap"] != said["sentence"]:
            print(said["gap"])
        for one in said["verdicts"]:
            print(f"\n{_WORDS.get(str(one['safe']).lower(), '?'):8} {one['sentence']}\n         {one['why']}")
            if one["lost"]:
                print(f"         Would be lost: {'; '.join(one['lost'])}.")
            if one["change"]:
                print(f"         {one['change']}")
        for one in said["shadow"]:
            print(f"\nSHADOW   {one['sentence']}")
        if said["cells"]:
            rows = [
                (
                    one["peer"],
                    one["role"],
                    one["format"],
                    f"{one['count']:,}",
                    clock(one["last"]) if one["last"] else "",
                )
                for one in said["cells"]
            ]
            print("\n".join(["", *table(("peer", "", "format", "requests", "last"), rows, right=(3,))]))
        return 0

    return answering("migration", work)
