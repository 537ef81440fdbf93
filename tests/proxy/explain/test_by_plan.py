"""What a plan makes of a request: whom it believes, what leaves for whom; the same as the sidecar does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lab.sidecar import plan_of
from lab.texts import check_text

from proxy.explain.by_plan import (
    ListenerAnswer,
    Question,
    UnknownListenerError,
    as_json,
    as_text,
    explain,
)
from proxy.explain.question import QuestionError, question_of

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
HEADERS = [
    ("traceparent", f"00-{T}-{S}-01"),
    ("X-B3-TraceId", "1" * 32),
    ("X-B3-SpanId", S),
    ("baggage", "a=1"),
    ("X-Mirascope-Session-Id", "s-1"),
    ("x-datadog-trace-id", "5"),
    ("Accept", "*/*"),
]
SETTINGS: dict[str, Any] = {
    "propagation": {"mode": "participate"},
    "trust": [
        {"name": "edge", "peers": ["203.0.113.0/24"], "ids": "restart", "baggage": False},
        {"name": "mesh", "names": ["*.mesh.internal"]},
    ],
    "egress": {"trace": ["*.internal"], "baggage": ["billing.internal:8080"]},
    "upstreams": [
        {"name": "billing", "match": ["billing.internal"], "propagation": {"inject": ["b3"], "mode": "translate"}}
    ],
}


def asked(question: Question, settings: dict[str, Any] = SETTINGS) -> list[ListenerAnswer]:
    return explain(plan_of(settings, 1), HEADERS, question)


@pytest.mark.parametrize(
    ("question", "rule", "sentence"),
    [
        (Question("10.0.0.1"), "", "10.0.0.1 is believed, since none of the 2 rules of trust is about it"),
        (Question(), "", "a peer that is not named is believed, since none of the 2 rules of trust is about it"),
        (Question("10.0.0.1", ("a.mesh.internal",)), "mesh", "10.0.0.1 is believed by rule mesh of trust"),
        (
            Question("203.0.113.9"),
            "edge",
            "rule edge of trust is about 203.0.113.9: a new trace begins, with a link to the one that came; "
            "its baggage does not count",
        ),
    ],
)
def test_who_is_believed(question: Question, rule: str, sentence: str) -> None:
    inbound, outbound = asked(question)
    assert (inbound.rule, inbound.sentence) == (rule, sentence)
    assert "no rule of trust is about this listener" in outbound.sentence


def test_a_peer_that_is_partly_believed() -> None:
    ((app,), _) = [answer.upstreams for answer in asked(Question("203.0.113.9"))]
    assert app.refused == ("ids", "baggage")
    written = dict(app.headers)
    assert T not in written["traceparent"]
    assert "baggage" not in written
    assert written["X-Mirascope-Session-Id"] == "s-1"
    assert "not believed: ids and baggage" in app.sentences


@pytest.mark.parametrize(
    ("host", "port", "upstream", "names", "withheld"),
    [
        ("billing.internal", 8080, "billing", {"b3", "X-Mirascope-Session-Id", "x-datadog-trace-id", "baggage"}, ()),
        ("billing.internal", 80, "billing", {"b3", "X-Mirascope-Session-Id", "x-datadog-trace-id"}, ("baggage",)),
        ("api.stripe.com", 443, "other", {"X-Mirascope-Session-Id"}, ("trace", "baggage")),
    ],
)
def test_what_leaves_for_a_host(
    host: str, port: int, upstream: str, names: set[str], withheld: tuple[str, ...]
) -> None:
    _, outbound = asked(Question(host=host, port=port))
    (found,) = outbound.upstreams
    assert found.upstream == upstream
    assert {name for name, _ in found.headers} == names
    assert set(found.withheld) == set(withheld)
    told = [sentence for sentence in found.sentences if sentence.startswith("kept back")]
    assert told == (
        [f"kept back: {' and '.join(found.withheld)}; {host} is not in {_keys(withheld)}"] if withheld else []
    )


def _keys(withheld: tuple[str, ...]) -> str:
    return " and ".join(f"egress.{cargo}" for cargo in withheld)


def test_without_a_host_each_upstream_is_told() -> None:
    _, outbound = asked(Question())
    assert [one.upstream for one in outbound.upstreams] == ["billing", "other"]
    assert any("name a host" in sentence for sentence in outbound.upstreams[1].sentences)


def test_the_reading_is_that_of_what_came() -> None:
    inbound, _ = asked(Question("203.0.113.9"))
    reading = inbound.upstreams[0].reading
    assert reading["winner"] == "tracecontext"
    assert [one["format"] for one in reading["conflicts"]] == ["b3multi"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("mode", "read", "written"),
    [
        ("translate", [["a", "1"]], ["baggage"]),
        ("pass", [["a", "1"]], []),  # it is not ours to write
        ("drop", None, []),
    ],
)
def test_baggage_is_read_as_the_plan_has_it(mode: str, read: object, written: list[str]) -> None:
    """`pass` reads it as `translate` does: that it goes on unchanged is another matter."""
    (answer,) = asked(Question(listener="inbound"), {"propagation": {"baggage": mode}})
    (leaving,) = answer.upstreams
    said = leaving.reading["baggage"]
    assert (said, [name for name, _ in leaving.headers if name == "baggage"]) == (read, written)


WARY: dict[str, Any] = {
    "trust": [
        {"name": "few", "peers": ["192.0.2.0/24"], "ids": "ignore", "decision": False, "session": False},
        {"name": "all", "names": ["a"]},
    ],
    "propagation": {"clear": ["datadog"], "inject": ["b3", "jaeger"]},
    "egress": {"session": ["*.internal"]},
    "inbound": {"app": "http://127.0.0.1:8081", "propagation": {"mirror": True, "mode": "translate"}},
}
ASKED = (
    (SETTINGS, HEADERS, Question()),
    (SETTINGS, HEADERS, Question("203.0.113.9", (), "inbound")),
    (SETTINGS, HEADERS, Question(host="api.stripe.com", port=443)),
    (SETTINGS, [("Accept", "*/*")], Question("", ("a.mesh.internal",), "outbound", "api.stripe.com", 80)),
    (WARY, [*HEADERS, ("tracestate", "a=1"), ("Caf\xe9\u20ac", "\xe9\u20ac")], Question("192.0.2.1")),
    (WARY, [], Question("", ("a",))),
)


def test_answers_are_those_that_were_reviewed() -> None:
    """As a terminal shows them and as JSON. Ids of our own are random."""
    lines = []
    for settings, headers, question in ASKED:
        answers = explain(plan_of(settings, 1), headers, question)
        found: Any = as_json(answers)
        told = [json.dumps(one, default=str) for one in found["listeners"]]
        lines += [f"# {question}", as_text(answers), *told, ""]
    given = {T, T[16:], S, *("1" * size for size in (16, 32)), "0" * 16}
    text = re.sub(
        r"\b[0-9a-f]{16}(?:[0-9a-f]{16})?\b", lambda id: id[0] if id[0] in given else "random", "\n".join(lines)
    )
    check_text(text, Path(__file__).parent / "by_plan.txt")


def test_a_listener_by_its_name() -> None:
    assert [answer.listener for answer in asked(Question(listener="outbound"))] == ["outbound"]
    with pytest.raises(UnknownListenerError, match="'x'; there are: inbound, outbound"):
        asked(Question(listener="x"))


def test_text_and_json_say_the_same_words() -> None:
    answers = asked(Question("203.0.113.9", host="api.stripe.com"))
    text = " ".join(as_text(answers).split())
    found: Any = as_json(answers)
    for listener in found["listeners"]:
        assert listener["trust"]["sentence"] in text
        for upstream in listener["upstreams"]:
            for sentence in upstream["sentences"]:
                assert sentence in text
            for name, value in upstream["headers"]:
                assert f"{name}: {value}" in text
    assert max(map(len, as_text(answers).splitlines())) <= 80


@pytest.mark.parametrize(
    ("peer", "host", "message"),
    [("nobody", "", "is not an address"), ("", "a b", "is not a host"), ("", "a:99999", "is not a host")],
)
def test_a_question_that_cannot_be_read(peer: str, host: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        question_of(peer, (), "", host)


def test_a_question() -> None:
    made = question_of(" 10.0.0.1 ", ["A.Mesh.internal", ""], "inbound", "Billing.internal:81")
    assert made == Question("10.0.0.1", ("a.mesh.internal",), "inbound", "billing.internal", 81)


@pytest.mark.parametrize("mirror", [True, False])
def test_that_peers_are_mirrored_is_said(mirror: bool) -> None:
    inbound, _ = asked(Question(), {"inbound": {"propagation": {"mirror": mirror}}})
    said = "or, once the peer was seen to speak other formats, those"
    assert (said in inbound.upstreams[0].sentences) is mirror


@pytest.mark.parametrize(("names", "listener", "is_right"), [
    (["n" * 512], "l" * 512, True), (["n" * 513], "", False), ([], "l" * 513, False), (["a", "n" * 513], "", False),
])  # fmt: skip
def test_a_name_has_512_characters(names: list[str], listener: str, is_right: bool) -> None:
    if is_right:
        assert question_of("", names, listener, "") == Question("", tuple(names), listener, "", 0)
    else:
        with pytest.raises(QuestionError, match=r"^a name has more than 512 characters$"):
            question_of("", names, listener, "")


@pytest.mark.parametrize(
    ("peer", "host", "question"),
    [
        (" 10.1.2.3 ", "", Question("10.1.2.3", (), "", "", 0)),
        ("::1", "Billing.internal", Question("::1", (), "", "billing.internal", 80)),
        ("", " a:8080 ", Question("", (), "", "a", 8080)),
    ],
)
def test_a_question_as_people_ask_it(peer: str, host: str, question: Question) -> None:
    assert question_of(peer, [" ", ""], "", host) == question
    assert question_of(peer, [" Ann "], " in ", host) == question._replace(names=("ann",), listener="in")
