"""One request as its sidecar reported it: each attribute of a report at its place in the answer."""

from __future__ import annotations

from typing import Any

import pytest
from lab.answers import UNTOLD

from proxy.console.query.detail import detail

T, S, P, OTHER = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "b" * 16, "1" * 32
ROW: dict[str, Any] = {"fault": None}
JOINED = "Joined to the request at the app by"
NOTHING: dict[str, Any] = {
    **UNTOLD,
    "findings": [],
    "request_of": None,
    "fault_detail": None,
    "sentence": "Untraced: no trace came in, and none was added.",
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"ops.headers.other": ["Accept"]}, {"passed": [{"name": "Accept", "value": "", "masked": True}]}),
        ({"ops.headers.added": ["Via", "Forwarded"]},
         {"added": [{"name": "Via", "value": ""}, {"name": "Forwarded", "value": ""}]}),
        ({"ops.headers.response": ["Server"]}, {"response": [{"name": "Server", "value": "", "masked": True}]}),
        ({"ops.findings": ["dropped"]}, {"findings": ["dropped"]}),
        ({"ops.request.of": "r1"}, {"request_of": "r1"}),
        ({"ops.fault.detail": "no route"}, {"fault_detail": "no route"}),
        ({"ops.linked": "header"}, {"link": f"{JOINED} a header that both have."}),
        ({"ops.linked": "process"}, {"link": f"{JOINED} the process that holds both connections."}),
        ({"ops.linked": "single"}, {"link": f"{JOINED} a single request in flight at the app."}),
        ({"ops.linked": "later"}, {"link": f"{JOINED} later."}),
        ({"ops.linked": "none"}, {"link": None}),
        ({"ops.lost": ["b3:parent", "jaeger:parent", "b3:tracestate"]},
         {"lost": ["the parent span id", "tracestate"],
          "sentence": f"{NOTHING['sentence']} Lost on the way: the parent span id and tracestate."}),
    ],
)  # fmt: skip
def test_each_attribute_of_a_report_has_its_place(said: dict[str, Any], expected: dict[str, Any]) -> None:
    found = detail(ROW, said)
    if "ops.linked" in said:
        found["sentence"] = NOTHING["sentence"]  # the tests of `groups` have the words
    assert found == NOTHING | expected


def test_the_record_is_what_the_winner_says() -> None:
    said = {
        "ops.headers.in": [f"b3: {T}-{S}-1-{P}", f"traceparent: 00-{OTHER}-{S}-01", "tracestate: a=1"],
        "ops.formats.read": ["b3", "tracecontext~"],
        "ops.winner": "b3",
    }
    found = detail(ROW, said)
    assert found["record"] == {
        "trace": T, "span": S, "sampling": "accept", "short": False, "random": False, "parent": P, "state": "",
    }  # fmt: skip
    assert found["conflicts"] == [{"winner": "b3", "loser": "tracecontext", "trace": OTHER, "span": S}]
    found = detail(ROW, said | {"ops.winner": "tracecontext", "ops.formats.read": ["b3~", "tracecontext"]})
    assert (found["record"]["trace"], found["record"]["state"]) == (OTHER, "a=1")
    assert [one["loser"] for one in found["conflicts"]] == ["b3"]


def test_what_was_not_asked_for_and_what_is_unknown_is_not_read() -> None:
    both = {"ops.headers.in": [f"b3: {T}-{S}-0", "x-new: 1"]}
    for read in (["b3?"], ["b3!shape"], ["new-format"], []):
        assert detail(ROW, both | {"ops.formats.read": read})["record"] is None, read
    found = detail(ROW, both | {"ops.formats.read": ["new-format", "b3"], "ops.winner": "b3"})
    assert found["record"]["sampling"] == "deny"
    w3c = {"ops.headers.in": [f"traceparent: 00-{T}-{S}-03"]}  # what every version reads
    assert detail(ROW, w3c)["record"]["random"] is True


def test_a_decision_without_ids_and_ids_that_were_made_up() -> None:
    bare = {"ops.headers.in": ["b3: 0"], "ops.formats.read": ["b3"], "ops.winner": "b3", "ops.bare": True}
    assert (detail(ROW, bare)["bare"], detail(ROW, bare)["record"]) == ("deny", None)
    made = {"ops.headers.in": [f"b3: {T[16:]}-{S}-d"], "ops.formats.read": ["b3"], "ops.winner": "b3", "ops.bare": True}
    record = detail(ROW, made)["record"]
    assert (record["made"], record["short"], record["sampling"]) == (True, True, "debug")
    assert "made" not in detail(ROW, made | {"ops.bare": False})["record"]


def test_fields_of_one_name_are_read_together_whatever_their_case() -> None:
    said = {"ops.headers.in": [f"X-B3-TraceId: {T}", f"x-b3-spanid: {S}"], "ops.formats.read": ["b3multi"]}
    assert detail(ROW, said)["record"]["span"] == S
    twice = {"ops.headers.in": [f"Traceparent: 00-{T}-{S}-01", f"traceparent: 00-{OTHER}-{S}-01"]}
    assert detail(ROW, twice)["record"] is None  # exactly one is allowed


@pytest.mark.parametrize(
    ("us", "timing"),
    [
        ((None, None, None, 9000), None),
        ((1, None, None, 9000), {"queue": 0.001, "connect": None, "head": None, "body": None}),
        ((0, None, 2000, 9000), {"queue": 0.0, "connect": None, "head": 2.0, "body": 7.0}),
        ((1000, 2000, 3000, 9001), {"queue": 1.0, "connect": 2.0, "head": 3.0, "body": 3.001}),
        ((1000, 2000, 3000, None), {"queue": 1.0, "connect": 2.0, "head": 3.0, "body": 0.0}),
        ((0, 0, 0, None), {"queue": 0.0, "connect": 0.0, "head": 0.0, "body": 0.0}),
        ((1000, 0, 0, 9000), {"queue": 1.0, "connect": 0.0, "head": 0.0, "body": 8.0}),
        ((-1, 0, 0, 9000), None),
        ((True, 0, 0, 9000), None),
        (("1", 0, 0, 9000), None),
    ],
)
def test_where_the_time_went(us: tuple[Any, ...], timing: dict[str, float | None] | None) -> None:
    keys = ("ops.queue_us", "ops.connect_us", "ops.head_us", "ops.duration_us")
    said = {key: value for key, value in zip(keys, us, strict=True) if value is not None}
    assert detail(ROW, said)["timing"] == timing


@pytest.mark.parametrize(
    ("fault", "upstream", "sentence"),
    [
        (None, "app", NOTHING["sentence"]),
        ("connect-timeout", "app", f"{NOTHING['sentence']} The sidecar answered itself: connect-timeout."),
        ("no-route", "", "The sidecar answered itself, and nothing was sent on: no-route."),
    ],
)
def test_a_fault_is_told(fault: str | None, upstream: str, sentence: str) -> None:
    said = {"ops.fault": fault, "ops.upstream": upstream} if fault else {}
    assert detail({"fault": fault}, said)["sentence"] == sentence


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ({"ops.parent": P}, "B3 stays, with the sidecar's own span"),
        ({}, "B3 was written anew"),
        ({"ops.link": P}, "A new trace: this peer's is not continued"),
        ({"ops.refused": ["ids"]}, "B3 is not believed from this peer"),
        ({"ops.bare": True, "ops.sampling": "accept"}, "A bare decision: accept"),
    ],
)
def test_facts_decide_the_title(said: dict[str, Any], title: str) -> None:
    base = {
        "ops.headers.in": [f"b3: {T}-{S}-1"],
        "ops.headers.out": [f"b3: {T}-{P}-1"],
        "ops.formats.read": ["b3"],
        "ops.formats.written": ["b3"],
        "ops.winner": "b3",
    }
    assert [one["title"] for one in detail(ROW, base | said)["groups"]] == [title]


def test_what_was_kept_back_and_put_back_is_told() -> None:
    session = "X-Mirascope-Session-Id: s-1"
    (kept_back,) = detail(ROW, {"ops.headers.in": [session], "ops.withheld": ["session"]})["groups"]
    (put_back,) = detail(ROW, {"ops.headers.out": [session], "ops.carried": ["session"]})["groups"]
    assert (kept_back["title"], put_back["title"]) == ("Session kept back", "Session put back")
