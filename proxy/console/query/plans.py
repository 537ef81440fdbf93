"""What the plan of each reporting sidecar would write to each upstream: what Explain asks."""

from __future__ import annotations

import json
from typing import Any, Final, TypedDict

from proxy.console.store.reader import Reader
from proxy.console.store.senders import RUNNING

_MOST_SERVICES: Final = 100
_MOST: Final = 500


class Upstream(TypedDict):
    """An upstream of one sidecar. `egress`: what may leave for it; a missing key: all."""

    sidecar: str
    name: str
    inject: list[str]
    extract: list[str]
    egress: dict[str, Any]


def upstreams(reader: Reader, now_ns: int) -> list[Upstream]:
    """Of every service whose sidecars report their plan; of several replicas, the one heard last counts."""
    rows = reader.all(
        "SELECT service, plan, max(seen) FROM sidecars WHERE plan IS NOT NULL AND ended = ? GROUP BY service "
        "ORDER BY service LIMIT ?",
        (RUNNING, _MOST_SERVICES),
    )
    found: list[Upstream] = []
    for service, text, _ in rows:
        plan = json.loads(text)
        for one in plan.get("upstreams", ()):
            found.append(
                {
                    "sidecar": service,
                    "name": f"app ({service})" if one["name"] == "app" else one["name"],
                    "inject": one["inject"],
                    "extract": one["extract"],
                    "egress": one.get("egress", {}),
                }
            )
    return found[:_MOST]
