"""What is left of a document that a sidecar reports: each key that is known, and each edge of a leaf."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proxy.console.intake.shapes import DOCUMENTS, NUMBER, TEXT, TRUTH, UNFIT, VALUE, ListOf, MapOf, Record, fit

WHOLE: dict[str, Any] = {
    "ops.plan": {
        "generation": 1,
        "via": "v",
        "listeners": [{"name": "in", "leg": "in", "addresses": ["a"], "extract": ["b3"], "trust": ["t"]}],
        "upstreams": [
            {
                "name": "app", "extract": ["b3"], "inject": ["b3"], "target": "http://a", "mode": "translate",
                "baggage": "pass", "on_defer": "deny", "listener": "in", "egress": {"trace": ["*"]},
            }
        ],
    },
    "ops.settings": [{"key": "k", "source": "s", "value": [1], "default": None, "where": "w", "hot": True}],
    "ops.health": {
        "phase": "serving", "version": "1", "started": 1, "generation": 2, "cpu_s": 1.5, "rss_bytes": 3, "fds": 4,
        "ready": True,
        "buckets_s": [0.1],
        "exchanges": [{"listener": "in", "upstream": "app", "requests": [1], "counts": [2], "sum_s": 0.5}],
        "listeners": [{"name": "in", "open": 1, "limit": 2, "total": 3, "refused": 4}],
        "upstreams": [
            {
                "name": "app", "open": 1, "idle": 2, "limit": 3, "queued": 4, "connects": 5, "reused": 6,
                "failures": {"x": 7},
            }
        ],
        "exporters": [{"name": "e", "sent": 1, "waiting_bytes": 2, "dropped": {"full": 3}}],
        "reloads": [{"at": 1, "ok": False, "message": "m", "generation": 2}],
    },
    "ops.shadow": [
        {
            "listener": "in",
            "upstream": "app",
            "counts": {"same": 1},
            "examples": {
                "ids": {"at": 1, "came": [["a", "b"]], "goes": [["c", "d"]], "would_go": [["e", "f"]]},
            },
        }
    ],
    "ops.proofs": {"dropped": {"at": 1, "request": {"deep": [1]}}},
}  # fmt: skip
REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "ops.plan": (("listeners", "name"), ("upstreams", "name"), ("upstreams", "extract"), ("upstreams", "inject")),
    "ops.health": (
        ("exchanges", "listener"), ("exchanges", "upstream"), ("listeners", "name"), ("upstreams", "name"),
        ("exporters", "name"), ("reloads", "at"), ("reloads", "ok"), ("reloads", "message"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("event", sorted(DOCUMENTS))
def test_each_document_is_kept_whole(event: str) -> None:
    assert fit(DOCUMENTS[event], WHOLE[event]) == WHOLE[event]
    assert set(DOCUMENTS) == set(WHOLE)


@pytest.mark.parametrize(("event", "places"), [(event, place) for event, found in REQUIRED.items() for place in found])
def test_an_item_without_what_it_needs_is_left_out(event: str, places: tuple[str, str]) -> None:
    many, key = places
    (item,) = WHOLE[event][many]
    needed = {name for where, name in REQUIRED[event] if where == many}
    found = fit(DOCUMENTS[event], {many: [{name: one for name, one in item.items() if name != key}, item]})
    assert found == {many: [item]}
    least = {name: item[name] for name in needed}
    assert fit(DOCUMENTS[event], {many: [least]}) == {many: [least]}


@pytest.mark.parametrize(
    ("event", "key"), [("ops.settings", "key"), ("ops.settings", "source"), ("ops.shadow", "listener"),
                       ("ops.shadow", "upstream")],
)  # fmt: skip
def test_a_row_without_what_it_needs_is_left_out(event: str, key: str) -> None:
    (item,) = WHOLE[event]
    assert fit(DOCUMENTS[event], [{name: one for name, one in item.items() if name != key}]) == []


def test_an_example_needs_its_time() -> None:
    said = [{"listener": "in", "upstream": "app", "examples": {"a": {"came": []}, "b": {"at": 1}}}]
    assert fit(DOCUMENTS["ops.shadow"], said)[0]["examples"] == {"b": {"at": 1}}


@pytest.mark.parametrize(
    ("shape", "value", "left"),
    [
        (TEXT, "x" * 4096, "x" * 4096), (TEXT, "x" * 4097, "x" * 4096), (TEXT, 1, UNFIT), (TEXT, None, UNFIT),
        (TRUTH, True, True), (TRUTH, False, False), (TRUTH, 1, UNFIT), (TRUTH, None, UNFIT),
        (NUMBER, 0, 0), (NUMBER, -1.5, -1.5), (NUMBER, True, UNFIT), (NUMBER, "1", UNFIT), (NUMBER, None, UNFIT),
        (NUMBER, (1 << 53) - 1, (1 << 53) - 1), (NUMBER, 1 << 53, UNFIT), (NUMBER, 1 - (1 << 53), 1 - (1 << 53)),
        (NUMBER, -(1 << 53), UNFIT), (NUMBER, math.inf, UNFIT), (NUMBER, math.nan, UNFIT),
        (VALUE, None, None), (VALUE, [1, {}], [1, {}]),
        (ListOf(TEXT), ["a", 1, "b"], ["a", "b"]), (ListOf(TEXT), {"a": 1}, UNFIT), (ListOf(TEXT), "a", UNFIT),
        (ListOf(NUMBER), [0] * 5001, [0] * 5000),
        (MapOf(TEXT), {"a": "b", "c": 1}, {"a": "b"}), (MapOf(TEXT), ["a"], UNFIT),
        (MapOf(NUMBER), {"k" * 4097: 1}, {"k" * 4096: 1}),
        (MapOf(NUMBER), dict.fromkeys(map(str, range(5001)), 1), dict.fromkeys(map(str, range(5000)), 1)),
        (Record({"a": TEXT}, {"b": TEXT}), {"a": "x", "b": 1, "c": 2}, {"a": "x"}),
        (Record({"a": TEXT}), {"a": 1}, UNFIT), (Record({"a": TEXT}), {}, UNFIT), (Record(), [], UNFIT),
        (Record(), {"a": 1}, {}),
    ],
)  # fmt: skip
def test_a_leaf_or_a_branch(shape: Any, value: object, left: object) -> None:
    assert fit(shape, value) == left
