"""Which header names are read and cleared, by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from ops_lib.propagation import Codec, Format, codec_of
from ops_lib.propagation.ownership import Ownership

B3 = codec_of(Format.B3MULTI)
OTHER = Codec(
    format=Format("other"),
    writes=("X-Other_Id",),
    only_reads=("X-Other-Debug",),
    extract=lambda _fields: (None, None),
    inject=lambda _context, _policy, _headers, _losses: None,
)


def ownership(*codecs: Codec, **settings: Any) -> Ownership:
    usual: dict[str, Any] = {
        "session_inject": "X-Session",
        "session_extract": ("X-Session", "X-Old-Session"),
        "session_bridge": False,
        "baggage": "translate",
    }
    return Ownership(codecs, **(usual | settings))


@pytest.mark.parametrize("name", ["X-B3-TraceId", "x-b3-traceid", "X_B3_TRACEID", "X-B3_TraceId"])
def test_a_header_of_a_format_is_owned_in_any_spelling(name: str) -> None:
    names = ownership(B3)
    assert names.owns(name)
    assert names.owns_trace(name)
    assert names.reads(name) is ("_" not in name), "a twin is never read"


def test_a_format_that_is_not_in_use_is_left_alone() -> None:
    names = ownership(OTHER)
    assert not names.owns("X-B3-TraceId")
    for name in ("x-other-id", "X-Other_Id", "X-Other-Debug"):
        assert names.owns(name)
        assert names.owns_trace(name)


def test_what_is_only_written_is_owned_and_not_read() -> None:
    names = ownership(B3, session_extract=("X-Old-Session",))
    assert names.owns("x-session")
    assert not names.reads("x-session")
    assert names.reads("X-OLD-SESSION")
    assert not names.owns_trace("X-Session")


def test_the_usual_session_headers_are_owned_wherever_a_session_is_carried() -> None:
    assert ownership(B3).owns("Mirascope-Session-Id")
    assert not ownership(B3, session_inject="", session_extract=()).owns("Mirascope-Session-Id")


@pytest.mark.parametrize(
    ("baggage", "bridge", "owned"),
    [
        ("translate", False, {"baggage", "jaeger-baggage", "uberctx-a"}),
        ("drop", False, {"baggage", "jaeger-baggage", "uberctx-a"}),
        ("pass", False, set()),
        ("pass", True, {"baggage"}),
    ],
)
def test_baggage_is_owned_unless_it_passes(baggage: str, bridge: bool, owned: set[str]) -> None:
    names = ownership(B3, baggage=baggage, session_bridge=bridge)
    assert {name for name in ("baggage", "jaeger-baggage", "uberctx-a") if names.owns(name)} == owned


def test_spelled_names_everything_once_as_it_is_usually_spelled() -> None:
    spelled = ownership(B3, OTHER).spelled
    assert spelled[:2] == ("X-B3-TraceId", "X-B3-SpanId")
    assert {"X-Other_Id", "X-Other-Debug", "X-Session", "X-Old-Session", "baggage"} <= set(spelled)
    assert len(spelled) == len(set(spelled))
