"""What config/compose/migration.yml promises (`engine` says how it is checked): at each step the trace stays whole.

It runs what is in config/compose/migration/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine import COMPOSE, UP, get_json, output, python_in, run, until, url

FOLDER = Path(__file__).parents[2] / "config" / "compose" / "migration"
FILES = (
    "compose/migration/1-shadow.env",
    "compose/migration/1-shadow.yaml",
    "compose/migration/2-translate.env",
    "compose/migration/2-translate.yaml",
    "compose/migration/3-mirror.env",
    "compose/migration/3-mirror.yaml",
    "compose/migration/4-w3c.env",
    "compose/migration/4-w3c.yaml",
)  # of config/, all of them run here
TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
B3 = {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"}
OPTIONAL = {"tracestate", "x-b3-parentspanid"}


def step(name: str, **environ: str) -> None:
    """Take it, as the file says. What the shell sets counts more than the step's own file."""
    output(*COMPOSE, "--env-file", str(FOLDER / f"{name}.env"), *UP, environ=environ)


def visit() -> list[dict[str, Any]]:
    """The hops of one request; the trace is whole, or this fails."""
    answer = get_json(f"{url('shop', 9080)}/checkout", {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"})
    hops: list[dict[str, Any]] = answer["hops"]
    assert not answer["errors"], answer["errors"]
    assert [hop["service"] for hop in hops] == ["shop", "orders", "shop"], hops
    assert {hop["trace_id"] for hop in hops} == {TRACE_ID}, hops
    return hops


def what_orders_saw() -> set[str]:
    return {name.lower() for name, _ in visit()[1]["saw"]} - OPTIONAL


def shadow_counts_what_would_differ() -> None:
    """The service gets B3, from callers that send B3; W3C is only thought of."""
    step("1-shadow")
    assert what_orders_saw() == B3
    code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9082/shadow').read().decode())"
    told = json.dumps(json.loads(python_in("orders-sidecar", code)))
    assert '"headers"' in told, told
    assert "traceparent" in told, told


def translate_gives_b3_to_the_service() -> None:
    """Callers send W3C."""
    step("2-translate")
    assert what_orders_saw() == B3


def mirror_gives_each_version_what_it_speaks() -> None:
    """The old version still gets B3, the new one W3C, and after a roll-back B3 again."""
    for speaks, seen in (("b3multi", B3), ("tracecontext", {"traceparent"}), ("b3multi", B3)):
        step("3-mirror", ORDERS_SPEAKS=speaks)
        until(f"a version that speaks {speaks} gets something else", lambda seen=seen: what_orders_saw() == seen)


def w3c_alone_is_left() -> None:
    """B3 is neither written nor read."""
    step("4-w3c")
    assert what_orders_saw() == {"traceparent"}


CHECKS = (
    shadow_counts_what_would_differ,
    translate_gives_b3_to_the_service,
    mirror_gives_each_version_what_it_speaks,
    w3c_alone_is_left,
)

if __name__ == "__main__":
    raise SystemExit(run("migration", CHECKS))
