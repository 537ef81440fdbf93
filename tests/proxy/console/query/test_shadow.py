"""What the shadows of sidecars would change, added up over replicas, in sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gates.fleet import fleet
from lab.answers import check

from proxy.console.query.shadow import shadow
from proxy.console.server.schemas import SCHEMAS

Tell = Callable[..., list[dict[str, Any]]]
ROUTE: dict[str, Any] = {"listener": "inbound", "upstream": "app"}


@pytest.fixture
def tell() -> Iterator[Tell]:
    """Sidecars, each with its routes, its settings and its service; answers what is told of their shadows."""
    with fleet() as (_, console):
        count = iter(range(10_000))

        def told(*routes: Any, service: str = "shop", ended: int = 0, tried: Any = None) -> list[dict[str, Any]]:
            number = next(count)
            console.connection.execute(
                "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, ended, shadow, settings) "
                "VALUES (?1, ?2, '', '', '', 0, ?1, ?3, ?4, ?5)",
                (number, service, ended, json.dumps(routes), json.dumps(tried) if tried is not None else None),
            )
            said = shadow(console.reader)
            check(SCHEMAS["Migration"]["properties"]["shadow"], said)
            return said

        yield told


def counted(**counts: int) -> dict[str, Any]:
    return ROUTE | {"counts": counts}


def setting(key: str, value: object, source: str = "file") -> dict[str, Any]:
    return {"key": key, "value": value, "source": source}


def test_all_of_one(tell: Tell) -> None:
    headers = {"came": [["b3", "1"]], "goes": [["traceparent", "2"], ["odd"]], "would_go": [["b3", "1"]]}
    route = counted(same=1200, ids=3, headers=5) | {"examples": {"headers": {"at": 7, **headers}, "ids": {"at": 8}}}
    tried = [
        setting("inbound.propagation.shadow.inject", ["b3", "jaeger"]),
        setting("inbound.propagation.shadow.on_defer", "deny"),
        setting("inbound.propagation.shadow.extract", ["b3"], "default"),
        setting("inbound.propagation.inject", ["b3"]),
    ]
    as_if = ["inject: [b3, jaeger]", "on_defer: deny"]
    assert tell(route, tried=tried) == [
        {
            "service": "shop",
            "listener": "inbound",
            "upstream": "app",
            "as_if": as_if,
            "same": 1200,
            "differ": 5,
            "differences": [
                {
                    "what": "headers",
                    "words": "the names of headers",
                    "count": 5,
                    "example": {
                        "at": 7000,
                        "came": [{"name": "b3", "value": "1"}],
                        "goes": [{"name": "traceparent", "value": "2"}],
                        "would_go": [{"name": "b3", "value": "1"}],
                    },
                },
                {
                    "what": "ids",
                    "words": "trace or span id",
                    "count": 3,
                    "example": {"at": 8000, "came": [], "goes": [], "would_go": []},
                },
            ],
            "sentence": (
                "At least 5 requests to the app of shop would differ with inject: [b3, jaeger] and on_defer: deny: "
                "trace or span id (3) and the names of headers (5). 1,200 would not."
            ),
        }
    ]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("headers", "the names of headers"),
        ("ids", "trace or span id"),
        ("decision", "the sampling decision"),
        ("tracestate", "tracestate"),
        ("session", "the session"),
        ("baggage", "baggage"),
        ("losses", "more lost than now"),
        ("error", "not known, by a fault of the sidecar"),
        ("later", "later"),
    ],
)
def test_each_difference_has_words(tell: Tell, what: str, words: str) -> None:
    (said,) = tell(counted(**{what: 1}))
    assert said["differences"] == [{"what": what, "words": words, "count": 1, "example": None}]
    assert said["sentence"] == f"1 request to the app of shop would differ: {words} (1). 0 would not."


@pytest.mark.parametrize(
    ("counts", "differ", "sentence"),
    [
        ({}, 0, "No request to bank was tried with inject: b3 yet."),
        ({"same": 1}, 0, "Nothing would change for bank with inject: b3: 1 request was tried."),
        ({"same": 2}, 0, "Nothing would change for bank with inject: b3: 2 requests were tried."),
        ({"ids": 2}, 2, "2 requests to bank would differ with inject: b3: trace or span id (2). 0 would not."),
    ],
)
def test_an_upstream_is_told_by_its_name(tell: Tell, counts: dict[str, int], differ: int, sentence: str) -> None:
    (said,) = tell({"listener": "out", "upstream": "bank", "counts": counts}, tried=[setting("a.shadow.inject", "b3")])
    assert (said["same"], said["differ"], said["sentence"]) == (counts.get("same", 0), differ, sentence)


def test_replicas_that_run_are_added_up(tell: Tell) -> None:
    tell(counted(same=1, ids=2) | {"examples": {"ids": {"at": 1}}}, tried=[setting("a.shadow.inject", "b3")])
    tell(counted(same=100, ids=100), ended=1)
    tell(counted(same=10, headers=30) | {"examples": {"ids": {"at": 2}}})
    (said,) = tell(ROUTE)
    assert (said["same"], said["differ"], said["as_if"]) == (11, 30, ["inject: b3"])
    assert [(one["what"], one["count"]) for one in said["differences"]] == [("headers", 30), ("ids", 2)]
    assert said["differences"][1]["example"]["at"] == 2000
    (said,) = tell(ROUTE, tried=[setting("a.shadow.inject", "jaeger")])
    assert said["as_if"] == ["inject: jaeger"]  # that of the one heard last


def test_the_most_different_comes_first_then_by_name(tell: Tell) -> None:
    def route(upstream: str, ids: int) -> dict[str, Any]:
        return {"listener": "out", "upstream": upstream, "counts": {"ids": ids, "same": 9 - ids}}

    tell(route("b", 1), route("a", 1), route("c", 5), service="shop")
    said = tell(route("z", 1), service="bank")
    assert [(one["service"], one["upstream"]) for one in said] == [
        ("shop", "c"), ("bank", "z"), ("shop", "a"), ("shop", "b"),
    ]  # fmt: skip


def test_what_is_told_is_bounded(tell: Tell) -> None:
    many = [setting(f"a.shadow.k{number:02}", "v" * 300) for number in range(21)]
    examples = {f"w{number}": {"at": number} for number in range(9)}
    route = ROUTE | {"counts": {f"w{number}": 1 for number in range(9)}, "examples": examples}
    (said,) = tell(route, tried=[*many, many[0]])
    assert said["as_if"] == [f"k{number:02}: {'v' * 195}" for number in range(20)]
    assert [one["example"] is not None for one in said["differences"]] == [True] * 8 + [False]


def test_at_most_500_are_told(tell: Tell) -> None:
    routes = [{"listener": "out", "upstream": f"u{number:03}", "counts": {"ids": 1}} for number in range(501)]
    assert [one["upstream"] for one in tell(*routes)] == [f"u{number:03}" for number in range(500)]


def test_500_sidecars_are_looked_at() -> None:
    with fleet() as (_, console):
        console.connection.executemany(
            "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, shadow) "
            "VALUES (?1, 'shop', '', '', '', 0, ?1, ?2)",
            [(number, json.dumps([counted(ids=1)])) for number in range(501)],
        )
        assert [one["differ"] for one in shadow(console.reader)] == [500]
