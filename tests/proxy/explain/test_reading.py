"""`translate --explain`: what each format says, who wins, why, and what is lost."""

from __future__ import annotations

import re

import pytest

from ops_lib.propagation import Loss, Malformed
from proxy.cli.commands import main
from proxy.explain import reading

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def table(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["translate", "--explain", *arguments]) in (0, 1)
    unwrapped = re.sub(r"\n {4}(?=\S)", " ", capsys.readouterr().out)
    return re.sub(" +", " ", unwrapped)


def test_winner_conflict_malformed_and_absent(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(
        capsys,
        f"traceparent: 00-{TRACE}-{SPAN}-01",
        f"b3: {'a' * 32}-{'b' * 16}-d",
        "X-B3-Sampled: 7",
        "Mirascope-Session-Id: s1",
        "Accept: */*",
        "--to=b3",
    )
    assert f"tracecontext {TRACE} {SPAN} accept\n wins: the first" in text
    assert f"b3 {'a' * 32} {'b' * 16} debug\n conflict: another trace, dropped" in text
    assert "b3multi malformed (decision): dropped" in text
    assert "jaeger absent (uber-trace-id)" in text
    assert "not ours, passed on as they are: Accept" in text
    assert "session s1" in text
    assert f"written:\n b3: {TRACE}-{SPAN}-1\n X-Mirascope-Session-Id: s1" in text
    assert text.endswith("lost:\n nothing\n")


def test_the_same_trace_fills_in(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, f"traceparent: 00-{TRACE}-{SPAN}-01", f"b3: {TRACE}-{SPAN}-d-{'c' * 16}", "--to=jaeger")
    assert "the same trace: fills in what the winner cannot say" in text
    assert f"trace {TRACE} span {SPAN} decision debug\n parent {'c' * 16}" in text
    assert "jaeger: parent: the parent span id" in text


def test_the_first_that_is_valid_wins(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, "traceparent: nonsense", f"b3: {TRACE[16:]}-{SPAN}")
    assert "malformed (shape): dropped" in text
    assert f"{TRACE[16:]} {SPAN} none (defer)\n wins: the first that is valid" in text
    assert "64-bit trace id" in text


def test_a_bare_decision(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, "b3: 1")
    assert "no ids, decision accept\n wins: nobody has ids" in text
    assert "a bare decision: accept, sent with made-up ids " in text
    assert "tracecontext: bare: " in text
    text = table(capsys, "b3: 1", f"uber-trace-id: {TRACE}:{SPAN}:0:1")
    assert "a bare decision gives way to ids" in text


def test_made_up_ids_give_way_and_baggage_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    made_up = (f"traceparent: 00-{'a' * 32}-{'a' * 16}-01", "tracestate: ops=b:1")
    text = table(capsys, *made_up, f"b3: {TRACE}-{SPAN}-1", "baggage: k=v,l=w")
    assert "made-up ids: a real context wins" in text
    assert f"result:\n trace {TRACE}" in text
    assert "baggage k, l" in text


def test_another_span_of_the_same_trace_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    multi = (f"X-B3-TraceId: {TRACE}", "X-B3-SpanId: e457b5a2e4d86bd1", "X-B3-Sampled: 1")
    text = table(capsys, f"b3: {TRACE}-{SPAN}-1", *multi)
    assert f"{TRACE} e457b5a2e4d86bd1 accept\n conflict of spans: the same trace, but another span" in text
    assert f"{TRACE} {SPAN} accept\n wins: the first" in text


def test_a_half_of_the_id_is_the_same_trace(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, f"traceparent: 00-{TRACE}-{SPAN}-01", f"b3: {TRACE[16:]}-{SPAN}-d", "--to=b3")
    assert f"{TRACE[16:]} {SPAN} debug\n the same trace: fills in what the winner cannot say" in text
    assert f"written:\n b3: {TRACE}-{SPAN}-d\n" in text


def test_a_bare_decision_that_another_one_came_before(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, "b3: 0", "X-B3-Sampled: 1")
    assert "b3multi no ids, decision accept\n a bare decision: another came first" in text


def test_the_first_with_ids_wins_over_a_bare_decision(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, "b3: 1", f"uber-trace-id: {TRACE}:{SPAN}:0:1")
    assert f"{TRACE} {SPAN} accept\n wins: the first with ids" in text


def test_made_up_ids_that_win_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, f"traceparent: 00-{'a' * 32}-{'a' * 16}-01", "tracestate: ops=b:1", "--to=b3")
    assert f"result:\n trace {'a' * 32} span {'a' * 16} decision accept\n ids made up for a bare decision\n" in text
    assert "written:\n b3: 1\n" in text


def test_headers_that_say_nothing_are_not_malformed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "b3multi says nothing" in table(capsys, "X-B3-Flags: 0")


def test_a_format_that_is_not_asked_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    headers = (f"b3: {TRACE}-{SPAN}-1", f"uber-trace-id: {TRACE}:{SPAN}:0:1")
    assert " jaeger: not asked for: not read, not passed on\n" in table(capsys, *headers, "--from=b3")
    assert "not asked for" not in table(capsys, *headers)


def test_underscore_twins_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, f"X_B3_TraceId: {TRACE}", "b3: 1", "Accept: */*")
    assert "not ours, passed on as they are: Accept" in text
    assert "could be taken for ours, never read, not passed on: X_B3_TraceId" in text


def test_families_that_are_not_translated_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    headers = ("X-Datadog-Trace-Id: 1", "x-datadog-parent-id: 2", "X_Amzn_Trace_Id: 3", "Accept: a", "baggage: a=1")
    text = table(capsys, *headers)
    named = "datadog: not translated, another story passes beside ours: x-datadog-parent-id, X-Datadog-Trace-Id\n"
    assert named in text
    assert "xray: not translated, another story passes beside ours: X_Amzn_Trace_Id\n" in text
    assert "not ours, passed on as they are: Accept\n" in text
    text = table(capsys, *headers, "--clear=datadog")
    assert "datadog: not translated, removed: x-datadog-parent-id, X-Datadog-Trace-Id\n" in text
    assert "xray: not translated, another story passes beside ours: X_Amzn_Trace_Id\n" in text


def test_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no trace context\n\nwritten:\n nothing" in table(capsys, "Accept: */*")


def test_a_wrong_session_and_wrong_baggage_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = table(capsys, "X-Mirascope-Session-Id: a b", "baggage: nonsense", f"b3: {TRACE}-{SPAN}-1")
    assert "session malformed (characters): illegal characters" in text
    assert "a member of baggage was dropped" in text


def test_every_reason_and_every_loss_has_its_words() -> None:
    assert set(reading._REASONS) == set(Malformed)
    assert set(reading._LOSSES) == set(Loss)


def test_eighty_columns_suffice(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is told; a header that is written stays in one line, to be copied."""
    families = [f"x-datadog-{name}: 1" for name in ("trace-id", "parent-id", "sampling-priority", "tags")]
    others = [f"X-Something-Of-Ours-{number}: 1" for number in range(9)]
    trace = (f"b3: {TRACE}-{SPAN}-d-{'c' * 16}", f"traceparent: 00-{'a' * 32}-{SPAN}-01", "uber-trace-id: x")
    assert main(["translate", "--explain", *trace, *families, *others, "--to=composite"]) in (0, 1)
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "X-Something-Of-Ours-8" in text
