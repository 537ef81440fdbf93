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
        for one in plan.get("upstreams") or []:
            if isinstance(one, dict) and isinstance(one.get("inject"), list) and isinstance(one.get("extract"), list):
                found.append(
                    {
                        "sidecar": service,
                        "name": f"app ({service})" if one.get("name") == "app" else str(one.get("name")),
                        "inject": [str(each) for each in one["inject"]],
                        "extract": [str(each) for each in one["extract"]],
                        "egress": {
                            cargo: hosts
                            for cargo, hosts in (one.get("egress") or {}).items()
                            if isinstance(hosts, list)
                        },
                    }
                )
    return found[:_MOST]
