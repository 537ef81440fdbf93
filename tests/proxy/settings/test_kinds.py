"""Kinds of values in a model: lists may be text, numbers have limits, and every message is ours."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from ops_lib.propagation import Format
from proxy.settings.kinds import Bytes, Formats, HeaderNames, Patterns, Seconds


class Model(BaseModel):
    """One key of each kind."""

    formats: Formats = ()
    names: HeaderNames = ()
    patterns: Patterns = ()
    seconds: Seconds = 1.0
    size: Bytes = 256


def test_lists_may_be_text() -> None:
    found = Model.model_validate({"formats": "b3, Jaeger", "names": "[A, B]", "patterns": "a:80,10.0.0.0/8,"})
    assert found.formats == (Format.B3, Format.JAEGER)
    assert found.names == ("A", "B")
    assert [str(pattern) for pattern in found.patterns] == ["a:80", "10.0.0.0/8"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("formats", "", "at least one format"),
        ("formats", 5, "list of formats"),
        ("names", ["a b"], "header name"),
        ("seconds", "8d", "0.001 to 604,800 s"),
        ("size", "1", "256 to"),
    ],
)
def test_messages_say_what_would_be_right(key: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Model.model_validate({key: value})
