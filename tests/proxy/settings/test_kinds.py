"""Kinds of values in a model: lists may be text, numbers have limits, and every message is ours."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from ops_lib.propagation import Format
from proxy.settings.kinds import Bytes, Formats, HeaderNames, Networks, Patterns, Seconds


class Model(BaseModel):
    """One key of each kind."""

    formats: Formats = ()
    names: HeaderNames = ()
    patterns: Patterns = ()
    networks: Networks = ()
    seconds: Seconds = 1.0
    size: Bytes = 256


def test_lists_may_be_text() -> None:
    found = Model.model_validate({"formats": "b3, Jaeger", "names": "[A, B]", "patterns": "a:80,10.0.0.0/8,"})
    assert found.formats == (Format.B3, Format.JAEGER)
    assert found.names == ("A", "B")
    assert [str(pattern) for pattern in found.patterns] == ["a:80", "10.0.0.0/8"]


def test_an_address_is_a_network_of_one() -> None:
    found = Model.model_validate({"networks": "10.0.0.0/8, 192.0.2.1, 2001:db8::1, ::ffff:10.0.0.1"})
    assert found.networks == ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128", "10.0.0.1/32")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("formats", "", "at least one format"),
        ("formats", 5, "list of formats"),
        ("names", ["a b"], "header name"),
        ("seconds", "8d", "0.001 to 604,800 s"),
        ("size", "1", "256 to"),
        ("networks", 5, "list of addresses or CIDRs"),
        ("networks", "a.internal", "a.internal is not an address or a CIDR"),
        ("networks", "*", "is not an address or a CIDR"),
        ("networks", "10.0.0.1:80", "without a port"),
        ("networks", "10.0.0.1/8", "bits set after its length"),
    ],
)
def test_messages_say_what_would_be_right(key: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Model.model_validate({key: value})
