"""What the plan of each reporting sidecar would write to each upstream: what Explain asks."""

from __future__ import annotations

from typing import Any, TypedDict

from proxy.console.store.reader import Reader


class Upstream(TypedDict):
    """An upstream of one sidecar. `egress`: what may leave for it; a missing key: all."""

    sidecar: str
    name: str
    inject: list[str]
    extract: list[str]
    egress: dict[str, Any]


def upstreams(reader: Reader, now_ns: int) -> list[Upstream]:
    """Of every sidecar that reports its plan."""
    return []
