"""`ops-sidecar translate`: headers in, headers out, and why."""

from __future__ import annotations

import io
import json
import sys

import pytest

from ops_lib.headers import context_propagator
from proxy.cli import translate
from proxy.cli.commands import main
from proxy.settings import layers

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"traceparent: 00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def _no_propagator_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIRASCOPE_PROPAGATOR", raising=False)


def test_the_variable_is_that_of_the_settings() -> None:
    """It is written down here once more, because this command works where the settings' packages are missing."""
    assert translate.PROPAGATOR_VARIABLE == layers.PROPAGATOR_VARIABLE == context_propagator.FORMAT_VARIABLE


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["translate", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.parametrize(
    ("to", "lines"),
    [
        ("tracecontext", [f"traceparent: 00-{TRACE}-{SPAN}-01"]),
        ("b3", [f"b3: {TRACE}-{SPAN}-1"]),
        ("b3multi", [f"X-B3-TraceId: {TRACE}", f"X-B3-SpanId: {SPAN}", "X-B3-Sampled: 1"]),
        ("jaeger", [f"uber-trace-id: {TRACE}:{SPAN}:0:1"]),
        ("B3,Jaeger", [f"b3: {TRACE}-{SPAN}-1", f"uber-trace-id: {TRACE}:{SPAN}:0:1"]),
    ],
)
def test_headers_of_the_wanted_formats_are_printed(
    capsys: pytest.CaptureFixture[str], to: str, lines: list[str]
) -> None:
    assert run(capsys, "--to", to, TRACEPARENT) == (0, "".join(f"{line}\n" for line in lines), "")


def test_the_environment_says_what_is_written_where_no_flag_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MIRASCOPE_PROPAGATOR counts as it does for `run` and `check`."""
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "b3")
    assert run(capsys, TRACEPARENT) == (0, f"b3: {TRACE}-{SPAN}-1\n", "")
    assert run(capsys, "--to", "tracecontext", TRACEPARENT)[1] == f"{TRACEPARENT}\n"
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "b4")
    with pytest.raises(SystemExit) as ended:
        run(capsys, TRACEPARENT)
    assert ended.value.code == 2
    assert "environment variable MIRASCOPE_PROPAGATOR: unknown propagation format 'b4'" in capsys.readouterr().err
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "")
    assert run(capsys, TRACEPARENT)[1] == f"{TRACEPARENT}\n"


def test_composite_is_all_four(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--to", "composite", TRACEPARENT)
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        *("traceparent", "b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled", "uber-trace-id"),
    ]


def test_the_order_of_reading_decides(capsys: pytest.CaptureFixture[str]) -> None:
    other = f"b3: {'a' * 32}-{'b' * 16}-0"
    assert TRACE in run(capsys, TRACEPARENT, other)[1]
    assert "a" * 32 in run(capsys, "--from", "b3,tracecontext", TRACEPARENT, other)[1]


def test_options_of_the_session_and_of_losses(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "Mirascope-Session-Id: s1", TRACEPARENT, "--session", "X-S", "--session-bridge")
    assert "X-S: s1\nbaggage: session.id=s1\n" in out
    assert "s1" not in run(capsys, "Mirascope-Session-Id: s1", TRACEPARENT, "--session-from", "X-Other")[1]
    deferred = f"b3: {TRACE}-{SPAN}"
    assert run(capsys, "--to", "jaeger", deferred)[1].endswith(":1\n")
    assert run(capsys, "--to", "jaeger", "--on-defer", "accept", deferred)[1].endswith(":1\n")
    assert run(capsys, "--to", "jaeger", "--on-defer", "0.001", deferred)[1].endswith(":0\n")
    code, out, err = run(capsys, "--to", "jaeger", "--on-defer", "deny", deferred)
    assert (code, out[-3:]) == (0, ":0\n")
    assert "jaeger cannot say: defer" in err
    assert "ops=" in run(capsys, deferred)[1]
    assert "ops=" not in run(capsys, "--no-lossless", deferred)[1]


@pytest.mark.parametrize("wrong", ["never", "1.5", "-1", "nan", ""])
def test_a_wrong_ratio_is_refused(capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(capsys, f"--on-defer={wrong}", TRACEPARENT)
    assert ended.value.code == 2
    assert f"--on-defer '{wrong}': expected accept, deny, or a ratio from 0 to 1" in capsys.readouterr().err


def test_families_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--json", "--clear", "xray", TRACEPARENT, "X-Amzn-Trace-Id: a", "sentry-trace: b")
    assert json.loads(out)["foreign"] == [
        {"family": "xray", "what": "removed", "headers": ["X-Amzn-Trace-Id"]},
        {"family": "sentry", "what": "passed", "headers": ["sentry-trace"]},
    ]


def test_an_unknown_family_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(capsys, "--clear=datacat", TRACEPARENT)
    assert ended.value.code == 2
    assert "unknown family of trace headers 'datacat'; known are: datadog, xray" in capsys.readouterr().err


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "Accept: */*", "traceparent: 00-zz")
    assert (code, out) == (1, "")
    assert "tracecontext is malformed: shape" in err
    assert "no valid trace or session header found (headers read: Accept, traceparent)" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "b3multy", TRACEPARENT], "unknown propagation format 'b3multy'"),
        (["--from", "", TRACEPARENT], "expected at least one format"),
        (["nonsense"], "'nonsense' is not a header"),
        (["--session", "a b", TRACEPARENT], "expected a header name"),
        (["--session", "a,b", TRACEPARENT], "expected one header name"),
        (["--session", "", TRACEPARENT], "expected one header name"),
        (["--session", "Traceparent", TRACEPARENT], "has another meaning"),
        (["--session", "Authorization", TRACEPARENT], "'Authorization': this header has another meaning"),
        (["--session-from", "X-S,X_B3_TraceId", TRACEPARENT], "has another meaning"),
        (["--explain", "--json", TRACEPARENT], "not allowed with"),
    ],
)
def test_bad_input_exits_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["translate", *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


class Stdin(io.TextIOWrapper):
    """Standard input, with a terminal behind it or not."""

    def __init__(self, text: str, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(text.encode("latin-1")))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(f"> GET / HTTP/1.1\n> {TRACEPARENT}\n< b3: 1\n"))
    assert run(capsys, "--to", "b3")[1] == f"b3: {TRACE}-{SPAN}-1\n"


def test_too_much_is_refused_and_not_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands at the end counts, too."""
    monkeypatch.setattr(sys, "stdin", Stdin("A: b\n" * 200_000 + TRACEPARENT))
    with pytest.raises(SystemExit) as ended:
        main(["translate"])
    assert ended.value.code == 2
    assert "more than 1,000,000 bytes" in capsys.readouterr().err


def test_at_a_terminal_it_asks_for_arguments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin("", terminal=True))
    with pytest.raises(SystemExit):
        main(["translate"])
    assert "give headers as arguments" in capsys.readouterr().err


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    other = f"uber-trace-id: {'a' * 32}:{'b' * 16}:0:3"
    code, out, _ = run(capsys, "--to", "b3", "--json", TRACEPARENT, other, "X-B3-Sampled: 7", "baggage: k=v")
    found = json.loads(out)
    assert code == 0
    assert found["headers"] == [["b3", f"{TRACE}-{SPAN}-1"], ["baggage", "k=v"]]
    assert found["winner"] == "tracecontext"
    assert found["context"]["trace_id"] == TRACE
    assert found["context"]["sampling"] == "accept"
    assert [one["format"] for one in found["conflicts"]] == ["jaeger"]
    assert {one["format"]: one["malformed"] for one in found["says"]}["b3multi"] == "decision"
    assert found["baggage"] == [["k", "v"]]
