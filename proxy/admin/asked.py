"""What is asked of `/explain`: a body and a query in, headers and a question out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.explain.by_plan import Question
from proxy.explain.headers import Header, read_transcript
from proxy.explain.question import QuestionError, question_of


def read_question(kind: str, query: Mapping[str, Sequence[str]], body: str) -> tuple[list[Header], Question]:
    """The headers, and who sends them: as JSON, or as text with the rest in the query. `kind`: the body's type.

    Raises HeaderInputError or QuestionError.
    """
    if kind != "application/json":
        peer, listener, host = (query.get(name, ("",))[0] for name in ("peer", "listener", "host"))
        return read_transcript(body), question_of(peer, query.get("peer_name", ()), listener, host)
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise QuestionError("the body is not JSON") from None
    if not isinstance(asked, dict):
        raise QuestionError("expected a JSON object with headers")
    return list(_headers(asked.get("headers"))), question_of(
        _text(asked, "peer"), _texts(asked, "peer_names"), _text(asked, "listener"), _text(asked, "host")
    )


def _headers(given: object) -> Iterator[Header]:
    """Of an object, or of a list of pairs."""
    pairs: Any = list(given.items()) if isinstance(given, dict) else given
    if not isinstance(pairs, list):
        raise QuestionError("headers: expected an object, or a list of [name, value]")
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise QuestionError("headers: expected an object, or a list of [name, value]")
        yield pair[0], pair[1]


def _text(asked: dict[str, Any], key: str) -> str:
    value = asked.get(key, "")
    if not isinstance(value, str):
        raise QuestionError(f"{key}: expected text")
    return value


def _texts(asked: dict[str, Any], key: str) -> list[str]:
    value = asked.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise QuestionError(f"{key}: expected a list of texts")
    return value
