"""What is asked of `/explain`: the same question as JSON, and as text with a query."""

from __future__ import annotations

import json

import pytest

from proxy.admin.asked import read_question
from proxy.explain.by_plan import Question
from proxy.explain.question import QuestionError

JSON = "application/json"
QUESTION = Question(peer="10.1.2.3", names=("shop.test", "b.test"), listener="inbound", host="billing.test", port=8080)
PAIRS = "headers: expected an object, or a list of [name, value]"


def test_json_says_all_of_it() -> None:
    asked = {
        "headers": {"b3": "0", "Host": "a"},
        "peer": "10.1.2.3",
        "peer_names": ["shop.test", "b.test"],
        "listener": "inbound",
        "host": "billing.test:8080",
    }
    assert read_question(JSON, {}, json.dumps(asked)) == ([("b3", "0"), ("Host", "a")], QUESTION)
    asked["headers"] = [["b3", "0"], ["b3", "1"]]
    assert read_question(JSON, {}, json.dumps(asked)) == ([("b3", "0"), ("b3", "1")], QUESTION)


def test_of_json_nothing_but_the_headers_is_needed() -> None:
    assert read_question(JSON, {"peer": ["10.1.2.3"]}, '{"headers": {}}') == ([], Question())


@pytest.mark.parametrize("kind", ["text/plain", "", "application/JSON"])
def test_a_text_has_the_rest_in_the_query(kind: str) -> None:
    query = {
        "peer": ["10.1.2.3", "10.9.9.9"],
        "peer_name": ["shop.test", "b.test"],
        "listener": ["inbound"],
        "host": ["billing.test:8080"],
    }
    assert read_question(kind, query, "b3: 0\n") == ([("b3", "0")], QUESTION)
    assert read_question(kind, {}, "b3: 0\n") == ([("b3", "0")], Question())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "the body is not JSON"),
        ("{", "the body is not JSON"),
        ("[" * 100_000, "the body is not JSON"),
        ("[]", "expected a JSON object with headers"),
        ("null", "expected a JSON object with headers"),
        ("{}", PAIRS),
        ('{"headers": "b3: 0"}', PAIRS),
        ('{"headers": ["b3"]}', PAIRS),
        ('{"headers": [["b3"]]}', PAIRS),
        ('{"headers": [["b3", "0", "1"]]}', PAIRS),
        ('{"headers": [["b3", 0]]}', PAIRS),
        ('{"headers": [[0, "b3"]]}', PAIRS),
        ('{"headers": {"b3": null}}', PAIRS),
        ('{"headers": {}, "peer": 1}', "peer: expected text"),
        ('{"headers": {}, "listener": null}', "listener: expected text"),
        ('{"headers": {}, "host": []}', "host: expected text"),
        ('{"headers": {}, "peer_names": "a"}', "peer_names: expected a list of texts"),
        ('{"headers": {}, "peer_names": ["a", 1]}', "peer_names: expected a list of texts"),
        ('{"headers": {}, "peer": "nobody"}', "'nobody' is not an address of a peer, such as 10.1.2.3"),
    ],
)
def test_what_cannot_be_read_is_told(body: str, problem: str) -> None:
    with pytest.raises(QuestionError) as caught:
        read_question(JSON, {}, body)
    assert str(caught.value) == problem
