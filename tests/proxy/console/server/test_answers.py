"""Answers of the API as bytes: compact, uncached, and in UTF-8 whatever they say."""

from __future__ import annotations

from proxy.console.server.answers import json_answer, problem


def test_an_answer_is_compact_and_never_kept() -> None:
    answer = json_answer({"a": ["é", "\ud800"], "b": None}, 201, {"X-More": "1"})
    assert (answer.status, answer.body) == (201, '{"a":["é","?"],"b":null}'.encode())
    assert dict(answer.headers) == {"Cache-Control": "no-store", "X-More": "1", "Content-Type": "application/json"}
    assert json_answer([]).status == 200


def test_a_problem_has_its_type_and_title() -> None:
    """RFC 9457, 4.2.1: of `about:blank` the title is the status's."""
    answer = problem(404, "“\ud800” is not here.", {"Allow": "GET"})
    said = '{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "“?” is not here."}'
    assert (answer.status, answer.body) == (404, said.encode())
    assert dict(answer.headers) == {
        "Cache-Control": "no-store", "Allow": "GET", "Content-Type": "application/problem+json",
    }  # fmt: skip
