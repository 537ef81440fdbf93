"""Each header of a request before and after the sidecar, in a group that says what became of it."""

from __future__ import annotations

import pytest

from proxy.explain.groups import Facts, Group, groups, verdict
from proxy.explain.parts import parts
from proxy.explain.tokens import alone, read_tokens

T, S, OTHER = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "1" * 32
W3C = ("traceparent", f"00-{T}-{S}-01")
B3 = ("b3", f"{T}-{S}-1")
SESSION = ("X-Mirascope-Session-Id", "s-1")


def told(found: list[Group]) -> list[tuple[str, str]]:
    return [(group["verdict"], group["title"]) for group in found]


@pytest.mark.parametrize(
    ("came", "went", "facts", "expected", "sentence"),
    [
        ([W3C], [W3C], {"winner": "tracecontext", "read": "tracecontext", "written": "tracecontext"},
         [("kept", "W3C passes as it came")], "W3C came and W3C went."),
        ([B3], [W3C], {"winner": "b3", "read": "b3", "written": "tracecontext"},
         [("rewritten", "B3 became W3C")], "B3 in, W3C out. Same trace, same span."),
        ([W3C, ("b3", f"{OTHER}-{S}-1")], [W3C],
         {"winner": "tracecontext", "read": "tracecontext,b3~", "written": "tracecontext"},
         [("kept", "W3C passes as it came"), ("removed", "Removed: of another trace")],
         "Two traces came in. W3C won, B3 told another."),
        ([W3C, B3], [W3C], {"winner": "tracecontext", "read": "tracecontext,b3", "written": "tracecontext"},
         [("kept", "W3C passes as it came"), ("merged", "Merged: B3 said the same")], "W3C came and W3C went."),
        ([("traceparent", "00-x")], [], {"read": "tracecontext!shape"},
         [("removed", "Removed: malformed (shape)")], "W3C came malformed and was removed. This request is untraced."),
        ([("uber-trace-id", f"{T}:{S}:0:1")], [], {"read": "jaeger?"},
         [("removed", "Removed: not asked for")], "Untraced: Jaeger came, which is not read here."),
        ([("x-datadog-trace-id", "7")], [("x-datadog-trace-id", "7")], {"read": "datadog+"},
         [("kept", "Datadog passes")], "Untraced by us: only Datadog came, and passed."),
        ([("Uber_Trace_Id", f"{T}:{S}:0:1")], [("uber-trace-id", f"{T}:{S}:0:1")],
         {"winner": "jaeger", "read": "jaeger", "written": "jaeger"},
         [("rewritten", "Jaeger was written anew")], "Jaeger came and Jaeger went."),
        ([], [], {}, [], "Untraced: no trace came in, and none was added."),
        ([], [W3C], {"written": "tracecontext"},
         [("added", "A new trace begins here")], "No trace came in. A new trace begins here."),
        ([], [W3C], {"written": "tracecontext", "linked": "single"},
         [("added", "Joined to a request at the app")],
         "The app sent no context; the sidecar joined the call to its request."),
        ([("b3", "0")], [W3C],
         {"winner": "b3", "read": "b3", "written": "tracecontext", "bare": True, "sampling": "deny"},
         [("rewritten", "A bare decision: deny")], "Only a decision came (deny), no ids."),
        ([W3C, SESSION], [W3C], {"winner": "tracecontext", "read": "tracecontext", "written": "tracecontext",
                                 "withheld": ("session",)},
         [("kept", "W3C passes as it came"), ("removed", "Session kept back")], "W3C came and W3C went."),
        ([W3C], [W3C, SESSION], {"winner": "tracecontext", "read": "tracecontext", "written": "tracecontext",
                                 "carried": ("session",)},
         [("kept", "W3C passes as it came"), ("added", "Session put back")],
         "W3C came and W3C went. What the app dropped was put back: session."),
        ([W3C, ("baggage", "a=***")], [("uber-trace-id", f"{T}:{S}:0:1"), ("uberctx-a", "***")],
         {"winner": "tracecontext", "read": "tracecontext", "written": "jaeger", "lost": (("jaeger", "random"),)},
         [("rewritten", "W3C became Jaeger"), ("rewritten", "Baggage translated")],
         "W3C in, Jaeger out. Same trace, same span. Lost on the way: the random-trace-id flag."),
    ],
)  # fmt: skip
def test_what_became_of_the_headers(
    came: list[tuple[str, str]],
    went: list[tuple[str, str]],
    facts: dict[str, object],
    expected: list[tuple[str, str]],
    sentence: str,
) -> None:
    read, written = str(facts.pop("read", "")), str(facts.pop("written", ""))
    known = Facts(tokens=read_tokens(read.split(",")), written=tuple(one for one in written.split(",") if one), **facts)  # type: ignore[arg-type]  # by name
    found = groups(came, went, known)
    assert told(found) == expected
    assert verdict(known, found) == sentence


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("traceparent", f"00-{T}-{S}-01", {T: "trace", S: "span", "01": "decision"}),
        ("b3", f"{T}-{S}-d-{'b' * 16}", {T: "trace", S: "span", "d": "decision", "b" * 16: "span"}),
        ("X-B3-TraceId", T, {T: "trace"}),
        ("uber-trace-id", f"{T}:{S}:0:1", {T: "trace", S: "span", "0": "span", "1": "decision"}),
        ("tracestate", "a=1,b=2", {"a=1": "state", "b=2": "state"}),
        ("baggage", "a=***", {"a=***": "baggage"}),
        ("Mirascope-Session-Id", "s-1", {"s-1": "session"}),
        ("X-Own-Session", "s-1", {"s-1": "session"}),
        ("traceparent", "not one", {}),
        ("accept", "text/html", {}),
    ],
)
def test_the_parts_of_a_value_are_the_value(name: str, value: str, fields: dict[str, str]) -> None:
    found = parts(name, value, {"x-own-session"})
    assert "".join(part["text"] for part in found["parts"]) == value
    assert {part["text"]: part["field"] for part in found["parts"] if "field" in part} == fields


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("b3", "b3"),
        ("b3,tracecontext", ""),
        ("tracecontext,b3~", "tracecontext"),
        ("tracecontext,b3^", ""),
        ("b3,tracecontext!shape", "b3"),
        ("b3!shape", ""),
        ("jaeger?", ""),
        ("datadog+,b3", "b3"),
        ("", ""),
    ],
)
def test_which_format_a_request_needs(read: str, expected: str) -> None:
    assert alone(read_tokens(read.split(","))) == expected
