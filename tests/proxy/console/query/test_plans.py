"""What each sidecar would write to each upstream, and the explanation that asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet

from proxy.console.query.plans import upstreams

ONE: dict[str, Any] = {"name": "app", "inject": ["b3"], "extract": ["jaeger"], "egress": {"session": False}}


@pytest.fixture
def console() -> Iterator[Console]:
    with fleet() as (_, made):
        yield made


def add(console: Console, instance: str, plan: Any, *, service: str = "shop", seen: int = 1, ended: int = 0) -> None:
    console.connection.execute(
        "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, ended, plan) "
        "VALUES (?, ?, '', '', '', 0, ?, ?, ?)",
        (instance, service, seen, ended, json.dumps(plan) if plan is not None else None),
    )


def test_an_upstream_of_each_service(console: Console) -> None:
    add(console, "a", {"upstreams": [ONE, {"name": "bank", "inject": [], "extract": []}]})
    add(console, "b", {}, service="other")
    assert upstreams(console.reader, 0) == [
        {
            "sidecar": "shop",
            "name": "app (shop)",
            "inject": ["b3"],
            "extract": ["jaeger"],
            "egress": {"session": False},
        },
        {"sidecar": "shop", "name": "bank", "inject": [], "extract": [], "egress": {}},
    ]


def test_of_replicas_that_run_the_one_heard_last_counts(console: Console) -> None:
    for seen, name in ((2, "two"), (3, "three"), (1, "one")):
        add(console, name, {"upstreams": [ONE | {"name": name}]}, seen=seen)
    add(console, "ended", {"upstreams": [ONE]}, seen=9, ended=1)
    add(console, "silent", None, seen=9)
    assert [one["name"] for one in upstreams(console.reader, 0)] == ["three"]


def test_100_services_and_500_upstreams_are_told(console: Console) -> None:
    for number in range(101):
        add(console, str(number), {"upstreams": [ONE] * 4}, service=f"s{number:03}")
    found = upstreams(console.reader, 0)
    assert (len(found), found[-1]["sidecar"]) == (400, "s099")
    add(console, "many", {"upstreams": [ONE] * 101}, service="s000", seen=9)
    assert len(upstreams(console.reader, 0)) == 497
    add(console, "more", {"upstreams": [ONE] * 105}, service="s000", seen=10)
    assert len(upstreams(console.reader, 0)) == 500
