"""What is missing of a trace: who should have sent it, as far as its children and their times tell."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.query.gaps import gaps, missing_spans

Answer = dict[str, Any]


def span(id: str, parent: str | None = None, **more: Any) -> Answer:
    made = {"id": id, "parent": parent, "service": "shop", "name": id, "kind": "internal", "start": 0.0, "ms": 10.0}
    return {**made, "attrs": {}, **more}


def missing(*spans: Answer) -> list[Answer]:
    return missing_spans({one["id"]: one for one in spans})


def test_nothing_is_missing_of_a_trace_that_is_whole() -> None:
    assert missing() == missing(span("a"), span("b", "a")) == []


def test_a_gap_with_all_that_is_known() -> None:
    found = missing(
        span("root", kind="server", start=0.0, ms=50.0),
        span("b", "gap", start=9.0, ms=1.0),
        span("a", "gap", start=4.0, ms=2.0),
    )
    assert found == [
        {
            "id": "gap",
            "parent": "root",
            "service": "shop",
            "name": "never reported",
            "kind": "internal",
            "start": 4.0,
            "ms": 6.0,
            "status": "unset",
            "attrs": {},
            "events": [],
            "links": [],
            "scope": "",
            "missing": True,
            "sentence": "2 spans name this id as parent, but shop never sent it. Probably inside root, by time alone.",
            "guess": True,
        }
    ]
    assert gaps(found) == found


@pytest.mark.parametrize("kind", ["server", "consumer"])
def test_a_caller_outside(kind: str) -> None:
    described = {"client.address": "10.0.0.7", "user_agent.original": "curl/8"}
    (found,) = missing(span("a", "out", kind=kind, attrs=described), span("b", "a"))
    assert (found["name"], found["outside"], found["service"]) == ("sent no span", True, "caller of shop")
    assert found["sentence"] == (
        "The trace began outside, at the caller of shop, which sent no span. "
        "Known of it: address 10.0.0.7, agent curl/8."
    )
    assert "guess" not in found
    assert gaps([found]) == []


@pytest.mark.parametrize(
    ("attrs", "known"),
    [
        ({}, ""),
        ({"client.address": "::1"}, " Known of it: address ::1."),
        ({"user_agent.original": "curl"}, " Known of it: agent curl."),
    ],
)
def test_what_is_known_of_a_caller(attrs: dict[str, str], known: str) -> None:
    (found,) = missing(span("a", "out", kind="server", attrs=attrs))
    assert found["sentence"] == f"The trace began outside, at the caller of shop, which sent no span.{known}"
    (inside,) = missing(span("root"), span("a", "gap", attrs=attrs))
    assert inside["sentence"] == "1 span names this id as parent, but shop never sent it."


@pytest.mark.parametrize(
    ("spans", "outside"),
    [
        ((span("a", "x", kind="server"), span("b", "y", kind="server", start=1.0)), ["x"]),
        ((span("a", "x", kind="server", start=1.0), span("b", "y", kind="server")), ["y"]),
        ((span("a", "x", kind="server"), span("b", "x", kind="client")), []),
        ((span("a", "x"), span("b", "y", kind="server", start=1.0)), []),
        ((span("root"), span("a", "x", kind="server")), []),
    ],
)
def test_only_the_parent_of_the_first_request_can_be_outside(spans: tuple[Answer, ...], outside: list[str]) -> None:
    assert [one["id"] for one in missing(*spans) if one.get("outside")] == outside


@pytest.mark.parametrize(
    ("around", "is_inside"),
    [
        ({}, True),
        ({"kind": "consumer"}, True),
        ({"kind": "client"}, False),
        ({"kind": "internal"}, False),
        ({"service": "bank"}, False),
        ({"start": 11.0, "ms": 90.0}, True),
        ({"start": 11.01, "ms": 90.0}, False),
        ({"ms": 19.0}, True),
        ({"ms": 18.99}, False),
    ],
)
def test_a_gap_hangs_below_the_request_that_lasted_around_it(around: Answer, is_inside: bool) -> None:
    """Clocks may be a millisecond apart."""
    root = span("root", **{"kind": "server", "start": 0.0, "ms": 100.0, **around})
    (found,) = missing(root, span("a", "gap", start=10.0, ms=10.0))
    assert (found["parent"], found.get("guess", False)) == (("root", True) if is_inside else (None, False))
    assert ("Probably inside root" in found["sentence"]) is is_inside


def test_the_innermost_of_those_around_is_taken() -> None:
    requests = [span(f"r{at}", kind="server", start=float(at), ms=100.0 - at) for at in (0, 3, 2)]
    (found,) = missing(*requests, span("a", "gap", start=10.0))
    assert found["parent"] == "r3"


def test_a_called_span_is_inside_of_nobody_that_is_known() -> None:
    (found,) = missing(span("root", kind="server", ms=100.0), span("a", "gap", kind="server", start=10.0))
    assert (found["parent"], found["service"]) == (None, "caller of shop")
    assert found["sentence"] == "1 span names this id as parent, but caller of shop never sent it."


def test_children_are_not_around_themselves() -> None:
    mine = [span("a", "gap", start=0.0, ms=5.0), span("b", "gap", kind="server", start=0.0, ms=50.0)]
    (found,) = missing(span("root"), *mine)
    assert (found["parent"], found["ms"]) == (None, 50.0)


def test_a_gap_takes_no_less_than_nothing() -> None:
    (found,) = missing(span("root"), span("a", "gap", start=5.0, ms=-9.0))
    assert found["ms"] == 0.0
