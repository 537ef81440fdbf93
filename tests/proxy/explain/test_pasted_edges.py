"""What people paste: how much is read, what is told of a mistake, and what would go to each upstream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab.texts import check_text

from proxy.explain.pasted import explain_pasted, read_pasted

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
W3C, B3, JAEGER = f"traceparent: 00-{T}-{S}-01", f"b3: {T}-{S}-1", f"uber-trace-id: {T}:{S}:0:1"
OTHER = f"b3: {'1' * 32}-{S}-1"


def test_200_headers_of_64_kib_are_read() -> None:
    lines = "\n".join(f"x-{number}: 1" for number in range(201))
    assert [name for name, _ in read_pasted(lines)[0]] == [f"x-{number}" for number in range(200)]
    assert len(read_pasted(f"{lines}\nnonsense")[0]) == 200
    assert len(read_pasted("curl " + " ".join(f"-H 'x-{number}: 1'" for number in range(201)))[0]) == 200
    assert read_pasted("x: " + "1" * 65_533)[0] != []
    assert read_pasted("x: " + "1" * 65_534) == ([], "The text has 65,537 characters. It may have 65,536.")


def test_a_mistake_is_told_and_the_rest_is_read() -> None:
    assert read_pasted(f"nonsense\n{B3}\nx y") == (
        [("b3", f"{T}-{S}-1")], "'nonsense' is not a header: expected 'name: value'."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Paste headers, one a line, or a curl command."),
        ("x: 1", "No trace header. A translating sidecar adds nothing."),
        ("b3: nonsense", "Nothing valid. Malformed headers are removed; the request goes on untraced."),
        *(
            (f"b3: {word}", f"Only a decision came: {told}. Formats that need ids get made-up ones, marked where "
             "there is room.") for word, told in (("0", "deny"), ("1", "accept"), ("d", "debug"))
        ),
        (W3C, "W3C wins: the first valid format in the order that is read."),
        (f"{B3}\n{W3C}", "W3C wins: the first valid format in the order that is read."),
        (f"{W3C}\n{OTHER}", "W3C wins: the first valid format in the order that is read. B3 told another trace."),
    ],
)  # fmt: skip
def test_the_sentence(text: str, sentence: str) -> None:
    assert explain_pasted(text, ())["sentence"] == sentence


@pytest.mark.parametrize(
    ("said", "headers"),
    [
        ({"inject": ["b3"]}, ["b3"]),
        ({"inject": ["b3multi", "jaeger"]}, ["X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled", "uber-trace-id"]),
        ({"inject": ["from-the-future"]}, ["traceparent"]),
        ({"inject": []}, ["traceparent"]),
        ({"inject": ["b3"], "extract": ["jaeger"]}, []),
        ({"inject": ["b3"], "extract": ["from-the-future"]}, ["b3"]),
        ({"inject": ["b3"], "extract": None}, ["b3"]),
        ({"inject": ["b3"], "egress": {"trace": False}}, None),
        ({"inject": ["b3"], "egress": {"trace": True}}, ["b3"]),
        ({"inject": ["b3"], "egress": {"session": False}}, ["b3"]),
        ({"inject": ["b3"], "egress": None}, ["b3"]),
    ],
)
def test_what_would_go_to_an_upstream(said: dict[str, Any], headers: list[str] | None) -> None:
    (to,) = explain_pasted(f"{W3C}\ntracestate: a=1", [{"sidecar": "shop", "name": "bank", **said}])["to"]
    assert (to["sidecar"], to["name"]) == ("shop", "bank")
    assert to["inject"] == [one for one in said["inject"] if one != "from-the-future"]
    assert [one["name"] for one in to["headers"] if one["name"] != "tracestate"] == (headers or [])
    assert to.get("egress") == (True if headers is None else None)
    assert to["lost"] == (["tracestate"] if headers and "traceparent" not in headers else [])


def test_each_format_says_what_it_said() -> None:
    said = {one["format"]: one for one in explain_pasted(f"{W3C}\n{OTHER}\n{JAEGER}", ())["says"]}
    assert list(said) == ["tracecontext", "b3", "b3multi", "jaeger"]
    assert [one.get("conflict") for one in said.values()] == [None, True, None, None]
    assert [one.get("absent") for one in said.values()] == [None, None, True, None]
    assert [len(one["headers"]) for one in said.values()] == [1, 1, 0, 1]
    assert said["tracecontext"]["record"] == {
        "trace": T, "span": S, "sampling": "accept", "short": False, "random": False, "parent": None, "state": "",
    }  # fmt: skip
    (b3,) = (one for one in explain_pasted("b3: d", ())["says"] if one["format"] == "b3")
    assert (b3["decision"], b3.get("record"), b3.get("malformed")) == ("debug", None, None)
    (b3,) = (one for one in explain_pasted(f"b3: {T}-x", ())["says"] if one["format"] == "b3")
    assert b3["malformed"] == "the span id has 'x' at its position 1, which is not a hexadecimal digit"
    assert b3["verdict"] == f"malformed: {b3['malformed']}"


def test_the_record_and_what_is_beside_it() -> None:
    made = explain_pasted(f"{W3C}\nX-Mirascope-Session-Id: s-1\nx: 1", ())
    assert (made["read"], made["error"], made["winner"], made["session"]) == (3, None, "tracecontext", "s-1")
    assert (made["record"]["trace"], made["bare"]) == (T, None)
    bare = explain_pasted("b3: 0", ())
    assert (bare["bare"], bare["winner"]) == ("deny", "b3")


def test_answers_are_those_that_were_reviewed() -> None:
    """As the page gets them."""
    to = [{"sidecar": "shop", "name": "bank", "inject": ["b3multi"], "extract": ["b3", "tracecontext"]}]
    stories = (
        f"{W3C}\ntracestate: a=1\n{OTHER}\n{JAEGER}\nbaggage: a=1\nX-Mirascope-Session-Id: s-1",
        f"{B3}-{'b' * 16}\nX-B3-TraceId: {T}\nX-B3-SpanId: {'c' * 16}\nuber-trace-id: 1:2",
        f"b3: {T[16:]}-{S}-d",
        f"traceparent: 00-{'a' * 32}-{'a' * 16}-03\ntracestate: ops=b:1",
        "x-b3-flags: 0\nx-b3-sampled: 7\nAccept: x",
    )
    lines = []
    for text in stories:
        said = explain_pasted(text, to)
        lines += [f"# {text!r}", *(f"{name}: {json.dumps(one)}" for name, one in said.items()), ""]
    check_text("\n".join(lines), Path(__file__).parent / "pasted.txt")
