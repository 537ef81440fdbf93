"""tracestate between its text and OpenTelemetry's TraceState."""

from __future__ import annotations

import pytest
from opentelemetry.trace import TraceState

from ops_lib.context.otel_tracestate import NO_STATE, RawTraceState, plain_text, state_text


def test_our_member_is_left_out_and_another_vendors_stays() -> None:
    """Ours is written afresh; a value that we never write is not ours."""
    assert state_text(TraceState([("ops", "s:d"), ("congo", "1")])) == "congo=1"
    assert state_text(TraceState([("ops", "9f3c-payments"), ("congo", "1")])) == "ops=9f3c-payments,congo=1"
    assert state_text(RawTraceState("foo@=1,ops=9f3c")) == "foo@=1,ops=9f3c"
    assert state_text(NO_STATE) == state_text(TraceState()) == ""


LONG = f"k={'v' * 510}"
MANY = ",".join(f"k{number}=1" for number in range(32))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (NO_STATE, ""), (TraceState(), ""), (RawTraceState(""), ""), (RawTraceState("a=1"), "a=1"),
        (RawTraceState(LONG), LONG), (RawTraceState(LONG + "v"), None),
        (RawTraceState(MANY), MANY), (RawTraceState(MANY + ",more=1"), None),
        (TraceState([("a", "1")]), None),
    ],
)  # fmt: skip
def test_what_may_go_out_unchanged(state: TraceState, text: str | None) -> None:
    """At most 512 characters and 32 members, as they came: else it has to be checked or cut."""
    assert plain_text(state) == text


LEVEL_2 = "foo@=1,1a=2,a@b@c=3,x=4,x=5"


def test_keys_of_level_2_are_members_like_any_other() -> None:
    """OpenTelemetry's own parser drops the whole list for one of them."""
    state = RawTraceState(LEVEL_2)
    assert dict(state) == {"foo@": "1", "1a": "2", "a@b@c": "3", "x": "4"}
    assert list(state.keys()) == list(state) == ["foo@", "1a", "a@b@c", "x"]
    assert next(iter(state.items())) == ("foo@", "1")
    assert list(state.values()) == ["1", "2", "3", "4"]
    assert ("1a" in state, "y" in state, len(state), state.get("y")) == (True, False, 4, None)
    assert state.to_header() == LEVEL_2
    assert repr(state) == f"[{LEVEL_2}]"


def test_they_stay_when_a_sampler_adds_its_own() -> None:
    state = RawTraceState(LEVEL_2)
    assert state.add("ot", "th:8").to_header() == f"ot=th:8,{LEVEL_2}"
    assert state.add("x", "6") is state
    assert state.update("x", "6").to_header() == "x=6,foo@=1,1a=2,a@b@c=3"
    assert state.update("ot", "a").to_header() == f"ot=a,{LEVEL_2}"
    assert state.delete("x").to_header() == "foo@=1,1a=2,a@b@c=3"
    assert state.delete("y") is state
    assert RawTraceState("x=1").delete("x").to_header() == ""
    assert len(RawTraceState("")) == 0
    assert RawTraceState("").add("a", "1").to_header() == "a=1"


def test_what_cannot_be_a_member_is_not_added(caplog: pytest.LogCaptureFixture) -> None:
    state = RawTraceState(LEVEL_2)
    assert state.add("A", "1") is state
    assert state.update("a", "1,2") is state
    full = RawTraceState(",".join(f"k{n}=1" for n in range(32)))
    assert full.add("a", "1") is full
    assert full.update("k31", "2").to_header().startswith("k31=2,k0=1,")
    assert [record.getMessage() for record in caplog.records] == [
        f"tracestate: {key} cannot be added" for key in ("A", "a", "a")
    ]
